//! `query`: filters, joins, renames or deduplicates the rows of a dataset with SQL.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset;
use crate::{
    base::{plural, units},
    data::{self, Dataset, Roles},
    stage::{ArtifactKind, Faults, Port, Stage, StageCtx, StageError},
};

/// Parameters of `query`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// One SQL query. The table `data` has all rows of the dataset and a column `split`; each dataset of the port `with`
    /// is a table of its name. The answer needs the columns `split` and those with a role.
    sql: String,
    /// The column of the text in the answer, if it is called otherwise than before.
    #[serde(default)]
    text: Option<String>,
    /// The column of the second text in the answer, likewise.
    #[serde(default)]
    pair: Option<String>,
    /// The column of the label in the answer, likewise.
    #[serde(default)]
    label: Option<String>,
    /// The column of the id in the answer, likewise.
    #[serde(default)]
    id: Option<String>,
}

/// See the file's first line.
pub(super) struct Query;

impl Stage for Query {
    const KIND: &'static str = "query";
    const VERSION: u32 = 3;
    const ABOUT: &'static str = "filters, joins, renames or deduplicates the rows of a dataset with SQL";
    const INPUTS: &'static [Port] = &[Port::dataset("data"), Port::dataset("with").many().optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Dataset;
    type Params = Params;

    fn check(params: &Params, faults: &mut Faults) {
        if params.sql.trim().is_empty() {
            faults.at("sql", "the query is empty").help("for example `SELECT * FROM data WHERE length(text) > 20`");
        } else if let Some(fault) = data::sql_fault(&params.sql) {
            faults.at("sql", fault);
        }
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let data = Dataset::open(&ctx.input("data")?.dir)?;
        let mut others = Vec::new();
        for artifact in ctx.many("with") {
            others.push((artifact.name.as_str(), Dataset::open(&artifact.dir)?));
        }
        let others: Vec<(&str, &Dataset)> = others.iter().map(|(name, dataset)| (*name, dataset)).collect();
        let old = &data.meta.roles;
        let roles = Roles {
            text: params.text.as_ref().unwrap_or(&old.text).clone(),
            pair: params.pair.as_ref().or(old.pair.as_ref()).cloned(),
            label: params.label.as_ref().or(old.label.as_ref()).cloned(),
            id: params.id.as_ref().or(old.id.as_ref()).cloned(),
        };
        let answer = data::query(&params.sql, &data, &others, &roles)?;
        ctx.record.fact("query", params.sql.trim());
        for (split, before) in &data.meta.rows {
            let after = answer.meta.rows.get(split).copied().unwrap_or_default();
            let thousands = |rows: usize| units::thousands(rows as u64);
            ctx.record
                .fact(format!("rows of {}", split.name()), format!("{} → {}", thousands(*before), thousands(after)));
            if after == 0 {
                ctx.record.warnings.push(format!("no row of `{}` is left", split.name()));
            }
        }
        let gone: Vec<_> = data.meta.labels.iter().filter(|label| !answer.meta.labels.contains(label)).collect();
        if !gone.is_empty() && params.label.is_none() {
            let gone = format!("{} left no row: {}", plural::count(gone.len(), "label"), plural::list(&gone));
            ctx.record.warnings.push(gone);
        }
        dataset::write(&answer, ctx)
    }
}
