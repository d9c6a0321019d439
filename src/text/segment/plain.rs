//! The words of ASCII text without `_`, where each byte's neighbours say whether it belongs to a word: 64 are judged at once.

use std::ops::Range;

use crate::text::bits::{self, BLOCK};

/// Whether a text is ASCII without `_`, which alone is no word: that needs more than its neighbours to be told.
pub(super) fn is_plain(text: &str) -> bool {
    // Without an end before the end: many bytes are judged at once.
    text.bytes().fold(0, |others, byte| others | u8::from(matches!(byte, 0x80.. | b'_'))) == 0
}

/// The number of words of such a text.
pub(super) fn count(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut words, mut before) = (0, 0);
    for at in (0..bytes.len()).step_by(BLOCK) {
        let inside = inside(bytes, at);
        words += (inside & !(inside << 1 | before)).count_ones() as usize;
        before = inside >> (BLOCK - 1);
    }
    words
}

/// The places of the words of such a text.
pub(super) struct Words<'a> {
    bytes: &'a [u8],
    /// Where the block begins whose words come next.
    base: usize,
    /// The bytes of that block inside words that did not come yet.
    inside: u64,
    /// Where the next block begins.
    next: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), base: 0, inside: 0, next: 0 }
    }

    /// Goes on to the next block; whether there is one.
    fn go_on(&mut self) -> bool {
        if self.next >= self.bytes.len() {
            return false;
        }
        (self.base, self.inside) = (self.next, inside(self.bytes, self.next));
        self.next += BLOCK;
        true
    }
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        while self.inside == 0 {
            if !self.go_on() {
                return None;
            }
        }
        let first = self.inside.trailing_zeros();
        let start = self.base + first as usize;
        // A one that is added to the first bit of a word carries through all of it.
        let (carried, is_open) = self.inside.overflowing_add(1 << first);
        if !is_open {
            self.inside &= carried;
            return Some(start..self.base + carried.trailing_zeros() as usize);
        }
        // The word goes on in the next block.
        while self.go_on() {
            let ones = self.inside.trailing_ones();
            if ones < u64::BITS {
                self.inside &= u64::MAX << ones;
                return Some(start..self.base + ones as usize);
            }
        }
        self.inside = 0;
        Some(start..self.bytes.len())
    }
}

/// The bytes of a block that are inside words: letters, digits, and the marks that join two of them (`don't`, `3.5`) by the
/// rules WB6, WB7, WB11 and WB12.
#[inline]
fn inside(bytes: &[u8], at: usize) -> u64 {
    let block = bits::block(bytes, at);
    let letters = bits::of(&block, |byte| byte.is_ascii_alphabetic());
    let digits = bits::of(&block, |byte| byte.is_ascii_digit());
    let between_two = |kind: u64, is: fn(&u8) -> bool| {
        let before = u64::from(at.checked_sub(1).is_some_and(|at| is(&bytes[at])));
        let behind = u64::from(bytes.get(at + BLOCK).is_some_and(is));
        (kind << 1 | before) & (kind >> 1 | behind << (BLOCK - 1))
    };
    let of_letters = bits::of(&block, |byte| matches!(byte, b'.' | b'\'' | b':'));
    let of_digits = bits::of(&block, |byte| matches!(byte, b'.' | b'\'' | b',' | b';'));
    let joined = of_letters & between_two(letters, u8::is_ascii_alphabetic)
        | of_digits & between_two(digits, u8::is_ascii_digit);
    letters | digits | joined
}
