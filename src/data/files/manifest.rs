//! `dataset.json`: what a dataset is, and the digests of its files.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::json;

use crate::{
    base::{digest::Digest, fs},
    data::{DataError, Meta, Split},
};

/// The version of `dataset.json` that this program writes and reads.
const VERSION: u32 = 1;
/// The key of `dataset.json` that holds the digest of each split's file.
const DIGESTS: &str = "digests";

/// Reads `dataset.json`: what it says, and the digest of each split's file.
pub(super) fn read(dir: &Path) -> Result<(Meta, BTreeMap<Split, Digest>), DataError> {
    let path = dir.join("dataset.json");
    let wrong = |what: String| DataError::content(format!("`{}`: {what}", path.display()));
    let mut json: serde_json::Value =
        serde_json::from_slice(&fs::read(&path)?).map_err(|error| wrong(format!("not JSON: {error}")))?;
    match json.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => return Err(wrong(format!("version {version} of a dataset, this program reads {VERSION}"))),
        None => return Err(wrong("`version` is missing".to_owned())),
    }
    let digests = json.as_object_mut().and_then(|map| map.remove(DIGESTS)).unwrap_or_else(|| json!({}));
    let digests = BTreeMap::deserialize(digests).map_err(|error| wrong(format!("`{DIGESTS}`: {error}")))?;
    let meta = Meta::deserialize(json).map_err(|error| wrong(error.to_string()))?;
    Ok((meta, digests))
}

/// Writes `dataset.json`.
pub(super) fn write(dir: &Path, meta: &Meta, digests: &BTreeMap<Split, Digest>) -> Result<(), DataError> {
    let meta = Meta { version: VERSION, ..meta.clone() };
    let mut json = serde_json::to_value(&meta).expect("plain data serialises to JSON");
    json[DIGESTS] = serde_json::to_value(digests).expect("plain data serialises to JSON");
    let mut json = serde_json::to_vec_pretty(&json).expect("plain data serialises to JSON");
    json.push(b'\n');
    Ok(fs::write_atomic(&dir.join("dataset.json"), &json)?)
}
