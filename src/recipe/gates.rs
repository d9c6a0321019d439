//! `gates:` to bounds on metrics of stages that exist.

use super::{
    diagnostic::Diagnostic,
    draft::{Draft, Found},
    fields::{Fields, wrong_type},
};
use crate::{
    base::{
        node::{Key, Node, NodeValue},
        plural, suggest, units,
    },
    stage::{Amount, BASELINE, Bound, Gate, Severity},
};

/// How a bound is made of a number.
type MakeBound = fn(Amount) -> Bound;

/// Every bound: its key, and how to make it.
const BOUNDS: [(&str, MakeBound); 7] = [
    ("max", Bound::Max),
    ("min", Bound::Min),
    ("max_drop", Bound::MaxDrop),
    ("max_rise", Bound::MaxRise),
    ("min_speedup", Bound::MinSpeedup),
    ("max_ratio", Bound::MaxRatio),
    ("min_ratio", Bound::MinRatio),
];

/// The keys of a gate.
pub(super) fn keys() -> Vec<&'static str> {
    ["metric", "vs", "severity", "test"].into_iter().chain(BOUNDS.iter().map(|(name, _)| *name)).collect()
}

/// The bounds that compare with another metric, and those that stand alone.
pub(super) fn bound_keys(relative: bool) -> Vec<&'static str> {
    BOUNDS.iter().filter(|(_, make)| make(1.0.into()).parts().2 == relative).map(|(name, _)| *name).collect()
}

/// Reads the gates, whose templates are evaluated. A gate on a stage that is left out is left out with it.
pub(super) fn read(nodes: &[Node], draft: &Draft, faults: &mut Vec<Diagnostic>) -> Vec<Gate> {
    nodes.iter().filter_map(|node| gate(node, draft, faults)).collect()
}

fn gate(node: &Node, draft: &Draft, faults: &mut Vec<Diagnostic>) -> Option<Gate> {
    let fields = Fields::of(node, "a gate", &keys(), faults)?;
    let at = node.entries().first().map_or(node.span, |(key, _)| key.span);
    let metric = fields.required("metric", at, "name it: `metric: scores.accuracy`", faults);
    let given: Vec<_> =
        BOUNDS.iter().filter_map(|(name, make)| fields.get(name).map(|entry| (*name, *make, entry))).collect();
    let (bound, bound_key) = match given.as_slice() {
        [(name, make, (key, value))] => (number(name, value, faults).map(make), Some(key)),
        [] => {
            faults.push(
                Diagnostic::error("recipe::gate", at, "this gate has no bound")
                    .label("no bound")
                    .help(format!("give it one of {}", plural::list(&BOUNDS.map(|(name, _)| name)))),
            );
            (None, None)
        }
        [(_, _, (first, _)), (_, _, (second, _)), ..] => {
            faults.push(
                Diagnostic::error("recipe::gate", second.span, "a gate has one bound")
                    .label("another")
                    .related(first.span, "the first")
                    .help("write two gates"),
            );
            (None, None)
        }
    };
    let versus = fields.get("vs");
    if let (Some(bound), Some(key)) = (bound, bound_key) {
        check_versus(bound, key, versus, faults);
    }
    let metric_found = metric.and_then(|(_, node)| check_metric(node, draft, faults));
    let versus_found = versus.map(|(_, node)| match node.as_str() {
        // No metric is called so: they have a dot.
        Some(BASELINE) => Some(BASELINE.to_owned()),
        _ => check_metric(node, draft, faults),
    });
    let severity = severity(&fields, faults);
    let paired = paired(&fields, versus.is_some(), faults);
    let is_relative = bound?.parts().2;
    if versus_found.is_some() != is_relative {
        return None;
    }
    Some(Gate {
        metric: metric_found?,
        versus: match versus_found {
            Some(found) => Some(found?),
            None => None,
        },
        bound: bound?,
        severity: severity?,
        paired: paired?,
    })
}

fn check_versus(bound: Bound, key: &Key, versus: Option<&(Key, Node)>, faults: &mut Vec<Diagnostic>) {
    match (bound.parts(), versus) {
        ((name, _, true), None) => faults.push(
            Diagnostic::error(
                "recipe::gate",
                key.span,
                format!("`{name}` compares with another metric, and there is no `vs`"),
            )
            .label("compared with what?")
            .help("add it: `vs: scores@teacher.accuracy`, or `vs: baseline`"),
        ),
        ((name, _, false), Some((vs, _))) => faults.push(
            Diagnostic::error("recipe::gate", vs.span, format!("`{name}` is a bound by itself and has no `vs`"))
                .label("not used")
                .related(key.span, "an absolute bound")
                .help(format!("to compare, use one of {}", plural::list(&bound_keys(true)))),
        ),
        _ => {}
    }
}

