//! `neurons`: whole feed-forward neurons, those with the least effect on the loss; each layer loses as many.

use super::Importance;
use crate::compress::CompressError;

/// Which neurons of each feed-forward net stay, ascending: `[net][kept]`.
pub type NeuronChoice = Vec<Vec<usize>>;

/// Chooses the neurons that stay when a share of each layer's goes.
///
/// All layers keep the same number, since `config.json` has one `intermediate_size` for all; it is rounded to the
/// nearest multiple of `multiple_of` (at least one), since matrix kernels work in blocks.
///
/// # Errors
/// When the layers differ in width.
pub fn choose_neurons(importance: &Importance, share: f64, multiple_of: usize) -> Result<NeuronChoice, CompressError> {
    let width = importance.neurons.first().map_or(0, Vec::len);
    if importance.neurons.iter().any(|layer| layer.len() != width) {
        return Err(CompressError::Unfit(
            "the layers' feed-forward nets differ in width; one width is expected".into(),
        ));
    }
    let exact = (1.0 - share) * width as f64;
    let n_kept = ((exact / multiple_of as f64).round().max(1.0) as usize * multiple_of).min(width);
    Ok(importance.neurons.iter().map(|values| most_important(values, n_kept)).collect())
}

fn most_important(values: &[f64], n_kept: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    order.truncate(n_kept);
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_stay_of_one_width_and_a_round_one() {
        let layer =
            |reverse: bool| -> Vec<f64> { (0..64).map(|i| f64::from(if reverse { 64 - i } else { i })).collect() };
        let importance = Importance { neurons: vec![layer(false), layer(true)], ..Importance::default() };
        for (share, multiple_of, expected) in
            [(0.5, 8, 32), (0.3, 8, 48), (0.3, 1, 45), (0.0, 8, 64), (0.999, 8, 8), (0.0, 40, 64)]
        {
            let kept = choose_neurons(&importance, share, multiple_of).unwrap();
            assert_eq!(kept[0], (64 - expected..64).collect::<Vec<_>>(), "{share} {multiple_of}");
            assert_eq!(kept[1], (0..expected).collect::<Vec<_>>(), "{share} {multiple_of}");
        }
    }
}
