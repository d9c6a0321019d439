//! `data diff`: what was added, removed and changed from one dataset to another.

use serde_json::json;

use super::{one_line, target};
use crate::{
    base::{plural, units},
    cli::{
        App,
        args::{DataDiff, DiffFormat},
        error::CliError,
        exit::Exit,
        output::Style,
        table::Table,
    },
    report::{
        Piece, changed_words,
        markup::{code, text as escaped},
    },
    stages::{Changes, compare},
};

/// Characters of a stretch without changes that are shown whole; of a longer one, its ends.
const UNCHANGED: usize = 80;

pub(super) fn run(app: &App, args: &DataDiff) -> Result<Exit, CliError> {
    let (before, after) = (target::open(&args.before, &args.rows)?, target::open(&args.after, &args.rows)?);
    let changes = compare(&before, &after, args.n).map_err(|error| CliError::failed(error.to_string()))?;
    match args.format {
        DiffFormat::Json => {
            let shown = json!({"version": 1, "before": args.before, "after": args.after, "changes": changes});
            app.output.line(format!("{shown:#}"))?;
        }
        DiffFormat::Md => app.output.line(markdown(args, &changes))?,
        DiffFormat::Text => app.output.line(text(args, &changes, app.output.data, app.output.width))?,
    }
    Ok(Exit::Done)
}

/// What became of the rows, in the order in which people ask.
fn counts(changes: &Changes) -> Vec<(&'static str, u64, String)> {
    let by = changes.added_by.iter().map(|(op, rows)| format!("{op} {}", units::thousands(*rows)));
    let by: Vec<String> = by.collect();
    let all = [
        ("same", changes.same, String::new()),
        ("changed", changes.changed, String::new()),
        ("relabelled", changes.relabelled, String::new()),
        ("in another split", changes.moved, String::new()),
        ("added", changes.added, by.join(", ")),
        ("removed", changes.removed, String::new()),
    ];
    all.into_iter()
        .filter(|(name, rows, _)| *rows > 0 || matches!(*name, "same" | "changed" | "added" | "removed"))
        .collect()
}

fn matched(changes: &Changes) -> String {
    match (changes.by_id, changes.repeated_ids) {
        (true, 0) => "rows are matched by their ids".to_owned(),
        (true, repeated) => {
            let rows = plural::count(repeated as usize, "row");
            format!(
                "rows are matched by their ids; {rows} before have the id of an earlier one, and are matched in their order"
            )
        }
        (false, _) => {
            "rows are matched by their places, since they have no ids: one that is removed shifts those behind it"
                .to_owned()
        }
    }
}

/// A row of a table: what, before, after, change.
fn numbers(changes: &Changes) -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    let change = |before: f64, after: f64| {
        if before == after {
            "=".to_owned()
        } else if before == 0.0 {
            "from zero".to_owned()
        } else {
            format!("{:+.1} %", (after / before - 1.0) * 100.0)
        }
    };
    for split in &changes.splits {
        let at = &split.name;
        let [was, is] = split.rows;
        let counts = [was, is].map(units::thousands);
        let [before, after] = counts;
        rows.push([format!("rows of {at}"), before, after, change(was as f64, is as f64)]);
        for (what, [was, is]) in [("words", split.words), ("characters", split.characters)] {
            rows.push([format!("{what} of a row, {at}"), format!("{was:.1}"), format!("{is:.1}"), change(was, is)]);
        }
    }
    for label in &changes.labels {
        let [was, is] = label.rows;
        let [before, after] = label.rows.map(units::thousands);
        let name = if label.label.is_empty() { "(none)".to_owned() } else { one_line(&label.label, 40) };
        rows.push([format!("label {name}"), before, after, change(was as f64, is as f64)]);
    }
    rows
}

fn text(args: &DataDiff, changes: &Changes, style: Style, width: usize) -> String {
    let mut blocks = vec![format!("before  {}\nafter   {}", args.before, args.after)];
    let mut table = Table::new(&[1]);
    for (name, rows, by) in counts(changes) {
        table.row([style.faint(name), units::thousands(rows), by]);
    }
    blocks.push(table.lines().join("\n"));
    let mut table = Table::new(&[1, 2, 3]);
    table.row(["", "before", "after", "change"].map(|cell| style.strong(cell)));
    for row in numbers(changes) {
        table.row(row);
    }
    blocks.push(table.lines().join("\n"));
    let head = |what: &str, shown: usize, all: u64| {
        let of = if shown as u64 == all { String::new() } else { format!(" of {}", units::thousands(all)) };
        style.strong(&format!("{what}: {shown}{of}"))
    };
    if !changes.changed_rows.is_empty() {
        let mut lines = vec![head("changed", changes.changed_rows.len(), changes.changed)];
        for row in &changes.changed_rows {
            lines.push(format!("{}  {}", style.accent(&row.name), style.faint(&row.split)));
            lines.push(marked(&row.before, &row.after, |piece| match piece {
                Piece::Same(text) => text.clone(),
                Piece::Removed(text) => style.bad(&format!("[-{text}-]")),
                Piece::Added(text) => style.good(&format!("{{+{text}+}}")),
            }));
        }
        blocks.push(lines.join("\n"));
    }
    if !changes.added_rows.is_empty() {
        let mut lines = vec![head("added", changes.added_rows.len(), changes.added)];
        for row in &changes.added_rows {
            let made = match (&row.op, &row.parent) {
                (Some(op), Some(parent)) => format!("{op} of {parent}"),
                _ => String::new(),
            };
            lines.push(
                format!("{}  {}  {}", style.accent(&row.name), style.faint(&row.split), style.faint(&made))
                    .trim_end()
                    .to_owned(),
            );
            lines.push(one_line(&row.text, width));
        }
        blocks.push(lines.join("\n"));
    }
    if !changes.removed_rows.is_empty() {
        let mut lines = vec![head("removed", changes.removed_rows.len(), changes.removed)];
        for row in &changes.removed_rows {
            lines.push(format!("{}  {}", style.accent(&row.name), style.faint(&row.split)));
            lines.push(one_line(&row.text, width));
        }
        blocks.push(lines.join("\n"));
    }
    blocks.push(style.faint(&matched(changes)));
    blocks.join("\n\n")
}