fn severity(fields: &Fields<'_>, faults: &mut Vec<Diagnostic>) -> Option<Severity> {
    let Some((_, node)) = fields.get("severity") else { return Some(Severity::Error) };
    match node.as_str() {
        Some("error") => Some(Severity::Error),
        Some("warn") => Some(Severity::Warn),
        _ => {
            faults.push(wrong_type(node, "`severity` is `error` or `warn`"));
            None
        }
    }
}

/// `test: paired`, of a gate that compares.
fn paired(fields: &Fields<'_>, compares: bool, faults: &mut Vec<Diagnostic>) -> Option<bool> {
    let Some((key, node)) = fields.get("test") else { return Some(false) };
    if node.as_str() != Some("paired") {
        faults.push(wrong_type(node, "`test` is `paired`, or left out"));
        return None;
    }
    if !compares {
        let text = "`test: paired` compares row by row, and there is no `vs`";
        faults.push(
            Diagnostic::error("recipe::gate", key.span, text)
                .label("compared with what?")
                .help("add it: `vs: scores@teacher.accuracy`, or `vs: baseline`"),
        );
        return None;
    }
    Some(true)
}

/// A bound as people write it: `0.02`, `2%`, `25MB`.
fn number(name: &str, node: &Node, faults: &mut Vec<Diagnostic>) -> Option<Amount> {
    let mut is_percent = false;
    let value = match &node.value {
        #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
        NodeValue::Int(value) => Some(*value as f64),
        NodeValue::Float(value) => Some(*value).filter(|value| value.is_finite()),
        NodeValue::String(text) => match text.trim().strip_suffix('%') {
            Some(share) => {
                is_percent = true;
                share.trim().parse::<f64>().ok().map(|value| value / 100.0)
            }
            None => units::parse_bytes(text),
        }
        .filter(|value| value.is_finite()),
        _ => None,
    };
    let Some(value) = value else {
        faults.push(wrong_type(node, &format!("`{name}` is a number, a share (`2%`) or a size (`25MB`)")));
        return None;
    };
    if matches!(name, "min_speedup" | "max_ratio" | "min_ratio") && value <= 0.0 {
        faults.push(
            Diagnostic::error("recipe::gate", node.span, format!("`{name}` must be above 0, not {value}"))
                .label("a ratio"),
        );
        return None;
    }
    Some(Amount { value, is_percent })
}

/// Checks that a metric's stage is there; gives the metric's full name, or none if the gate falls away.
fn check_metric(node: &Node, draft: &Draft, faults: &mut Vec<Diagnostic>) -> Option<String> {
    let Some(written) = node.as_str() else {
        faults.push(wrong_type(node, "a metric is a name such as `scores@int8.accuracy`"));
        return None;
    };
    let (stage, name) = written.split_once('.').unwrap_or((written, ""));
    let fault =
        |message: String, label: &str| Diagnostic::error("recipe::unknown-metric", node.span, message).label(label);
    match draft.find(stage) {
        Found::Nothing => {
            let names = draft.names();
            let help = suggest::nearest(stage, names.iter().copied())
                .map(|near| format!("did you mean `{near}.{name}`?"))
                .or_else(|| suggest::help(stage, &names));
            faults.push(
                fault(format!("no stage is called `{stage}`, so there is no metric `{written}`"), "unknown stage")
                    .maybe_help(help),
            );
            None
        }
        Found::Broken => None,
        Found::LeftOut => {
            faults.push(
                Diagnostic::warning(
                    "recipe::left-out",
                    node.span,
                    format!("`{stage}` is left out by its `if`, and this gate with it"),
                )
                .label("left out"),
            );
            None
        }
        Found::Steps(members) => {
            let over_seeds = draft.one_family(&members).filter(|_| members.len() > 1);
            if let (true, None, Some(first)) = (members.len() > 1, over_seeds, draft.names_of(&members).first()) {
                let text =
                    format!("`{stage}` is {}: a gate is about one of them", plural::count(members.len(), "cell"));
                faults.push(fault(text, "a family").help(format!("name the cell: `{first}.{name}`")));
                return None;
            }
            if name.is_empty() {
                let text = format!("`{written}` is a stage: which of its metrics?");
                faults.push(fault(text, "no metric").help(format!("add the metric: `{stage}.accuracy`")));
                return None;
            }
            let member = members.first().map(|member| &draft.steps[*member])?;
            if member.spec.is_some_and(|spec| spec.sees_run) {
                faults.push(fault(
                    format!("`{stage}` shows the run and has no metrics of its own"),
                    "not a measured stage",
                ));
                return None;
            }
            // Over seeds: the mean. A family of one cell: the metric gets the cell's full name, by which the run knows it.
            Some(format!("{}.{name}", over_seeds.unwrap_or(&member.name)))
        }
    }
}
