//! Datasets that are written and read in portions, interrupted, and damaged.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};

use super::*;
use crate::{
    base::{digest::Digest, fs},
    data::{Dataset, Meta, Roles, Split, columns},
};

#[test]
fn damage_is_found_at_once() {
    let text = Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
    let roles = Roles { text: "text".into(), pair: None, label: None, id: None };
    let (rows, labels) = (BTreeMap::from([(Split::Train, 2)]), Vec::new());
    let meta = Meta { version: 1, roles, labels, rows, source: String::new(), license: String::new() };
    let dataset = Dataset { meta, splits: BTreeMap::from([(Split::Train, batch)]) };
    let dir = tempfile::tempdir().unwrap();
    dataset.write(dir.path()).unwrap();
    let read = Dataset::open(dir.path()).unwrap();
    assert_eq!(read.rows(Split::Train).unwrap().ids, ["0", "1"]);
    assert_eq!(read.rows(Split::Test).unwrap_err().to_string(), "the dataset has no `test` split, only `train`");
    let arrow = dir.path().join("train.arrow");
    let mut bytes = fs::read(&arrow).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write_atomic(&arrow, &bytes).unwrap();
    let told = |dir: &Path| Dataset::open(dir).unwrap_err().to_string();
    assert!(told(dir.path()).contains("train.arrow`: damaged"), "{}", told(dir.path()));
    for (json, expected) in [
        ("{", "not JSON"),
        ("{}", "`version` is missing"),
        ("{\"version\": 2}", "version 2 of a dataset, this program reads 1"),
        ("{\"version\": 1}", "missing field"),
    ] {
        fs::write_atomic(&dir.path().join("dataset.json"), json.as_bytes()).unwrap();
        assert!(told(dir.path()).contains(expected), "{}", told(dir.path()));
    }
}

