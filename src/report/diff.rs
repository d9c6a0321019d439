//! What changed between two texts, word by word.

/// A stretch of text that both have, or only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// In both.
    Same(String),
    /// In the text before only.
    Removed(String),
    /// In the text after only.
    Added(String),
}

/// How many words, blanks and marks of a text are compared; the rest is cut off, with an ellipsis.
const MOST_TOKENS: usize = 400;

/// The pieces that turn one text into the other: a longest common subsequence of words, blanks and marks.
#[must_use]
pub fn words(before: &str, after: &str) -> Vec<Piece> {
    let (before, after) = (tokens(before), tokens(after));
    let lengths = common_lengths(&before, &after);
    let at = |i: usize, j: usize| lengths[i * (after.len() + 1) + j];
    let mut pieces = Pieces::default();
    let (mut i, mut j) = (0, 0);
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            pieces.same(before[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == after.len() || (i < before.len() && at(i + 1, j) >= at(i, j + 1)) {
            pieces.removed.push_str(before[i]);
            i += 1;
        } else {
            pieces.added.push_str(after[j]);
            j += 1;
        }
    }
    pieces.finish()
}

/// `lengths[i][j]`: the length of the longest common subsequence of `before[i..]` and `after[j..]`.
fn common_lengths(before: &[&str], after: &[&str]) -> Vec<u16> {
    let width = after.len() + 1;
    let mut lengths = vec![0_u16; (before.len() + 1) * width];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            lengths[i * width + j] = if before[i] == after[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    lengths
}

/// Pieces in the making: a blank between two changed words joins them, so that a phrase reads as one change.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    removed: String,
    added: String,
    blank: String,
}

impl Pieces {
    fn same(&mut self, token: &str) {
        let changed = !self.removed.is_empty() || !self.added.is_empty();
        if changed && token.trim().is_empty() {
            // Both sides get the blank; whether it joins is known at the next token.
            self.flush();
            self.blank.push_str(token);
            return;
        }
        self.flush();
        self.push_same(token);
    }

    /// Ends the current change.
    fn flush(&mut self) {
        let (removed, added) = (std::mem::take(&mut self.removed), std::mem::take(&mut self.added));
        let blank = std::mem::take(&mut self.blank);
        if removed.is_empty() && added.is_empty() {
            if !blank.is_empty() {
                self.push_same(&blank);
            }
            return;
        }
        if !blank.is_empty() {
            // The blank stands between two changes: extend the earlier one when it has the same sides.
            if let [.., Piece::Removed(earlier_removed), Piece::Added(earlier_added)] = self.done.as_mut_slice()
                && !removed.is_empty()
                && !added.is_empty()
            {
                for (earlier, now) in [(earlier_removed, &removed), (earlier_added, &added)] {
                    earlier.push_str(&blank);
                    earlier.push_str(now);
                }
                return;
            }
            self.push_same(&blank);
        }
        if !removed.is_empty() {
            self.done.push(Piece::Removed(removed));
        }
        if !added.is_empty() {
            self.done.push(Piece::Added(added));
        }
    }

    fn push_same(&mut self, token: &str) {
        match self.done.last_mut() {
            Some(Piece::Same(text)) => text.push_str(token),
            _ => self.done.push(Piece::Same(token.to_owned())),
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.flush();
        self.done
    }
}

/// Words, blanks and single marks, in order.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let class = class_of(c);
        if at > start && (last != Some(class) || class == Class::Mark) {
            tokens.push(&text[start..at]);
            start = at;
            if tokens.len() == MOST_TOKENS {
                tokens.push("…");
                return tokens;
            }
        }
        last = Some(class);
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Blank,
    Mark,
}

fn class_of(c: char) -> Class {
    if c.is_whitespace() {
        Class::Blank
    } else if c.is_alphanumeric() || matches!(c, '\'' | '’' | '_' | '-') {
        Class::Word
    } else {
        Class::Mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(before: &str, after: &str) -> String {
        words(before, after)
            .into_iter()
            .map(|piece| match piece {
                Piece::Same(text) => text,
                Piece::Removed(text) => format!("[-{text}-]"),
                Piece::Added(text) => format!("{{+{text}+}}"),
            })
            .collect()
    }

    #[test]
    fn changes_are_words() {
        for (before, after, expected) in [
            ("a good film", "a good film", "a good film"),
            ("a good film", "a fine film", "a [-good-]{+fine+} film"),
            ("a very good film", "a quite fine film", "a [-very good-]{+quite fine+} film"),
            ("the end", "the very end", "the {+very +}end"),
            ("not bad.", "bad.", "[-not -]bad."),
            ("", "new", "{+new+}"),
            ("old", "", "[-old-]"),
            ("", "", ""),
            ("a  b", "a b", "a[-  -]{+ +}b"),
            ("naïve café!", "naive cafe!", "[-naïve café-]{+naive cafe+}!"),
        ] {
            assert_eq!(show(before, after), expected, "{before:?} → {after:?}");
        }
    }

    #[test]
    fn both_texts_can_be_read_back() {
        let (before, after) = ("It's a <b>great</b>  film, isn't it?", "a great movie isn't it great");
        let pieces = words(before, after);
        let text = |skip: fn(&Piece) -> bool| -> String {
            pieces
                .iter()
                .filter(|piece| !skip(piece))
                .map(|piece| match piece {
                    Piece::Same(text) | Piece::Removed(text) | Piece::Added(text) => text.as_str(),
                })
                .collect()
        };
        assert_eq!(text(|piece| matches!(piece, Piece::Added(_))), before);
        assert_eq!(text(|piece| matches!(piece, Piece::Removed(_))), after);
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = "word ".repeat(10_000);
        let Some(Piece::Same(text)) = words(&long, &long).pop() else { panic!("one piece") };
        assert!(text.ends_with('…') && text.len() < 3_000);
    }
}
