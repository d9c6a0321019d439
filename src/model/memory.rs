//! `TrainingMemory`: what a training keeps from step to step: the gradients of parameters, and room for what a step computes.
//!
//! candle makes a gradient of zeros for each parameter and each step, adds what was found in a new tensor, and frees both:
//! most of a step outside of its products. Layers that write here overwrite or add to what is there already.

use std::{
    cell::Cell,
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor};

use crate::kernels::embedding;

/// Shared by a model that is trained and the operations of its steps; a clone is the same memory.
#[derive(Clone, Default)]
pub struct TrainingMemory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    gradients: BTreeMap<String, Gradient>,
    /// Buffers that nothing uses now, by their capacity.
    rooms: BTreeMap<usize, Vec<Vec<f32>>>,
    /// Whether layers compute again for the backward pass what they could keep.
    recomputes: bool,
}

/// The gradient of a parameter, of its shape.
struct Gradient {
    tensor: Tensor,
    /// Whether this step has written it.
    is_written: bool,
    /// Of an embedding table: the rows that are not zero.
    rows: Vec<u32>,
}

impl TrainingMemory {
    /// Lets layers keep only what they start from, and compute the rest again for the backward pass.
    pub fn recompute(&self) {
        self.lock().recomputes = true;
    }

    pub(super) fn recomputes(&self) -> bool {
        self.lock().recomputes
    }

    /// Forgets what the steps before have written; the next gradients of each parameter overwrite the old ones.
    pub fn begin_step(&self) {
        for gradient in self.lock().gradients.values_mut() {
            gradient.is_written = false;
        }
    }

    /// The gradients that were written since [`Self::begin_step`], by the names of their parameters. The tensors are not
    /// copied: the next step changes them.
    #[must_use]
    pub fn gradients(&self) -> Vec<(String, Tensor)> {
        let state = self.lock();
        let written = state.gradients.iter().filter(|(_, gradient)| gradient.is_written);
        written.map(|(name, gradient)| (name.clone(), gradient.tensor.clone())).collect()
    }

    /// Lets `write` put the gradient of a parameter over what is there: overwrite it when told that it is the first of the
    /// step, else add to it.
    pub(super) fn write(&self, name: &str, like: &Tensor, write: impl FnOnce(&mut [f32], bool)) -> Result<()> {
        let mut state = self.lock();
        let gradient = state.gradient(name, like)?;
        let is_first = !std::mem::replace(&mut gradient.is_written, true);
        change(&gradient.tensor, |values| write(values, is_first))
    }

    /// Adds the gradients of rows of an embedding table, `[ids, width]`; only rows that were not zero are cleared before.
    pub(super) fn add_rows(&self, name: &str, like: &Tensor, ids: &[u32], rows: &[f32], width: usize) -> Result<()> {
        let mut state = self.lock();
        let gradient = state.gradient(name, like)?;
        let old = if gradient.is_written { Vec::new() } else { std::mem::take(&mut gradient.rows) };
        gradient.is_written = true;
        gradient.rows.extend_from_slice(ids);
        change(&gradient.tensor, |values| {
            for row in old {
                values[row as usize * width..][..width].fill(0.0);
            }
            embedding::scatter(ids, rows, width, values);
        })
    }

    /// Room for that many numbers, with anything in it.
    pub(super) fn room(&self, len: usize) -> Room {
        // Batches differ in length: a power of two serves the next one, too, and pages that nobody writes cost nothing.
        let capacity = len.next_power_of_two();
        let free = self.lock().rooms.get_mut(&capacity).and_then(Vec::pop);
        let mut values = free.unwrap_or_else(|| Vec::with_capacity(capacity));
        values.resize(len, 0.0);
        Room { values, capacity, memory: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn gradient(&mut self, name: &str, like: &Tensor) -> Result<&mut Gradient> {
        if !self.gradients.contains_key(name) {
            let tensor = like.detach().zeros_like()?;
            self.gradients.insert(name.to_owned(), Gradient { tensor, is_written: false, rows: Vec::new() });
        }
        Ok(self.gradients.get_mut(name).expect("it was just put there"))
    }
}

/// Numbers in a buffer that goes back to its memory.
pub(super) struct Room {
    values: Vec<f32>,
    capacity: usize,
    memory: TrainingMemory,
}

impl Room {
    /// The numbers without their memory, for a tensor that keeps them.
    pub(super) fn into_values(mut self) -> Vec<f32> {
        self.capacity = 0;
        std::mem::take(&mut self.values)
    }
}

impl Deref for Room {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.capacity > 0 {
            let values = std::mem::take(&mut self.values);
            self.memory.lock().rooms.entry(self.capacity).or_default().push(values);
        }
    }
}

/// Changes the numbers of a contiguous tensor on the CPU.
fn change(tensor: &Tensor, change: impl FnOnce(&mut [f32])) -> Result<()> {
    tensor.inplace_op1(&Change(Cell::new(Some(change))))
}

/// An operation in place that runs once.
struct Change<F>(Cell<Option<F>>);

impl<F: FnOnce(&mut [f32])> InplaceOp1 for Change<F> {
    fn name(&self) -> &'static str {
        "change"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            candle_core::bail!("only contiguous f32 numbers are changed in place")
        };
        if let Some(change) = self.0.take() {
            change(&mut values[start..end]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn only(memory: &TrainingMemory) -> Vec<f32> {
        memory.gradients()[0].1.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_step_overwrites_and_its_parts_add() {
        let memory = TrainingMemory::default();
        let like = Tensor::ones(2, DType::F32, &Device::Cpu).unwrap();
        for step in 1..3 {
            memory.begin_step();
            assert!(memory.gradients().is_empty());
            for _ in 0..3 {
                let add = |values: &mut [f32], is_first: bool| {
                    for x in values {
                        *x = if is_first { step as f32 } else { *x + 1.0 };
                    }
                };
                memory.write("w", &like, add).unwrap();
            }
            assert_eq!(only(&memory), [step as f32 + 2.0; 2]);
        }
    }

    #[test]
    fn rows_of_the_step_before_are_cleared() {
        let memory = TrainingMemory::default();
        let like = Tensor::ones((3, 1), DType::F32, &Device::Cpu).unwrap();
        for (ids, expected) in [([0, 2], [1.0, 0.0, 2.0]), ([1, 1], [0.0, 3.0, 0.0])] {
            memory.begin_step();
            memory.add_rows("w", &like, &ids, &[1.0, 2.0], 1).unwrap();
            assert_eq!(only(&memory), expected);
        }
        memory.add_rows("w", &like, &[0], &[5.0], 1).unwrap();
        assert_eq!(only(&memory), [5.0, 3.0, 0.0]);
    }

    #[test]
    fn rooms_are_used_again() {
        let memory = TrainingMemory::default();
        let first = memory.room(100);
        let place = first.as_ptr();
        drop(first);
        assert_eq!(memory.room(120).as_ptr(), place);
        assert_eq!(memory.room(5).into_values().len(), 5);
    }
}