/// Many rows of every kind of value that a dataset keeps, with gaps.
fn rows(count: usize) -> RecordBatch {
    let texts: StringArray = (0..count).map(|row| Some("word ".repeat(row % 7))).collect();
    let notes: StringArray = (0..count).map(|row| (row % 3 != 0).then(|| format!("n{row}"))).collect();
    let numbers: Int64Array = (0..count as i64).map(|row| (row % 5 != 0).then_some(row)).collect();
    let flags: BooleanArray = (0..count).map(|row| (row % 11 != 0).then_some(row % 2 == 0)).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("text", Arc::new(texts)),
        ("note", Arc::new(notes)),
        ("number", Arc::new(numbers)),
        ("flag", Arc::new(flags)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

fn meta() -> Meta {
    let roles = Roles { text: "text".into(), pair: None, label: None, id: None };
    Meta { version: 1, roles, labels: vec![], rows: BTreeMap::new(), source: String::new(), license: String::new() }
}

fn write_from(writer: &mut DatasetWriter, rows: &RecordBatch, start: usize, portion: usize) {
    for start in (start..rows.num_rows()).step_by(portion) {
        writer.append(Split::Train, &rows.slice(start, portion.min(rows.num_rows() - start))).unwrap();
    }
}

#[test]
fn bytes_do_not_depend_on_portions() {
    let rows = rows(20_001);
    let digests: Vec<_> = [1, 7, 4_096, 8_192, 8_193, 30_000]
        .map(|portion| {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = DatasetWriter::create(dir.path(), meta());
            write_from(&mut writer, &rows, 0, portion);
            writer.append(Split::Test, &rows.slice(0, 0)).unwrap();
            let meta = writer.finish().unwrap();
            assert_eq!(meta.rows, BTreeMap::from([(Split::Train, 20_001), (Split::Test, 0)]));
            let reader = DatasetReader::open(dir.path()).unwrap();
            assert_eq!(reader.whole(Split::Train).unwrap(), rows);
            let batches: Vec<_> =
                reader.batches().into_iter().map(|(split, at)| reader.read(split, at).unwrap()).collect();
            let sizes: Vec<_> = batches.iter().map(|rows| (rows.split(), rows.first_row(), rows.len())).collect();
            let train = [(0, 8_192), (8_192, 8_192), (16_384, 3_617)].map(|(first, len)| (Split::Train, first, len));
            assert_eq!(sizes, [train.as_slice(), &[(Split::Test, 0, 0)]].concat());
            assert_eq!(batches[1].text(3), "word ".repeat(8_195 % 7));
            Digest::of_dir(dir.path()).unwrap()
        })
        .to_vec();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn long_rows_make_short_batches() {
    let texts: StringArray =
        [3 << 20, 2 << 20, 1, 9 << 20, 1].map(|length| Some("x".repeat(length))).into_iter().collect();
    let rows = RecordBatch::try_from_iter([("text", Arc::new(texts) as ArrayRef)]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut writer = DatasetWriter::create(dir.path(), meta());
    writer.append(Split::Train, &rows).unwrap();
    writer.finish().unwrap();
    let reader = DatasetReader::open(dir.path()).unwrap();
    let lengths: Vec<_> = (0..4).map(|at| reader.read(Split::Train, at).unwrap().len()).collect();
    assert_eq!(lengths, [1, 2, 1, 1]);
}

#[test]
fn an_interrupted_writer_goes_on_to_the_same_bytes() {
    let rows = rows(30_000);
    let whole = tempfile::tempdir().unwrap();
    let mut writer = DatasetWriter::create(whole.path(), meta());
    write_from(&mut writer, &rows, 0, 1_000);
    writer.finish().unwrap();
    for left in [0, 1_000, 9_000, 16_384, 30_000] {
        let (first, second, kept) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut writer = DatasetWriter::create(first.path(), meta());
        writer.append(Split::Train, &rows.slice(0, left)).unwrap();
        let pause = writer.pause(kept.path(), "so-far").unwrap();
        // What it writes later, and that it is gone, is of no importance.
        write_from(&mut writer, &rows, left, 20_000);
        drop((writer, first));
        let mut writer = DatasetWriter::create(second.path(), meta());
        writer.resume(kept.path(), "so-far", &pause).unwrap();
        write_from(&mut writer, &rows, left, 777);
        writer.finish().unwrap();
        assert_eq!(Digest::of_dir(second.path()).unwrap(), Digest::of_dir(whole.path()).unwrap(), "{left}");
    }
}

#[test]
fn what_is_left_and_damaged_is_not_taken() {
    let rows = rows(9_000);
    let (dir, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut writer = DatasetWriter::create(dir.path(), meta());
    writer.append(Split::Train, &rows).unwrap();
    let pause = writer.pause(kept.path(), "so-far").unwrap();
    for file in ["so-far-train.arrow", "so-far-train-rest.arrow"] {
        let path = kept.path().join(file);
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        for damaged in [&flipped[..], &bytes[..bytes.len() / 2], b""] {
            fs::write_atomic(&path, damaged).unwrap();
            let other = tempfile::tempdir().unwrap();
            let mut writer = DatasetWriter::create(other.path(), meta());
            assert!(writer.resume(kept.path(), "so-far", &pause).is_err(), "{file}");
        }
        fs::write_atomic(&path, &bytes).unwrap();
    }
}

#[test]
fn rows_of_other_columns_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = DatasetWriter::create(dir.path(), meta());
    writer.append(Split::Train, &rows(3)).unwrap();
    let other = rows(3).project(&[0, 1]).unwrap();
    let error = writer.append(Split::Train, &other).unwrap_err().to_string();
    assert!(error.contains("train.arrow`: rows of other columns"), "{error}");
}

#[test]
fn other_texts_keep_the_other_columns_and_rows_are_picked() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = DatasetWriter::create(dir.path(), meta());
    writer.append(Split::Test, &rows(3)).unwrap();
    writer.finish().unwrap();
    let batch = DatasetReader::open(dir.path()).unwrap().read(Split::Test, 0).unwrap();
    let new = batch
        .clone()
        .with_texts(vec![["x", "y"].into_iter().collect(), ["z"].into_iter().collect()], Vec::new())
        .unwrap();
    assert_eq!((new.text(1), new.name(1).as_str()), ("y", "1"));
    let new = new.keep(&[true, false, true]).unwrap();
    assert_eq!((new.len(), new.text(1)), (2, "z"));
    assert_eq!(columns::strings(new.batch(), "note").unwrap().value(1), "n2");
    let error = batch.with_texts(vec![["x"].into_iter().collect()], Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "1 text for 3 rows of `test`");
}
