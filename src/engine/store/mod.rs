//! `Store`: the `.lmpipe` folder, which holds what stages made, by content, and what was made from what, by fingerprint.
//!
//! ```text
//! objects/ab/<digest>/           what a stage made: its files, `record.json`, `lmpipe.json`
//! actions/ab/<fingerprint>.json  what a fingerprint led to; written last
//! names/<recipe>/<stage>.json    the key that a stage had last, to say what changed
//! pins/<name>.json               objects that stay, and what for
//! runs/<time>-<recipe>/          run.json, recipe.json, plan.json, events.jsonl, metrics.json
//! partial/<fingerprint>/         what a stage left that was interrupted
//! tmp/run-…/                     what a process makes just now
//! locks/<fingerprint>            held by the process that makes a stage; `locks/machine` by what runs alone
//! lock                           shared by runs, held alone by who tidies
//! ```

mod action;
mod gc;
mod lock;
mod name;
mod object;
mod partial;
mod runs;
mod shared;
mod verify;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde::{Serialize, de::DeserializeOwned};

pub use action::Action;
pub use gc::{Limits, Removed, Tidying};
pub use lock::Lock;
pub(in crate::engine) use lock::{Claim, Taken};
pub use name::LastKey;
pub(in crate::engine) use object::Origin;
pub use object::{Damage, DamageKind, FileEntry, Manifest, Object, Parent};
pub use runs::{RunFolder, StoredRun};
pub use shared::Shared;
pub use verify::StoreSize;

use super::error::RunError;
use crate::base::fs::{self as files, AtPath};

/// The format of the store's folders and files; a store of another format is refused.
pub(in crate::engine) const FORMAT: &str = "1";

/// A folder of objects, actions and runs.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// Where this process makes things; shared by clones.
    session: Arc<Mutex<Option<lock::Session>>>,
}

impl Store {
    /// Opens a store to write to it; makes it where there is none.
    ///
    /// # Errors
    /// When it cannot be written to, or has another format.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let store = Self::read(path)?;
        for folder in ["objects", "actions", "names", "runs", "tmp"] {
            files::create_dir(&path.join(folder))?;
        }
        let tag = "Signature: 8a477f597d28d172789f06886806bc55\n\
                   # This folder holds what lmpipe can make again. See https://bford.info/cachedir/\n";
        store.write_once("CACHEDIR.TAG", tag)?;
        store.write_once(".gitignore", "*\n")?;
        store.write_once("version", &format!("{FORMAT}\n"))?;
        Ok(store)
    }

    /// Opens a store to look into it, and changes nothing; a folder that does not exist is an empty store.
    ///
    /// # Errors
    /// When it has another format.
    pub fn read(path: &Path) -> Result<Self, RunError> {
        let store = Self { root: path.to_owned(), session: Arc::default() };
        let version = path.join("version");
        if version.exists() {
            let found = files::read_text(&version)?.trim().to_owned();
            if found != FORMAT {
                return Err(RunError::Format { path: path.to_owned(), found });
            }
        }
        Ok(store)
    }

    /// The store's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn write_once(&self, name: &str, text: &str) -> Result<(), RunError> {
        let path = self.root.join(name);
        if !path.exists() {
            files::write_atomic(&path, text.as_bytes())?;
        }
        Ok(())
    }
}

impl Store {
    /// Writes a JSON file of the store. What a kill leaves of it lies in the folder of the process, and is cleared with it.
    fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), RunError> {
        let text = pretty(path, value)?;
        Ok(files::write_draft_in(&self.session()?, path, text.as_bytes())?.publish()?)
    }
}

/// Writes JSON that people can read, whole or not at all.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), RunError> {
    Ok(files::write_atomic(path, pretty(path, value)?.as_bytes())?)
}

fn pretty<T: Serialize>(path: &Path, value: &T) -> Result<String, RunError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| unreadable(path, &error))?;
    text.push('\n');
    Ok(text)
}

/// Reads a JSON file of the store, which says its `version` first: a later one is refused by its number, not by the
/// first key that this version does not know.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path, version: u64) -> Result<T, RunError> {
    let value: serde_json::Value =
        serde_json::from_slice(&files::read(path)?).map_err(|error| unreadable(path, &error))?;
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(found) if found == version => serde_json::from_value(value).map_err(|error| unreadable(path, &error)),
        Some(found) => {
            Err(unreadable(path, &format!("it has version {found}, and this lmpipe reads version {version}")))
        }
        None => Err(unreadable(path, &"it has no `version`")),
    }
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> RunError {
    RunError::Unreadable { path: path.to_owned(), why: why.to_string() }
}

/// The names in a folder, sorted; none where there is no folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, RunError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.at("cannot read", folder)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.at("cannot read", folder)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// A name of a recipe as the name of a file: letters, digits, `_`, `@`, `-` and inner dots stay, the rest is written as
/// `%` and its bytes; a long name is cut and told apart by its digest.
fn file_name(name: &str) -> String {
    use std::fmt::Write;

    let mut out = String::new();
    for (i, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'@' | b'-' => out.push(byte as char),
            b'.' if i > 0 => out.push('.'),
            _ => write!(out, "%{byte:02x}").expect("a text takes any text"),
        }
    }
    if out.len() > 120 || out.is_empty() {
        let digest = crate::base::digest::Digest::of(name.as_bytes()).short();
        out = format!("{}~{digest}", &out[..out.len().min(100)]);
    }
    out
}

/// Makes the entries of a folder last, where the system can.
fn sync_folder(folder: &Path) -> Result<(), RunError> {
    #[cfg(unix)]
    File::open(folder).and_then(|file| file.sync_all()).at("cannot sync", folder)?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_file_names() {
        for (name, expected) in [
            ("mobile-bert", "mobile-bert"),
            ("scores@0.5", "scores@0.5"),
            ("../x", "%2e.%2fx"),
            (".", "%2e"),
            ("a b", "a%20b"),
            ("ü", "%c3%bc"),
        ] {
            assert_eq!(file_name(name), expected);
        }
        let (long, other) = ("x".repeat(300), "x".repeat(301));
        assert!(file_name(&long).len() < 130);
        assert_ne!(file_name(&long), file_name(&other));
        assert!(file_name("").starts_with('~'));
    }

    #[test]
    fn a_store_says_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lmpipe");
        assert!(Store::read(&path).unwrap().runs().unwrap().is_empty());
        assert!(!path.exists(), "looking makes nothing");
        Store::open(&path).unwrap();
        assert!(
            files::read_text(&path.join("CACHEDIR.TAG"))
                .unwrap()
                .starts_with("Signature: 8a477f597d28d172789f06886806bc55")
        );
        assert_eq!(files::read_text(&path.join(".gitignore")).unwrap(), "*\n");
        Store::open(&path).unwrap();
        files::write_atomic(&path.join("version"), b"7\n").unwrap();
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(&error, RunError::Format { found, .. } if found == "7"), "{error}");
        assert!(error.is_store());
    }
}
