//! `Filler`: words that a masked language model guesses for the blanks of texts.

use std::path::Path;

use rayon::prelude::*;

use super::GenerateError;
use crate::{
    base::device::DeviceId,
    data::{Encoding, Rows, Tokenizer},
    model::{self, Head, Packed},
    runtime::Executor,
};

/// Blanks and tokens of texts that are run together: of each blank there are as many logits as the model knows tokens, 120 KB for
/// BERT.
const BLANKS: usize = 256;
const TOKENS: usize = 8_192;

/// A masked language model with its tokenizer.
pub struct Filler {
    executor: Executor,
    tokenizer: Tokenizer,
    mask: &'static str,
    mask_id: u32,
    /// The word that each token stands for.
    words: Vec<Option<Box<str>>>,
}

/// A word that is guessed, and its logit.
pub type Guess<'a> = (&'a str, f32);

/// A text with blanks, as tokens.
struct Asked {
    encoding: Encoding,
    /// Where each blank is among them; none where the text was cut before.
    blanks: Vec<Option<usize>>,
}

impl Filler {
    /// Reads a Hugging Face directory of an encoder with a masked-LM head, with its tokenizer.
    ///
    /// # Errors
    /// When a file is missing or damaged, or there is no such head or no mask token.
    pub fn load(dir: &Path, device: DeviceId) -> Result<Self, GenerateError> {
        let executor = Executor::load(dir, &model::candle_device(device)?)?;
        if executor.head != Head::MaskedLm {
            return Err(GenerateError::Unfit(
                "it has no masked-LM head, so it guesses no words: what is fine-tuned has lost it, and some checkpoints are \
                 published without it"
                    .to_owned(),
            ));
        }
        let tokenizer = Tokenizer::for_model(dir, executor.spec.vocab_size)?;
        let Some((mask, mask_id)) = tokenizer.mask() else {
            return Err(GenerateError::Unfit("its tokenizer has no mask token, `[MASK]` or `<mask>`".to_owned()));
        };
        let words = tokenizer.whole_words();
        Ok(Self { executor, tokenizer, mask, mask_id, words })
    }

