//! `data stats`: what is in a dataset, as tables and small histograms.

use serde_json::json;

use super::target;
use crate::{
    base::units,
    cli::{
        App,
        args::{DataStats, TextFormat},
        error::CliError,
        exit::Exit,
        output::Style,
        table::Table,
    },
    stages::{Bin, Lengths, Profile, ProfileOptions, SplitProfile, Tokenizer},
};

/// Columns of the longest bar.
const BAR: usize = 32;
/// Labels that are told; the others are counted.
const LABELS: usize = 20;

pub(super) fn run(app: &App, args: &DataStats) -> Result<Exit, CliError> {
    let tokenizer = match &args.tokenizer {
        Some(model) if !model.is_dir() => {
            return Err(CliError::usage(format!("there is no folder `{}`", model.display()))
                .hint("a tokenizer is `tokenizer.json`, or `vocab.txt`, in the folder of a model"));
        }
        Some(model) => Some(Tokenizer::load(model).map_err(|error| CliError::usage(error.to_string()))?),
        None => None,
    };
    let source = target::open(&args.target, &args.rows)?;
    let options = ProfileOptions { tokenizer: tokenizer.as_ref(), max_length: args.max_length.map(|most| most as u64) };
    let profile = Profile::of(&source, options, &mut |_| Ok(()));
    let profile = profile.map_err(|error| CliError::failed(error.to_string()))?;
    match args.format {
        TextFormat::Json => {
            let mut shown = json!({"target": args.target});
            if let (Some(shown), Ok(serde_json::Value::Object(profile))) =
                (shown.as_object_mut(), serde_json::to_value(&profile))
            {
                shown.extend(profile);
            }
            app.output.line(format!("{shown:#}"))?;
        }
        TextFormat::Text => app.output.line(text(&args.target, &profile, app.output.data).join("\n"))?,
    }
    Ok(Exit::Done)
}

fn text(target: &str, profile: &Profile, style: Style) -> Vec<String> {
    let mut lines = vec![style.strong(target), String::new()];
    if profile.rows() == 0 {
        lines.push("no rows".to_owned());
        lines.extend(profile.notes.iter().cloned());
        return lines;
    }
    lines.extend(numbers(profile, style));
    let labels = labels(profile, style);
    if !labels.is_empty() {
        lines.push(String::new());
        lines.extend(labels);
    }
    lines.extend([String::new(), style.strong("words of a row")]);
    lines.extend(histogram(&Lengths::joined(profile.splits.iter().map(|split| &split.words))));
    let tokens: Vec<&Lengths> =
        profile.splits.iter().filter_map(|split| Some(&split.tokens.as_ref()?.lengths)).collect();
    if !tokens.is_empty() {
        lines.extend([String::new(), style.strong("tokens of a row")]);
        lines.extend(histogram(&Lengths::joined(tokens)));
    }
    if let Some(split) = profile.splits.first().filter(|split| !split.vocabulary.frequent.is_empty()) {
        let frequent =
            split.vocabulary.frequent.iter().map(|(word, count)| format!("{word} {}", units::thousands(*count)));
        let name = format!("frequent words of {}, stop words left out", split.name);
        lines.extend([String::new(), style.strong(&name), frequent.collect::<Vec<_>>().join(", ")]);
    }
    if !profile.notes.is_empty() {
        lines.push(String::new());
        lines.extend(profile.notes.iter().map(|note| style.faint(note)));
    }
    lines
}

