//! What a finished run comes down to, for people: stages, scores, gates.

use crate::{
    base::plural,
    cli::{headline, output::Style, progress::seconds, table::Table},
    engine::{NodeRecord, RunRecord},
    stage::{ArtifactKind, Metric, Registry, RunStatus, Verdict},
};

/// The most numbers in a line of scores.
const SCORES: usize = 4;

/// The run in a few lines: stages with what became of them, the numbers of the scores, the gates.
pub(super) fn summary(run: &RunRecord, registry: &Registry, style: Style) -> String {
    let mut lines = vec![title(run, style), String::new()];
    lines.extend(stages(run, style));
    let warnings = warnings(run, style);
    if !warnings.is_empty() {
        lines.extend([String::new(), style.strong("warnings")]);
        lines.extend(warnings);
    }
    let scores = scores(run, registry, style);
    if !scores.is_empty() {
        lines.extend([String::new(), style.strong("scores")]);
        lines.extend(scores);
    }
    if !run.verdicts.is_empty() {
        lines.extend([String::new(), style.strong("gates")]);
        lines.extend(gates(&run.verdicts, style));
    }
    lines.join("\n")
}

fn title(run: &RunRecord, style: Style) -> String {
    let counts: Vec<String> = [
        (RunStatus::Ran, "ran"),
        (RunStatus::Cached, "cached"),
        (RunStatus::Failed, "failed"),
        (RunStatus::Skipped, "skipped"),
        (RunStatus::Waiting, "not done"),
    ]
    .into_iter()
    .map(|(status, word)| (run.count(status), word))
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    let stages = plural::count(run.nodes.len(), "stage");
    format!("{} · {stages}: {} · {}", style.strong(&run.name), counts.join(", "), seconds(run.seconds))
}

fn stages(run: &RunRecord, style: Style) -> Vec<String> {
    let mut table = Table::new(&[4]).indent(2);
    for NodeRecord { name, kind, status, seconds: took, .. } in &run.nodes {
        let (mark, word, time) = match status {
            RunStatus::Ran => (style.good("✓"), "ran".to_owned(), seconds(*took)),
            RunStatus::Cached => {
                (style.good("✓"), style.faint("cached"), style.faint(&format!("({})", seconds(*took))))
            }
            RunStatus::Failed => (style.bad("✗"), style.bad("failed"), seconds(*took)),
            RunStatus::Skipped => (style.faint("–"), style.faint("skipped"), String::new()),
            RunStatus::Waiting => (style.faint("–"), style.faint("not done"), String::new()),
        };
        table.row([mark, name.clone(), style.faint(kind), word, time]);
    }
    table.lines()
}

/// What stages warn of, those that were cached, too: it holds of what they made.
fn warnings(run: &RunRecord, style: Style) -> Vec<String> {
    let mut table = Table::new(&[]).indent(2);
    for node in &run.nodes {
        for warning in &node.record.warnings {
            table.row([style.warning("!"), node.name.clone(), warning.clone()]);
        }
    }
    table.lines()
}

fn scores(run: &RunRecord, registry: &Registry, style: Style) -> Vec<String> {
    let mut table = Table::new(&[]).indent(2);
    let measures = |kind: &str| registry.get(kind).is_some_and(|spec| spec.output == ArtifactKind::Scores);
    for node in run.nodes.iter().filter(|node| measures(&node.kind)) {
        for (model, metrics) in by_model(node) {
            let label = if model.is_empty() { node.name.clone() } else { format!("{}.{model}", node.name) };
            let mut cells = vec![label];
            cells.extend(
                headline::pick(&metrics, SCORES)
                    .into_iter()
                    .map(|metric| format!("{} {}", style.faint(&headline::name(metric)), metric.show())),
            );
            table.row(cells);
        }
    }
    for family in run.families() {
        let is_scores = |node: &NodeRecord| node.family.as_deref() == Some(&family.name) && measures(&node.kind);
        if !run.nodes.iter().any(is_scores) {
            continue;
        }
        let mut cells = vec![format!("{} over {}", family.name, plural::count(family.members.len(), "seed"))];
        cells.extend(
            headline::pick(&family.metrics, SCORES)
                .into_iter()
                .map(|metric| format!("{} {}", style.faint(&headline::name(metric)), metric.show())),
        );
        table.row(cells);
    }
    table.lines()
}

