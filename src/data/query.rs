//! SQL over datasets: polars answers, arrow stays what is exchanged.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{
        Array as _, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
    },
    compute::{cast, concat_batches},
    datatypes as arrow_types,
};
use polars::{
    frame::UniqueKeepStrategy,
    prelude::{
        BooleanChunked, Column, DataFrame, DataType, DslPlan, Float64Chunked, Int64Chunked, IntoColumn, IntoLazy,
        JoinOptions, LazyFrame, MaintainOrderJoin, NewChunkedArray, PlSmallStr, PolarsError, StringChunked,
        UInt64Chunked,
    },
    sql::SQLContext,
};

use super::{DataError, Dataset, Meta, Roles, Split, columns, import, split};
use crate::base::plural;

/// The table of the dataset that is queried.
const TABLE: &str = "data";
/// The column that says which split a row is in.
const SPLIT: &str = "split";

/// What is wrong with the form of a query, if anything; tables and columns are looked up when it runs.
#[must_use]
pub fn sql_fault(sql: &str) -> Option<String> {
    match SQLContext::new().execute(sql) {
        // What the parser says begins so; everything else is about tables that are not there yet.
        Err(PolarsError::SQLInterface(text)) if text.starts_with("sql parser error") || text.contains("statement") => {
            Some(text.to_string())
        }
        _ => None,
    }
}

/// Answers a query over a dataset (table `data`) and others (tables by their names), as a dataset.
///
/// Every table has all rows of its dataset and a column `split`; the answer must have one too, and the columns of
/// `roles`. Rows keep the order of their tables: through filters, joins (left table first), groups and duplicates (first
/// occurrence), unless the query sorts them.
///
/// # Errors
/// When the query is wrong, a column is of a type that it cannot use, or the answer is no dataset.
pub fn query(sql: &str, data: &Dataset, others: &[(&str, &Dataset)], roles: &Roles) -> Result<Dataset, DataError> {
    let mut context = SQLContext::new();
    let mut tables = vec![TABLE];
    context.register(TABLE, table(data)?);
    for (name, dataset) in others {
        if tables.contains(name) {
            return Err(DataError::content(format!("two tables are called `{name}`")));
        }
        context.register(name, table(dataset).map_err(|error| DataError::content(format!("table `{name}`: {error}")))?);
        tables.push(name);
    }
    let wrong = |error: PolarsError| {
        let text = error.to_string();
        // The first line; polars adds the plan below.
        let line = text.lines().next().unwrap_or_default();
        DataError::content(format!(
            "the query fails: {line}\n  in: {}\n  tables: {}",
            sql.trim(),
            plural::list(&tables)
        ))
    };
    let mut plan = context.execute(sql).map_err(wrong)?.logical_plan;
    keep_order(&mut plan);
    let answer = LazyFrame::from(plan).collect().map_err(wrong)?;
    dataset(&to_arrow(&answer)?, &data.meta, roles)
}

/// The rows of all splits, with the column `split`.
fn table(dataset: &Dataset) -> Result<LazyFrame, DataError> {
    let mut batches = Vec::new();
    for (split, batch) in &dataset.splits {
        let names = StringArray::from(vec![split.name(); batch.num_rows()]);
        batches.push(columns::set(batch, SPLIT, Arc::new(names))?);
    }
    let schema = batches.first().map(RecordBatch::schema).ok_or_else(|| DataError::content("the dataset is empty"))?;
    let batch = concat_batches(&schema, &batches).map_err(|error| DataError::content(error.to_string()))?;
    Ok(to_polars(&batch)?.lazy())
}

