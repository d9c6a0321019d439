//! Which split a row is in: by a column, or by seeded, stratified fractions.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use arrow::{
    array::{Array, StringArray, UInt32Array},
    compute::take_record_batch,
    record_batch::RecordBatch,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{DataError, Split, codes::Codes, columns};
use crate::base::{plural, rng, suggest};

/// How rows are split: `split`, or `{train: 0.8, validation: 0.1, test: 0.1, by: label}`.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitBy {
    /// By a column that holds `train`, `validation` or `test`.
    Column(String),
    /// At random, by the seed of the recipe.
    Fractions(Fractions),
}

/// The share of rows in each split; together 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fractions {
    /// The share of rows to train on.
    pub train: f64,
    /// The share of rows to decide on during training.
    #[serde(default)]
    pub validation: f64,
    /// The share of rows to measure on.
    #[serde(default)]
    pub test: f64,
    /// A column whose values are spread evenly over the splits, usually the label.
    #[serde(default)]
    pub by: Option<String>,
}

impl Fractions {
    /// The share of each split, in order.
    #[must_use]
    pub fn shares(&self) -> [f64; 3] {
        [self.train, self.validation, self.test]
    }

    /// What is wrong with the fractions, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let shares = self.shares();
        if let Some(share) = shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
            return Some(format!("a share of rows is between 0 and 1, not {share}"));
        }
        let sum: f64 = shares.iter().sum();
        if (sum - 1.0).abs() > 1e-9 {
            return Some(format!("the shares add up to {}, not 1", (sum * 1e9).round() / 1e9));
        }
        (self.train == 0.0).then(|| "no rows are left to train on".to_owned())
    }
}

/// The rows of these numbers.
pub(super) fn take(batch: &RecordBatch, rows: &[u32]) -> Result<RecordBatch, DataError> {
    take_record_batch(batch, &UInt32Array::from(rows.to_vec())).map_err(|error| DataError::content(error.to_string()))
}

/// A split by the names that people give it.
pub(super) fn named(name: &str) -> Option<Split> {
    match name.trim().to_lowercase().as_str() {
        "train" | "training" => Some(Split::Train),
        "validation" | "val" | "valid" | "dev" => Some(Split::Validation),
        "test" | "testing" => Some(Split::Test),
        _ => None,
    }
}

/// The split that a row names in a column, or why it names none.
pub(super) fn of_row(values: &StringArray, row: usize, column: &str) -> Result<Split, String> {
    if values.is_null(row) {
        return Err(format!("`{column}` is empty"));
    }
    let value = values.value(row);
    named(value).ok_or_else(|| {
        let help = suggest::help(value, &Split::ALL.map(Split::name)).unwrap_or_default();
        format!("`{column}` is `{value}`, which is no split; {help}")
    })
}

/// The rows of each split, in their order.
pub(super) fn by_column(batch: &RecordBatch, column: &str) -> Result<BTreeMap<Split, Vec<u32>>, DataError> {
    let values = columns::strings(batch, column)?;
    let mut rows: BTreeMap<Split, Vec<u32>> = BTreeMap::new();
    for row in 0..values.len() {
        let split = of_row(values, row, column);
        let split = split.map_err(|reason| DataError::content(format!("row {}: {reason}", row + 1)))?;
        rows.entry(split).or_default().push(row as u32);
    }
    if rows.contains_key(&Split::Train) { Ok(rows) } else { Err(no_train()) }
}

/// What to say where nothing can be learned from.
pub(super) fn no_train() -> DataError {
    DataError::content("no row is in the split `train`")
}

