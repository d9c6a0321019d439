//! What the page's template shows: texts and plots, ready to print.

use serde::Serialize;

use crate::{
    base::{plural, units},
    report::{
        diff::{self, Piece},
        formats::gates_in_words,
        model::{
            Compared, ConfusionLine, Difference, GateState, ModelLine, Outcome, Report, SpeedTable, StageLine,
            StageSamples,
        },
        plot,
        table::{self, Cell, Table},
        words::{self, Comparative},
    },
    stage::{Better, Confusion, Metric, RunStatus, Unit},
};

/// How many samples a data stage shows.
const MOST_SAMPLES: usize = 6;
/// Above so many labels a confusion matrix is unreadable, and its largest confusions are listed instead.
const MOST_LABELS: usize = 12;

/// The page.
#[derive(Serialize)]
pub(super) struct Page {
    title: String,
    recipe: String,
    about: String,
    command: String,
    version: String,
    outcome: &'static str,
    gates_in_words: String,
    headline: String,
    tiles: Vec<Tile>,
    gates: Vec<Gate>,
    warnings: Vec<(String, String)>,
    table: Table,
    fronts: Vec<Plot>,
    steps: Option<Steps>,
    speeds: Vec<Speed>,
    scores: Vec<Score>,
    curves: Vec<Plot>,
    confusions: Vec<Matrix>,
    samples: Vec<Samples>,
    graph: Option<Plot>,
    stages: Vec<Stage>,
    time: String,
    environment: Vec<(String, Vec<Fact>)>,
    metrics: Vec<[String; 3]>,
}

/// A number that a hurried reader wants.
#[derive(Serialize)]
struct Tile {
    name: String,
    value: String,
    detail: String,
}

#[derive(Serialize)]
struct Gate {
    state: &'static str,
    word: &'static str,
    text: String,
    found: String,
}

/// An image with its caption.
#[derive(Serialize)]
struct Plot {
    title: String,
    svg: String,
    caption: String,
}

/// Name, text, and whether the text needs a line of its own.
type Fact = (String, String, bool);

/// The steps as a plot and, for a narrow page, as a list.
#[derive(Serialize)]
struct Steps {
    svg: String,
    rows: Vec<StepRow>,
}

#[derive(Serialize)]
struct StepRow {
    name: String,
    detail: String,
    now: String,
    change: String,
}

#[derive(Serialize)]
struct Speed {
    stage: String,
    reference: String,
    points: Vec<String>,
    has_throughput: bool,
    rows: Vec<SpeedRow>,
}

#[derive(Serialize)]
struct SpeedRow {
    model: String,
    cells: Vec<(Cell, String)>,
    throughput: Cell,
}

