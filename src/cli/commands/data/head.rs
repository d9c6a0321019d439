//! `data head`: the first rows.

use serde_json::{Map, Value};

use super::{one_line, target};
use crate::{
    base::plural,
    cli::{
        App,
        args::{DataHead, SplitName, TextFormat},
        error::CliError,
        exit::Exit,
        table::Table,
    },
    stages::{RowBatch, RowSource, Split},
};

/// Columns that a text has at least, however long names and labels are.
const NARROWEST: usize = 20;
/// Characters of names and labels that are shown.
const NAMES: usize = 24;

/// A row, as it is shown.
struct Row {
    name: String,
    split: &'static str,
    label: Option<String>,
    text: String,
    pair: Option<String>,
    origin: Option<(String, String)>,
}

pub(super) fn run(app: &App, args: &DataHead) -> Result<Exit, CliError> {
    let source = target::open(&args.target, &args.rows)?;
    let split = args.split.map(|split| match split {
        SplitName::Train => Split::Train,
        SplitName::Validation => Split::Validation,
        SplitName::Test => Split::Test,
    });
    check_split(&source, split, &args.target)?;
    let mut rows = Vec::new();
    let read = source.each(split, |batch| {
        rows.extend((0..batch.len().min(args.n - rows.len())).map(|row| Row::of(&batch, row)));
        Ok(rows.len() < args.n)
    });
    let unread = read.map_err(|error| CliError::failed(error.to_string()))?;
    match args.format {
        TextFormat::Json => {
            for row in &rows {
                app.output.line(Value::Object(row.json(&source)).to_string())?;
            }
        }
        TextFormat::Text if rows.is_empty() => app.output.say(format!("`{}` has no rows", args.target)),
        TextFormat::Text => app.output.line(listing(app, &source, &rows).join("\n"))?,
    }
    if let Some(first) = unread.first {
        let rows = plural::count(unread.rows as usize, "row");
        app.output.say(format!("{rows} could not be read and were passed over; the first: {first}"));
    }
    Ok(Exit::Done)
}

fn check_split(source: &RowSource, split: Option<Split>, target: &str) -> Result<(), CliError> {
    let Some(split) = split else { return Ok(()) };
    if !source.is_split() {
        return Err(CliError::usage(format!("the rows of `{target}` are in no splits"))
            .hint("a column `split` that holds `train`, `validation` or `test` says them"));
    }
    if source.splits().contains(&split) {
        return Ok(());
    }
    let names: Vec<&str> = source.splits().into_iter().map(Split::name).collect();
    let (split, there) = (split.name(), plural::list(&names));
    Err(CliError::usage(format!("`{target}` has no `{split}` split, only {there}")))
}

impl Row {
    fn of(batch: &RowBatch, row: usize) -> Self {
        let own = |text: &str| text.to_owned();
        Self {
            name: batch.name(row),
            split: batch.split().name(),
            label: batch.label(row).map(own),
            text: batch.text(row).to_owned(),
            pair: batch.pair(row).map(own),
            origin: batch.origin(row).map(|(parent, op)| (parent.to_owned(), op.to_owned())),
        }
    }

    fn json(&self, source: &RowSource) -> Map<String, Value> {
        let mut json = Map::new();
        let mut put = |name: &str, value: &str| drop(json.insert(name.to_owned(), Value::from(value)));
        put("id", &self.name);
        if source.is_split() {
            put("split", self.split);
        }
        self.label.iter().for_each(|label| put("label", label));
        put("text", &self.text);
        self.pair.iter().for_each(|pair| put("pair", pair));
        if let Some((parent, op)) = &self.origin {
            put("parent", parent);
            put("op", op);
        }
        json
    }
}

fn listing(app: &App, source: &RowSource, rows: &[Row]) -> Vec<String> {
    let style = app.output.data;
    let short = |text: &str| one_line(text, NAMES);
    let longest = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let mut taken = longest(&|row| short(&row.name).chars().count()) + 2;
    if let Some(longest) =
        rows.iter().filter_map(|row| row.label.as_deref()).map(|label| short(label).chars().count()).max()
    {
        taken += longest + 2;
    }
    let shows_split = source.is_split() && rows.iter().any(|row| row.split != rows[0].split);
    if shows_split {
        taken += longest(&|row| row.split.len()) + 2;
    }
    let width = app.output.width.saturating_sub(taken).max(NARROWEST);
    let mut table = Table::new(&[]);
    for row in rows {
        let mut head = vec![style.accent(&short(&row.name))];
        if shows_split {
            head.push(style.faint(row.split));
        }
        head.extend(row.label.as_ref().map(|label| style.strong(&short(label))));
        let blank = vec![String::new(); head.len()];
        table.row([head, vec![one_line(&row.text, width)]].concat());
        if let Some(pair) = &row.pair {
            table.row([blank.clone(), vec![one_line(pair, width)]].concat());
        }
        if let Some((parent, op)) = &row.origin {
            let made = format!("{op} of {parent}");
            table.row([blank, vec![style.faint(&one_line(&made, width))]].concat());
        }
    }
    table.lines()
}
