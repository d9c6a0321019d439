//! Seeded random streams, split by name, the same on every machine.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A random stream. `ChaCha8` is used because its output is part of its definition, unlike that of `StdRng`.
pub type Stream = ChaCha8Rng;

/// The stream of a name under a seed: streams of different names are independent, so that drawing from one
/// (dropout, say) never shifts another (shuffling).
#[must_use]
pub fn stream(seed: u64, name: &str) -> Stream {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// The stream of one item of many, whatever the order in which, or the thread on which, items are worked on.
#[must_use]
pub fn item_stream(seed: u64, name: &str, index: u64) -> Stream {
    let mut stream = stream(seed, name);
    stream.set_stream(index);
    stream
}

/// A number in `[0, 1)` with 24 random bits.
pub fn uniform(rng: &mut impl RngCore) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32 exactly")]
    let value = (rng.next_u32() >> 8) as f32;
    value / 16_777_216.0
}

/// An index in `[0, n)`; its bias is below 2⁻³² for the sizes that occur.
///
/// # Panics
/// When `n` is 0.
pub fn below(rng: &mut impl RngCore, n: usize) -> usize {
    assert!(n > 0, "an index below 0 does not exist");
    #[expect(clippy::cast_possible_truncation, reason = "the product shifted by 64 bits is below `n`")]
    let index = ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize;
    index
}

/// Shuffles in place (Fisher and Yates).
pub fn shuffle<T>(rng: &mut impl RngCore, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(rng, i + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_and_stable() {
        assert_eq!(stream(42, "shuffle").next_u64(), stream(42, "shuffle").next_u64());
        assert_ne!(stream(42, "shuffle").next_u64(), stream(42, "dropout").next_u64());
        assert_ne!(item_stream(42, "a", 0).next_u64(), item_stream(42, "a", 1).next_u64());
        let mut rng = stream(7, "test");
        let mut items: Vec<_> = (0..100).collect();
        shuffle(&mut rng, &mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        assert!((0..1000).all(|_| (0.0..1.0).contains(&uniform(&mut rng))));
    }
}
