//! `report.md`: what fits a pull-request comment.

use std::fmt::Write as _;

use super::{Renderer, gates_in_words};
use crate::{
    base::units,
    report::{
        error::ReportError,
        markup::{code, text},
        model::{DataSplit, Difference, GateState, Report, StepLine, SummaryTable},
        plot, table, words,
    },
    stage::{Metric, RunStatus, Unit},
};

/// Renders `report.md`.
pub(super) struct Markdown;

/// How many words of a text a comment shows.
const MOST_WORDS: usize = 120;

/// How many warnings a comment lists.
const MOST_WARNINGS: usize = 12;

impl Renderer for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn file_name(&self) -> &'static str {
        "report.md"
    }

    fn render(&self, report: &Report) -> Result<String, ReportError> {
        let mut out = String::new();
        let title = text(&report.title);
        let _ = writeln!(out, "## {title}: {}\n", gates_in_words(report));
        let _ = writeln!(out, "{}\n", text(&report.headline));
        gates(&mut out, report);
        models(&mut out, report);
        seeds(&mut out, report);
        steps(&mut out, report);
        lengths(&mut out, report);
        summaries(&mut out, report);
        attention(&mut out, report);
        data(&mut out, report);
        warnings(&mut out, report);
        stages(&mut out, report);
        if !report.command.is_empty() {
            let _ = writeln!(out, "Again: {}", code(&report.command));
        }
        Ok(out)
    }
}

fn gates(out: &mut String, report: &Report) {
    if report.gates.is_empty() {
        return;
    }
    out.push_str("| Gate | | Found |\n|:--|:--|:--|\n");
    for gate in &report.gates {
        let state = match gate.state {
            GateState::Passed => "passed",
            GateState::Failed => "**failed**",
            GateState::Warned => "**warning**",
            GateState::Unjudged => "not judged",
            GateState::Unknown => "not known",
        };
        let _ = writeln!(out, "| {} | {state} | {} |", code(&gate.text), text(&gate.verdict.text));
    }
    out.push('\n');
}

fn models(out: &mut String, report: &Report) {
    let table = table::of(report);
    if table.columns.is_empty() {
        return;
    }
    out.push_str("| Model |");
    for column in &table.columns {
        let note =
            if column.note.is_empty() { String::new() } else { format!("<br><sub>{}</sub>", text(&column.note)) };
        let _ = write!(out, " {}{note} |", text(&column.title));
    }
    out.push_str("\n|:--|");
    out.push_str(&"--:|".repeat(table.columns.len()));
    out.push('\n');
    for row in &table.rows {
        let note = if row.is_baseline { "<br><sub>baseline</sub>" } else { "" };
        let _ = write!(out, "| {}{note} |", code(&row.name));
        for cell in &row.cells {
            let mut shown = text(&cell.value);
            if !cell.interval.is_empty() {
                let _ = write!(shown, " ({})", text(&cell.interval));
            }
            if !cell.versus.is_empty() {
                let _ = write!(shown, "<br><sub>{}</sub>", text(&cell.versus));
            }
            let _ = write!(out, " {} |", if shown.is_empty() { "–" } else { &shown });
        }
        out.push('\n');
    }
    out.push('\n');
    if !table.notes.is_empty() {
        let _ = writeln!(out, "<sub>{}</sub>\n", text(&table.notes.join(" ")));
    }
}

fn seeds(out: &mut String, report: &Report) {
    let Some(first) = report.seeds.first() else { return };
    let _ = writeln!(
        out,
        "**Over seeds: {}, mean ± what a seed deviates by**\n",
        text(&words::metric_name(&first.metric.name))
    );
    for line in &report.seeds {
        let _ = write!(out, "- {}: {}", code(&line.stage), text(&words::over_seeds(line)));
        if let Some(versus) = &line.versus {
            let _ = write!(out, "; beside {}: {}", code(versus), text(&words::seeds_apart(line)));
        }
        out.push('\n');
    }
    out.push('\n');
}