/// The split of every row, where `strata` says which stratum each is in.
///
/// Splits every stratum by the same shares. The sizes of the splits are exact (largest remainder over all rows), and each
/// stratum's part of a split is within one row of its share. Small strata are served first, so that a rare label is in
/// `train`.
pub(super) fn by_fractions(strata: &Codes, fractions: &Fractions, seed: u64) -> Result<Vec<Split>, DataError> {
    let count = strata.rows().len();
    // The rows of each stratum behind each other, strata in the order of their values.
    let mut ranges = Vec::with_capacity(strata.values().len());
    let mut rows = vec![0_u32; count];
    let mut starts = vec![0; strata.values().len()];
    let mut start = 0;
    for (code, size) in strata.sizes_by_value() {
        starts[code] = start;
        ranges.push(start..start + size);
        start += size;
    }
    for (row, &code) in (0..).zip(strata.rows()) {
        rows[starts[usize::from(code)]] = row;
        starts[usize::from(code)] += 1;
    }
    let mut random = rng::stream(seed, "split");
    for range in &ranges {
        rng::shuffle(&mut random, &mut rows[range.clone()]);
    }
    ranges.sort_by_key(ExactSizeIterator::len);

    let shares = fractions.shares();
    let sizes: Vec<[usize; 3]> = ranges.iter().map(|range| floors(range.len(), shares)).collect();
    let mut open = largest_remainder(count, shares);
    for size in &sizes {
        (0..3).for_each(|split| open[split] -= size[split]);
    }
    let mut splits = vec![Split::Train; count];
    let mut totals = [0; 3];
    for (range, mut size) in ranges.into_iter().zip(sizes) {
        let length = range.len();
        for _ in size.iter().sum::<usize>()..length {
            let split = neediest(length, shares, size, |split| open[split] > 0);
            size[split] += 1;
            open[split] -= 1;
        }
        let mut rest = &rows[range];
        for (at, (split, size)) in Split::ALL.into_iter().zip(size).enumerate() {
            let (part, more) = rest.split_at(size);
            rest = more;
            totals[at] += size;
            for &row in part {
                splits[row as usize] = split;
            }
        }
    }
    for ((split, share), total) in Split::ALL.into_iter().zip(shares).zip(totals) {
        if share > 0.0 && total == 0 {
            let rows = plural::count(count, "row");
            return Err(DataError::content(format!("the split `{}` would be empty: {share} of {rows}", split.name())));
        }
    }
    Ok(splits)
}

/// The whole rows of each share; `1e-9` because 0.1 × 30 is not quite 3.
fn floors(count: usize, shares: [f64; 3]) -> [usize; 3] {
    shares.map(|share| (count as f64 * share + 1e-9).floor() as usize)
}

fn largest_remainder(count: usize, shares: [f64; 3]) -> [usize; 3] {
    let mut sizes = floors(count, shares);
    for _ in sizes.iter().sum::<usize>()..count {
        sizes[neediest(count, shares, sizes, |_| true)] += 1;
    }
    sizes
}

/// The split that lacks most of its share; the first of equals.
fn neediest(count: usize, shares: [f64; 3], sizes: [usize; 3], may: impl Fn(usize) -> bool) -> usize {
    let lack = |split: usize| count as f64 * shares[split] - sizes[split] as f64;
    (0..3)
        .filter(|&split| may(split))
        .reduce(|best, split| if lack(split) > lack(best) + 1e-9 { split } else { best })
        .expect("the open places of all splits together are the rows that are left")
}

