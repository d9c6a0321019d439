//! Which bytes of a text are of a kind, 64 at a time: a bit for each, so that what is looked for is found without a branch
//! for what is not.

/// Bytes that are judged at once.
pub(super) const BLOCK: usize = 64;

/// The bytes from a place on, with zeros behind the last.
#[inline]
pub(super) fn block(bytes: &[u8], at: usize) -> [u8; BLOCK] {
    let rest = &bytes[at..];
    rest.first_chunk().copied().unwrap_or_else(|| {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        block
    })
}

/// A bit for each byte, the first one lowest. The compiler judges as many at once as the machine can, if `is` has no branch.
#[inline]
pub(super) fn of(block: &[u8; BLOCK], is: impl Fn(u8) -> bool) -> u64 {
    let found = block.map(|byte| u8::from(is(byte)));
    let mut bits = 0;
    for (at, eight) in found.as_chunks().0.iter().enumerate() {
        // The product brings the lowest bits of eight bytes together in its highest byte.
        let together = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= together << (8 * at);
    }
    bits
}

/// The places of the bytes of a kind, in order.
#[inline]
pub(super) fn places(bytes: &[u8], is: impl Fn(u8) -> bool + Copy) -> impl Iterator<Item = usize> {
    let (mut base, mut bits, mut next) = (0, 0_u64, 0);
    std::iter::from_fn(move || {
        while bits == 0 {
            let rest = bytes.len().checked_sub(next).filter(|rest| *rest > 0)?;
            (base, bits) = (next, of(&block(bytes, next), is));
            if rest < BLOCK {
                bits &= (1 << rest) - 1;
            }
            next += BLOCK;
        }
        let at = base + bits.trailing_zeros() as usize;
        bits &= bits - 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng;

    #[test]
    fn every_place_is_found() {
        let mut random = rng::stream(5, "bits");
        for length in 0..300 {
            let bytes: Vec<u8> = (0..length).map(|_| rng::below(&mut random, 4) as u8).collect();
            for kind in 0..4 {
                let expected: Vec<usize> = (0..length).filter(|&at| bytes[at] == kind).collect();
                assert_eq!(places(&bytes, |byte| byte == kind).collect::<Vec<_>>(), expected, "{bytes:?}");
            }
        }
        assert_eq!(of(&[1; BLOCK], |byte| byte == 1), u64::MAX);
        for at in 0..BLOCK {
            let block = std::array::from_fn(|byte| u8::from(byte == at));
            assert_eq!(of(&block, |byte| byte == 1), 1 << at);
        }
        assert_eq!(places(&[7; 130], |_| true).count(), 130);
    }
}