fn attention(out: &mut String, report: &Report) {
    for table in &report.attention {
        let lengths: Vec<String> = table.lengths.iter().map(|length| format!(" {length} tokens |")).collect();
        let _ = writeln!(
            out,
            "**Attention by length: {}**\n\n| Mechanism |{} Faster than full |",
            code(&table.model),
            lengths.concat()
        );
        let _ = writeln!(out, "|:--|{}:--|", "--:|".repeat(table.lengths.len()));
        for line in &table.lines {
            let longest = table.lengths.iter().copied().max().unwrap_or(0);
            let pattern = table.window_tokens.and_then(|window| plot::pattern(&line.mechanism, longest, window));
            let pairs = pattern.map_or_else(String::new, |pattern| {
                format!("<br><sub>{} of all pairs</sub>", words::percent(pattern.share))
            });
            let _ = write!(out, "| {}{pairs} |", code(&line.mechanism));
            for cell in &line.cells {
                let time = cell.time.as_ref().map(|time| words::value(time.unit, time.value)).unwrap_or_default();
                let speedup =
                    cell.speedup.as_ref().map(|speedup| format!(", {:.2}×", speedup.value)).unwrap_or_default();
                let right = cell
                    .accuracy
                    .as_ref()
                    .map(|accuracy| format!("<br><sub>{} right</sub>", words::with_interval(accuracy)));
                let _ = write!(out, " {time}{speedup}{} |", right.unwrap_or_default());
            }
            let _ = writeln!(out, " {} |", line.crossover.as_deref().unwrap_or_default());
        }
        out.push('\n');
    }
}

fn lengths(out: &mut String, report: &Report) {
    for table in &report.lengths {
        let _ = writeln!(out, "**Quality against length: {}**\n", text(&table.data));
        let points = || table.lines.iter().flat_map(|line| &line.points);
        let names = points().map(|point| point.qualities.iter().map(|(metric, _)| metric.name.as_str()));
        let names: Vec<&str> = names.max_by_key(ExactSizeIterator::len).map(Iterator::collect).unwrap_or_default();
        let costs = words::known_costs(table);
        let _ = writeln!(
            out,
            "{}\n|:--|--:|{}",
            row(["Model", "Tokens at most"].map(str::to_owned).into_iter().chain(
                names
                    .iter()
                    .map(|name| text(&words::metric_name(name)))
                    .chain(costs.iter().map(|name| (*name).to_owned()))
            )),
            "--:|".repeat(names.len() + costs.len())
        );
        for point in points() {
            let _ = write!(out, "| {} | {} |", code(&point.model), units::thousands(point.tokens));
            for name in &names {
                let found = point.qualities.iter().find(|(metric, _)| metric.name == *name);
                let _ = write!(
                    out,
                    " {} |",
                    found.map_or("–".to_owned(), |(metric, versus)| beside(metric, versus.as_ref()))
                );
            }
            for (_, cost) in words::costs(point).into_iter().filter(|(name, _)| costs.contains(name)) {
                let _ = write!(out, " {} |", cost.unwrap_or_else(|| "–".to_owned()));
            }
            out.push('\n');
        }
        let least = table.baseline.as_deref().map(code).unwrap_or_default();
        let _ = writeln!(out, "\n<sub>Differences are paired, against {least}, which reads least.</sub>\n");
    }
}

fn data(out: &mut String, report: &Report) {
    for profile in &report.data {
        let beside = profile.before.as_ref().map_or_else(String::new, |before| format!(", beside {}", code(before)));
        let _ = writeln!(out, "**What is in {}{beside}**\n", code(&profile.data));
        let columns: Vec<_> = words::DATA_COLUMNS
            .iter()
            .filter(|(_, value)| profile.sides(true).any(|side| value(side).is_some()))
            .collect();
        let heads = columns.iter().map(|(name, _)| (*name).to_owned());
        let _ = writeln!(
            out,
            "{}\n|:--|{}",
            row(std::iter::once("Split".to_owned()).chain(heads)),
            "--:|".repeat(columns.len())
        );
        let cell = |split: &DataSplit, value: words::DataValue| {
            let now = value(&split.now).unwrap_or_else(|| "–".to_owned());
            let was = split.before.as_ref().map(|before| value(before).unwrap_or_else(|| "–".to_owned()));
            match was.filter(|was| *was != now) {
                Some(was) => format!("{now}<br><sub>was {was}</sub>"),
                None => now,
            }
        };
        for split in &profile.splits {
            let cells = columns.iter().map(|(_, value)| cell(split, *value));
            let _ = writeln!(out, "{}", row(std::iter::once(text(&split.name)).chain(cells)));
        }
        out.push('\n');
    }
}

