//! A text with some stretches of it replaced or taken out; borrowed as long as nothing changes.

use std::{borrow::Cow, ops::Range};

/// Collects the changes of a text, in the order of the text.
pub(super) struct Edits<'a> {
    text: &'a str,
    out: String,
    /// Bytes of the text that are in `out`, or gone.
    done: usize,
}

impl<'a> Edits<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, out: String::new(), done: 0 }
    }

    /// Puts `with` in the place of a range that begins behind all before it.
    pub(super) fn replace(&mut self, range: Range<usize>, with: &str) {
        if self.text[range.clone()] == *with {
            return;
        }
        self.keep(range.start);
        self.out.push_str(with);
        self.done = range.end;
    }

    /// Takes a range out.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        if range.start > self.done {
            self.replace(range, "");
        } else {
            self.done = range.end;
        }
    }

    /// Copies what stays up to `end`, into room for the whole text.
    fn keep(&mut self, end: usize) {
        if self.out.capacity() == 0 {
            self.out.reserve(self.text.len() + 16);
        }
        self.out.push_str(&self.text[self.done..end]);
    }

    pub(super) fn finish(mut self) -> Cow<'a, str> {
        if self.out.is_empty() {
            // Nothing was changed, or only the start is gone.
            return Cow::Borrowed(&self.text[self.done..]);
        }
        self.keep(self.text.len());
        Cow::Owned(self.out)
    }
}

/// Takes ranges out of a text, each with the white space that it leaves behind. They come in order, and neither begin
/// nor end with white space.
pub(super) fn cut(text: &str, ranges: impl Iterator<Item = Range<usize>>) -> Cow<'_, str> {
    let mut edits = Edits::of(text);
    // Up to where it is decided what stays, and whether that is nothing or ends with white space.
    let (mut at, mut is_open) = (0, true);
    let mut ends_in_hole = false;
    for range in ranges {
        if range.start > at {
            is_open = ends_with_space(&text[at..range.start]);
        }
        let behind = &text[range.end..];
        at = range.end + space(behind);
        ends_in_hole = at == text.len();
        if is_open {
            edits.remove(range.start..at);
        } else {
            let stays = first_space(behind);
            is_open = stays > 0;
            edits.remove(range.clone());
            edits.remove(range.end + stays..at);
        }
    }
    match edits.finish() {
        whole if !ends_in_hole => whole,
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
        Cow::Owned(mut text) => {
            text.truncate(text.trim_end().len());
            Cow::Owned(text)
        }
    }
}

fn ends_with_space(text: &str) -> bool {
    match text.as_bytes().last() {
        Some(&byte) if byte < 0x80 => is_space(byte),
        _ => text.ends_with(char::is_whitespace),
    }
}

/// Bytes of the white space at the start of a text.
fn space(text: &str) -> usize {
    let plain = text.bytes().take_while(|byte| is_space(*byte)).count();
    match text.as_bytes().get(plain) {
        Some(&byte) if byte >= 0x80 => text.len() - text.trim_start().len(),
        _ => plain,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Bytes of the white space at the start of a text that a reader sees as one: spaces, or one line end.
fn first_space(text: &str) -> usize {
    match text.chars().next() {
        Some(' ') => text.len() - text.trim_start_matches(' ').len(),
        Some('\r') if text.starts_with("\r\n") => 2,
        Some(c) if c.is_whitespace() => c.len_utf8(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_change_is_borrowed() {
        let mut edits = Edits::of("one two three");
        edits.replace(4..7, "two");
        assert!(matches!(edits.finish(), Cow::Borrowed("one two three")));
        let mut edits = Edits::of("one two three");
        edits.remove(0..4);
        assert!(matches!(edits.finish(), Cow::Borrowed("two three")));
        let mut edits = Edits::of("one two three");
        edits.replace(4..7, "2");
        edits.remove(8..13);
        assert_eq!(edits.finish(), "one 2 ");
        assert_eq!(Edits::of("").finish(), "");
    }

    #[test]
    fn what_goes_leaves_no_hole() {
        for (text, expected) in [
            ("x a x b x", "a b"),
            ("a x, b", "a , b"),
            ("a x x b", "a b"),
            ("x", ""),
            ("x  a", "a"),
            ("a  b", "a  b"),
            (" a,x  b", " a,  b"),
            ("a,x \n\n b", "a, b"),
            ("a,x\r\n\r\nb", "a,\r\nb"),
            ("a,x \n", "a,"),
            ("a x ", "a"),
            ("a\u{a0}x\u{3000} b", "a\u{a0}b"),
            ("x é", "é"),
            ("(x)", "()"),
            ("", ""),
        ] {
            let ranges = text.match_indices('x').map(|(at, x)| at..at + x.len());
            assert_eq!(cut(text, ranges), expected, "{text:?}");
        }
    }
}
