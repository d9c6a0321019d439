//! `dataset`: reads a table, checks it and splits it.

pub(super) mod receipts;
pub(super) mod stream;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    base::{plural, units},
    data::{DataError, Dataset, Import, Imported, Limit, Meta, REJECTED, Roles, Split, SplitBy},
    stage::{ArtifactKind, Better, Faults, Port, Progress, Stage, StageCtx, StageError, Unit},
};

/// Parameters of a `dataset` input.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The file: Parquet, CSV, TSV, JSON lines or Arrow IPC, by its extension, those of text in UTF-8 and also compressed (`.csv.gz`,
    /// `.jsonl.zst`); relative to the recipe. Where the header of a CSV file has no comma, `;`, a tab or `|` separates its fields. Many
    /// files are a pattern (`parts/*.parquet`) or a folder, of which empty ones are passed over; folders such as `lang=en` in it become
    /// columns, as Hive has it.
    dataset: String,
    /// The column of the text.
    #[serde(default = "text")]
    text: String,
    /// The column of a second text, for tasks on pairs.
    #[serde(default)]
    pair: Option<String>,
    /// The column of the label; whole numbers and booleans are read as their text.
    #[serde(default)]
    label: Option<String>,
    /// The column of an id, by which rows are named.
    #[serde(default)]
    id: Option<String>,
    /// A column that holds `train`, `validation` or `test`; or the share of rows in each split, chosen by the seed:
    /// `{train: 0.8, validation: 0.1, test: 0.1, by: label}`.
    split: SplitBy,
    /// Some rows of each split only, drawn by the seed, to try a recipe quickly: `500`, or `{train: 500, test: 100}`.
    #[serde(default)]
    limit: Limit,
    /// How many rows that cannot be used are left out: broken ones, and those without a text, label, id or split. They stand in
    /// `rejected.jsonl` of the dataset, with file, row and reason; one more ends the run.
    #[serde(default)]
    max_rejected: usize,
    /// Where the data came from, for the report.
    #[serde(default)]
    source: Option<String>,
    /// The licence of the data, for the report.
    #[serde(default)]
    license: Option<String>,
}

fn text() -> String {
    "text".to_owned()
}

impl Params {
    fn roles(&self) -> Roles {
        Roles { text: self.text.clone(), pair: self.pair.clone(), label: self.label.clone(), id: self.id.clone() }
    }
}

/// See the file's first line.
pub(super) struct DatasetSource;

impl Stage for DatasetSource {
    const KIND: &'static str = "dataset";
    const VERSION: u32 = 4;
    const ABOUT: &'static str = "reads a table, checks it and splits it";
    const INPUTS: &'static [Port] = &[];
    const OUTPUT: ArtifactKind = ArtifactKind::Dataset;
    const SOURCE: bool = true;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        let roles = params.roles();
        let named: Vec<_> = roles.columns().collect();
        for (at, (role, column)) in named.iter().enumerate() {
            if let Some((other, _)) = named[..at].iter().find(|(_, earlier)| earlier == column) {
                faults.at(*role, format!("the column `{column}` cannot be the {role}: it is the {other}"));
            }
        }
        match &params.split {
            SplitBy::Column(column) => {
                if let Some((role, _)) = named.iter().find(|(_, earlier)| earlier == column) {
                    faults.at("split", format!("the column `{column}` cannot be the split: it is the {role}"));
                }
            }
            SplitBy::Fractions(fractions) => {
                if let Some(fault) = fractions.fault() {
                    faults.at("split", fault).help("for example `{train: 0.8, validation: 0.1, test: 0.1}`");
                }
            }
        }
        for split in Split::ALL {
            if params.limit.of(split) == Some(0) {
                let path = if matches!(params.limit, Limit::Each(_)) {
                    "limit".to_owned()
                } else {
                    format!("limit.{}", split.name())
                };
                faults.at(path, "a limit of 0 rows leaves nothing").help("leave `limit` out to keep all rows");
                break;
            }
        }
    }

    fn files(params: &Params) -> Vec<(String, String)> {
        vec![("dataset".to_owned(), params.dataset.clone())]
    }

    /// The content of the file is part of the fingerprint, its name is not; the extension says how it is read.
    fn identity(params: &Params) -> Value {
        let mut identity = serde_json::to_value(params).unwrap_or_default();
        // The last two, since the last may say how the file is compressed.
        let name = params.dataset.to_lowercase();
        let mut parts = name.rsplit('/').next().unwrap_or_default().rsplitn(3, '.');
        let (last, before, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let extension = match before {
            Some(before) if more.is_some() && ["gz", "zst", "zstd"].contains(&last) => format!("{before}.{last}"),
            _ => last.to_owned(),
        };
        identity["dataset"] = json!({ "extension": extension });
        identity
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let import = Import {
            roles: params.roles(),
            split: params.split.clone(),
            limit: params.limit,
            max_rejected: params.max_rejected,
            seed: ctx.seed,
            source: params.source.clone().unwrap_or_default(),
            license: params.license.clone().unwrap_or_default(),
        };
        let (cancel, sink) = (ctx.cancel, ctx.sink);
        let mut watch = |done, total| {
            sink.progress(Progress { done, total, unit: "row", message: String::new() });
            if cancel.is_cancelled() { Err(DataError::Content("stopped".to_owned())) } else { Ok(()) }
        };
        let imported = import.write(&ctx.path(&params.dataset), &params.dataset, ctx.output, &mut watch);
        ctx.check_cancelled()?;
        let imported = imported?;
        ctx.record.warnings.extend(imported.warnings.iter().cloned());
        if imported.rejected > 0 {
            let rows = plural::count(imported.rejected, "row");
            ctx.record.warnings.push(format!("{rows} could not be used and were left out; `{REJECTED}` says which and why"));
            ctx.metric("rejected", imported.rejected as f64, Unit::Count, Better::Lower);
        }
        describe(&imported, ctx);
        rows_as_metrics(&imported.meta, ctx);
        Ok(())
    }
}

/// Writes a dataset, with its rows by split as metrics: gates and comparisons of runs see what a data stage did.
pub(super) fn write(dataset: &Dataset, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
    rows_as_metrics(&dataset.meta, ctx);
    Ok(dataset.write(ctx.output)?)
}

fn rows_as_metrics(meta: &Meta, ctx: &mut StageCtx<'_>) {
    for (split, &rows) in &meta.rows {
        ctx.metric(format!("rows.{}", split.name()), rows as f64, Unit::Count, Better::Neither);
    }
}

/// The facts that a reader of a report wants of any dataset.
fn describe(imported: &Imported, ctx: &mut StageCtx<'_>) {
    let meta = &imported.meta;
    for (split, &rows) in &meta.rows {
        let counts = match imported.counts.get(split) {
            Some(counts) if (1..=12).contains(&counts.len()) => {
                let counts = meta.labels.iter().zip(counts).map(|(label, count)| format!("{label} {count}"));
                format!(" ({})", counts.collect::<Vec<_>>().join(", "))
            }
            _ => String::new(),
        };
        ctx.record.fact(format!("rows of {}", split.name()), format!("{}{counts}", units::thousands(rows as u64)));
    }
    if !meta.labels.is_empty() {
        ctx.record.fact("labels", meta.labels.len().to_string());
    }
    for (name, text) in [("source", &meta.source), ("license", &meta.license)] {
        if !text.is_empty() {
            ctx.record.fact(name, text.clone());
        }
    }
}

#[cfg(test)]
mod tests;
