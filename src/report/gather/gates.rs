//! Judges the gates with what the run knows so far.

use crate::{
    report::model::{GateLine, GateState, Outcome},
    stage::{Metric, RunStatus, RunView},
};

/// The gates of the recipe; one that asks about a stage still to come is unknown, not failed.
pub(super) fn judge(run: &RunView, metrics: &[Metric]) -> Vec<GateLine> {
    run.gates
        .iter()
        .map(|gate| {
            let mut verdict = gate.evaluate(|name| find(metrics, name).cloned(), &run.references);
            let names = [Some(&gate.metric), gate.versus.as_ref()];
            let names: Vec<_> = names.into_iter().flatten().collect();
            let pending = names.iter().find_map(|name| pending_stage(run, metrics, name));
            let odd = names.iter().find(|name| find(metrics, name).is_some_and(|metric| !metric.value.is_finite()));
            if let Some(name) = odd {
                verdict.text = format!("`{name}` is not a finite number");
            }
            let state = match (verdict.passed, pending) {
                _ if !verdict.judged => GateState::Unjudged,
                (true, _) => GateState::Passed,
                (false, Some(stage)) => {
                    verdict.text = format!("`{stage}` was not done when this report was made");
                    GateState::Unknown
                }
                (false, None) if verdict.warns() => GateState::Warned,
                (false, None) => GateState::Failed,
            };
            GateLine { text: gate.describe(find(metrics, &gate.metric).map(|metric| metric.unit)), verdict, state }
        })
        .collect()
}

/// How the run turned out: a failed stage is a failure even where every gate that could be judged is kept.
pub(super) fn outcome(gates: &[GateLine], run: &RunView) -> Outcome {
    let any = |state| gates.iter().any(|gate| gate.state == state);
    if any(GateState::Failed) || run.nodes.iter().any(|node| node.status == RunStatus::Failed) {
        Outcome::Failed
    } else if any(GateState::Unknown) {
        Outcome::Unknown
    } else if gates.is_empty() {
        Outcome::Ungated
    } else {
        Outcome::Passed
    }
}

fn find<'a>(metrics: &'a [Metric], name: &str) -> Option<&'a Metric> {
    metrics.iter().find(|metric| metric.name == name)
}

/// The waiting stage that a missing metric belongs to.
fn pending_stage<'a>(run: &'a RunView, metrics: &[Metric], name: &str) -> Option<&'a str> {
    if find(metrics, name).is_some() {
        return None;
    }
    run.nodes
        .iter()
        .filter(|node| node.status == RunStatus::Waiting)
        .find(|node| name.strip_prefix(&node.name).is_some_and(|rest| rest.starts_with('.')))
        .map(|node| node.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::fixture,
        stage::{Bound, Gate, Severity},
    };

    #[test]
    fn a_gate_on_a_stage_to_come_is_unknown() {
        let mut run = fixture::run();
        run.nodes.push(fixture::node("later", "bench", &["int8"], RunStatus::Waiting, 0.0));
        let gate = |metric: &str| Gate {
            metric: metric.into(),
            versus: None,
            bound: Bound::Max(1.0.into()),
            severity: Severity::Error,
            paired: false,
        };
        run.gates = vec![gate("later.int8.size_bytes"), gate("speed.int8.nonsense"), gate("scores@int8.accuracy")];
        let metrics = super::super::metrics(&run, &[]);
        let lines = judge(&run, &metrics);
        let states: Vec<_> = lines.iter().map(|line| line.state).collect();
        assert_eq!(states, [GateState::Unknown, GateState::Failed, GateState::Passed]);
        assert_eq!(lines[0].verdict.text, "`later` was not done when this report was made");
        assert_eq!(outcome(&lines, &run), Outcome::Failed);
        assert_eq!(outcome(&lines[..1], &run), Outcome::Unknown);
        assert_eq!(outcome(&lines[2..], &run), Outcome::Passed);
        assert_eq!(outcome(&[], &run), Outcome::Ungated);
        let warning = Gate { severity: Severity::Warn, ..gate("speed.int8.nonsense") };
        let versus = Some(crate::stage::BASELINE.to_owned());
        let compared = Gate { versus, bound: Bound::MaxRise(0.1.into()), ..gate("scores@int8.accuracy") };
        run.gates = vec![warning, compared];
        let told = judge(&run, &metrics);
        let states: Vec<_> = told.iter().map(|line| line.state).collect();
        assert_eq!(states, [GateState::Warned, GateState::Unjudged]);
        assert_eq!(outcome(&told, &run), Outcome::Passed);
        run.nodes[0].status = RunStatus::Failed;
        assert_eq!(outcome(&lines[2..], &run), Outcome::Failed);
    }
}