impl Serialize for SplitBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Column(column) => column.serialize(serializer),
            Self::Fractions(fractions) => fractions.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SplitBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = SplitBy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a column, or `{train: 0.8, validation: 0.1, test: 0.1}`")
            }

            fn visit_str<E>(self, column: &str) -> Result<SplitBy, E> {
                Ok(SplitBy::Column(column.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SplitBy, A::Error> {
                Fractions::deserialize(MapAccessDeserializer::new(map)).map(SplitBy::Fractions)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for SplitBy {
    fn schema_name() -> Cow<'static, str> {
        "SplitBy".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A column that holds `train`, `validation` or `test`; or the share of rows in each split.",
            "anyOf": [{"type": "string"}, generator.subschema_for::<Fractions>()],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    fn table(name: &str, values: Vec<&str>) -> RecordBatch {
        RecordBatch::try_from_iter([(name, Arc::new(StringArray::from(values)) as ArrayRef)]).unwrap()
    }

    /// The rows of each split.
    fn assign(batch: &RecordBatch, by: &SplitBy, seed: u64) -> Result<BTreeMap<Split, Vec<u32>>, DataError> {
        let fractions = match by {
            SplitBy::Column(column) => return by_column(batch, column),
            SplitBy::Fractions(fractions) => fractions,
        };
        let mut strata = Codes::default();
        for row in 0..batch.num_rows() {
            let value = fractions.by.as_ref().map(|column| columns::strings(batch, column).unwrap().value(row));
            strata.push(value).unwrap();
        }
        let mut rows: BTreeMap<Split, Vec<u32>> = BTreeMap::new();
        for (row, split) in (0..).zip(by_fractions(&strata, fractions, seed)?) {
            rows.entry(split).or_default().push(row);
        }
        Ok(rows)
    }

    #[test]
    fn a_seed_gives_the_rows_that_it_always_gave() {
        let table = table("label", (0..20).map(|i| ["x", "y", "z"][i % 3]).collect());
        let rows = assign(&table, &fractions(0.6, 0.2, 0.2, Some("label")), 7).unwrap();
        assert_eq!((&rows[&Split::Validation], &rows[&Split::Test]), (&vec![6, 7, 8, 15], &vec![1, 2, 12, 19]));
    }

    fn fractions(train: f64, validation: f64, test: f64, by: Option<&str>) -> SplitBy {
        SplitBy::Fractions(Fractions { train, validation, test, by: by.map(ToOwned::to_owned) })
    }

    #[test]
    fn fractions_are_exact_and_stratified() {
        let mut labels = vec!["a"; 900];
        labels.extend(vec!["b"; 90]);
        labels.extend(vec!["c"; 9]);
        labels.push("rare");
        let table = table("label", labels.clone());
        let by = fractions(0.8, 0.1, 0.1, Some("label"));
        let rows = assign(&table, &by, 42).unwrap();
        assert!(rows.values().map(Vec::len).eq([800, 100, 100]));
        for (label, count) in [("a", 900.0), ("b", 90.0), ("c", 9.0)] {
            for (split, share) in Split::ALL.into_iter().zip([0.8, 0.1, 0.1]) {
                let found = rows[&split].iter().filter(|&&row| labels[row as usize] == label).count();
                assert!((found as f64 - count * share).abs() <= 1.0, "{label} in {split:?}: {found}");
            }
        }
        assert!(rows[&Split::Train].contains(&999), "a label with one row is in train");
        assert_eq!(rows, assign(&table, &by, 42).unwrap());
        assert_ne!(rows, assign(&table, &by, 43).unwrap());
        let mut all: Vec<u32> = rows.into_values().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn sizes_round_to_the_whole() {
        for count in 3..60 {
            let table = table("label", (0..count).map(|i| ["x", "y", "z"][i % 3]).collect());
            let rows = assign(&table, &fractions(0.5, 0.25, 0.25, Some("label")), 1).unwrap();
            assert_eq!(rows.values().map(Vec::len).sum::<usize>(), count);
            let test = rows[&Split::Test].len() as f64;
            assert!((test - count as f64 * 0.25).abs() < 1.0, "{test} of {count}");
        }
    }

    #[test]
    fn a_column_may_use_common_names() {
        let rows = assign(&table("part", vec!["train", "val", "Test", "dev"]), &SplitBy::Column("part".into()), 0);
        assert_eq!(rows.unwrap()[&Split::Validation], [1, 3]);
    }

    #[test]
    fn faults_say_what_to_do() {
        let column = SplitBy::Column("split".into());
        for (batch, by, told) in [
            (
                table("split", vec!["train", "tset"]),
                &column,
                "row 2: `split` is `tset`, which is no split; did you mean `test`?",
            ),
            (table("split", vec!["test"]), &column, "no row is in the split `train`"),
            (table("splt", vec!["test"]), &column, "there is no column `split`; did you mean `splt`?"),
            (
                table("x", vec!["a"; 4]),
                &fractions(0.9, 0.1, 0.0, None),
                "the split `validation` would be empty: 0.1 of 4 rows",
            ),
        ] {
            let error = assign(&batch, by, 0).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
        let wrong = Fractions { train: 0.8, validation: 0.1, test: 0.2, by: None };
        assert_eq!(wrong.fault().unwrap(), "the shares add up to 1.1, not 1");
    }

    #[test]
    fn both_forms_read_back() {
        for json in [
            serde_json::json!("part"),
            serde_json::json!({"train": 0.5, "validation": 0.25, "test": 0.25, "by": "label"}),
        ] {
            let by: SplitBy = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(serde_json::to_value(&by).unwrap(), json);
        }
        let error = serde_json::from_value::<SplitBy>(serde_json::json!({"train": 1.0, "tst": 0.0})).unwrap_err();
        assert!(error.to_string().contains("unknown field `tst`"), "{error}");
    }
}
