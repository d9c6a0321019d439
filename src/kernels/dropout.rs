//! Dropout whose mask is a function of seed, place and element: the same whatever the threads, and never stored.

use rayon::prelude::*;

use super::{
    TASK,
    isa::{Isa, multiversion},
};

/// The mask of one place in one step. An element is kept with probability `1 − rate` and then scaled by `1 / (1 − rate)`
/// (Srivastava et al., 2014, in the inverted form that all frameworks use).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mask {
    keys: [u32; 2],
    /// Of 2²⁴: elements whose 24 random bits are below it are dropped.
    threshold: u32,
    scale: f32,
}

impl Mask {
    /// The mask for a rate in `[0, 1)`, under the seed of a step, at the place `site` of the model.
    ///
    /// # Panics
    /// When the rate is outside `[0, 1)`.
    pub fn new(rate: f64, seed: u64, site: u64) -> Self {
        assert!((0.0..1.0).contains(&rate), "a dropout rate is in [0, 1)");
        // SplitMix64 (Steele, Lea and Flood, 2014) spreads seeds and sites that differ in one bit.
        let mut z = seed.wrapping_add(site.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let threshold = (rate * 16_777_216.0) as u32;
        Self { keys: [z as u32, (z >> 32) as u32], threshold, scale: (1.0 / (1.0 - rate)) as f32 }
    }

    /// What an element that is kept is multiplied by: `1 / (1 − rate)`.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// What element `index` is multiplied by: 0 or [`Self::scale`].
    #[inline(always)]
    pub fn factor(&self, index: u32) -> f32 {
        if self.keeps(index) { self.scale } else { 0.0 }
    }

    /// Whether element `index` is kept.
    #[inline(always)]
    fn keeps(&self, index: u32) -> bool {
        // Two rounds of a multiply–xorshift hash (Wellons' `lowbias32`), one key before each.
        let mut h = index ^ self.keys[0];
        h = (h ^ (h >> 16)).wrapping_mul(0x21f0_aaad);
        h = (h ^ (h >> 15)).wrapping_mul(0xd35a_2d97);
        h = (h ^ (h >> 15)).wrapping_add(self.keys[1]);
        h = (h ^ (h >> 16)).wrapping_mul(0x21f0_aaad);
        h = (h ^ (h >> 15)).wrapping_mul(0xd35a_2d97);
        h ^= h >> 15;
        h >> 8 >= self.threshold
    }
}

/// `out[i] = x[i] · factor(i) + residual[i]`; without a mask nothing is dropped, without a residual nothing is added.
/// The gradient of `x` is the same with the gradient in place of `x`.
///
/// # Panics
/// When the lengths differ.
pub fn apply(mask: Option<Mask>, x: &[f32], residual: Option<&[f32]>, out: &mut [f32]) {
    assert!(x.len() == out.len() && residual.is_none_or(|r| r.len() == x.len()), "dropout keeps the shape");
    let isa = Isa::detect();
    out.par_chunks_mut(TASK).zip(x.par_chunks(TASK)).enumerate().for_each(|(task, (out, x))| {
        let start = task * TASK;
        let residual = residual.map(|residual| &residual[start..start + x.len()]);
        chunk(isa, mask, start, x, residual, out);
    });
}

/// For some elements from number `start` on, 1 where the mask keeps it and 0 where it drops it.
pub fn kept(mask: Mask, start: u32, out: &mut [u8]) {
    kept_on(Isa::detect(), mask, start, out);
}

multiversion!(fn kept_on(mask: Mask, start: u32, out: &mut [u8]) = kept_body);

#[inline(always)]
fn kept_body<const FUSED: bool>(mask: Mask, start: u32, out: &mut [u8]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = u8::from(mask.keeps(start.wrapping_add(i as u32)));
    }
}

multiversion!(fn chunk(mask: Option<Mask>, start: usize, x: &[f32], residual: Option<&[f32]>, out: &mut [f32]) = chunk_body);

#[inline(always)]
fn chunk_body<const FUSED: bool>(
    mask: Option<Mask>,
    start: usize,
    x: &[f32],
    residual: Option<&[f32]>,
    out: &mut [f32],
) {
    // The counter wraps after 2³² elements, more than a batch of any device holds at one place.
    let index = |i: usize| (start as u32).wrapping_add(i as u32);
    match (mask, residual) {
        (None, None) => out.copy_from_slice(x),
        (None, Some(residual)) => {
            for ((out, &x), &residual) in out.iter_mut().zip(x).zip(residual) {
                *out = x + residual;
            }
        }
        (Some(mask), None) => {
            for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
                *out = x * mask.factor(index(i));
            }
        }
        (Some(mask), Some(residual)) => {
            for (i, ((out, &x), &residual)) in out.iter_mut().zip(x).zip(residual).enumerate() {
                *out = x * mask.factor(index(i)) + residual;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_and_elements_are_independent() {
        for rate in [0.0, 0.1, 0.5] {
            let mask = Mask::new(rate, 42, 3);
            let n = 200_000;
            let dropped = |i: u32| mask.factor(i) == 0.0;
            let share = (0..n).filter(|i| dropped(*i)).count() as f64 / f64::from(n);
            assert!((share - rate).abs() < 0.004, "{rate}: {share}");
            for distance in [1, 2, 32, 384] {
                let both = (0..n).filter(|i| dropped(*i) && dropped(i + distance)).count() as f64 / f64::from(n);
                assert!((both - rate * rate).abs() < 0.004, "{rate} at {distance}: {both}");
            }
        }
    }

    #[test]
    fn what_is_kept_is_what_has_a_factor() {
        let mask = Mask::new(0.3, 7, 2);
        for start in [0, 5, u32::MAX - 20] {
            let mut out = vec![9; 1000];
            kept(mask, start, &mut out);
            let expected = (0..1000).map(|i| u8::from(mask.factor(start.wrapping_add(i)) != 0.0));
            assert!(out.into_iter().eq(expected));
        }
    }

    #[test]
    fn seeds_and_places_differ_and_isas_agree() {
        let x = vec![1.0; 40_000];
        let run = |isa, seed, site| {
            let mut out = vec![0.0; x.len()];
            chunk(isa, Some(Mask::new(0.5, seed, site)), 7, &x, Some(&x), &mut out);
            out
        };
        let first = run(Isa::Generic, 1, 2);
        for isa in Isa::all() {
            assert_eq!(first, run(isa, 1, 2));
        }
        for other in [run(Isa::Generic, 2, 2), run(Isa::Generic, 1, 3)] {
            let same = first.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!((19_000..21_000).contains(&same), "{same}");
        }
    }
}
