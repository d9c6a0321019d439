//! Real rows: what a model takes for the rows of a dataset, in file order and in batches, with and without tokenising.

use std::time::Instant;

use super::{Contender, Params};
use crate::{
    base::plural,
    data::{Dataset, Order, Rows, Split, Tokenizer, batches},
    eval,
    stage::{Better, Metric, Progress, StageCtx, StageError, Unit},
};

/// Seconds of one pass over the rows.
struct Pass {
    tokenising: f64,
    model: f64,
    /// Processor time of the model's part, where the system tells: it stays the same on a machine that others use, too.
    processor: Option<f64>,
}

/// Measures the models on the first rows of the test split, where there is a dataset.
pub(super) fn measure(
    ctx: &mut StageCtx<'_>,
    params: &Params,
    contenders: &[Contender],
) -> Result<(), StageError> {
    let Some(data) = ctx.optional("data").cloned() else { return Ok(()) };
    let rows = Dataset::open(&data.dir)?.rows(Split::Test)?.first(params.throughput_rows);
    let n_rows = rows.texts.len();
    if n_rows == 0 {
        return Err(StageError::msg(format!(
            "the test split of `{}` has no rows to measure the throughput on",
            data.name
        )));
    }
    let tokenizers = contenders
        .iter()
        .map(|contender| Tokenizer::for_model(&contender.artifact.dir, contender.model.spec.vocab_size))
        .collect::<Result<Vec<_>, _>>()?;
    // A part of the rows warms up as well as all of them.
    let few = rows.clone().first(2 * params.throughput_batch);
    for (contender, tokenizer) in contenders.iter().zip(&tokenizers) {
        pass(ctx, params, (contender, tokenizer), &few)?;
    }
    let mut passes: Vec<Vec<Pass>> = contenders.iter().map(|_| Vec::new()).collect();
    let start = Instant::now();
    // Its own times would count tokenising; it takes care of the order.
    eval::interleave(
        contenders.len(),
        0,
        params.throughput_rounds,
        &mut || start.elapsed(),
        |contender| {
            passes[contender].push(pass(ctx, params, (&contenders[contender], &tokenizers[contender]), &rows)?);
            Ok(())
        },
        |round| {
            let (done, total) = (round.unwrap_or(0) as u64, params.throughput_rounds as u64);
            ctx.sink.progress(Progress { done, total, unit: "round", message: "real rows".into() });
            ctx.check_cancelled()
        },
    )?;
    for (contender, own) in contenders.iter().zip(&passes) {
        metrics(ctx, &contender.name, n_rows, own);
    }
    for (contender, own) in contenders.iter().zip(&passes).skip(1) {
        let ratios: Vec<f64> =
            passes[0].iter().zip(own).map(|(first, own)| first.model / own.model.max(1e-12)).collect();
        push_median(ctx, format!("{}.rows.speedup", contender.name), ratios, Unit::Number, Better::Higher);
    }
    let batch = params.throughput_batch;
    let (count, passes) = (plural::count(n_rows, "row"), plural::count(params.throughput_rounds, "pass"));
    ctx.record.fact(
        "throughput",
        format!("{count} of `{}`, from text to logits with tokenising, batches of {batch}", data.name),
    );
    ctx.record.fact(
        "real rows",
        format!("the model alone, in file order, batches of {batch}, at most {} tokens, {passes}", params.max_length),
    );
    Ok(())
}

/// Sends all rows through a model once.
fn pass(
    ctx: &StageCtx<'_>,
    params: &Params,
    (contender, tokenizer): (&Contender, &Tokenizer),
    rows: &Rows,
) -> Result<Pass, StageError> {
    let named = |error: StageError| error.context(&contender.name);
    let length = params.max_length.min(contender.model.spec.max_positions);
    let start = Instant::now();
    let encodings = tokenizer.encode(rows, length).map_err(|error| named(error.into()))?;
    let tokenising = start.elapsed().as_secs_f64();
    let batches = batches(&encodings, params.throughput_batch, Order::File);
    let (start, processor) = (Instant::now(), eval::cpu_seconds());
    for batch in &batches {
        ctx.check_cancelled()?;
        contender.forward(batch).map_err(named)?;
    }
    let model = start.elapsed().as_secs_f64();
    let processor = processor.zip(eval::cpu_seconds()).map(|(before, after)| after - before);
    Ok(Pass { tokenising, model, processor })
}

fn metrics(ctx: &mut StageCtx<'_>, name: &str, n_rows: usize, passes: &[Pass]) {
    let per_row = |seconds: f64| seconds * 1e3 / n_rows as f64;
    let mut whole: Vec<f64> = passes.iter().map(|pass| pass.tokenising + pass.model).collect();
    let rate = n_rows as f64 / eval::percentile(&mut whole, 0.5).max(1e-12);
    ctx.metric(format!("{name}.throughput.rows_per_second"), rate, Unit::RowsPerSecond, Better::Higher);
    let times: Vec<f64> = passes.iter().map(|pass| per_row(pass.model)).collect();
    let told: Vec<String> = times.iter().map(|time| format!("{time:.3}")).collect();
    ctx.record.fact(format!("{name}: ms a real row by round"), told.join(", "));
    push_median(ctx, format!("{name}.rows.ms_per_row"), times, Unit::Milliseconds, Better::Lower);
    let processor: Vec<f64> = passes.iter().filter_map(|pass| pass.processor).map(per_row).collect();
    if !processor.is_empty() {
        push_median(ctx, format!("{name}.rows.cpu_ms_per_row"), processor, Unit::Milliseconds, Better::Lower);
    }
}

fn push_median(ctx: &mut StageCtx<'_>, name: String, mut values: Vec<f64>, unit: Unit, better: Better) {
    let [low, high] = eval::bootstrap_median(&values, ctx.seed);
    let metric = Metric::new(name, eval::percentile(&mut values, 0.5), unit, better);
    ctx.record.metrics.push(metric.with_interval(low, high));
}
