//! `Words`: a text in pieces that know where they come from, so that what was changed can be told.

use std::{borrow::Cow, ops::Range};

use serde::{Deserialize, Serialize};

use crate::text::{chinese, segment};

/// How far a word is kept from changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Guard {
    /// It may be changed.
    #[default]
    Free,
    /// It is not chosen to be replaced or masked, but may be moved or left out.
    StopWord,
    /// It stays where and as it is.
    Protected,
}

/// A piece of a text: a word, a mark, some white space, or what took their place.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    /// Empty where it was left out.
    pub(super) text: Cow<'a, str>,
    pub(super) is_word: bool,
    pub(super) guard: Guard,
    /// Whether it goes on with a protected passage that begins before it: nothing is put in between.
    pub(super) goes_on: bool,
    /// Its bytes in the parent; none of what was put in.
    from: Range<usize>,
    /// The steps that changed it, a bit each.
    steps: u64,
}

impl<'a> Piece<'a> {
    /// A piece of the parent, unchanged.
    pub(super) fn new(text: &'a str, start: usize, is_word: bool) -> Self {
        let from = start..start + text.len();
        Self { text: Cow::Borrowed(text), is_word, guard: Guard::Free, goes_on: false, from, steps: 0 }
    }

    /// Whether it is a word that is still there.
    pub(super) fn is_here(&self) -> bool {
        self.is_word && !self.text.is_empty()
    }

    fn is_space(&self) -> bool {
        self.text.chars().all(char::is_whitespace)
    }
}

/// A text in pieces. Pieces change their texts, new ones come between them, and none ever changes its place in the list: what is
/// in their order is the new text, and what they were is the old one.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    parent: &'a str,
    pub(super) pieces: Vec<Piece<'a>>,
    /// The number of the step that is at work.
    step: u32,
}

/// What was changed: a passage of the parent, and what stands there in the copy.
///
/// Where all changes of a copy are applied to its parent, from the last to the first, the copy comes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The steps that did it: `replace`, `replace+swap`.
    pub op: String,
    /// Where the passage begins and ends in the parent, in characters (Unicode scalar values); equal where something was put in.
    pub from: [usize; 2],
    /// What stands there now; empty where something was left out.
    pub to: String,
}

