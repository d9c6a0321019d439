//! The list of formats: a new one is its file and a line here.

mod bench;
mod html;
mod json;
mod junit;
mod markdown;

pub use json::{METRICS_VERSION, MetricsFile, MetricsGate};

use super::{error::ReportError, model::Report};

/// Every format, in the order in which files are written.
pub const FORMATS: &[&dyn Renderer] = &[&html::Html, &markdown::Markdown, &json::Json, &junit::Junit, &bench::Bench];

/// A format of a report. The same report gives the same bytes.
pub trait Renderer: Sync {
    /// What people ask for: `html`, `markdown`.
    fn name(&self) -> &'static str;

    /// The file in the report's folder.
    fn file_name(&self) -> &'static str;

    /// The text of the file.
    ///
    /// # Errors
    /// When a template fails, which is a bug of this crate.
    fn render(&self, report: &Report) -> Result<String, ReportError>;
}

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name in the report's folder.
    pub name: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The gates in a few words: `all 3 gates passed`, `1 of 3 gates failed`.
fn gates_in_words(report: &Report) -> String {
    use super::model::{GateState, Outcome};
    use crate::{base::plural, stage::RunStatus};

    let count = |state| report.gates.iter().filter(|gate| gate.state == state).count();
    let (failed, unknown, all) = (count(GateState::Failed), count(GateState::Unknown), report.gates.len());
    let (warned, unjudged) = (count(GateState::Warned), count(GateState::Unjudged));
    let broken = report.stages.iter().filter(|stage| stage.status == RunStatus::Failed).count();
    let gates = match (all, failed, unknown) {
        (0, _, _) => "no gates in this recipe".to_owned(),
        (1, 0, 0) => "the gate passed".to_owned(),
        (1, 1, _) => "the gate failed".to_owned(),
        (_, 0, 0) => format!("all {all} gates passed"),
        (_, 0, _) => format!("{unknown} of {} not known yet", plural::count(all, "gate")),
        _ => format!("{failed} of {} failed", plural::count(all, "gate")),
    };
    let also = |n: usize, what: &str| if n > 0 { format!(", {n} {what}") } else { String::new() };
    let gates = match (failed, warned + unjudged) {
        (0, 1..) if unknown == 0 => format!(
            "{} of {} passed{}{}",
            all - warned - unjudged,
            plural::count(all, "gate"),
            also(warned, "warned"),
            also(unjudged, "not judged")
        ),
        _ => gates,
    };
    match (report.outcome, broken) {
        (Outcome::Failed, 1..) => format!("{} failed; {gates}", plural::count(broken, "stage")),
        _ => gates,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Answers;
    use crate::{
        report::{fixture, model::Options, render},
        stage::{Record, RunStatus, RunView},
    };

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = FORMATS.iter().flat_map(|format| [format.name(), format.file_name()]).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 2 * FORMATS.len());
    }

    #[test]
    fn the_same_run_gives_the_same_bytes() {
        let make = || {
            render(&Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default()))
                .unwrap()
        };
        assert_eq!(make(), make());
    }

    #[test]
    fn whatever_is_missing_every_format_renders() {
        let full = fixture::run();
        let without = |kinds: &[&str]| {
            let mut run = full.clone();
            run.nodes.retain(|node| !kinds.contains(&node.kind.as_str()));
            run
        };
        let mut bare = full.clone();
        bare.nodes.iter_mut().for_each(|node| node.record = Record::default());
        let mut failed = full.clone();
        failed.nodes[7].status = RunStatus::Failed;
        failed.nodes[8..].iter_mut().for_each(|node| node.status = RunStatus::Skipped);
        let mut odd = full.clone();
        for metric in odd.nodes.iter_mut().flat_map(|node| &mut node.record.metrics) {
            metric.value = f64::NAN;
        }
        for run in [
            RunView::default(),
            without(&["bench"]),
            without(&["evaluate"]),
            without(&["bench", "evaluate"]),
            bare,
            failed,
            odd,
        ] {
            let report = Report::gather(&run, &[], &Answers::default(), &Options::default());
            for output in render(&report).unwrap() {
                let text = String::from_utf8(output.bytes).unwrap();
                assert!(!text.is_empty() && !text.contains("NaN") && !text.contains("inf "), "{}: {text}", output.name);
            }
        }
        let alone = Report::gather(&RunView::default(), &fixture::scores(), &Answers::default(), &Options::default());
        assert_eq!(alone.models.len(), 4);
        assert_eq!(alone.baseline.as_deref(), Some("teacher"));
    }

    #[test]
    fn gates_are_counted() {
        let words = |change: &dyn Fn(&mut RunView)| {
            let mut run = fixture::run();
            change(&mut run);
            gates_in_words(&Report::gather(&run, &fixture::scores(), &Answers::default(), &Options::default()))
        };
        assert_eq!(words(&|_| ()), "1 of 3 gates failed");
        assert_eq!(words(&|run| run.gates.clear()), "no gates in this recipe");
        assert_eq!(words(&|run| drop(run.gates.remove(1))), "all 2 gates passed");
        assert_eq!(words(&|run| run.gates.truncate(1)), "the gate passed");
        assert_eq!(words(&|run| run.nodes[7].status = RunStatus::Failed), "1 stage failed; 1 of 3 gates failed");
    }
}