/// polars may give rows in any order where SQL does not ask for one; a result must be the same each time.
fn keep_order(plan: &mut DslPlan) {
    if let DslPlan::IR { dsl, .. } = plan {
        // A part that was resolved already, and would be taken as it is.
        *plan = (**dsl).clone();
        return keep_order(plan);
    }
    match plan {
        DslPlan::GroupBy { input, maintain_order, .. } => {
            *maintain_order = true;
            keep_order(Arc::make_mut(input));
        }
        DslPlan::Distinct { input, options } => {
            options.maintain_order = true;
            if options.keep_strategy == UniqueKeepStrategy::Any {
                options.keep_strategy = UniqueKeepStrategy::First;
            }
            keep_order(Arc::make_mut(input));
        }
        DslPlan::Sort { input, sort_options, .. } => {
            sort_options.maintain_order = true;
            keep_order(Arc::make_mut(input));
        }
        DslPlan::Join { input_left, input_right, options, .. } => {
            let mut ordered = JoinOptions::clone(options);
            ordered.args.maintain_order = MaintainOrderJoin::LeftRight;
            *options = Arc::new(ordered);
            keep_order(Arc::make_mut(input_left));
            keep_order(Arc::make_mut(input_right));
        }
        DslPlan::Union { inputs, args } => {
            args.maintain_order = true;
            inputs.iter_mut().for_each(keep_order);
        }
        DslPlan::HConcat { inputs, .. } => inputs.iter_mut().for_each(keep_order),
        DslPlan::ExtContext { input, contexts } => {
            keep_order(Arc::make_mut(input));
            contexts.iter_mut().for_each(keep_order);
        }
        DslPlan::Gather { input, idxs, .. } => {
            keep_order(Arc::make_mut(input));
            keep_order(Arc::make_mut(idxs));
        }
        DslPlan::Filter { input, .. }
        | DslPlan::Cache { input, .. }
        | DslPlan::Select { input, .. }
        | DslPlan::HStack { input, .. }
        | DslPlan::MatchToSchema { input, .. }
        | DslPlan::Slice { input, .. }
        | DslPlan::MapFunction { input, .. } => keep_order(Arc::make_mut(input)),
        // Tables themselves, and what SQL does not make.
        _ => {}
    }
}

fn to_polars(batch: &RecordBatch) -> Result<DataFrame, DataError> {
    let mut table = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let name = PlSmallStr::from_str(field.name());
        let as_type = |data_type| {
            cast(array, data_type)
                .map_err(|error| DataError::content(format!("the column `{}`: {error}", field.name())))
        };
        let column = match array.data_type() {
            arrow_types::DataType::Utf8 => {
                StringChunked::from_iter_options(name, array.as_string::<i32>().iter()).into_column()
            }
            arrow_types::DataType::Boolean => {
                BooleanChunked::from_iter_options(name, array.as_boolean().iter()).into_column()
            }
            arrow_types::DataType::UInt64 => {
                UInt64Chunked::from_iter_options(name, array.as_primitive::<arrow_types::UInt64Type>().iter())
                    .into_column()
            }
            data_type if data_type.is_integer() => {
                let array = as_type(&arrow_types::DataType::Int64)?;
                Int64Chunked::from_iter_options(name, array.as_primitive::<arrow_types::Int64Type>().iter())
                    .into_column()
            }
            data_type if data_type.is_floating() => {
                let array = as_type(&arrow_types::DataType::Float64)?;
                Float64Chunked::from_iter_options(name, array.as_primitive::<arrow_types::Float64Type>().iter())
                    .into_column()
            }
            other => {
                return Err(DataError::content(format!(
                    "the column `{}` holds {}, which a query cannot use",
                    field.name(),
                    columns::type_name(other)
                )));
            }
        };
        table.push(column);
    }
    DataFrame::new(batch.num_rows(), table).map_err(|error| DataError::content(error.to_string()))
}

fn to_arrow(answer: &DataFrame) -> Result<RecordBatch, DataError> {
    let mut arrays = Vec::with_capacity(answer.width());
    for column in answer.columns() {
        let name = column.name().to_string();
        let array = array(column).map_err(|error| {
            DataError::content(format!(
                "the column `{name}` of the answer is of the type `{}` ({error}); cast it: `CAST({name} AS VARCHAR) AS {name}`",
                column.dtype()
            ))
        })?;
        arrays.push((name, array, true));
    }
    RecordBatch::try_from_iter_with_nullable(arrays).map_err(|error| DataError::content(error.to_string()))
}