/// A line of the table: its name, and what it says of a split.
type Line = (&'static str, fn(&SplitProfile) -> Option<String>);

const NUMBERS: &[Line] = &[
    ("rows", |split| Some(units::thousands(split.rows))),
    ("words: mean", |split| Some(format!("{:.1}", split.words.mean))),
    ("  median, 95 %, 99 %", |split| Some(quantiles(&split.words))),
    ("  least, most", |split| Some(ends(&split.words))),
    ("characters: mean", |split| Some(format!("{:.1}", split.characters.mean))),
    ("  median, 95 %, 99 %", |split| Some(quantiles(&split.characters))),
    ("  least, most", |split| Some(ends(&split.characters))),
    ("tokens: mean", |split| split.tokens.as_ref().map(|tokens| format!("{:.1}", tokens.lengths.mean))),
    ("  median, 95 %, 99 %", |split| split.tokens.as_ref().map(|tokens| quantiles(&tokens.lengths))),
    ("  least, most", |split| split.tokens.as_ref().map(|tokens| ends(&tokens.lengths))),
    ("  longer than the model reads", |split| {
        let tokens = split.tokens.as_ref().filter(|tokens| tokens.max_length.is_some())?;
        Some(share(tokens.longer, tokens.lengths.rows))
    }),
    ("duplicates", |split| Some(units::thousands(split.repeats.duplicates))),
    ("in an earlier split", |split| (!split.repeats.shared.is_empty()).then(|| units::thousands(split.repeats.leaks))),
    ("languages", |split| {
        let languages = &split.languages;
        let part = |name: &str, rows: u64| format!("{name} {}", share(rows, languages.rows));
        let sure = languages.sure.iter().take(3).map(|(code, rows)| part(code, *rows));
        let others: u64 = languages.sure.iter().skip(3).map(|(_, rows)| rows).sum();
        let rest = [("others", others), ("unsure", languages.unsure), ("none", languages.none)];
        let rest = rest.into_iter().filter(|(_, rows)| *rows > 0).map(|(name, rows)| part(name, rows));
        Some(sure.chain(rest).collect::<Vec<_>>().join("\n"))
    }),
    ("distinct words", |split| Some(units::thousands(split.vocabulary.distinct))),
    ("  that occur once", |split| Some(units::thousands(split.vocabulary.once))),
    ("  by all words", |split| Some(format!("{:.4}", split.vocabulary.type_token_ratio))),
    ("empty texts", |split| some(split.odd.empty)),
    ("very long texts", |split| some(split.odd.very_long)),
    ("replacement characters in", |split| some(split.odd.replacement)),
    ("control characters in", |split| some(split.odd.control)),
    ("NULs in", |split| some(split.odd.nul)),
];

/// What is odd is told where it is.
fn some(count: u64) -> Option<String> {
    (count > 0).then(|| units::thousands(count))
}

fn quantiles(lengths: &Lengths) -> String {
    [lengths.p50, lengths.p95, lengths.p99].map(|length| units::thousands(length.round() as u64)).join(", ")
}

fn ends(lengths: &Lengths) -> String {
    [lengths.min, lengths.max].map(units::thousands).join(", ")
}

fn share(part: u64, of: u64) -> String {
    match part as f64 / of as f64 * 100.0 {
        _ if of == 0 => "–".to_owned(),
        percent if part > 0 && percent < 0.05 => "<0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// A column a split. What is in several lines in one of them takes as many in all.
fn numbers(profile: &Profile, style: Style) -> Vec<String> {
    let columns: Vec<usize> = (1..=profile.splits.len()).collect();
    let mut table = Table::new(&columns);
    let names = profile.splits.iter().map(|split| style.strong(&split.name));
    table.row(std::iter::once(String::new()).chain(names));
    for (name, of) in NUMBERS {
        let cells: Vec<Option<String>> = profile.splits.iter().map(of).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "0".to_owned())).collect();
        let lines = cells.iter().map(|cell| cell.lines().count()).max().unwrap_or(1);
        for line in 0..lines {
            let name = if line == 0 { style.faint(name) } else { String::new() };
            let parts = cells.iter().map(|cell| cell.lines().nth(line).unwrap_or_default().to_owned());
            table.row(std::iter::once(name).chain(parts));
        }
    }
    table.lines()
}

fn labels(profile: &Profile, style: Style) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for label in profile.splits.iter().flat_map(|split| &split.labels) {
        if !names.contains(&label.label.as_str()) {
            names.push(&label.label);
        }
    }
    if names.is_empty() {
        return Vec::new();
    }
    let columns: Vec<usize> = (1..=profile.splits.len()).collect();
    let mut table = Table::new(&columns);
    let head = profile.splits.iter().map(|split| style.strong(&split.name));
    table.row(std::iter::once(style.strong("label")).chain(head));
    for name in names.iter().take(LABELS) {
        let cells = profile.splits.iter().map(|split| {
            let rows = split.labels.iter().find(|label| label.label == *name).map_or(0, |label| label.rows);
            format!("{} ({})", units::thousands(rows), share(rows, split.rows))
        });
        let shown = if name.is_empty() { "(none)".to_owned() } else { super::one_line(name, 40) };
        table.row(std::iter::once(shown).chain(cells));
    }
    let mut lines = table.lines();
    if names.len() > LABELS {
        lines.push(style.faint(&format!("… and {} others", names.len() - LABELS)));
    }
    lines
}

/// A bar a bin, in eighths of a column.
fn histogram(lengths: &Lengths) -> Vec<String> {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let most = lengths.bins.iter().map(|bin| bin.rows).max().unwrap_or(1).max(1);
    let mut table = Table::new(&[0]);
    let name = |bin: &Bin| match bin.to - bin.from {
        1 => units::thousands(bin.from),
        _ => format!("{}–{}", units::thousands(bin.from), units::thousands(bin.to - 1)),
    };
    for bin in &lengths.bins {
        let eighths = (bin.rows as f64 / most as f64 * (8 * BAR) as f64).round() as usize;
        let bar = "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
        let bar = if bin.rows > 0 && bar.is_empty() { EIGHTHS[1].to_owned() } else { bar };
        table.row([name(bin), format!("{bar} {}", share(bin.rows, lengths.rows)).trim_start().to_owned()]);
    }
    table.lines()
}
