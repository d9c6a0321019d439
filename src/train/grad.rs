//! Accumulation, clipping, norms.

use std::collections::BTreeMap;

use candle_core::{CpuStorage, Storage, Tensor, Var, backprop::GradStore};
use rayon::prelude::*;

use super::TrainError;

/// Gradients by the names of their parameters.
#[derive(Debug, Default)]
pub struct Gradients(BTreeMap<String, Tensor>);

impl Gradients {
    /// The gradient of a parameter, if it has one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Adds what a backward pass found for these parameters.
    ///
    /// # Errors
    /// When a computation fails.
    pub fn accumulate(&mut self, vars: &BTreeMap<String, Var>, store: &mut GradStore) -> Result<(), TrainError> {
        for (name, var) in vars {
            let Some(gradient) = store.remove(var) else { continue };
            // What an update needs is numbers, not the graph that they came from.
            self.add([(name.clone(), gradient.detach())])?;
        }
        Ok(())
    }

    /// Adds gradients by the names of their parameters.
    ///
    /// # Errors
    /// When a computation fails.
    pub fn add(&mut self, gradients: impl IntoIterator<Item = (String, Tensor)>) -> Result<(), TrainError> {
        for (name, gradient) in gradients {
            let sum = match self.0.remove(&name) {
                Some(sum) => (sum + gradient)?,
                None => gradient,
            };
            self.0.insert(name, sum);
        }
        Ok(())
    }

    /// The norm of all gradients as one vector: `√ Σ g²`, as torch's `clip_grad_norm_` reports it.
    ///
    /// # Errors
    /// When a computation fails.
    pub fn norm(&self) -> Result<f64, TrainError> {
        let (here, there): (Vec<_>, Vec<_>) = self.0.values().partition(|gradient| gradient.device().is_cpu());
        let mut sum = squares_on_device(&there)?;
        for gradient in here {
            sum += squares(gradient)?;
        }
        Ok(sum.sqrt())
    }
}

impl FromIterator<(String, Tensor)> for Gradients {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(gradients: I) -> Self {
        Self(gradients.into_iter().collect())
    }
}

/// What gradients of a norm are multiplied by so that their norm is at most `max`: `min(1, max / (norm + 10⁻⁶))`, as in
/// torch's `clip_grad_norm_`. `max` 0 does not clip.
#[must_use]
pub fn clip_scale(norm: f64, max: f64) -> f64 {
    if max > 0.0 { (max / (norm + 1e-6)).min(1.0) } else { 1.0 }
}

/// Elements that are summed at once; the chunks' sums are added in order, so that the sum does not depend on the
/// threads.
const CHUNK: usize = 64 * 1024;

/// Elements that a device sums at once, in f32.
const ROW: usize = 4096;

fn squares(tensor: &Tensor) -> Result<f64, TrainError> {
    let (storage, layout) = tensor.storage_and_layout();
    if let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) = (&*storage, layout.contiguous_offsets()) {
        let sums: Vec<f64> = values[start..end].par_chunks(CHUNK).map(squares_of).collect();
        return Ok(sums.iter().sum());
    }
    drop(storage);
    squares(&tensor.contiguous()?)
}

/// The same of tensors on a device, which is waited for once.
fn squares_on_device(tensors: &[&Tensor]) -> Result<f64, TrainError> {
    let [first, ..] = tensors else { return Ok(0.0) };
    let mut flat = tensors.iter().map(|tensor| tensor.flatten_all()).collect::<candle_core::Result<Vec<_>>>()?;
    let n: usize = flat.iter().map(Tensor::elem_count).sum();
    // One block of a device's threads sums one row.
    flat.push(Tensor::zeros(n.next_multiple_of(ROW) - n, first.dtype(), first.device())?);
    let sums = Tensor::cat(&flat, 0)?.reshape(((), ROW))?.sqr()?.sum(1)?.to_vec1::<f32>()?;
    Ok(sums.into_iter().map(f64::from).sum())
}

fn squares_of(values: &[f32]) -> f64 {
    // Eight sums of their own, so that the additions do not wait for each other.
    let mut sums = [0.0_f64; 8];
    let blocks = values.chunks_exact(8);
    let rest: f64 = blocks.remainder().iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    for block in blocks {
        for (sum, &x) in sums.iter_mut().zip(block) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_norm_is_of_all_gradients_whatever_their_layout() {
        let values: Vec<f32> = (0..200_000).map(|i| (i % 7) as f32 - 3.0).collect();
        let expected = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let tensor = Tensor::from_vec(values, (1000, 200), &Device::Cpu).unwrap();
        let transposed = tensor.t().unwrap();
        let gradients = Gradients::from_iter([("a".to_owned(), tensor), ("b".to_owned(), transposed)]);
        assert!((gradients.norm().unwrap() - (2.0 * expected).sqrt()).abs() < 1e-2);
    }

    #[test]
    fn a_device_sums_all_of_them_too() {
        let tensors: Vec<Tensor> = [(5000, 3), (1, 1), (4096, 1)]
            .into_iter()
            .map(|shape| Tensor::full(2.0_f32, shape, &Device::Cpu).unwrap())
            .collect();
        let found = squares_on_device(&tensors.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(found, 4.0 * (15_000.0 + 1.0 + 4096.0));
        assert_eq!(squares_on_device(&[]).unwrap(), 0.0);
    }

    #[test]
    fn the_norm_does_not_depend_on_the_threads() {
        let values: Vec<f32> = super::super::loss::finite_difference::numbers(300_001, 9);
        let gradients = Gradients::from_iter([("a".to_owned(), Tensor::new(values, &Device::Cpu).unwrap())]);
        let norm_with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| gradients.norm().unwrap())
        };
        assert_eq!(norm_with(1).to_bits(), norm_with(3).to_bits());
    }

    #[test]
    fn clipping_is_torchs() {
        assert_eq!(clip_scale(0.5, 1.0), 1.0);
        assert!((clip_scale(4.0, 1.0) - 0.25).abs() < 1e-6);
        assert_eq!(clip_scale(4.0, 0.0), 1.0);
    }
}