    /// Its tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The likeliest words for each blank of each text, `most` at most, the likeliest first. A text is what stands before, between and
    /// behind its blanks. All blanks of a text are guessed at once; one that comes after the tokens that the model takes has no
    /// guesses. What is guessed does not depend on the other texts.
    ///
    /// # Errors
    /// When a text cannot be tokenised, or a device fails.
    pub fn guesses(&self, texts: &[&[String]], most: usize) -> Result<Vec<Vec<Vec<Guess<'_>>>>, GenerateError> {
        let asked = self.ask(texts)?;
        let mut guesses: Vec<Vec<Vec<Guess<'_>>>> = Vec::with_capacity(texts.len());
        let mut first = 0;
        while first < asked.len() {
            let (mut blanks, mut tokens, mut end) = (0, 0, first);
            while end < asked.len() && (end == first || blanks < BLANKS && tokens < TOKENS) {
                blanks += asked[end].blanks.len();
                tokens += asked[end].encoding.ids.len();
                end += 1;
            }
            guesses.extend(self.together(&asked[first..end], most)?);
            first = end;
        }
        Ok(guesses)
    }

    fn ask(&self, texts: &[&[String]]) -> Result<Vec<Asked>, GenerateError> {
        let rows = Rows { texts: texts.iter().map(|parts| parts.join(self.mask)).collect(), ..Rows::default() };
        let encodings = self.tokenizer.encode(&rows, self.executor.spec.max_positions)?;
        let asked = encodings.into_iter().zip(texts).map(|(encoding, parts)| {
            let masks: Vec<usize> = (0..encoding.ids.len()).filter(|&at| encoding.ids[at] == self.mask_id).collect();
            // A text may have masks of its own, which are no blanks.
            let mut before = 0;
            let blanks = parts.iter().take(parts.len().saturating_sub(1)).enumerate().map(|(blank, part)| {
                before += part.matches(self.mask).count();
                masks.get(before + blank).copied()
            });
            Asked { blanks: blanks.collect(), encoding }
        });
        Ok(asked.collect())
    }

    fn together(&self, asked: &[Asked], most: usize) -> Result<Vec<Vec<Vec<Guess<'_>>>>, GenerateError> {
        let (mut ids, mut types, mut offsets, mut positions) = (Vec::new(), Vec::new(), vec![0], Vec::new());
        for asked in asked {
            positions.extend(asked.blanks.iter().flatten().map(|at| ids.len() + at));
            ids.extend_from_slice(&asked.encoding.ids);
            types.extend_from_slice(&asked.encoding.type_ids);
            offsets.push(ids.len());
        }
        let logits = self.executor.logits_at(Packed::new(&ids, &types, &offsets), &positions)?.unwrap_or_default();
        let width = self.executor.spec.vocab_size;
        let best: Vec<Vec<Guess<'_>>> = logits.par_chunks(width).map(|logits| self.best(logits, most)).collect();
        let mut best = best.into_iter();
        let of = |asked: &Asked| {
            let blank = |at: &Option<usize>| at.and_then(|_| best.next()).unwrap_or_default();
            asked.blanks.iter().map(blank).collect()
        };
        Ok(asked.iter().map(of).collect())
    }

    /// The words with the greatest logits, the greatest first, of equals the first.
    fn best(&self, logits: &[f32], most: usize) -> Vec<Guess<'_>> {
        let mut best: Vec<Guess<'_>> = Vec::with_capacity(most.min(self.words.len()) + 1);
        let mut least = f32::NEG_INFINITY;
        for (&logit, word) in logits.iter().zip(&self.words) {
            // What is no number is not greater.
            if logit > least
                && let Some(word) = word
            {
                let at = best.partition_point(|(_, other)| *other >= logit);
                best.insert(at, (&**word, logit));
                best.truncate(most);
                if best.len() == most {
                    least = best.last().map_or(f32::INFINITY, |(_, logit)| *logit);
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::{
        base::fs,
        model::{EncoderSpec, LayerShape, Model},
    };

    const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ngood\nmovie\n##s\n!\nfilm\nbad\n";

    fn load(head: Head) -> Result<Filler, GenerateError> {
        let dir = tempfile::tempdir().unwrap();
        let words = tempfile::tempdir().unwrap();
        fs::write_atomic(&words.path().join("vocab.txt"), VOCAB.as_bytes()).unwrap();
        let layer = LayerShape { heads: 2, intermediate_size: 24, reach: None };
        let mut spec = EncoderSpec::bert(16, 8, vec![layer; 2]);
        (spec.vocab_size, spec.max_positions, spec.initializer_range, spec.pooler) = (12, 16, 0.5, false);
        Model::init(spec, head, 3, &Device::Cpu).unwrap().save(dir.path(), words.path()).unwrap();
        Filler::load(dir.path(), DeviceId::Cpu)
    }

    fn parts(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn blanks_get_whole_words_whatever_stands_beside_them() {
        let filler = load(Head::MaskedLm).unwrap();
        let texts = [parts(&["a ", " movie"]), parts(&["", " good ", "!"]), parts(&["none"]), parts(&["", ""])];
        let texts: Vec<&[String]> = texts.iter().map(Vec::as_slice).collect();
        let all = filler.guesses(&texts, 3).unwrap();
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 0, 1]);
        for (text, guesses) in texts.iter().zip(&all) {
            assert_eq!(&filler.guesses(&[text], 3).unwrap()[0], guesses);
            for guesses in guesses {
                assert!(guesses.len() == 3 && guesses.is_sorted_by(|a, b| a.1 >= b.1), "{guesses:?}");
                assert!(guesses.iter().all(|(word, _)| ["a", "good", "movie", "film", "bad"].contains(word)));
            }
        }
        let whole = filler.guesses(&texts, 99).unwrap();
        assert_eq!(whole[0][0].len(), 5);
        assert_eq!(whole[0][0][..3], all[0][0]);
    }

    #[test]
    fn masks_of_the_text_are_no_blanks_and_what_is_cut_has_no_guesses() {
        let filler = load(Head::MaskedLm).unwrap();
        let guess = |text: &[&str]| filler.guesses(&[&parts(text)], 2).unwrap().remove(0).remove(0);
        // The same tokens, another blank.
        let (first, second) = (guess(&["a ", " good [MASK]"]), guess(&["a [MASK] good ", ""]));
        assert_ne!(first, second);
        let long = "good ".repeat(40);
        let cut = filler.guesses(&[&parts(&["", &long, ""])], 2).unwrap().remove(0);
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0]);
    }

    #[test]
    fn a_model_without_the_head_is_refused() {
        let error = load(Head::None).err().unwrap().to_string();
        assert!(error.contains("no masked-LM head"), "{error}");
    }
}