#[derive(Serialize)]
struct Score {
    stage: String,
    model: String,
    data: String,
    metrics: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Matrix {
    model: String,
    stage: String,
    is_open: bool,
    labels: Vec<String>,
    rows: Vec<MatrixRow>,
    /// `true label`, `predicted label`, count; only where there are too many labels for a matrix.
    pairs: Vec<(String, String, String)>,
}

#[derive(Serialize)]
struct MatrixRow {
    label: String,
    cells: Vec<MatrixCell>,
}

#[derive(Serialize)]
struct MatrixCell {
    count: String,
    share: String,
    /// Of the row, 0 to 1, for the shade.
    weight: String,
    is_right: bool,
}

#[derive(Serialize)]
struct Samples {
    stage: String,
    kind: String,
    more: usize,
    texts: Vec<SampleText>,
}

#[derive(Serialize)]
struct SampleText {
    what: String,
    is_same: bool,
    /// `same`, `del` or `ins`, and the text.
    pieces: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct Stage {
    name: String,
    kind: String,
    about: String,
    status: &'static str,
    took: String,
    device: String,
    facts: Vec<(String, String)>,
}

impl Page {
    /// The page of a report.
    pub(super) fn of(report: &Report) -> Self {
        Self {
            title: report.title.clone(),
            recipe: report.recipe.clone(),
            about: report.about.clone(),
            command: report.command.clone(),
            version: report.version.clone(),
            outcome: match report.outcome {
                Outcome::Passed => "passed",
                Outcome::Failed => "failed",
                Outcome::Unknown => "unknown",
                Outcome::Ungated => "ungated",
            },
            gates_in_words: words::capital(&gates_in_words(report)),
            headline: report.headline.clone(),
            tiles: tiles(report),
            gates: gates(report),
            warnings: report.warnings.clone(),
            table: table::of(report),
            fronts: fronts(report),
            steps: steps(report),
            speeds: report.speeds.iter().map(speed).collect(),
            scores: scores(report),
            curves: curves(report),
            confusions: matrices(report),
            samples: report.samples.iter().map(samples).collect(),
            graph: graph(report),
            stages: report.stages.iter().map(stage).collect(),
            time: time(report),
            environment: report
                .environment
                .iter()
                .map(|environment| {
                    let facts = environment.facts.iter();
                    let facts = facts.map(|(name, text)| (name.clone(), text.clone(), text.chars().count() > 40));
                    (environment.stage.clone(), facts.collect())
                })
                .collect(),
            metrics: report
                .metrics
                .iter()
                .map(|metric| {
                    let interval = metric.interval.map(|interval| words::interval_of(metric.unit, interval));
                    [metric.name.clone(), exact(metric), interval.unwrap_or_default()]
                })
                .collect(),
        }
    }
}

/// The subject beside the baseline: quality, time, size, memory.
fn tiles(report: &Report) -> Vec<Tile> {
    let model = |name: &Option<String>| name.as_deref().and_then(|name| report.model(name));
    let (Some(subject), Some(baseline)) = (model(&report.subject), model(&report.baseline)) else { return Vec::new() };
    if subject.name == baseline.name {
        return Vec::new();
    }
    let mut tiles = Vec::new();
    if let (Some(difference), Some(now), Some(was)) = (&subject.difference, &subject.quality, &baseline.quality) {
        let change = words::signed(now.unit, difference.value);
        let detail = if difference.is_significant() == Some(false) { ", no significant difference" } else { "" };
        tiles.push(Tile {
            name: words::capital(&now.name.replace('_', " ")),
            value: change,
            detail: format!("{}{detail}", from_to(was, now)),
        });
    }
    let mut cost = |name: &str, field: fn(&ModelLine) -> Option<&Compared>, comparative: Comparative| {
        let (Some(now), Some(was)) = (field(subject), field(baseline)) else { return };
        let Some(gain) = now.gain else { return };
        let value = words::capital(&words::gain(gain, comparative));
        tiles.push(Tile { name: name.to_owned(), value, detail: from_to(&was.metric, &now.metric) });
    };
    cost("Latency", |model| model.latency.as_ref(), words::FASTER);
    cost("Size", |model| model.size.as_ref(), words::SMALLER);
    cost("Peak memory", |model| model.peak_memory.as_ref(), words::LESS);
    tiles
}

fn from_to(was: &Metric, now: &Metric) -> String {
    format!("{} → {}", words::value(was.unit, was.value), words::value(now.unit, now.value))
}

fn gates(report: &Report) -> Vec<Gate> {
    let line = |gate: &crate::report::model::GateLine| {
        let (state, word) = match gate.state {
            GateState::Passed => ("passed", "Passed"),
            GateState::Failed => ("failed", "Failed"),
            GateState::Unknown => ("unknown", "Not known"),
        };
        Gate { state, word, text: gate.text.clone(), found: gate.verdict.text.clone() }
    };
    report.gates.iter().map(line).collect()
}

/// Quality against size and against latency.
fn fronts(report: &Report) -> Vec<Plot> {
    let Some(basis) = &report.quality else { return Vec::new() };
    let Some(first) = report.models.iter().find_map(|model| model.quality.as_ref()) else { return Vec::new() };
    let is_share = first.unit == Unit::Share;
    let name = basis.metric.replace('_', " ");
    let title = if is_share { format!("{name}, %") } else { name.clone() };
    let mut plots = Vec::new();
    let mut plot = |what: &str, axis: &str, cost: fn(&ModelLine) -> Option<f64>| {
        let dots: Vec<_> = report
            .models
            .iter()
            .filter_map(|model| {
                let quality = model.quality.as_ref()?;
                Some(plot::Dot {
                    name: model.name.clone(),
                    cost: cost(model)?,
                    quality: quality.value,
                    interval: quality.interval,
                })
            })
            .collect();
        if dots.len() > 1 {
            plots.push(Plot {
                title: words::capital(&format!("{name} against {what}")),
                svg: plot::scatter(axis, &title, &dots, is_share, first.better != Better::Lower),
                caption: String::new(),
            });
        }
    };
    plot("size", "size on disk, MB", |model| Some(model.size.as_ref()?.metric.value / 1e6));
    let axis = report.speed.as_ref().map_or_else(String::new, |speed| {
        format!("median latency, ms (batch {} × {} tokens)", speed.batch, speed.length)
    });
    plot("latency", &axis, |model| Some(model.latency.as_ref()?.metric.value));
    plots
}

fn steps(report: &Report) -> Option<Steps> {
    let first = report.steps.first()?;
    let unit = first.quality.unit;
    let factor = if unit == Unit::Share { 100.0 } else { 1.0 };
    let name = first.quality.name.replace('_', " ");
    let bars: Vec<_> = report
        .steps
        .iter()
        .map(|step| {
            let now = words::value(unit, step.quality.value);
            let costs = [(step.size, words::SMALLER), (step.speed, words::FASTER)];
            let costs = costs.into_iter().filter_map(|(gain, comparative)| Some(words::gain(gain?, comparative)));
            let costs: Vec<_> = costs.filter(|cost| cost != "the same").collect();
            let not_significant = step.difference.as_ref().and_then(Difference::is_significant) == Some(false);
            plot::Bar {
                name: step.model.clone(),
                detail: match &step.parent {
                    Some(parent) => format!("{} from {parent}", step.kind),
                    None => step.kind.clone(),
                },
                from: step.parent_quality.map(|value| value * factor),
                to: step.quality.value * factor,
                interval: step.quality.interval.map(|interval| interval.map(|value| value * factor)),
                text: step.difference.as_ref().map_or_else(|| now.clone(), |of| words::signed(unit, of.value)),
                note: match &step.difference {
                    Some(_) if not_significant => "no significant difference".to_owned(),
                    Some(Difference { interval: Some(interval), .. }) => {
                        format!("95 %: {}", words::signed_interval(unit, *interval))
                    }
                    _ => String::new(),
                },
                costs,
            }
        })
        .collect();
    let title = if unit == Unit::Share { format!("{name}, %") } else { name };
    let rows = bars.iter().zip(&report.steps).map(|(bar, step)| {
        let change = step.difference.is_some().then(|| {
            let note = bar.note.strip_prefix("95 %").map_or(bar.note.as_str(), |_| "");
            [bar.text.as_str(), note].into_iter().chain(bar.costs.iter().map(String::as_str))
        });
        let change: Vec<_> = change.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        let now = words::value(unit, step.quality.value);
        StepRow { name: bar.name.clone(), detail: bar.detail.clone(), now, change: change.join(", ") }
    });
    Some(Steps { svg: plot::bars(&title, &bars), rows: rows.collect() })
}

fn speed(table: &SpeedTable) -> Speed {
    let rows: Vec<_> = table
        .rows
        .iter()
        .map(|row| SpeedRow {
            model: row.model.clone(),
            cells: row
                .cells
                .iter()
                .zip(&row.tails)
                .map(|(cell, tails)| {
                    let shown = cell.as_ref().map(|cell| table::cost_cell(cell, words::FASTER)).unwrap_or_default();
                    let tail = |name: &str, value: &Option<f64>| {
                        value.map(|value| format!("{name} {}", words::value(Unit::Milliseconds, value)))
                    };
                    let tails: Vec<_> = [tail("p90", &tails.0), tail("p99", &tails.1)].into_iter().flatten().collect();
                    (shown, tails.join(" · "))
                })
                .collect(),
            throughput: row
                .throughput
                .as_ref()
                .map(|compared| table::cost_cell(compared, words::FASTER))
                .unwrap_or_default(),
        })
        .collect();
    Speed {
        stage: table.stage.clone(),
        reference: table.reference.clone().unwrap_or_default(),
        points: table.points.iter().map(|(batch, length)| format!("{batch} × {length} tokens")).collect(),
        has_throughput: rows.iter().any(|row| !row.throughput.value.is_empty()),
        rows,
    }
}

fn scores(report: &Report) -> Vec<Score> {
    report
        .scores
        .iter()
        .map(|line| Score {
            stage: line.stage.clone(),
            model: line.model.clone(),
            data: line.data.clone(),
            metrics: line
                .metrics
                .iter()
                .map(|metric| (words::metric_name(&metric.name), words::with_interval(metric)))
                .collect(),
        })
        .collect()
}

fn curves(report: &Report) -> Vec<Plot> {
    report
        .curves
        .iter()
        .map(|curve| {
            let most = curve.series.iter().map(|series| plot::thinning(series.points.len())).max().unwrap_or(1);
            let caption =
                if most > 1 { format!("Each point is the mean of up to {most} {}s.", curve.x) } else { String::new() };
            Plot { title: words::capital(&curve.name), svg: plot::lines(&curve.name, &curve.x, &curve.series), caption }
        })
        .collect()
}

/// The open ones first.
fn matrices(report: &Report) -> Vec<Matrix> {
    let mut matrices: Vec<_> = report.confusions.iter().map(|line| matrix(line, report)).collect();
    matrices.sort_by_key(|matrix| !matrix.is_open);
    matrices
}

fn matrix(line: &ConfusionLine, report: &Report) -> Matrix {
    let confusion = &line.confusion;
    let is_small = confusion.labels.len() <= MOST_LABELS;
    let shown = [&report.subject, &report.baseline];
    Matrix {
        model: line.model.clone(),
        stage: line.stage.clone(),
        is_open: shown.iter().any(|name| name.as_deref() == Some(line.model.as_str())) || report.models.len() == 1,
        labels: if is_small { confusion.labels.clone() } else { Vec::new() },
        rows: if is_small { matrix_rows(confusion) } else { Vec::new() },
        pairs: if is_small { Vec::new() } else { pairs(confusion) },
    }
}

fn matrix_rows(confusion: &Confusion) -> Vec<MatrixRow> {
    confusion
        .labels
        .iter()
        .zip(&confusion.counts)
        .enumerate()
        .map(|(truth, (label, counts))| {
            let all = counts.iter().sum::<u64>().max(1) as f64;
            let cells = counts.iter().enumerate().map(|(predicted, count)| {
                let share = *count as f64 / all;
                MatrixCell {
                    count: units::thousands(*count),
                    share: format!("{:.1} %", share * 100.0),
                    weight: format!("{share:.3}"),
                    is_right: truth == predicted,
                }
            });
            MatrixRow { label: label.clone(), cells: cells.collect() }
        })
        .collect()
}

/// The most frequent confusions.
fn pairs(confusion: &Confusion) -> Vec<(String, String, String)> {
    let mut pairs: Vec<_> = confusion
        .counts
        .iter()
        .enumerate()
        .flat_map(|(truth, counts)| counts.iter().enumerate().map(move |(predicted, count)| (truth, predicted, *count)))
        .filter(|(truth, predicted, count)| truth != predicted && *count > 0)
        .collect();
    pairs.sort_by_key(|(truth, predicted, count)| (u64::MAX - count, *truth, *predicted));
    let label = |at: usize| confusion.labels.get(at).cloned().unwrap_or_default();
    let shown = pairs.into_iter().take(MOST_LABELS);
    shown.map(|(truth, predicted, count)| (label(truth), label(predicted), units::thousands(count))).collect()
}

fn samples(line: &StageSamples) -> Samples {
    let texts = line.samples.iter().take(MOST_SAMPLES).map(|sample| {
        let pieces = diff::words(&sample.before, &sample.after).into_iter().map(|piece| match piece {
            Piece::Same(text) => ("same", text),
            Piece::Removed(text) => ("del", text),
            Piece::Added(text) => ("ins", text),
        });
        SampleText { what: sample.what.clone(), is_same: sample.before == sample.after, pieces: pieces.collect() }
    });
    Samples {
        stage: line.stage.clone(),
        kind: line.kind.clone(),
        more: line.samples.len().saturating_sub(MOST_SAMPLES),
        texts: texts.collect(),
    }
}

fn stage(line: &StageLine) -> Stage {
    Stage {
        name: line.name.clone(),
        kind: line.kind.clone(),
        about: line.about.clone(),
        status: words::status(&line.kind, line.status),
        took: match line.status {
            RunStatus::Ran | RunStatus::Cached => words::seconds(line.seconds),
            RunStatus::Waiting | RunStatus::Failed | RunStatus::Skipped => String::new(),
        },
        device: line.device.clone(),
        // What a bench says of its machine has a place of its own.
        facts: line
            .facts
            .iter()
            .filter(|_| line.kind != "bench")
            .cloned()
            .chain(
                line.metrics
                    .iter()
                    .filter(|_| line.kind != "bench" && line.kind != "evaluate")
                    .map(|metric| (words::metric_name(&metric.name), words::with_interval(metric))),
            )
            .collect(),
    }
}

/// `13 stages: 8 ran (21 m 29 s), 4 cached`.
fn time(report: &Report) -> String {
    let of = |status: RunStatus| report.stages.iter().filter(move |stage| stage.status == status);
    let mut parts = Vec::new();
    for wanted in [RunStatus::Ran, RunStatus::Cached, RunStatus::Failed, RunStatus::Skipped] {
        let count = of(wanted).count();
        let seconds: f64 = of(wanted).map(|stage| stage.seconds).sum();
        let word = words::status("", wanted);
        match wanted {
            _ if count == 0 => {}
            RunStatus::Ran => parts.push(format!("{count} {word} in {}", words::seconds(seconds))),
            _ => parts.push(format!("{count} {word}")),
        }
    }
    if parts.is_empty() { String::new() } else { format!("{}.", words::capital(&words::join(&parts))) }
}

/// The graph of stages; the cells of a matrix are one box.
fn graph(report: &Report) -> Option<Plot> {
    let base = |name: &str| name.split_once('@').map_or(name, |(base, _)| base).to_owned();
    let mut names: Vec<String> = Vec::new();
    for stage in &report.stages {
        if !names.contains(&base(&stage.name)) {
            names.push(base(&stage.name));
        }
    }
    let boxes: Vec<_> = names
        .iter()
        .map(|name| {
            let cells: Vec<_> = report.stages.iter().filter(|stage| base(&stage.name) == *name).collect();
            let inputs = cells.iter().flat_map(|cell| &cell.inputs).map(|input| base(input));
            let mut inputs: Vec<usize> =
                inputs.filter_map(|input| names.iter().position(|known| *known == input)).collect();
            inputs.sort_unstable();
            inputs.dedup();
            let (class, state) = family(&cells);
            let kind = cells.first().map_or("", |cell| cell.kind.as_str());
            let shown = if cells.len() > 1 { format!("{name} × {}", cells.len()) } else { name.clone() };
            plot::Box { name: shown, detail: format!("{kind} · {state}"), class, inputs }
        })
        .collect();
    if boxes.len() < 2 {
        return None;
    }
    Some(Plot {
        title: String::new(),
        svg: plot::dag("The stages of this run and what each takes from", &boxes),
        caption: "Dashed boxes were cached: their output was in the store already.".to_owned(),
    })
}

/// The class of a stage's box, and what became of its cells in words.
fn family(cells: &[&StageLine]) -> (&'static str, String) {
    let any = |wanted: RunStatus| cells.iter().any(|cell| cell.status == wanted);
    let seconds: f64 = cells.iter().map(|cell| cell.seconds).sum();
    if any(RunStatus::Failed) {
        ("failed", "failed".to_owned())
    } else if any(RunStatus::Skipped) {
        ("waiting", "skipped".to_owned())
    } else if any(RunStatus::Waiting) {
        ("waiting", words::status(cells.first().map_or("", |cell| cell.kind.as_str()), RunStatus::Waiting).to_owned())
    } else if any(RunStatus::Ran) {
        ("ran", format!("ran {}", words::seconds(seconds)))
    } else {
        ("cached", "cached".to_owned())
    }
}

/// A metric with all the digits that a program would want.
fn exact(metric: &Metric) -> String {
    if !metric.value.is_finite() {
        return "not a number".to_owned();
    }
    match metric.unit {
        Unit::Bytes => {
            plural::count(0, "byte").replacen('0', &units::thousands(metric.value.max(0.0).round() as u64), 1)
        }
        _ => metric.show(),
    }
}
