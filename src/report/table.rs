//! The table of models as text, for the page and for Markdown.

use serde::Serialize;

use super::{
    model::{Compared, Evidence, ModelLine, Report},
    words::{self, Comparative},
};
use crate::{
    base::{plural, units},
    stage::{Better, Metric},
};

/// The table: columns that some model has a value for, and a row a model.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Table {
    /// The columns after the model's name.
    pub(super) columns: Vec<Column>,
    /// The rows.
    pub(super) rows: Vec<Row>,
    /// What the table's words rest on.
    pub(super) notes: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Column {
    /// Its heading.
    pub(super) title: String,
    /// A smaller line below it.
    pub(super) note: String,
}

/// A row.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// The model.
    pub(super) name: String,
    /// How it was made.
    pub(super) kind: String,
    /// Whether others are compared with it.
    pub(super) is_baseline: bool,
    /// Whether the headline is about it.
    pub(super) is_subject: bool,
    /// A cell a column.
    pub(super) cells: Vec<Cell>,
}

/// A cell: `84.46 %`, `82.2–86.5`, `−1.7 points`.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub(super) struct Cell {
    /// The value.
    pub(super) value: String,
    /// Its 95 % interval.
    pub(super) interval: String,
    /// The value beside the baseline's.
    pub(super) versus: String,
    /// The interval of that.
    pub(super) versus_interval: String,
    /// `better`, `worse`, `even` or nothing; never said by colour alone.
    pub(super) tone: &'static str,
}

/// The table of a report.
pub(super) fn of(report: &Report) -> Table {
    let columns = columns(report);
    let has = |column: &(Column, Maker)| report.models.iter().any(|model| (column.1)(model).is_some());
    let columns: Vec<_> = columns.into_iter().filter(has).collect();
    let rows = report
        .models
        .iter()
        .map(|model| Row {
            name: model.name.clone(),
            kind: model.kind.clone(),
            is_baseline: model.is_baseline && report.models.len() > 1,
            is_subject: report.subject.as_ref() == Some(&model.name) && report.models.len() > 1,
            cells: columns.iter().map(|(_, cell)| cell(model).unwrap_or_default()).collect(),
        })
        .collect();
    Table { columns: columns.into_iter().map(|(column, _)| column).collect(), rows, notes: notes(report) }
}

type Maker = Box<dyn Fn(&ModelLine) -> Option<Cell>>;