fn array(column: &Column) -> Result<ArrayRef, PolarsError> {
    let data_type = column.dtype().clone();
    Ok(match data_type {
        DataType::String => Arc::new(column.str()?.iter().collect::<StringArray>()),
        DataType::Boolean => Arc::new(column.bool()?.iter().collect::<BooleanArray>()),
        DataType::UInt64 => Arc::new(column.u64()?.iter().collect::<UInt64Array>()),
        ref data_type if data_type.is_integer() => {
            Arc::new(column.strict_cast(&DataType::Int64)?.i64()?.iter().collect::<Int64Array>())
        }
        ref data_type if data_type.is_float() => {
            Arc::new(column.strict_cast(&DataType::Float64)?.f64()?.iter().collect::<Float64Array>())
        }
        other => return Err(PolarsError::InvalidOperation(format!("a dataset cannot keep `{other}`").into())),
    })
}

/// The answer as a dataset of the same labels, or of those that are left.
fn dataset(answer: &RecordBatch, meta: &Meta, roles: &Roles) -> Result<Dataset, DataError> {
    let missing = |error: DataError| DataError::content(format!("the answer of the query: {error}"));
    if answer.num_rows() == 0 {
        return Err(DataError::content("the answer of the query has no rows"));
    }
    let mut answer = answer.clone();
    for (_, column) in roles.columns() {
        answer = columns::as_text(&answer, column).map_err(missing)?;
    }
    import::check_values(&answer, roles).map_err(missing)?;
    if answer.schema().index_of(SPLIT).is_err() {
        return Err(DataError::content(
            "the answer of the query has no column `split`: select it, or all columns with `SELECT *`",
        ));
    }
    let rows = split::by_column(&answer, SPLIT).map_err(missing)?;
    answer.remove_column(columns::position(&answer, SPLIT)?);
    let mut splits: BTreeMap<Split, RecordBatch> = BTreeMap::new();
    for (split, rows) in rows {
        splits.insert(split, split::take(&answer, &rows)?);
    }
    let labels = match &roles.label {
        None => Vec::new(),
        Some(column) => {
            let mut found = BTreeMap::new();
            for (split, batch) in &splits {
                found.insert(*split, columns::strings(batch, column)?.iter().flatten().map(str::to_owned).collect());
            }
            import::labels(&found, column, "").map_err(missing)?
        }
    };
    let rows = splits.iter().map(|(split, batch)| (*split, batch.num_rows())).collect();
    let meta = Meta { roles: roles.clone(), labels, rows, ..meta.clone() };
    Ok(Dataset { meta, splits })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::{base::fs::write_atomic, data::Import};

    fn import(table: &str, text: &str, label: Option<&str>) -> Dataset {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        write_atomic(&path, table.as_bytes()).unwrap();
        let roles = Roles { text: text.into(), pair: None, label: label.map(Into::into), id: Some("id".into()) };
        let import = Import { source: "s".into(), license: "l".into(), ..Import::by_column(roles, "split") };
        import.read(&path, "t.csv").unwrap().0
    }

    fn reviews() -> Dataset {
        let mut table = "id,text,label,split,stars,score\n".to_owned();
        for i in 0..3000 {
            let split = ["train", "train", "validation", "test"][i % 4];
            let label = ["neg", "pos"][i / 4 % 2];
            writeln!(table, "{i},text {},{label},{split},{},{}.5", i % 1500, i % 5, i % 7).unwrap();
        }
        import(&table, "text", Some("label"))
    }

    fn ids(dataset: &Dataset, split: Split) -> Vec<String> {
        dataset.rows(split).unwrap().ids
    }

    #[test]
    fn a_filter_keeps_roles_and_order() {
        let data = reviews();
        let answer =
            query("SELECT * FROM data WHERE stars >= 3 AND score < 6.0", &data, &[], &data.meta.roles).unwrap();
        let expected: Vec<String> = ids(&data, Split::Train)
            .into_iter()
            .filter(|id| id.parse::<usize>().is_ok_and(|i| i % 5 >= 3 && i % 7 < 6))
            .collect();
        assert_eq!(ids(&answer, Split::Train), expected);
        assert_eq!(answer.meta.labels, ["neg", "pos"]);
        assert_eq!((answer.meta.source.as_str(), answer.meta.license.as_str()), ("s", "l"));
        assert_eq!(answer.meta.rows[&Split::Test], answer.splits[&Split::Test].num_rows());
    }

    #[test]
    fn duplicates_joins_and_groups_come_in_the_order_of_the_table() {
        let data = reviews();
        let mut table = "id,text,split\n".to_owned();
        (0..1000).for_each(|i| writeln!(table, "{i},topic {i},train").unwrap());
        let topics = import(&table, "text", None);
        let roles = &data.meta.roles;
        for (sql, check) in [
            // The first occurrence of each text.
            ("SELECT MIN(id) AS id, text, FIRST(label) AS label, FIRST(split) AS split FROM data GROUP BY text", None),
            ("SELECT DISTINCT id, text, label, split FROM data", Some(1500)),
            ("SELECT d.id, t.text AS text, d.label, d.split FROM data d JOIN topics t ON d.id = t.id", Some(500)),
            ("SELECT * FROM data ORDER BY stars", Some(1500)),
        ] {
            let once =
                query(sql, &data, &[("topics", &topics)], roles).unwrap_or_else(|error| panic!("{sql}: {error}"));
            if let Some(rows) = check {
                assert_eq!(once.meta.rows[&Split::Train], rows, "{sql}");
            }
            let train = ids(&once, Split::Train);
            if !sql.contains("ORDER BY") && !sql.contains("GROUP BY") {
                let numbers: Vec<usize> = train.iter().map(|id| id.parse().unwrap()).collect();
                assert!(numbers.is_sorted(), "{sql}");
            }
            for _ in 0..3 {
                assert_eq!(
                    ids(&query(sql, &data, &[("topics", &topics)], roles).unwrap(), Split::Train),
                    train,
                    "{sql}"
                );
            }
        }
    }

    #[test]
    fn columns_may_be_renamed_with_their_roles() {
        let data = reviews();
        let roles = Roles { text: "body".into(), pair: None, label: Some("stars".into()), id: None };
        let sql = "SELECT UPPER(text) AS body, stars, split FROM data";
        let answer = query(sql, &data, &[], &roles).unwrap();
        assert_eq!(answer.meta.labels, ["0", "1", "2", "3", "4"]);
        assert_eq!(answer.rows(Split::Train).unwrap().texts[0], "TEXT 0");
        let error = query(sql, &data, &[], &data.meta.roles).unwrap_err().to_string();
        assert!(error.starts_with("the answer of the query: there is no column `text`"), "{error}");
    }

    #[test]
    fn faults_show_the_query() {
        let data = reviews();
        for (sql, told) in [
            ("SELECT * FROM dta", "dta"),
            ("SELECT txt FROM data", "txt"),
            ("SELECT text, label, id FROM data", "no column `split`"),
            ("SELECT * FROM data WHERE stars > 100", "has no rows"),
            ("SELECT id, text, label, 'x' AS split FROM data", "`split` is `x`, which is no split"),
        ] {
            let error = query(sql, &data, &[], &data.meta.roles).unwrap_err().to_string();
            assert!(error.contains(told), "{sql}: {error}");
        }
        assert!(sql_fault("SELEC * FROM data").is_some());
        assert!(sql_fault("SELECT * FROM data WHERE").is_some());
        assert!(sql_fault("SELECT 1; SELECT 2").is_some());
        assert_eq!(sql_fault("SELECT * FROM data d JOIN other o ON d.id = o.id"), None);
    }
}
