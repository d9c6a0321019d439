//! What is in datasets: a table of their splits, and plots of rows, lengths, labels and languages.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Plot;
use crate::{
    base::units,
    report::{
        model::{DataProfile, DataSide, LengthShape},
        plot::{self, CountRow},
        table::Cell,
        words,
    },
};

/// Labels and languages that a plot shows; the others are told together.
const MOST: usize = 12;

#[derive(Serialize)]
pub(super) struct Data {
    stage: String,
    name: String,
    before: String,
    columns: Vec<&'static str>,
    rows: Vec<Row>,
    plots: Vec<Plot>,
    frequent: String,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cells: Vec<Cell>,
}

pub(super) fn of(profile: &DataProfile) -> Data {
    let columns: Vec<_> =
        words::DATA_COLUMNS.iter().filter(|(_, value)| profile.sides(true).any(|side| value(side).is_some())).collect();
    let row = |split: &crate::report::model::DataSplit| {
        let cell = |(_, value): &&(&str, words::DataValue)| {
            let was = split.before.as_ref().map(|before| value(before).unwrap_or_else(|| "–".to_owned()));
            let now = value(&split.now).unwrap_or_default();
            let versus = was.filter(|was| *was != now).map(|was| format!("was {was}")).unwrap_or_default();
            Cell { value: now, versus, tone: "even", ..Cell::default() }
        };
        Row { name: split.name.clone(), cells: columns.iter().map(cell).collect() }
    };
    let frequent = profile.splits.first().map(|split| split.now.frequent.join(", "));
    Data {
        stage: profile.stage.clone(),
        name: profile.data.clone(),
        before: profile.before.clone().unwrap_or_default(),
        columns: columns.iter().map(|(name, _)| *name).collect(),
        rows: profile.splits.iter().map(row).collect(),
        plots: plots(profile),
        frequent: frequent.unwrap_or_default(),
        notes: profile.notes.clone(),
    }
}

fn plots(profile: &DataProfile) -> Vec<Plot> {
    let mut plots = vec![rows(profile)];
    plots.extend(lengths(profile, "words", |side| Some(&side.words)));
    plots.extend(lengths(profile, "tokens", |side| side.tokens.as_ref()));
    plots.extend(counted(profile, "Labels", |side| &side.labels, |side| side.rows));
    let mut languages = counted(profile, "Languages", |side| &side.languages, |side| side.identified);
    if let Some(plot) = &mut languages {
        let (unsure, of) =
            profile.sides(true).fold((0, 0), |(unsure, of), side| (unsure + side.unsure, of + side.identified));
        plot.caption = format!(
            "Of {} rows that were looked at; {} are of no sure language.",
            units::thousands(of),
            units::thousands(unsure)
        );
    }
    plots.extend(languages);
    plots
}

fn figure(title: &str, svg: String) -> Plot {
    Plot { title: title.to_owned(), svg, caption: String::new() }
}

fn rows(profile: &DataProfile) -> Plot {
    let row = |split: &crate::report::model::DataSplit| CountRow {
        name: split.name.clone(),
        now: split.now.rows as f64,
        before: split.before.as_ref().map(|before| before.rows as f64),
        text: units::thousands(split.now.rows),
    };
    let rows: Vec<_> = profile.splits.iter().map(row).collect();
    figure("Rows", plot::counts("rows of a split", &rows, profile.before.as_deref()))
}

/// The lengths of all rows, in per cent of those that were measured.
fn lengths(profile: &DataProfile, unit: &str, of: impl Fn(&DataSide) -> Option<&LengthShape>) -> Option<Plot> {
    let bins = |is_now: bool| {
        let mut bins = BTreeMap::<u64, (u64, u64)>::new();
        let mut rows = 0;
        for shape in profile.sides(is_now).filter_map(&of) {
            rows += shape.rows;
            for (from, to, rows) in &shape.bins {
                let bin = bins.entry(*from).or_insert((*to, 0));
                bin.1 += rows;
            }
        }
        let share = |rows_of_bin: u64| rows_of_bin as f64 / rows.max(1) as f64 * 100.0;
        bins.into_iter().map(|(from, (to, rows))| (from, to, share(rows))).collect::<Vec<_>>()
    };
    let (now, was) = (bins(true), bins(false));
    if now.is_empty() {
        return None;
    }
    let name = profile.max_length.map(|most| format!("the model reads {}", units::thousands(most)));
    let mark = profile.max_length.zip(name.as_deref()).filter(|_| unit == "tokens");
    let before = profile.before.as_deref().filter(|_| !was.is_empty()).map(|name| (name, was.as_slice()));
    let mut plot = figure(&format!("Length in {unit}"), plot::histogram(unit, &now, before, mark));
    if mark.is_some() {
        let (longer, of) = profile.sides(true).fold((0, 0), |(longer, of), side| {
            (longer + side.longer.unwrap_or_default(), of + side.tokens.as_ref().map_or(0, |tokens| tokens.rows))
        });
        plot.caption = format!(
            "{} of the rows are longer than the model reads.",
            words::percent(longer as f64 / of.max(1) as f64)
        );
    }
    Some(plot)
}

/// Rows by label or language, over all splits.
fn counted(
    profile: &DataProfile,
    title: &str,
    of: impl Fn(&DataSide) -> &Vec<(String, u64)>,
    all: impl Fn(&DataSide) -> u64,
) -> Option<Plot> {
    let count = |is_now: bool| {
        let mut counts: Vec<(String, u64)> = Vec::new();
        for (name, rows) in profile.sides(is_now).flat_map(&of) {
            match counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += rows,
                None => counts.push((name.clone(), *rows)),
            }
        }
        counts
    };
    let (mut now, was) = (count(true), count(false));
    let before = |name: &str| was.iter().find(|(known, _)| known == name).map(|(_, rows)| *rows);
    now.extend(
        was.iter()
            .filter(|(name, _)| !now.iter().any(|(known, _)| known == name))
            .map(|(name, _)| (name.clone(), 0))
            .collect::<Vec<_>>(),
    );
    let sum: u64 = profile.sides(true).map(&all).sum();
    let share = |rows: u64| format!("{} ({})", units::thousands(rows), words::percent(rows as f64 / sum.max(1) as f64));
    let row = |name: &str, rows: u64, was: Option<u64>| CountRow {
        name: if name.is_empty() { "(none)".to_owned() } else { name.to_owned() },
        now: rows as f64,
        before: profile.before.is_some().then(|| was.unwrap_or_default() as f64),
        text: share(rows),
    };
    if now.len() > MOST {
        now.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    }
    let (shown, others) = now.split_at(now.len().min(MOST));
    let mut rows: Vec<_> = shown.iter().map(|(name, rows)| row(name, *rows, before(name))).collect();
    if !others.is_empty() {
        let was = others.iter().filter_map(|(name, _)| before(name)).sum();
        let rest = others.iter().map(|(_, rows)| rows).sum();
        rows.push(row(&format!("{} others", others.len()), rest, Some(was)));
    }
    let lower = title.to_lowercase();
    (!rows.is_empty()).then(|| {
        figure(
            title,
            plot::counts(&format!("rows by {}", lower.trim_end_matches('s')), &rows, profile.before.as_deref()),
        )
    })
}
