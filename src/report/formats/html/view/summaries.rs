//! Summaries by several methods: a table, what each gains, and some texts with all that was made of them.

use serde::Serialize;

use super::Plot;
use crate::{
    base::units,
    report::{
        model::{Difference, Example, ExampleText, SummaryLine, SummaryTable},
        overlap, plot,
        table::Cell,
        words,
    },
    stage::{Metric, Unit},
};

/// Above so many words a text is folded …
const MOST_WORDS: usize = 120;
/// … after the line that holds this word.
const FIRST_WORDS: usize = 70;

#[derive(Serialize)]
pub(super) struct Summaries {
    data: String,
    texts: String,
    subject: String,
    columns: Vec<String>,
    lines: Vec<Line>,
    plots: Vec<Plot>,
    examples: Vec<Shown>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    note: String,
    is_subject: bool,
    cells: Vec<Cell>,
    words: String,
}

/// An example.
#[derive(Serialize)]
struct Shown {
    id: String,
    place: String,
    /// The reference, the first sentences and the subject's.
    texts: Vec<Text>,
    /// What the other methods made, which is folded.
    others: Vec<Text>,
    /// Their names.
    other_names: String,
}

#[derive(Serialize)]
struct Text {
    name: String,
    is_reference: bool,
    score: String,
    gain: String,
    tone: &'static str,
    /// Whether a piece is in the reference, too, and the piece.
    start: Vec<(bool, String)>,
    rest: Vec<(bool, String)>,
    /// How long the rest is: `45 more words`.
    more: String,
}

pub(super) fn of(table: &SummaryTable) -> Summaries {
    let measures = table.lines.iter().max_by_key(|line| line.measures.len()).map_or(&[][..], |line| &line.measures);
    Summaries {
        data: table.data.clone(),
        texts: table.rows.map(|rows| format!("{} texts", units::thousands(rows))).unwrap_or_default(),
        subject: table.subject.clone().unwrap_or_default(),
        columns: measures.iter().map(|(metric, _)| words::metric_name(&metric.name)).collect(),
        lines: table.lines.iter().map(|it| line(it, table, measures)).collect(),
        plots: plots(table),
        examples: table.examples.iter().map(shown).collect(),
    }
}

fn line(line: &SummaryLine, table: &SummaryTable, columns: &[(Metric, Option<Difference>)]) -> Line {
    let cells = columns.iter().map(|(column, _)| {
        let found = line.measures.iter().find(|(metric, _)| metric.name == column.name);
        found.map(|(metric, versus)| cell(metric, versus.as_ref())).unwrap_or_default()
    });
    let note = match line.method.as_str() {
        "lead" => "the first sentences",
        "oracle" => "knows the reference",
        "random" => "by lot",
        other if other != line.name => other,
        _ => "",
    };
    Line {
        name: line.name.clone(),
        note: note.to_owned(),
        is_subject: table.lines.len() > 1 && Some(&line.name) == table.subject.as_ref(),
        cells: cells.collect(),
        words: line.words.as_ref().map(|words| format!("{:.0}", words.value)).unwrap_or_default(),
    }
}

fn cell(metric: &Metric, versus: Option<&Difference>) -> Cell {
    let unit = metric.unit;
    let interval = |ends: Option<[f64; 2]>| ends.map(|ends| words::interval_of(unit, ends)).unwrap_or_default();
    let mut cell =
        Cell { value: words::value(unit, metric.value), interval: interval(metric.interval), ..Cell::default() };
    if let Some(versus) = versus {
        cell.versus = words::signed(unit, versus.value);
        cell.versus_interval = versus.interval.map(|ends| words::signed_interval(unit, ends)).unwrap_or_default();
        cell.tone = match versus.is_significant() {
            Some(true) if versus.value > 0.0 => "better",
            Some(true) => "worse",
            _ => "even",
        };
    }
    cell
}

