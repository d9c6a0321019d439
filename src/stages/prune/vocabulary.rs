//! The part of `prune` that removes tokens.

use std::{collections::BTreeSet, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::{fs, units},
    compress::prune,
    data::{Dataset, Encoding, Split, Tokenizer, Vocabulary},
    model::Model,
    stage::{Better, Faults, StageCtx, StageError, Unit},
};

/// Tokens a row at most: none is cut.
const WHOLE: usize = 1 << 30;

/// Which tokens stay: those of the training split, and the special ones.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Used {
    /// How often a token must be in the training split to stay.
    min_count: usize,
    /// Whether tokens of one character stay, too, so that words which the training split has not can still be spelled.
    characters: bool,
}

impl Default for Used {
    fn default() -> Self {
        Self { min_count: 1, characters: true }
    }
}

impl Used {
    pub(super) fn check(&self, faults: &mut Faults) {
        faults.at_least("vocabulary.min_count", self.min_count, 1);
    }
}

/// Leaves a model and a tokenizer the tokens that are used; the tokenizer's files are written to `tokenizer_dir`.
///
/// Every text of the training split is tokenised again and must have the same tokens, unless rare ones were given up. Other
/// splits are counted.
///
/// # Errors
/// When the tokenizer cannot be taken apart, or says something else of a training text.
pub(super) fn prune(
    used: &Used,
    ctx: &mut StageCtx<'_>,
    model: &mut Model,
    model_dir: &Path,
    dataset: &Dataset,
    tokenizer_dir: &Path,
) -> Result<(), StageError> {
    let tokenizer = Tokenizer::for_model(model_dir, model.spec.vocab_size)?;
    let train = tokenizer.encode(&dataset.rows(Split::Train)?, WHOLE)?;
    let mut counts = vec![0_usize; model.spec.vocab_size];
    for &id in train.iter().flat_map(|encoding| &encoding.ids) {
        if let Some(count) = counts.get_mut(id as usize) {
            *count += 1;
        }
    }
    let mut train = Some(train);
    let stays: BTreeSet<u32> = (0..).zip(&counts).filter(|(_, count)| **count >= used.min_count).map(|(id, _)| id).collect();
    let Vocabulary { kept, files } = tokenizer.prune(model_dir, &stays, used.characters)?;
    for (name, bytes) in &files {
        fs::write_atomic(&tokenizer_dir.join(name), bytes)?;
    }
    let n_tokens = model.spec.vocab_size;
    prune::keep_tokens(model, &kept)?;
    let pruned = Tokenizer::load(tokenizer_dir)?;
    for split in [Split::Train, Split::Validation, Split::Test] {
        let rows = dataset.rows(split)?;
        let n_rows = rows.texts.len();
        if n_rows == 0 {
            continue;
        }
        let before = match train.take_if(|_| split == Split::Train) {
            Some(train) => train,
            None => tokenizer.encode(&rows, WHOLE)?,
        };
        let is_same = |(old, new): &(Encoding, Encoding)| {
            new.ids.iter().map(|id| kept.get(*id as usize)).eq(old.ids.iter().map(Some))
        };
        let same = before.into_iter().zip(pruned.encode(&rows, WHOLE)?).filter(is_same).count();
        if split == Split::Train && same < n_rows && used.min_count == 1 {
            return Err(StageError::msg(format!(
                "the smaller tokenizer reads {} of {n_rows} training texts differently; this is a fault of lmpipe",
                n_rows - same
            )));
        }
        let share = Unit::Share.show(same as f64 / n_rows as f64);
        ctx.record.fact(format!("{} texts with the same tokens", split.name()), share);
    }
    let text = format!("{} of {} are left", units::thousands(kept.len() as u64), units::thousands(n_tokens as u64));
    ctx.record.fact("tokens", text);
    ctx.metric("tokens_removed", (n_tokens - kept.len()) as f64, Unit::Count, Better::Higher);
    Ok(())
}
