//! `Aligned`: numbers that begin at a cache line, so that no vector load straddles two.

use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
    slice,
};

/// A cache line, and a vector register of AVX-512.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// An array on the stack that begins at a cache line.
#[repr(C, align(64))]
pub(super) struct OnLine<T>(pub(super) T);

/// Numbers of which every bit pattern is one.
pub(super) trait Number: Copy + Default + Send + Sync + 'static {}
impl Number for f32 {}
impl Number for i8 {}
impl Number for i32 {}

/// A vector of a fixed length whose first element lies at a multiple of 64 bytes.
pub(super) struct Aligned<T> {
    lines: Vec<Line>,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Number> Aligned<T> {
    /// Zeros.
    pub(super) fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0; 64]); (len * size_of::<T>()).div_ceil(64)], len, of: PhantomData }
    }
}

impl<T: Number> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold at least `len` numbers, are initialised, aligned to 64 bytes, and any bits are a number.
        unsafe { slice::from_raw_parts(self.lines.as_ptr().cast::<T>(), self.len) }
    }
}

impl<T: Number> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the lines are borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast::<T>(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_at_a_line() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut numbers = Aligned::<f32>::zeros(len);
            assert_eq!((numbers.len(), numbers.as_ptr().addr() % 64), (len, 0));
            numbers.fill(2.5);
            assert!(numbers.iter().all(|x| *x == 2.5));
        }
    }
}