/// A changed text in one line, with its changes marked and long stretches without changes cut in their middle.
fn marked(before: &str, after: &str, show: impl Fn(&Piece) -> String) -> String {
    let pieces = changed_words(before, after);
    let last = pieces.len().saturating_sub(1);
    let shown = pieces.iter().enumerate().map(|(place, piece)| match piece {
        Piece::Same(text) => show(&Piece::Same(ends(&plain(text), place == 0, place == last))),
        Piece::Removed(text) => show(&Piece::Removed(plain(text))),
        Piece::Added(text) => show(&Piece::Added(plain(text))),
    });
    shown.collect()
}

/// What would leave the line or command the terminal becomes a picture of itself.
fn plain(text: &str) -> String {
    let picture = |c: char| match c {
        '\n' => '⏎',
        '\t' => '⇥',
        c if c.is_control() => char::from_u32(0x2400 + c as u32).filter(|_| (c as u32) < 0x20).unwrap_or('\u{fffd}'),
        c => c,
    };
    text.chars().map(picture).collect()
}

/// The ends of a stretch without changes: what is far from a change is not shown.
fn ends(text: &str, is_first: bool, is_last: bool) -> String {
    let count = text.chars().count();
    if count <= UNCHANGED {
        return text.to_owned();
    }
    let half = UNCHANGED / 2;
    let start: String = text.chars().take(if is_first && !is_last { 0 } else { half }).collect();
    let end: String = text.chars().skip(count - if is_last && !is_first { 0 } else { half }).collect();
    format!("{start}…{end}")
}

fn markdown(args: &DataDiff, changes: &Changes) -> String {
    let mut lines = vec![format!("{} → {}", code(&args.before), code(&args.after)), String::new()];
    let found = counts(changes).into_iter().map(|(name, rows, by)| {
        let by = if by.is_empty() { by } else { format!(" ({})", escaped(&by)) };
        format!("{name} {}{by}", units::thousands(rows))
    });
    lines.push(found.collect::<Vec<_>>().join(" · "));
    lines.extend([String::new(), "| | before | after | change |".to_owned(), "|:--|--:|--:|--:|".to_owned()]);
    lines.extend(numbers(changes).into_iter().map(|row| format!("| {} |", row.map(|cell| escaped(&cell)).join(" | "))));
    if !changes.changed_rows.is_empty() {
        let shown = plural::count(changes.changed_rows.len(), "row");
        lines.extend([String::new(), format!("Changed, the first {shown}:"), String::new()]);
        for row in &changes.changed_rows {
            let text = marked(&row.before, &row.after, |piece| match piece {
                Piece::Same(text) => escaped(text),
                Piece::Removed(text) => format!("<del>{}</del>", escaped(text)),
                Piece::Added(text) => format!("<ins>{}</ins>", escaped(text)),
            });
            lines.push(format!("- {} ({}): {text}", code(&row.name), row.split));
        }
    }
    if !changes.added_rows.is_empty() {
        let shown = plural::count(changes.added_rows.len(), "row");
        lines.extend([String::new(), format!("Added, the first {shown}:"), String::new()]);
        for row in &changes.added_rows {
            let made = match (&row.op, &row.parent) {
                (Some(op), Some(parent)) => format!(", {} of {}", escaped(op), code(parent)),
                _ => String::new(),
            };
            lines.push(format!("- {} ({}{made}): {}", code(&row.name), row.split, escaped(&one_line(&row.text, 400))));
        }
    }
    if !changes.removed_rows.is_empty() {
        let shown = plural::count(changes.removed_rows.len(), "row");
        lines.extend([String::new(), format!("Removed, the first {shown}:"), String::new()]);
        let line = |name: &str, split: &str, text: &str| {
            format!("- {} ({split}): {}", code(name), escaped(&one_line(text, 400)))
        };
        lines.extend(changes.removed_rows.iter().map(|row| line(&row.name, &row.split, &row.text)));
    }
    lines.extend([String::new(), format!("<sub>{}</sub>", matched(changes))]);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        marked(before, after, |piece| match piece {
            Piece::Same(text) => text.clone(),
            Piece::Removed(text) => format!("[-{text}-]"),
            Piece::Added(text) => format!("{{+{text}+}}"),
        })
    }

    #[test]
    fn changes_are_marked_and_the_rest_is_short() {
        assert_eq!(shown("a good\nfilm", "a bad\nfilm"), "a [-good-]{+bad+}⏎film");
        assert_eq!(shown("a\u{1b}[31m", "b\u{1b}[31m"), "[-a-]{+b+}␛[31m");
        let long = "word ".repeat(60);
        let text = shown(&format!("{long}old {long}"), &format!("{long}new {long}"));
        assert!(text.starts_with('…') && text.ends_with('…') && text.chars().count() < 120, "{text}");
        assert!(text.contains("word [-old-]{+new+} word"), "{text}");
        assert_eq!(escaped("<b>@all|*"), "&lt;b&gt;@<!-- -->all\\|\\*");
    }
}