fn summaries(out: &mut String, report: &Report) {
    for table in &report.summaries {
        let texts = table.rows.map_or_else(String::new, |rows| format!(" ({} texts)", units::thousands(rows)));
        let _ = writeln!(out, "**Summaries: {}{texts}**\n", text(&table.data));
        let columns = table.lines.iter().map(|line| &line.measures).max_by_key(|measures| measures.len());
        let columns: Vec<&str> = columns.into_iter().flatten().map(|(metric, _)| metric.name.as_str()).collect();
        let names = columns.iter().map(|name| words::metric_name(name));
        let heads = row(std::iter::once("Method".to_owned()).chain(names).chain(["Words".to_owned()]));
        let _ = writeln!(out, "{heads}\n|:--|{}--:|", "--:|".repeat(columns.len()));
        for line in &table.lines {
            let note = if line.method == "oracle" { "<br><sub>knows the reference</sub>" } else { "" };
            let _ = write!(out, "| {}{note} |", code(&line.name));
            for name in &columns {
                let found = line.measures.iter().find(|(metric, _)| metric.name == *name);
                let _ = write!(
                    out,
                    " {} |",
                    found.map_or("–".to_owned(), |(metric, versus)| beside(metric, versus.as_ref()))
                );
            }
            let words = line.words.as_ref().map_or("–".to_owned(), |words| format!("{:.0}", words.value));
            let _ = writeln!(out, " {words} |");
        }
        out.push_str("\n<sub>Differences are paired, text by text, against the first sentences.</sub>\n\n");
        examples(out, table);
    }
}

fn examples(out: &mut String, table: &SummaryTable) {
    if table.examples.is_empty() {
        return;
    }
    let subject = table.subject.as_deref().unwrap_or_default();
    let _ = writeln!(
        out,
        "<details><summary>Three texts, chosen by rank: by how much {} gains over the first sentences</summary>\n",
        text(subject)
    );
    for example in &table.examples {
        let _ = writeln!(out, "{}: {}\n", words::capital(example.place), code(&example.id));
        let _ = writeln!(out, "- reference: {}", text(&start(&example.reference)));
        for of in &example.texts {
            let gain = of.gain.map_or_else(String::new, |gain| format!(", {}", words::signed(Unit::Share, gain)));
            let score = words::percent(of.score);
            let _ = writeln!(out, "- {} (ROUGE-1 {score}{gain}): {}", code(&of.name), text(&start(&of.text)));
        }
        out.push('\n');
    }
    out.push_str("</details>\n\n");
}

