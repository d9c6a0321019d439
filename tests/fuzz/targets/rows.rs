//! A dataset: CSV, JSON lines, Parquet, Arrow, by the first byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lmpipe::data::{Import, Limit, Roles, SplitBy};
use lmpipe_fuzz::{folder, write};

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let kind = ["csv", "jsonl", "parquet", "arrow"][usize::from(*kind) % 4];
    let folder = folder();
    let path = write(folder.path(), &format!("rows.{kind}"), data);
    let import = Import {
        roles: Roles { text: "text".into(), pair: None, label: Some("label".into()), id: None },
        split: SplitBy::Column("split".into()),
        limit: Limit::None,
        seed: 1,
        source: String::new(),
        license: String::new(),
    };
    if let Ok((dataset, _)) = import.read(&path, "rows") {
        let _ = dataset.write(folder.path());
    }
});
