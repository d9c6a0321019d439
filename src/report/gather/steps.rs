//! What each stage cost: every scored model beside its nearest scored ancestor, every data stage by a model beside its
//! control.

use std::collections::{BTreeSet, VecDeque};

use super::{models::Table, sources::Quantity};
use crate::{
    report::model::StepLine,
    stage::{RunNode, RunView},
};

/// The lines in the order of the run; nothing unless some model is compared with another.
pub(super) fn of(run: &RunView, table: &Table<'_>) -> Vec<StepLine> {
    let controls: Vec<_> = table.models.iter().filter_map(|model| Control::of(run, table, model)).collect();
    let is_control = |model: &str| controls.iter().any(|control| control.model.name == model);
    let of_models = table.models.iter().filter(|model| !is_control(model)).filter_map(|model| {
        let parent = scored_ancestor(run, table, model);
        let made = node(run, model);
        let kind = made.map_or("", |node| node.kind.as_str());
        line(table, (model, kind), model, parent)
    });
    let of_data = controls.iter().filter_map(|control| {
        let made = control.data;
        let line = line(table, (&made.name, &made.kind), &control.learned.name, Some(&control.model.name))?;
        Some(StepLine { learned: Some(control.learned.name.clone()), size: None, speed: None, ..line })
    });
    let mut steps: Vec<_> = of_models.chain(of_data).collect();
    steps.sort_by_key(|step| run.nodes.iter().position(|node| node.name == step.stage));
    if steps.iter().any(|step| step.parent.is_some()) { steps } else { Vec::new() }
}

/// `model` beside `parent`, as what `stage` of a name and kind cost.
fn line(table: &Table<'_>, stage: (&str, &str), model: &str, parent: Option<&str>) -> Option<StepLine> {
    let quality = table.quality_of(model)?.clone();
    let versus = |quantity| table.gain(model, parent?, quantity);
    Some(StepLine {
        stage: stage.0.to_owned(),
        kind: stage.1.to_owned(),
        learned: None,
        parent: parent.map(str::to_owned),
        quality,
        parent_quality: parent.and_then(|parent| table.quality_of(parent)).map(|metric| metric.value),
        difference: parent.and_then(|parent| table.difference(model, parent)),
        size: versus(Quantity::Size),
        speed: table.point().and_then(|point| versus(Quantity::Median(point))),
    })
}

fn node<'a>(run: &'a RunView, name: &str) -> Option<&'a RunNode> {
    run.nodes.iter().find(|node| node.name == name)
}

/// A model that differs from another in one thing: it learned from what a data stage was given, not from what it made.
struct Control<'a> {
    /// The control.
    model: &'a RunNode,
    /// The model that learned from what the data stage made.
    learned: &'a RunNode,
    /// The data stage; of several between the two datasets, the last.
    data: &'a RunNode,
}

impl<'a> Control<'a> {
    /// Whose control a scored model is, if it is one.
    fn of(run: &'a RunView, table: &Table<'_>, model: &str) -> Option<Self> {
        let control = node(run, model).filter(|node| node.settings.is_some())?;
        table.quality_of(model)?;
        let is_model = |name: &str| table.models.iter().any(|model| model == name);
        run.nodes.iter().find_map(|learned| {
            let alike = learned.kind == control.kind
                && learned.settings == control.settings
                && learned.inputs.len() == control.inputs.len()
                && table.quality_of(&learned.name).is_some();
            if !alike {
                return None;
            }
            let mut apart = learned.inputs.iter().zip(&control.inputs).filter(|(after, before)| after != before);
            let (Some((after, before)), None) = (apart.next(), apart.next()) else { return None };
            let comes_from = ancestors(run, after).any(|name| name == before);
            (comes_from && !is_model(after)).then_some(Self { model: control, learned, data: node(run, after)? })
        })
    }
}

/// All that a stage was made from, breadth first, in the order in which stages take their inputs.
fn ancestors<'a>(run: &'a RunView, name: &str) -> impl Iterator<Item = &'a str> {
    let inputs = |name: &str| node(run, name).map_or(&[][..], |node| node.inputs.as_slice());
    let mut queue: VecDeque<&str> = inputs(name).iter().map(String::as_str).collect();
    let mut seen = BTreeSet::from([name.to_owned()]);
    std::iter::from_fn(move || {
        loop {
            let name = queue.pop_front()?;
            if seen.insert(name.to_owned()) {
                queue.extend(inputs(name).iter().map(String::as_str));
                return Some(name);
            }
        }
    })
}

/// The nearest scored model that a model was made from.
fn scored_ancestor<'a>(run: &'a RunView, table: &Table<'_>, model: &str) -> Option<&'a str> {
    ancestors(run, model).find(|name| table.quality_of(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::digest::Digest,
        report::{Answers, Options, Report, fixture},
        stage::RunStatus,
    };

    /// The run of the fixture with `plain`, which is `student` without augmented rows, scored 2 points lower.
    fn run_with_control(settings: [&[u8]; 2]) -> RunView {
        let mut run = fixture::run();
        let place = run.nodes.iter().position(|node| node.name == "student").unwrap();
        run.nodes[place].settings = Some(Digest::of(settings[0]));
        let mut control = fixture::node("plain", "distill", &["teacher", "clean"], RunStatus::Ran, 1.0);
        control.settings = Some(Digest::of(settings[1]));
        run.nodes.insert(place + 1, control);
        let scored = run.nodes.iter().find(|node| node.name == "scores@student").unwrap();
        let mut scores =
            RunNode { name: "scores@plain".into(), inputs: vec!["plain".into(), "clean".into()], ..scored.clone() };
        scores
            .record
            .facts
            .iter_mut()
            .filter(|(name, _)| name == "model")
            .for_each(|(_, text)| "plain".clone_into(text));
        scores
            .record
            .metrics
            .iter_mut()
            .filter(|metric| metric.name == "accuracy")
            .for_each(|metric| metric.value -= 0.02);
        run.nodes.push(scores);
        run
    }

    fn steps(run: &RunView) -> Vec<StepLine> {
        Report::gather(run, &[], &Answers::default(), &Options::default()).steps
    }

    #[test]
    fn a_data_stage_is_judged_by_a_control() {
        let steps = steps(&run_with_control([b"same", b"same"]));
        let names: Vec<_> = steps.iter().map(|step| step.stage.as_str()).collect();
        assert_eq!(
            names,
            ["more", "teacher", "student", "slim", "int8"],
            "in the order of the run, without the control"
        );
        let more = &steps[0];
        assert_eq!((more.kind.as_str(), more.learned.as_deref()), ("augment", Some("student")));
        assert_eq!(more.parent.as_deref(), Some("plain"));
        assert!((more.difference.unwrap().value - 0.02).abs() < 1e-12);
        assert_eq!((more.size, more.speed), (None, None), "data has neither");
    }

    #[test]
    fn what_differs_in_more_than_its_data_is_no_control() {
        let steps = steps(&run_with_control([b"three epochs", b"four epochs"]));
        assert!(steps.iter().all(|step| step.learned.is_none()));
        assert!(steps.iter().any(|step| step.stage == "plain"), "it is a model like any other");
    }
}