/// A row of a table.
fn row(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// The first words of a text: a comment is no place for a book.
fn start(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(MOST_WORDS + 1).collect();
    match words.get(..MOST_WORDS) {
        Some(first) if words.len() > MOST_WORDS => format!("{} …", first.join(" ")),
        _ => words.join(" "),
    }
}

/// A number with its interval and, smaller, how far it is from what it is compared with.
fn beside(metric: &Metric, versus: Option<&Difference>) -> String {
    let mut shown = text(&words::with_interval(metric));
    if let Some(versus) = versus {
        let interval = versus.interval.map(|ends| words::signed_interval(metric.unit, ends));
        let interval = interval.map_or_else(String::new, |ends| format!(" ({ends})"));
        let _ = write!(shown, "<br><sub>{}{interval}</sub>", text(&words::difference(metric.unit, versus)));
    }
    shown
}

fn steps(out: &mut String, report: &Report) {
    if report.steps.is_empty() {
        return;
    }
    out.push_str("**What each stage cost**\n\n");
    for step in &report.steps {
        let _ = writeln!(out, "- {}", step_line(step));
    }
    out.push('\n');
}

/// `` `student` (distill, from `teacher`): 86.12 % → 84.74 %, −1.4 points ``, or
/// `` `more` (augment, `student` against `plain` without it): 84.10 % → 84.74 %, +0.6 points ``.
fn step_line(step: &StepLine) -> String {
    let unit = step.quality.unit;
    let now = words::value(unit, step.quality.value);
    let kind = text(&step.kind);
    let (Some(parent), Some(was)) = (&step.parent, step.parent_quality) else {
        return format!("{} ({kind}): {now}", code(&step.stage));
    };
    let compared = match &step.learned {
        Some(learned) => format!("{} against {} without it", code(learned), code(parent)),
        None => format!("from {}", code(parent)),
    };
    let mut line = format!("{} ({kind}, {compared}): {} → {now}", code(&step.stage), words::value(unit, was));
    if let Some(difference) = &step.difference {
        let _ = write!(line, ", {}", words::difference(unit, difference));
    }
    if let Some(size) = step.size {
        let _ = write!(line, "; size: {}", words::gain(size, words::SMALLER));
    }
    if let Some(speed) = step.speed {
        let _ = write!(line, "; time: {}", words::gain(speed, words::FASTER));
    }
    line
}

fn warnings(out: &mut String, report: &Report) {
    if report.warnings.is_empty() {
        return;
    }
    out.push_str("**To know before trusting the numbers**\n\n");
    for (stage, warning) in report.warnings.iter().take(MOST_WARNINGS) {
        let _ = writeln!(out, "- {}: {}", code(stage), text(warning));
    }
    if let Some(more) = report.warnings.len().checked_sub(MOST_WARNINGS).filter(|more| *more > 0) {
        let _ = writeln!(out, "- … and {more} more in `index.html`");
    }
    out.push('\n');
}

fn stages(out: &mut String, report: &Report) {
    if report.stages.is_empty() {
        return;
    }
    out.push_str(
        "<details><summary>Stages and machine</summary>\n\n| Stage | Kind | | Took | Device |\n|:--|:--|:--|--:|:--|\n",
    );
    for stage in &report.stages {
        let took = match stage.status {
            RunStatus::Ran | RunStatus::Cached => words::seconds(stage.seconds),
            RunStatus::Waiting | RunStatus::Failed | RunStatus::Skipped => "–".to_owned(),
        };
        let status = words::status(&stage.kind, stage.status);
        let _ = writeln!(
            out,
            "| {} | {} | {status} | {took} | {} |",
            code(&stage.name),
            text(&stage.kind),
            text(&stage.device)
        );
    }
    for environment in &report.environment {
        let short = environment.facts.iter().filter(|(name, fact)| name.len() + fact.len() < 60 && !name.contains(':'));
        let facts: Vec<_> = short.map(|(name, fact)| format!("{}: {}", text(name), text(fact))).collect();
        let _ = write!(out, "\n{}: {}\n", code(&environment.stage), facts.join(" · "));
    }
    out.push_str("\n</details>\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Answers;
    use crate::report::{fixture, model::Options};

    #[test]
    fn the_mobile_recipe() {
        let report = Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default());
        insta::assert_snapshot!(Markdown.render(&report).unwrap());
    }

    #[test]
    fn the_recipe_of_long_documents() {
        insta::assert_snapshot!(Markdown.render(&fixture::longdoc()).unwrap());
    }

    #[test]
    fn what_is_in_the_data() {
        let mut out = String::new();
        data(&mut out, &fixture::looked_at());
        insta::assert_snapshot!(out);
    }

    #[test]
    fn hostile_names_stay_text() {
        let report = Report::gather(&fixture::hostile_run(), &[], &Answers::default(), &Options::default());
        let rendered = Markdown.render(&report).unwrap();
        for line in rendered.lines() {
            // Code spans are text already.
            let outside: String =
                line.split("`` ").enumerate().filter(|(i, _)| i % 2 == 0).map(|(_, part)| part).collect();
            let outside =
                outside.split('`').enumerate().filter(|(i, _)| i % 2 == 0).map(|(_, part)| part).collect::<String>();
            assert!(!outside.contains("<script"), "{line}");
        }
        let rows: Vec<_> = rendered.lines().filter(|line| line.starts_with("| `")).collect();
        let cells = |row: &str| row.replace("\\|", "").matches('|').count();
        assert!(rows.iter().all(|row| matches!(cells(row), 4 | 6 | 9)), "{rows:#?}");
    }

    #[test]
    fn code_spans_hold_back_ticks() {
        assert_eq!(code("int8"), "`int8`");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
        assert_eq!(code("a|b\nc"), "`a\\|b c`");
    }
}
