//! Texts that a decoder writes, greedily or by beam search, token for token as `transformers` does; and words that an encoder guesses
//! for blanks.

mod beams;
mod error;
mod fill;
mod greedy;
mod rules;
mod settings;
mod summarizer;

#[cfg(test)]
mod tests;

pub use error::GenerateError;
pub use fill::{Filler, Guess};
pub use settings::{Generation, Settings, Stopping};
pub use summarizer::{Summarizer, Summary};

use crate::{model::ModelError, runtime::Draft};

/// What gives the logits of the next token: a decoder, or a table in a test.
trait NextToken {
    /// How many tokens there are.
    fn vocab_size(&self) -> usize;

    /// The logits of what follows, `[beams, vocab_size]`, when beam `i` goes on from beam `parents[i]` of the step before with
    /// the token `tokens[i]`. Before the first step there is one beam, and it is empty.
    fn step(&mut self, parents: &[usize], tokens: &[u32], logits: &mut Vec<f32>) -> Result<(), ModelError>;
}

/// A draft, and how many tokens its model has.
struct Drafted<'a> {
    draft: Draft<'a>,
    vocab_size: usize,
}

impl NextToken for Drafted<'_> {
    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn step(&mut self, parents: &[usize], tokens: &[u32], logits: &mut Vec<f32>) -> Result<(), ModelError> {
        self.draft.step(parents, tokens, logits)
    }
}

/// What is written, the token that the decoder begins with first.
fn write(next: &mut dyn NextToken, settings: &Settings) -> Result<Vec<u32>, ModelError> {
    if settings.num_beams == 1 { greedy::search(next, settings) } else { beams::search(next, settings) }
}
