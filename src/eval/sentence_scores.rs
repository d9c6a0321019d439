//! How much a model takes each sentence of a text to belong into its summary.

use super::EvalError;
use crate::{
    data::Tokenizer,
    model::{Head, Model, Packed},
    runtime::Executor,
};

/// An extractive summariser: a token classifier of two labels, whose second is that of a summary's sentences; what it says of a
/// sentence is the mean of what it says of its tokens.
pub struct SentenceScorer {
    executor: Executor,
    tokenizer: Tokenizer,
    max_length: usize,
}

impl SentenceScorer {
    /// A model with its tokenizer, which reads `max_length` tokens of a text, or as many as it can.
    ///
    /// # Errors
    /// When the model does not classify tokens by two labels, or takes fewer tokens than asked for.
    pub fn new(name: &str, model: Model, tokenizer: Tokenizer, max_length: Option<usize>) -> Result<Self, EvalError> {
        let scores = matches!(&model.head, Head::TokenClassification { labels } if labels.len() == 2);
        if !scores {
            return Err(EvalError::Unfit(format!(
                "the model `{name}` does not score sentences; train one with the stage `finetune` and `task: {{extract: \
                 {{reference: …}}}}`"
            )));
        }
        let most = model.spec.max_positions;
        let max_length = max_length.unwrap_or(most);
        if max_length > most {
            return Err(EvalError::Unfit(format!(
                "`max_length` is {max_length}, but the model `{name}` takes {most} tokens; set `max_length: {most}`"
            )));
        }
        Ok(Self { executor: Executor::with_globals(model)?, tokenizer, max_length })
    }

    /// A score for each sentence of a text, the log odds that it belongs into the summary; −∞ for those that the model cannot
    /// see any more.
    ///
    /// # Errors
    /// When the tokenizer or a device fails, or the model gives no finite scores.
    pub fn scores(&self, sentences: &[&str]) -> Result<Vec<f64>, EvalError> {
        let mut scores = vec![f64::NEG_INFINITY; sentences.len()];
        let texts = [sentences.to_vec()];
        for row in self.tokenizer.encode_sentences(&texts, self.max_length)? {
            let encoding = &row.encoding;
            let offsets = [0, encoding.ids.len()];
            let mut batch = Packed::new(&encoding.ids, &encoding.type_ids, &offsets);
            if self.executor.spec.global_projections {
                batch = batch.with_globals(&row.starts);
            }
            let logits = self.executor.logits(batch)?.unwrap_or_default();
            let ends = row.starts.iter().skip(1).copied().chain([encoding.ids.len()]);
            for (score, (&start, end)) in scores.iter_mut().zip(row.starts.iter().zip(ends)) {
                let margins = logits[2 * start..2 * end].chunks_exact(2).map(|of| f64::from(of[1]) - f64::from(of[0]));
                *score = margins.sum::<f64>() / (end - start) as f64;
                if !score.is_finite() {
                    let message = "the model gives no finite scores; its weights are damaged";
                    return Err(EvalError::Unfit(message.to_owned()));
                }
            }
        }
        Ok(scores)
    }
}
