//! `Summarizer`: a text in, a summary out.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{Drafted, GenerateError, Generation, Settings, write};
use crate::{
    data::{Rows, Tokenizer},
    model::{Led, Writing},
    runtime::{Precision, Writer},
};

/// A LED with its tokenizer.
pub struct Summarizer {
    writer: Writer,
    tokenizer: Tokenizer,
    proposed: Writing,
    /// What a user should know about how the model was read.
    pub notes: Vec<String>,
}

/// What was written, and what it took.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Without special tokens.
    pub text: String,
    /// Tokens of the text that were read, special ones included.
    pub read: usize,
    /// Whether the text was longer than the encoder takes, and its rest was not read.
    pub is_cut: bool,
    /// Tokens that were written, without the one that the decoder begins with.
    pub written: usize,
    /// What reading took.
    pub reading: Duration,
    /// What writing took.
    pub writing: Duration,
}

impl Summarizer {
    /// Reads a Hugging Face directory of a LED with its tokenizer.
    ///
    /// # Errors
    /// When a file is missing or damaged, or it is no LED.
    pub fn load(dir: &Path) -> Result<Self, GenerateError> {
        Self::load_as(dir, Precision::F32)
    }

    /// The same with the weights of linear layers in a precision.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_as(dir: &Path, precision: Precision) -> Result<Self, GenerateError> {
        let mut led = Led::load(dir)?;
        let tokenizer = Tokenizer::for_model(dir, led.decoder.vocab_size)?;
        let (proposed, mut notes) = (led.writing.clone(), std::mem::take(&mut led.notes));
        let ignored = proposed.ignored.iter().map(|key| format!("`{key}` of the checkpoint is not followed"));
        notes.extend(ignored);
        Ok(Self { writer: Writer::new(led, precision)?, tokenizer, proposed, notes })
    }

    /// How texts are written with these wishes.
    ///
    /// # Errors
    /// When one is of no use.
    pub fn settings(&self, generation: &Generation) -> Result<Settings, GenerateError> {
        generation.settle(&self.proposed, self.writer.max_written())
    }

    /// A summary of a text, which is cut to what the encoder takes. All threads of the current pool work on it.
    ///
    /// # Errors
    /// When a setting is of no use, or the text cannot be tokenised.
    pub fn summarize(&self, text: &str, generation: &Generation) -> Result<String, GenerateError> {
        Ok(self.summary(text, generation)?.text)
    }

    /// The same with what it took.
    ///
    /// # Errors
    /// As [`Self::summarize`].
    pub fn summary(&self, text: &str, generation: &Generation) -> Result<Summary, GenerateError> {
        let settings = self.settings(generation)?;
        let most = self.writer.max_text();
        let rows = Rows { texts: vec![text.to_owned()], ..Rows::default() };
        // One more tells whether there is more.
        let whole = self.tokenizer.encode(&rows, most + 1)?.pop().unwrap_or_default().ids;
        let is_cut = whole.len() > most;
        let ids = if is_cut { self.tokenizer.encode(&rows, most)?.pop().unwrap_or_default().ids } else { whole };
        let started = Instant::now();
        let states = self.writer.read(&ids)?;
        let draft = self.writer.draft(&states)?;
        drop(states);
        let reading = started.elapsed();
        let tokens = write(&mut Drafted { draft, vocab_size: self.writer.vocab_size() }, &settings)?;
        Ok(Summary {
            text: self.tokenizer.decode(&tokens)?,
            read: ids.len(),
            is_cut,
            written: tokens.len() - 1,
            reading,
            writing: started.elapsed().saturating_sub(reading),
        })
    }
}