/// The metrics of a stage by the model that they are about, in the order in which they come: `bench` takes many models
/// and names its metrics `model.metric`, `evaluate` takes one and names none.
fn by_model(node: &NodeRecord) -> Vec<(String, Vec<Metric>)> {
    let mut groups: Vec<(String, Vec<Metric>)> = Vec::new();
    for metric in &node.record.metrics {
        let about =
            |input: &&String| metric.name.strip_prefix(input.as_str()).is_some_and(|rest| rest.starts_with('.'));
        let model = node.inputs.iter().find(about).map_or("", String::as_str);
        let name = metric.name.strip_prefix(model).unwrap_or(&metric.name).trim_start_matches('.');
        let metric = Metric { name: name.to_owned(), ..metric.clone() };
        match groups.iter_mut().find(|(group, _)| group == model) {
            Some((_, metrics)) => metrics.push(metric),
            None => groups.push((model.to_owned(), vec![metric])),
        }
    }
    groups
}

/// The gates, one a line, and what was found.
pub(super) fn gates(verdicts: &[Verdict], style: Style) -> Vec<String> {
    let mut table = Table::new(&[]).indent(2);
    for verdict in verdicts {
        let mark = match verdict {
            Verdict { judged: false, .. } => style.faint("–"),
            Verdict { passed: true, .. } => style.good("✓"),
            // What it is about was not made: that is told elsewhere.
            Verdict { value: None, .. } => style.faint("–"),
            verdict if verdict.warns() => style.warning("!"),
            Verdict { .. } => style.bad("✗"),
        };
        table.row([mark, verdict.gate.metric.clone(), verdict.text.clone()]);
    }
    table.lines()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::stage::{Better, Bound, Gate, Record, Severity, Unit};

    fn node(name: &str, kind: &str, status: RunStatus, metrics: Vec<Metric>) -> NodeRecord {
        NodeRecord {
            name: name.into(),
            family: None,
            kind: kind.into(),
            about: String::new(),
            inputs: vec!["a".into(), "b".into()],
            status,
            seconds: 2.0,
            device: "cpu".into(),
            fingerprint: None,
            digest: None,
            key: Value::Null,
            error: None,
            record: Record { metrics, ..Record::default() },
        }
    }

    #[test]
    fn a_run_in_a_few_lines() {
        let ms = |name: &str, value| Metric::new(name, value, Unit::Milliseconds, Better::Lower);
        let metrics = vec![
            ms("a.latency.b1_l8.p50_ms", 2.0),
            ms("a.latency.b8_l8.p50_ms", 9.0),
            ms("b.latency.b1_l8.p50_ms", 1.0),
        ];
        let gate = Gate {
            metric: "speed.b.latency".into(),
            versus: None,
            bound: Bound::Max(1.0.into()),
            severity: Severity::Error,
            paired: false,
        };
        let run = RunRecord {
            version: RunRecord::VERSION,
            id: "r".into(),
            name: "mobile".into(),
            about: String::new(),
            recipe: "r.yaml".into(),
            command: String::new(),
            sets: Vec::new(),
            tool_version: String::new(),
            host: Value::Null,
            started: String::new(),
            seconds: 65.0,
            cancelled: false,
            nodes: vec![
                node("clean", "normalize", RunStatus::Cached, Vec::new()),
                node("teacher", "finetune", RunStatus::Failed, Vec::new()),
                node("speed", "bench", RunStatus::Ran, metrics),
                node("report", "report", RunStatus::Skipped, Vec::new()),
            ],
            verdicts: vec![Verdict {
                gate,
                passed: false,
                judged: true,
                text: "2.00 ms (at most 1.00 ms)".into(),
                value: Some(2.0),
            }],
        };
        let text = summary(&run, &crate::stages::REGISTRY, Style(false));
        assert_eq!(
            text,
            "mobile · 4 stages: 1 ran, 1 cached, 1 failed, 1 skipped · 1 m 05 s\n\n  \
             ✓  clean    normalize  cached   (2.0 s)\n  \
             ✗  teacher  finetune   failed     2.0 s\n  \
             ✓  speed    bench      ran        2.0 s\n  \
             –  report   report     skipped\n\n\
             scores\n  \
             speed.a  latency b1 l8 p50 2.00 ms\n  \
             speed.b  latency b1 l8 p50 1.00 ms\n\n\
             gates\n  \
             ✗  speed.b.latency  2.00 ms (at most 1.00 ms)"
        );
    }
}
