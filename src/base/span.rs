//! `SourceFile`, `Span`: byte offsets of a text, and the line and column that people count.

use std::ops::Range;

/// A part of a source text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// As a range, to slice the text with.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// A text and the name that messages call it by.
#[derive(Clone, Debug, Default)]
pub struct SourceFile {
    /// The path as the user wrote it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// The line and the column of a byte, both from 1; columns count characters.
    #[must_use]
    pub fn line_col(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// `file:line:col` of a byte.
    #[must_use]
    pub fn place(&self, offset: usize) -> String {
        let (line, col) = self.line_col(offset);
        format!("{}:{line}:{col}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let file = SourceFile { name: "r.yaml".into(), text: "a: ü\nbb: c\n".into() };
        assert_eq!(file.line_col(0), (1, 1));
        assert_eq!(file.place("a: ü\nbb: ".len()), "r.yaml:2:5");
        assert_eq!(file.line_col(10_000), (3, 1));
    }
}
