//! `l1`: the weights of the smallest magnitude, as `torch.nn.utils.prune` chooses them.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::Masks;
use crate::{compress::CompressError, model::Model};

/// Among which weights the smallest ones are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Among all of them: a layer of small weights loses more (`global_unstructured`).
    Global,
    /// Within each tensor: every layer loses the same share (`l1_unstructured`).
    Layer,
}

/// The masks that remove a share of the weights of some modules, those of the smallest absolute value.
///
/// As in PyTorch, `round(sparsity · n)` weights go, halves to even; of equal ones the first go (PyTorch leaves their
/// order open).
///
/// # Errors
/// When a module has no f32 weight.
pub fn smallest(model: &Model, modules: &[String], sparsity: f64, scope: Scope) -> Result<Masks, CompressError> {
    let mut magnitudes = Vec::with_capacity(modules.len());
    for module in modules {
        let name = format!("{module}.weight");
        let weight = model.params.get(&name).ok_or_else(|| {
            CompressError::Unfit(format!("`{name}` is not an f32 weight of the model; prune before quantising"))
        })?;
        let values = weight.flatten_all()?.to_vec1::<f32>()?;
        magnitudes.push((name, values.into_iter().map(f32::abs).collect::<Vec<_>>(), weight));
    }
    let sizes: Vec<usize> = magnitudes.iter().map(|(_, values, _)| values.len()).collect();
    let kept: Vec<Vec<bool>> = match scope {
        Scope::Layer => magnitudes.iter().map(|(_, values, _)| keep(values, sparsity)).collect(),
        Scope::Global => {
            let all: Vec<f32> = magnitudes.iter().flat_map(|(_, values, _)| values.iter().copied()).collect();
            let mut all = keep(&all, sparsity).into_iter();
            sizes.iter().map(|&size| all.by_ref().take(size).collect()).collect()
        }
    };
    let mut masks = BTreeMap::new();
    for ((name, _, weight), kept) in magnitudes.iter().zip(kept) {
        let mask: Vec<f32> = kept.into_iter().map(|kept| f32::from(u8::from(kept))).collect();
        masks.insert(name.clone(), Tensor::from_vec(mask, weight.shape(), weight.device())?);
    }
    Ok(Masks::new(masks))
}

/// Which values stay when the smallest share of them goes.
fn keep(magnitudes: &[f32], sparsity: f64) -> Vec<bool> {
    let n_removed = (sparsity * magnitudes.len() as f64).round_ties_even() as usize;
    let mut order: Vec<u32> = (0..magnitudes.len() as u32).collect();
    let by_magnitude = |a: &u32, b: &u32| magnitudes[*a as usize].total_cmp(&magnitudes[*b as usize]).then(a.cmp(b));
    let mut kept = vec![true; magnitudes.len()];
    if n_removed == 0 {
        return kept;
    }
    // A partial order is enough, and many times faster than sorting all weights of a model.
    order.select_nth_unstable_by(n_removed - 1, by_magnitude);
    for &place in &order[..n_removed] {
        kept[place as usize] = false;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_go_and_their_count_is_pytorchs() {
        let magnitudes = [0.5, 0.1, 0.1, 0.9, 0.0, 0.1];
        // round(0.25 · 6) = round(1.5) = 2 and round(0.75 · 6) = round(4.5) = 4: halves to even, as Python rounds.
        let cases: [(f64, [bool; 6]); 4] = [
            (0.0, [true; 6]),
            (0.25, [true, false, true, true, false, true]),
            (0.75, [true, false, false, true, false, false]),
            (1.0, [false; 6]),
        ];
        for (sparsity, expected) in cases {
            assert_eq!(keep(&magnitudes, sparsity), expected, "{sparsity}");
        }
    }
}
