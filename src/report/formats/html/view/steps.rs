//! What each stage cost.

use serde::Serialize;

use crate::{
    report::{
        model::{Difference, Report},
        plot, words,
    },
    stage::Unit,
};

/// The steps as a plot and, for a narrow page, as a list.
#[derive(Serialize)]
pub(super) struct Steps {
    svg: String,
    rows: Vec<StepRow>,
}

#[derive(Serialize)]
pub(super) struct StepRow {
    name: String,
    detail: String,
    now: String,
    change: String,
}

pub(super) fn of(report: &Report) -> Option<Steps> {
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
                name: step.stage.clone(),
                // The two models of a data stage do not fit beside its bar; the list names them.
                detail: match (&step.learned, &step.parent) {
                    (None, Some(parent)) => format!("{} from {parent}", step.kind),
                    _ => step.kind.clone(),
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
        let detail = match (&step.learned, &step.parent) {
            (Some(learned), Some(control)) => format!("{}: {learned} against {control}", step.kind),
            _ => bar.detail.clone(),
        };
        StepRow { name: bar.name.clone(), detail, now, change: change.join(", ") }
    });
    Some(Steps { svg: plot::bars(&title, &bars), rows: rows.collect() })
}
