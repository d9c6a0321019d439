//! Puts a mask token in the place of words, spans of words, or tokens.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Lexicon, Perturb, Surroundings, Words, choose, words::Guard};
use crate::{
    base::rng::{self, Stream},
    text::TextFault,
};

/// The chance of a span to end after each of its words, and the words that it has at most: `SpanBERT`'s (Joshi et al., 2020,
/// §3.1), so that a span has 3.8 words on average.
const END: f64 = 0.2;
const LONGEST: usize = 10;
/// Draws of a place that may be of no use before the next one of use is taken.
const DRAWS: usize = 16;

/// How many words are masked, and by what: `{rate: 0.15, unit: span}`. One word at least stays, so that there is something to guess by.
///
/// ```text
/// before   a quick comedy without tedious actors
/// word     a quick [MASK] without tedious actors
/// span     a [MASK] [MASK] without tedious actors
/// token    a quick comedy without te[MASK] actors
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// Words to mask, or tokens, as a share of the text's; at least one. 0.1 where there is no `count`.
    #[serde(default)]
    rate: Option<f64>,
    /// So many instead.
    #[serde(default)]
    count: Option<usize>,
    /// What is masked together.
    #[serde(default)]
    unit: Unit,
    /// The mask token as the tokenizer reads it: `[MASK]`, as BERT has it, or `<mask>`, as `RoBERTa` does.
    #[serde(default = "token")]
    token: String,
}

/// What is masked together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    /// A token of the tokenizer of the model that is wired to `model`: a piece of a word, a word or a mark.
    Token,
    /// A whole word.
    #[default]
    Word,
    /// Words that stand together, each of which becomes a mask; their number is geometric with `p = 0.2`, 10 at most, as `SpanBERT`
    /// has it (Joshi et al., 2020). Stop words are masked with the others, protected words end a span.
    Span,
}

fn token() -> String {
    "[MASK]".to_owned()
}

impl Perturb for Mask {
    fn amount(&self) -> Amount {
        Amount { rate: self.rate, count: self.count }
    }

    fn fault(&self) -> Option<TextFault> {
        self.token.trim().is_empty().then(|| TextFault {
            path: "token".to_owned(),
            message: "an empty mask token would leave words out".to_owned(),
            help: Some("`delete` does that; the token is `[MASK]` for BERT, `<mask>` for RoBERTa".to_owned()),
        })
    }

    fn wants_model(&self) -> Option<&'static str> {
        (self.unit == Unit::Token).then_some("`unit: token` masks tokens of a model's tokenizer")
    }

    fn apply(&self, words: &mut Words<'_>, around: &Surroundings, _: &Lexicon, random: &mut Stream) {
        match self.unit {
            Unit::Word => {
                let count = self.amount().of(words.count()).min(words.count().saturating_sub(1));
                for at in choose(words.free(), count, random) {
                    words.fix(at, self.token.clone());
                }
            }
            Unit::Span => self.spans(words, random),
            Unit::Token => self.tokens(words, around, random),
        }
    }
}

impl Mask {
    fn spans(&self, words: &mut Words<'_>, random: &mut Stream) {
        let places = words.places(|_| true);
        let mut may: Vec<bool> = places.iter().map(|&at| words.pieces[at].guard != Guard::Protected).collect();
        let mut free = may.iter().filter(|may| **may).count();
        let mut left = self.amount().of(places.len()).min(places.len().saturating_sub(1));
        while left > 0 && free > 0 {
            let length = length(random).min(left);
            let draw = (0..DRAWS).map(|_| rng::below(random, places.len())).find(|&start| may[start]);
            let first = draw.or_else(|| {
                let start = rng::below(random, places.len());
                (start..places.len()).chain(0..start).find(|&start| may[start])
            });
            let Some(first) = first else { return };
            for at in (first..places.len()).take(length).take_while(|&at| may[at]).collect::<Vec<_>>() {
                words.fix(places[at], self.token.clone());
                may[at] = false;
                free -= 1;
                left -= 1;
            }
        }
    }

    fn tokens(&self, words: &mut Words<'_>, around: &Surroundings, random: &mut Stream) {
        let text = words.text();
        let tokens = around.tokens(&text);
        let count = self.amount().of(tokens.len()).min(tokens.len().saturating_sub(1));
        // The tokens that lie in one piece each, which may be changed: number of the piece, and bytes in it.
        let mut within: Vec<(usize, Range<usize>)> = Vec::with_capacity(tokens.len());
        let (mut piece, mut start) = (0, 0);
        for token in tokens {
            while piece < words.pieces.len() && start + words.pieces[piece].text.len() <= token.start {
                start += words.pieces[piece].text.len();
                piece += 1;
            }
            let Some(found) = words.pieces.get(piece) else { break };
            if token.end <= start + found.text.len() && found.guard == Guard::Free {
                within.push((piece, token.start - start..token.end - start));
            }
        }
        let mut chosen = choose((0..within.len()).collect(), count, random);
        // From the end, so that the places before stay what they are.
        chosen.sort_unstable_by(|a, b| b.cmp(a));
        for token in chosen {
            let (at, range) = within[token].clone();
            let mut text = words.pieces[at].text.clone().into_owned();
            text.replace_range(range, &self.token);
            words.fix(at, text);
        }
    }
}

/// The length of a span, `P(l) ∝ (1 − p)^(l − 1) p` up to [`LONGEST`].
fn length(random: &mut Stream) -> usize {
    let whole = 1.0 - (1.0 - END).powi(LONGEST as i32);
    let draw = f64::from(rng::uniform(random)) * whole;
    let (mut length, mut sum, mut share) = (1, END, END);
    while draw >= sum && length < LONGEST {
        length += 1;
        share *= 1.0 - END;
        sum += share;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_long_as_in_the_paper() {
        let mut random = rng::stream(1, "test");
        let mut counts = [0_usize; LONGEST + 1];
        let draws = 100_000;
        for _ in 0..draws {
            counts[length(&mut random)] += 1;
        }
        let mean = counts.iter().enumerate().map(|(length, count)| length * count).sum::<usize>() as f64 / draws as f64;
        assert!((mean - 3.8).abs() < 0.05, "{mean}");
        for (length, count) in counts.iter().enumerate().skip(1) {
            let expected = END * (1.0 - END).powi(length as i32 - 1) / (1.0 - (1.0 - END).powi(LONGEST as i32));
            assert!((*count as f64 / draws as f64 - expected).abs() < 0.005, "{length}");
        }
    }
}