fn columns(report: &Report) -> Vec<(Column, Maker)> {
    let column = |title: &str, note: String, cell: Maker| (Column { title: title.to_owned(), note }, cell);
    let quality = report.quality.as_ref();
    let title = quality.map(|basis| words::capital(&basis.metric.replace('_', " "))).unwrap_or_default();
    let data = quality.map(|basis| {
        let parts = [
            basis.dataset.clone(),
            basis.split.clone(),
            basis.rows.map(|rows| format!("{} rows", units::thousands(rows))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    let speed = report.speed.as_ref().map(|speed| format!("batch {} × {} tokens", speed.batch, speed.length));
    let macs = report.models.iter().find_map(|model| {
        let macs = model.macs.as_ref()?;
        macs.metric.name.rsplit_once(".macs.l").map(|(_, length)| format!("{length} tokens"))
    });
    vec![
        column(&title, data.unwrap_or_default(), Box::new(quality_cell)),
        column("Agreement", "with its teacher".into(), Box::new(|model| model.agreement.as_ref().map(plain_cell))),
        column("Latency, median", speed.unwrap_or_default(), cost(|model| &model.latency, words::FASTER)),
        column("Peak memory", String::new(), cost(|model| &model.peak_memory, words::LESS)),
        column("Size", "on disk".into(), cost(|model| &model.size, words::SMALLER)),
        column("Parameters", String::new(), cost(|model| &model.parameters, words::FEWER)),
        column("MACs", macs.unwrap_or_default(), cost(|model| &model.macs, words::FEWER)),
    ]
}

fn cost(field: fn(&ModelLine) -> &Option<Compared>, words: Comparative) -> Maker {
    Box::new(move |model| field(model).as_ref().map(|compared| cost_cell(compared, words)))
}

/// A number and how it compares.
pub(super) fn cost_cell(compared: &Compared, words: Comparative) -> Cell {
    let cell = plain_cell(&compared.metric);
    let Some(gain) = compared.gain else { return cell };
    let text = words::gain(gain, words);
    let tone = match (words::is_better(gain), text.ends_with("same") || text.starts_with("no ")) {
        (_, true) => "even",
        (true, _) => "better",
        (false, _) => "worse",
    };
    let versus_interval = gain.interval.map(words::times_interval).unwrap_or_default();
    Cell { versus: text, versus_interval, tone, ..cell }
}

fn quality_cell(model: &ModelLine) -> Option<Cell> {
    let metric = model.quality.as_ref()?;
    let cell = plain_cell(metric);
    let Some(difference) = &model.difference else { return Some(cell) };
    let text = words::difference(metric.unit, difference);
    let is_loss = metric.better.prefers(0.0, difference.value);
    let tone = if text.starts_with(['±', 'n']) {
        "even"
    } else if is_loss || metric.better == Better::Neither {
        "worse"
    } else {
        "better"
    };
    let interval = difference.interval.map(|interval| words::signed_interval(metric.unit, interval));
    Some(Cell { versus: text, versus_interval: interval.unwrap_or_default(), tone, ..cell })
}

fn plain_cell(metric: &Metric) -> Cell {
    Cell {
        value: words::value(metric.unit, metric.value),
        interval: metric.interval.map(|interval| words::interval_of(metric.unit, interval)).unwrap_or_default(),
        ..Cell::default()
    }
}

/// What “no significant difference” and the ratios rest on.
fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(baseline) = &report.baseline else { return notes };
    if report.models.len() < 2 {
        return notes;
    }
    notes.push(format!("Ratios and differences are against {baseline}; ranges are 95 % intervals."));
    let with = |evidence| {
        report.models.iter().any(|model| model.difference.is_some_and(|difference| difference.evidence == evidence))
    };
    if with(Evidence::Paired) {
        notes.push("Differences in quality are paired: both models answered the same rows.".to_owned());
    }
    if with(Evidence::Intervals) {
        notes.push(
            "Where no paired comparison was made, two models' own intervals are combined, which overlooks small differences."
                .to_owned(),
        );
    }
    if let Some(table) = report.speeds.first()
        && table
            .rows
            .iter()
            .flat_map(|row| row.cells.iter().flatten())
            .any(|cell| cell.gain.is_some_and(|gain| gain.interval.is_some()))
    {
        let count = plural::count(table.rows.len(), "model");
        notes
            .push(format!("Latencies of the {count} were measured in turn, round by round; speed-ups compare rounds."));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Answers;
    use crate::{
        report::{
            fixture,
            model::{Gain, Options},
        },
        stage::{RunView, Unit},
    };

    #[test]
    fn every_number_stands_beside_the_baseline() {
        let table = of(&Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default()));
        let titles: Vec<_> = table.columns.iter().map(|column| column.title.as_str()).collect();
        assert_eq!(titles, ["Accuracy", "Agreement", "Latency, median", "Peak memory", "Size", "Parameters", "MACs"]);
        let int8 = &table.rows[3];
        assert!(int8.is_subject && table.rows[0].is_baseline);
        assert_eq!(
            int8.cells[0],
            Cell {
                value: "84.46 %".into(),
                interval: "82.2–86.5".into(),
                versus: "−1.7 points".into(),
                versus_interval: "−3.0 to −0.3".into(),
                tone: "worse",
            }
        );
        assert_eq!(
            (int8.cells[2].versus.as_str(), int8.cells[2].versus_interval.as_str()),
            ("3.9× faster", "3.9–4.0×")
        );
        assert_eq!((int8.cells[4].value.as_str(), int8.cells[4].versus.as_str()), ("17.2 MB", "5.3× smaller"));
        assert_eq!(table.rows[0].cells[0].versus, "");
        assert_eq!(table.rows[0].cells[1], Cell::default());
    }

    #[test]
    fn what_is_not_significant_is_said() {
        let metric = Metric::new("m", 10.0, Unit::Milliseconds, Better::Lower);
        let cell = cost_cell(
            &Compared { metric, gain: Some(Gain { factor: 1.02, interval: Some([0.98, 1.06]) }) },
            words::FASTER,
        );
        assert_eq!((cell.versus.as_str(), cell.tone), ("no significant difference", "even"));
    }

    #[test]
    fn an_empty_run_has_an_empty_table() {
        let table = of(&Report::gather(&RunView::default(), &[], &Answers::default(), &Options::default()));
        assert!(table.columns.is_empty() && table.rows.is_empty() && table.notes.is_empty());
    }
}