impl<'a> Words<'a> {
    /// A text in the pieces of its language: `zh` has words of several characters.
    pub(super) fn new(parent: &'a str, is_chinese: bool) -> Self {
        let mut start = 0;
        let piece = |text: &'a str| {
            let piece = Piece::new(text, start, segment::is_word(text));
            start += text.len();
            piece
        };
        let pieces = if is_chinese {
            chinese::words(parent).into_iter().map(piece).collect()
        } else {
            segment::pieces(parent).map(piece).collect()
        };
        Self { parent, pieces, step: 0 }
    }

    /// What follows is done by the step of this number.
    pub fn begin(&mut self, step: usize) {
        // More than 64 steps are more than anyone has; the last ones would share a name.
        self.step = step.min(63) as u32;
    }

    /// Protects all that lies in a passage, even in part, and keeps it together.
    pub(super) fn protect(&mut self, passage: Range<usize>) {
        let first = self.pieces.partition_point(|piece| piece.from.end <= passage.start);
        for (at, piece) in self.pieces[first..].iter_mut().enumerate() {
            if piece.from.start >= passage.end {
                break;
            }
            piece.guard = Guard::Protected;
            piece.goes_on |= at > 0;
        }
    }

    /// The number of words.
    #[must_use]
    pub fn count(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.is_here()).count()
    }

    /// The places of the words that `may` holds for.
    pub(super) fn places(&self, may: impl Fn(&Piece<'a>) -> bool) -> Vec<usize> {
        let is_place = |(at, piece): (usize, &Piece<'a>)| (piece.is_here() && may(piece)).then_some(at);
        self.pieces.iter().enumerate().filter_map(is_place).collect()
    }

    /// The places of the words that may be changed.
    pub(super) fn free(&self) -> Vec<usize> {
        self.places(|piece| piece.guard == Guard::Free)
    }

    /// The places of the words that may be moved, left out or misspelt.
    pub(super) fn unprotected(&self) -> Vec<usize> {
        self.places(|piece| piece.guard != Guard::Protected)
    }

    /// Puts another text in the place of a piece.
    pub(super) fn set(&mut self, at: usize, text: impl Into<Cow<'a, str>>) {
        let piece = &mut self.pieces[at];
        piece.text = text.into();
        piece.guard = Guard::Free;
        piece.steps |= 1 << self.step;
    }

    /// Puts a text in the place of a piece that no later step touches.
    pub(super) fn fix(&mut self, at: usize, text: impl Into<Cow<'a, str>>) {
        self.set(at, text);
        self.pieces[at].guard = Guard::Protected;
    }

    /// Lets two pieces change their texts.
    pub(super) fn swap(&mut self, one: usize, other: usize) {
        let Ok([a, b]) = self.pieces.get_disjoint_mut([one, other]) else { return };
        if a.text == b.text {
            return;
        }
        std::mem::swap(&mut a.text, &mut b.text);
        std::mem::swap(&mut a.guard, &mut b.guard);
        let steps = a.steps | b.steps | 1 << self.step;
        (a.steps, b.steps) = (steps, steps);
    }

    /// Puts words before others, in the order of the list where these are the same; `places` ascend.
    pub(super) fn put_before(&mut self, words: Vec<(usize, String)>) {
        let old = std::mem::take(&mut self.pieces);
        let mut pieces = Vec::with_capacity(old.len() + 2 * words.len());
        let mut words = words.into_iter().peekable();
        for (at, piece) in old.into_iter().enumerate() {
            while let Some((_, word)) = words.next_if(|(place, _)| *place == at) {
                let gap = gap(&word, &piece.text);
                let from = piece.from.start..piece.from.start;
                let new = |text: Cow<'a, str>, is_word| Piece {
                    text,
                    is_word,
                    guard: Guard::Free,
                    goes_on: false,
                    from: from.clone(),
                    steps: 1 << self.step,
                };
                pieces.push(new(Cow::Owned(word), true));
                if !gap.is_empty() {
                    pieces.push(new(Cow::Borrowed(gap), false));
                }
            }
            pieces.push(piece);
        }
        self.pieces = pieces;
    }

    /// Leaves words out, and the white space that each leaves behind.
    pub(super) fn leave_out(&mut self, goes: &[bool]) {
        let bit = 1 << self.step;
        let mut gap = false;
        // Whether what came before ends in white space, or nothing came.
        let mut is_open = true;
        for (piece, &goes) in self.pieces.iter_mut().zip(goes) {
            if piece.text.is_empty() {
                continue;
            }
            let is_space = piece.is_space();
            if goes || gap && is_space && is_open && piece.guard != Guard::Protected {
                gap = true;
                piece.text = Cow::Borrowed("");
                piece.steps |= bit;
                continue;
            }
            gap &= is_space;
            is_open = piece.text.ends_with(char::is_whitespace);
        }
        if gap {
            for piece in self.pieces.iter_mut().rev() {
                if !piece.is_space() || piece.guard == Guard::Protected {
                    break;
                }
                if !piece.text.is_empty() {
                    piece.text = Cow::Borrowed("");
                    piece.steps |= bit;
                }
            }
        }
    }

    /// The text as it is now.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.parent.len() + 16);
        self.pieces.iter().for_each(|piece| text.push_str(&piece.text));
        text
    }

    /// Whether any piece differs from what it was. Two that changed their places may still give the same text.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.pieces.iter().any(|piece| self.differs(piece))
    }

    fn differs(&self, piece: &Piece<'a>) -> bool {
        piece.steps != 0 && piece.text != self.parent[piece.from.clone()]
    }

    /// The steps that changed it, each once, in their order: `insert+swap`. `names` are those of all steps.
    #[must_use]
    pub fn op(&self, names: &[&str]) -> String {
        let steps = self.pieces.iter().filter(|piece| self.differs(piece)).fold(0, |all, piece| all | piece.steps);
        joined(steps, names)
    }

    /// What was changed, from the first to the last.
    #[must_use]
    pub fn changes(&self, names: &[&str]) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        // The end of the last change in bytes, and its steps.
        let mut last = (usize::MAX, 0);
        // Bytes of the parent, and the characters in them.
        let mut read = (0, 0);
        for piece in self.pieces.iter().filter(|piece| self.differs(piece)) {
            let [start, end] = [piece.from.start, piece.from.end].map(|place| {
                read = (place, read.1 + self.parent[read.0..place].chars().count());
                read.1
            });
            match changes.last_mut() {
                Some(change) if last == (piece.from.start, piece.steps) => {
                    change.from[1] = end;
                    change.to.push_str(&piece.text);
                }
                _ => {
                    let (op, to) = (joined(piece.steps, names), piece.text.clone().into_owned());
                    changes.push(Change { op, from: [start, end], to });
                }
            }
            last = (piece.from.end, piece.steps);
        }
        changes
    }
}

/// What stands between two words: nothing where one of them is written without spaces.
pub(super) fn gap(before: &str, behind: &str) -> &'static str {
    let is_unspaced = |c: Option<char>| c.is_some_and(chinese::is_unspaced);
    if is_unspaced(before.chars().next_back()) || is_unspaced(behind.chars().next()) { "" } else { " " }
}

fn joined(steps: u64, names: &[&str]) -> String {
    let mut op = String::new();
    let mut seen: Vec<&str> = Vec::new();
    for (at, name) in names.iter().take(64).enumerate() {
        if steps >> at & 1 == 1 && !seen.contains(name) {
            seen.push(name);
            op.push_str(if op.is_empty() { "" } else { "+" });
            op.push_str(name);
        }
    }
    op
}

/// The copy that changes make of its parent.
#[cfg(test)]
pub(super) fn rebuilt(parent: &str, changes: &[Change]) -> String {
    let letters: Vec<char> = parent.chars().collect();
    let (mut copy, mut read) = (String::new(), 0);
    for change in changes {
        let [start, end] = change.from;
        assert!(read <= start && start <= end && end <= letters.len(), "{change:?}");
        copy.extend(&letters[read..start]);
        copy.push_str(&change.to);
        read = end;
    }
    copy.extend(&letters[read..]);
    copy
}
