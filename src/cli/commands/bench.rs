//! `bench MODEL…`: measures model folders side by side, without a recipe.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{
    base::{device::DeviceId, digest::Digest, node::Node, span::Span, units},
    cli::{
        App,
        args::{self, TextFormat},
        error::CliError,
        exit::Exit,
        table::Table,
    },
    model,
    stage::{Artifact, ArtifactKind, Cancel, Lease, Metric, Progress, Record, StageCtx, StageSink, Unit},
    stages,
};

pub(in crate::cli) fn run(app: &App, args: &args::Bench) -> Result<Exit, CliError> {
    let models: Vec<PathBuf> = args.baseline.iter().chain(&args.models).cloned().collect();
    if let Some(model) = models.iter().find(|model| !model.is_dir()) {
        let error = CliError::usage(format!("there is no folder `{}`", model.display()));
        return Err(error.hint("a model is a folder with `config.json`, `tokenizer.json` and `model.safetensors`"));
    }
    if let Some(file) = args.data.as_ref().filter(|file| !file.is_file()) {
        return Err(CliError::usage(format!("there is no file `{}`", file.display())));
    }
    model::available(args.device).map_err(CliError::usage)?;
    let names = names(&models);
    let record =
        measure(app, args, (&models, &names)).map_err(|why| CliError::failed(format!("cannot measure: {why}")))?;
    for warning in &record.warnings {
        app.output.say(format!("{} {warning}", app.output.talk.warning("warning:")));
    }
    match args.format {
        TextFormat::Json => {
            let facts: serde_json::Map<_, _> =
                record.facts.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
            let json = json!({"version": 1, "facts": facts, "metrics": record.metrics});
            app.output.line(serde_json::to_string_pretty(&json).expect("plain data"))?;
        }
        TextFormat::Text => {
            for line in table(app, args, &names, &record) {
                app.output.line(line)?;
            }
        }
    }
    Ok(Exit::Done)
}

/// The `bench` stage by itself, on these folders.
fn measure(app: &App, args: &args::Bench, (models, names): (&[PathBuf], &[String])) -> Result<Record, String> {
    let spec = app.registry.get("bench").expect("the registry has `bench`");
    let mut params = json!({"batch": args.batch, "length": args.length, "memory": !args.no_memory});
    if let Some(rounds) = args.rounds {
        params["rounds"] = json!(rounds);
    }
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let data = match &args.data {
        Some(file) => {
            let rows = stages::import_whole(file, &args.columns.text, args.columns.text_pair.as_deref(), folder.path())
                .map_err(|error| format!("`{}`: {error}", file.display()))?;
            params["throughput_rows"] = json!(args.split_rows.unwrap_or(rows));
            params["throughput_batch"] = json!(args.rows_batch);
            params["throughput_rounds"] = json!(args.rows_rounds);
            params["max_length"] = json!(args.max_length);
            let (name, dir) = (file.display().to_string(), folder.path().to_path_buf());
            vec![artifact("dataset", ArtifactKind::Dataset, (&dir, &name))]
        }
        None => Vec::new(),
    };
    let params = (spec.check)(&Node::from_json(&params, Span::default())).map_err(|faults| {
        faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect::<Vec<_>>().join("; ")
    })?;
    let model = |named| artifact("model", ArtifactKind::Model, named);
    let inputs = [("models", models.iter().zip(names).map(model).collect()), ("data", data)];
    let output = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let cancel = Cancel::default();
    let mut ctx = StageCtx {
        name: "bench",
        inputs: &inputs,
        output: output.path(),
        partial: None,
        lease: Lease { device: args.device, threads: args.threads, exclusive: true },
        seed: 0,
        base_dir: Path::new("."),
        program: &app.program,
        cancel: &cancel,
        sink: &Notes(app),
        run: None,
        record: Record::default(),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build().map_err(|error| error.to_string())?;
    pool.install(|| (spec.run)(&params, &mut ctx)).map_err(|error| error.to_string())?;
    Ok(ctx.record)
}

/// A folder as the output of a stage.
fn artifact(stage: &str, kind: ArtifactKind, (dir, name): (&PathBuf, &String)) -> Artifact {
    Artifact {
        name: name.clone(),
        stage: stage.to_owned(),
        kind,
        dir: dir.clone(),
        digest: Digest::of(name.as_bytes()),
        inputs: Vec::new(),
        record: Record::default(),
    }
}

/// Says what a stage notes; a bar beside a measurement would be measured, too.
struct Notes<'a>(&'a App);