/// The first measure by method, and what each gains over the first sentences.
fn plots(table: &SummaryTable) -> Vec<Plot> {
    let first = |line: &SummaryLine| line.measures.first().cloned();
    let Some((metric, _)) = table.lines.first().and_then(first) else { return Vec::new() };
    if table.lines.len() < 2 {
        return Vec::new();
    }
    let (name, unit) = (words::metric_name(&metric.name), metric.unit);
    let factor = if unit == Unit::Share { 100.0 } else { 1.0 };
    let scaled = |ends: Option<[f64; 2]>| ends.map(|ends| ends.map(|end| end * factor));
    let row = |line: &SummaryLine, value: f64, interval, text| plot::DotRow {
        name: line.name.clone(),
        value: value * factor,
        interval: scaled(interval),
        text,
        is_bound: line.method == "oracle",
    };
    let all: Vec<_> = table
        .lines
        .iter()
        .filter_map(|line| {
            let (metric, _) = first(line)?;
            Some(row(line, metric.value, metric.interval, words::value(unit, metric.value)))
        })
        .collect();
    let gains: Vec<_> = table
        .lines
        .iter()
        .filter_map(|line| match first(line)?.1 {
            Some(versus) => Some(row(line, versus.value, versus.interval, words::signed(unit, versus.value))),
            // The same rows as in the plot beside it.
            None => (Some(&line.name) == table.lead.as_ref()).then(|| row(line, 0.0, None, String::new())),
        })
        .collect();
    let lead = table.lines.iter().find(|line| Some(&line.name) == table.lead.as_ref());
    let lead = lead.and_then(|line| Some((first(line)?.0.value * factor, line.name.as_str())));
    let per_cent = |name: &str| if unit == Unit::Share { format!("{name}, %") } else { name.to_owned() };
    let mut plots = vec![Plot {
        title: format!("{name} by method"),
        svg: plot::dots(&per_cent(&name), &all, lead),
        caption: String::new(),
    }];
    if gains.iter().any(|row| row.interval.is_some()) {
        plots.push(Plot {
            title: "What each gains over the first sentences".to_owned(),
            svg: plot::dots(&format!("{name}, points"), &gains, Some((0.0, "lead"))),
            caption: String::new(),
        });
    }
    plots
}

fn shown(example: &Example) -> Shown {
    let reference = Text {
        name: "reference".to_owned(),
        is_reference: true,
        score: String::new(),
        gain: String::new(),
        tone: "even",
        ..folded(&example.reference, "")
    };
    let (shown, others) = example.texts.split_at(example.texts.len().min(2));
    let text = |it: &ExampleText| text(it, &example.reference);
    let names: Vec<String> = others.iter().map(|it| it.name.clone()).collect();
    Shown {
        id: example.id.clone(),
        place: words::capital(example.place),
        texts: std::iter::once(reference).chain(shown.iter().map(text)).collect(),
        others: others.iter().map(text).collect(),
        other_names: words::join(&names),
    }
}

fn text(text: &ExampleText, reference: &str) -> Text {
    let gain = text.gain.map(|gain| words::signed(Unit::Share, gain));
    Text {
        name: text.name.clone(),
        score: format!("ROUGE-1 {}", words::percent(text.score)),
        gain: gain.unwrap_or_default(),
        tone: match text.gain {
            Some(gain) if gain > 0.0005 => "better",
            Some(gain) if gain < -0.0005 => "worse",
            _ => "even",
        },
        ..folded(&text.text, reference)
    }
}

/// A text that ends where a reader has had enough, and its rest.
fn folded(text: &str, reference: &str) -> Text {
    let count = |text: &str| text.split_whitespace().count();
    let all = count(text);
    let mut at = text.len();
    if all > MOST_WORDS {
        let mut seen = 0;
        let ends = text.split_inclusive('\n').map(|line| {
            seen += count(line);
            (seen, line.len())
        });
        let mut place = 0;
        let mut end = None;
        for (seen, length) in ends {
            place += length;
            if seen >= FIRST_WORDS {
                end = Some(place).filter(|_| seen <= MOST_WORDS);
                break;
            }
        }
        // A line that never ends is cut after a word.
        at = end.unwrap_or_else(|| after_words(text, FIRST_WORDS));
    }
    let (start, rest) = text.split_at(at);
    let n_rest = count(rest);
    Text {
        name: String::new(),
        is_reference: false,
        score: String::new(),
        gain: String::new(),
        tone: "even",
        start: overlap::shared(start.trim_end(), reference),
        rest: overlap::shared(rest.trim(), reference),
        more: if n_rest == 0 { String::new() } else { format!("{} more words", units::thousands(n_rest as u64)) },
    }
}

/// Where the first words of a text end.
fn after_words(text: &str, words: usize) -> usize {
    let mut seen = 0;
    let mut is_word = false;
    for (at, c) in text.char_indices() {
        if is_word && c.is_whitespace() {
            seen += 1;
            if seen == words {
                return at;
            }
        }
        is_word = !c.is_whitespace();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_folded_between_sentences() {
        let whole = |text: &Text| {
            let pieces = text.start.iter().chain(&text.rest).map(|(_, piece)| piece.as_str());
            pieces.collect::<Vec<_>>().join(" ").split_whitespace().count()
        };
        let sentence = ["word"; 30].join(" ");
        let text = [sentence.as_str(); 5].join("\n");
        let long = folded(&text, "");
        assert_eq!((long.more.as_str(), whole(&long)), ("60 more words", 150));
        let short = folded(&[sentence.as_str(); 4].join("\n"), "");
        assert!(short.rest.is_empty() && short.more.is_empty());
        let endless = folded(&["é"; 200].join(" "), "");
        assert_eq!((endless.more.as_str(), whole(&endless)), ("130 more words", 200));
    }
}
