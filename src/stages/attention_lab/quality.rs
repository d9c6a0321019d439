//! What each mechanism costs in accuracy.

use super::{Contender, Measured, Params, Quantity};
use crate::{
    base::units,
    data::{Batch, Dataset, Split, Tokenizer},
    eval,
    model::Head,
    stage::{Artifact, Progress, StageCtx, StageError},
};

/// Rows that are answered together.
const ROWS: usize = 4;

/// The share of rows of the test split, cut to each length, whose label each mechanism finds.
pub(super) fn measure(
    ctx: &mut StageCtx<'_>,
    params: &Params,
    contenders: &[Contender],
    measured: &mut Measured,
    data: &Artifact,
) -> Result<(), StageError> {
    let parent = ctx.input("model")?.clone();
    let Some(Head::SequenceClassification { labels }) = contenders.first().map(|it| it.executor.head.clone()) else {
        return Err(StageError::msg(format!(
            "`data` is wired, but `{}` has no classifier that could be right or wrong",
            parent.name
        )));
    };
    let dataset = Dataset::open(&data.dir)?;
    let rows = dataset.rows(Split::Test)?.first(params.quality_rows);
    let truth = rows.labels.clone().ok_or_else(|| StageError::msg(format!("`{}` has no labels", data.name)))?;
    let map = eval::LabelMap::new(&parent.name, &contenders[0].executor.head, &dataset.meta.labels)?;
    let tokenizer = Tokenizer::for_model(&parent.dir, contenders[0].executor.spec.vocab_size)?;
    let total = (params.lengths.len() * contenders.len()) as u64;
    for (at, &length) in params.lengths.iter().enumerate() {
        let encodings = tokenizer.encode(&rows, length)?;
        let numbers: Vec<usize> = (0..encodings.len()).collect();
        for (which, contender) in contenders.iter().enumerate() {
            let done = (at * contenders.len() + which) as u64;
            let message = format!("{} at {} tokens", contender.mechanism, units::thousands(length as u64));
            ctx.sink.progress(Progress { done, total, unit: "evaluation", message });
            let mut right = Vec::with_capacity(numbers.len());
            for chunk in numbers.chunks(ROWS) {
                ctx.check_cancelled()?;
                let batch = contender.mechanism.cut(Batch::pack(&encodings, chunk), contender.window);
                let logits = contender.answers(&batch)?;
                let pieces = || batch.rows.iter().zip(logits.chunks_exact(labels.len()));
                for &row in chunk {
                    let mut sums = vec![0.0; labels.len()];
                    for (_, logits) in pieces().filter(|(of, _)| **of == row) {
                        sums.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += logit);
                    }
                    let is_right = eval::argmax(&map.reorder(&sums)) == truth[row] as usize;
                    right.push(f64::from(u8::from(is_right)));
                }
            }
            let share = right.iter().sum::<f64>() / truth.len().max(1) as f64;
            let interval = Some(eval::bootstrap_mean(&right, ctx.seed));
            measured.put(ctx, contender, length, Quantity::Accuracy, share, interval);
        }
    }
    ctx.record.fact("rows of the accuracy", units::thousands(truth.len() as u64));
    Ok(())
}