impl StageSink for Notes<'_> {
    fn progress(&self, _: Progress) {}

    fn note(&self, text: String) {
        self.0.output.say(text);
    }
}

/// A name a model: the folder's, or the whole path where two folders are called alike.
fn names(models: &[PathBuf]) -> Vec<String> {
    let path = |model: &PathBuf| model.display().to_string();
    let folder = |model: &PathBuf| model.file_name().map_or_else(|| path(model), |name| name.to_string_lossy().into());
    let is_shared = |name: &String| models.iter().filter(|other| folder(other) == *name).count() > 1;
    models
        .iter()
        .map(|model| Some(folder(model)).filter(|name| !is_shared(name)).unwrap_or_else(|| path(model)))
        .collect()
}

/// A line a model and a batch and length, then one a model.
fn table(app: &App, args: &args::Bench, names: &[String], record: &Record) -> Vec<String> {
    let style = app.output.data;
    let show = |name: String| record.metric(&name).map_or_else(String::new, Metric::show);
    let speedup = |name: &str| {
        record.metric(name).map_or_else(String::new, |metric| {
            let [low, high] = metric.interval.unwrap_or([metric.value; 2]);
            format!("{:.2}× ({low:.2}–{high:.2})", metric.value)
        })
    };
    let fact = |name: &str| record.facts.iter().find(|(fact, _)| fact == name).map_or("?", |(_, text)| text.as_str());
    let threads = crate::base::plural::count(args.threads, "thread");
    let kernel = if args.device == DeviceId::Cpu { format!(", {} kernels", fact("kernel")) } else { String::new() };
    let mut lines = vec![format!("{} · {}, {threads}{kernel}", style.strong(fact("cpu")), args.device), String::new()];
    let mut times = Table::new(&[1, 2, 3, 4, 5, 6]);
    let against = if args.baseline.is_some() { "the baseline" } else { "the first" };
    let against = format!("against {against} (95 %)");
    let head = ["model", "batch", "tokens", "p50", "p90", "p99", &against];
    times.row(head.map(|text| style.faint(text)));
    for batch in &args.batch {
        for length in &args.length {
            for name in names {
                let cell = format!("b{batch}_l{length}");
                let quantile = |q: &str| show(format!("{name}.latency.{cell}.{q}_ms"));
                let speedup = speedup(&format!("{name}.speedup.{cell}"));
                let (batch, length) = (batch.to_string(), length.to_string());
                times.row([name.clone(), batch, length, quantile("p50"), quantile("p90"), quantile("p99"), speedup]);
            }
        }
    }
    lines.extend(times.lines());
    lines.push(String::new());
    if args.data.is_some() {
        let mut rows = Table::new(&[1, 2, 3]);
        rows.row(["model", "a real row", "of processor time", &against].map(|text| style.faint(text)));
        for name in names {
            let time = |what: &str| {
                let metric = record.metric(&format!("{name}.rows.{what}"));
                metric.map_or_else(String::new, |metric| format!("{:.3} ms", metric.value))
            };
            let speedup = speedup(&format!("{name}.rows.speedup"));
            rows.row([name.clone(), time("ms_per_row"), time("cpu_ms_per_row"), speedup]);
        }
        lines.extend(rows.lines());
        lines.push(String::new());
    }
    let mut sizes = Table::new(&[1, 2, 3]);
    sizes.row(["model", "on disk", "parameters", "peak memory"].map(|text| style.faint(text)));
    for name in names {
        let parameters = record.metric(&format!("{name}.parameters")).map_or(0.0, |metric| metric.value);
        let memory = record.metric(&format!("{name}.peak_memory_bytes"));
        let memory = memory.map_or_else(String::new, |metric| Unit::Bytes.show(metric.value));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let parameters = units::thousands(parameters as u64);
        sizes.row([name.clone(), show(format!("{name}.size_bytes")), parameters, memory]);
    }
    lines.extend(sizes.lines());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_are_called_alike_are_told_apart() {
        let paths = |texts: [&str; 3]| texts.map(PathBuf::from);
        assert_eq!(names(&paths(["a/int8", "b/int8", "c/f32"])), ["a/int8", "b/int8", "f32"]);
    }
}
