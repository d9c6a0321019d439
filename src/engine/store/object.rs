//! Objects: what stages made, each in a folder named by its content.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{Store, read_json, sync_folder, write_json};
use crate::{
    base::{
        canonical,
        digest::{self, Digest},
        fs::{self as files, AtPath},
        plural,
    },
    engine::error::RunError,
    stage::{ArtifactKind, Record},
};

const VERSION: u32 = 1;

/// The file that tells where an object comes from; not part of its content.
pub(super) const MANIFEST: &str = "lmpipe.json";
/// The file with the stage's [`Record`]; part of the content.
pub(super) const RECORD: &str = "record.json";

/// `lmpipe.json`: where an object comes from, and what it consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this file.
    pub version: u32,
    /// What it is.
    pub kind: ArtifactKind,
    /// The kind of the stage that made it first.
    pub stage: String,
    /// The name of that stage in its recipe.
    pub name: String,
    /// The fingerprint of that stage.
    pub fingerprint: Digest,
    /// What it was made from.
    pub parents: Vec<Parent>,
    /// The version of lmpipe that made it.
    pub tool_version: String,
    /// The digest of its content: of the names and digests of `files`.
    pub digest: Digest,
    /// Its files but this one, sorted by name.
    pub files: Vec<FileEntry>,
}

/// An artifact that another was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// The port that it was wired to.
    pub port: String,
    /// The stage that made it.
    pub name: String,
    /// The digest of its content.
    pub digest: Digest,
}

/// A file of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its path in the object, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The digest of its content.
    pub digest: Digest,
}

/// Where an object comes from, without what its content says.
pub(in crate::engine) struct Origin<'a> {
    pub(in crate::engine) kind: ArtifactKind,
    pub(in crate::engine) stage: &'a str,
    pub(in crate::engine) name: &'a str,
    pub(in crate::engine) fingerprint: Digest,
    pub(in crate::engine) parents: Vec<Parent>,
}

/// An object of the store.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its folder; read only.
    pub dir: PathBuf,
    /// Where it comes from.
    pub manifest: Manifest,
    /// What its stage left behind.
    pub record: Record,
}

/// Something in the store that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {kind}", path.display())]
pub struct Damage {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: DamageKind,
}

/// What is wrong with a part of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// It is not there.
    #[error("is gone")]
    Gone,
    /// A file has another size.
    #[error("has {found} bytes instead of {expected}")]
    Size {
        /// The size that was written.
        expected: u64,
        /// The size that is there.
        found: u64,
    },
    /// A file has another content.
    #[error("does not have the content that was written")]
    Content,
    /// A file that was not written by a stage.
    #[error("does not belong there")]
    Foreign,
    /// It cannot be read.
    #[error("cannot be understood: {0}")]
    Unreadable(String),
}

impl Store {
    /// The folder of an object, whether it is there or not.
    #[must_use]
    pub fn object_dir(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join("objects").join(&name[..2]).join(name)
    }

    /// An object whose files are all there with the sizes they were written with. Contents are not read: see
    /// [`Store::whole_object`].
    ///
    /// # Errors
    /// What is missing or damaged.
    pub fn object(&self, digest: Digest) -> Result<Object, Damage> {
        let dir = self.object_dir(digest);
        let damage = |path: PathBuf, kind| Damage { path, kind };
        if !dir.is_dir() {
            return Err(damage(dir, DamageKind::Gone));
        }
        let manifest: Manifest = read_part(&dir.join(MANIFEST), Some(VERSION))?;
        if manifest.digest != digest {
            return Err(damage(dir.join(MANIFEST), DamageKind::Content));
        }
        for file in &manifest.files {
            let path = dir.join(&file.path);
            match fs::metadata(&path) {
                Ok(found) if found.len() == file.bytes => {}
                Ok(found) => {
                    return Err(damage(path, DamageKind::Size { expected: file.bytes, found: found.len() }));
                }
                Err(_) => return Err(damage(path, DamageKind::Gone)),
            }
        }
        let record = read_part(&dir.join(RECORD), None)?;
        Ok(Object { dir, manifest, record })
    }

    /// An object every byte of which is as it was written.
    ///
    /// # Errors
    /// What is missing or damaged, the first of it.
    pub fn whole_object(&self, digest: Digest) -> Result<Object, Damage> {
        let object = self.object(digest)?;
        self.examine(digest).into_iter().next().map_or(Ok(object), Err)
    }

    /// An empty folder to make an object in; it vanishes unless [`Store::put`] takes it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(in crate::engine) fn scratch(&self) -> Result<TempDir, RunError> {
        let folder = self.session()?;
        let scratch =
            tempfile::Builder::new().prefix("stage-").tempdir_in(&folder).at("cannot create a folder in", &folder)?;
        // `tempfile` makes folders for the owner alone; the store is shared like the project it lies in.
        set_mode(scratch.path(), 0o755)?;
        Ok(scratch)
    }

    /// Takes what a stage wrote into the store, under the digest of its content.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(in crate::engine) fn put(
        &self,
        scratch: TempDir,
        record: &Record,
        origin: Origin<'_>,
    ) -> Result<Digest, RunError> {
        let root = scratch.path();
        let files = close(root, record)?;
        let digest = content_digest(&files);
        let Origin { kind, stage, name, fingerprint, parents } = origin;
        let manifest = Manifest {
            version: VERSION,
            kind,
            stage: stage.to_owned(),
            name: name.to_owned(),
            fingerprint,
            parents,
            tool_version: crate::engine::TOOL_VERSION.to_owned(),
            digest,
            files,
        };
        self.adopt(scratch, &manifest)?;
        Ok(digest)
    }

    /// Takes a folder whose files are those of a manifest.
    pub(super) fn adopt(&self, scratch: TempDir, manifest: &Manifest) -> Result<(), RunError> {
        let root = scratch.path();
        write_json(&root.join(MANIFEST), manifest)?;
        for relative in digest::files_below(root).at("cannot read", root)? {
            // So that nobody edits the cache by mistake.
            set_mode(&root.join(relative), 0o444)?;
        }
        files::sync_dir(root)?;
        self.place(scratch, manifest.digest)
    }

    /// Compares what a stage wrote with what it made before, and counts the files.
    ///
    /// # Errors
    /// When something differs; the message names the files.
    pub(in crate::engine) fn compare(&self, root: &Path, record: &Record, made: Digest) -> Result<usize, RunError> {
        let (now, before) = (close(root, record)?, self.object(made)?.manifest.files);
        let differs = |file: &FileEntry, others: &[FileEntry]| {
            others.iter().find(|other| other.path == file.path).is_none_or(|other| other.digest != file.digest)
        };
        let mut names: Vec<&str> = now.iter().filter(|file| differs(file, &before)).map(|file| &*file.path).collect();
        names.extend(before.iter().filter(|file| differs(file, &now)).map(|file| &*file.path));
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { Ok(now.len()) } else { Err(RunError::Differs(plural::list(&names))) }
    }

    fn place(&self, scratch: TempDir, digest: Digest) -> Result<(), RunError> {
        // Two stages may make the same content at the same time.
        static PLACING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _placing = PLACING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let dir = self.object_dir(digest);
        if dir.exists() {
            // Whoever comes here has just computed the same content anew, so reading the old one is cheap beside it;
            // this is how `--force` mends a damaged store.
            if self.examine(digest).is_empty() {
                return Ok(());
            }
            self.discard(digest)?;
        }
        let shard = dir.parent().expect("the path has the shard above it");
        files::create_dir(shard)?;
        fs::rename(scratch.path(), &dir).at("cannot rename to", &dir)?;
        // Its name is free now; there is nothing left to remove.
        let _ = scratch.keep();
        sync_folder(shard)
    }

    /// Removes an object, so that what made it runs again.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn discard(&self, digest: Digest) -> Result<(), RunError> {
        let dir = self.object_dir(digest);
        if !dir.exists() {
            return Ok(());
        }
        // Out of the way at once, then piece by piece: a kill between leaves no half object.
        let scratch = self.scratch()?;
        let away = scratch.path().join("discarded");
        fs::rename(&dir, &away).at("cannot move away", &dir)?;
        fs::remove_dir_all(&away).at("cannot remove", &away)?;
        Ok(())
    }

    /// Copies an artifact to a folder of the user, each file whole or not at all. Files of an earlier export that the
    /// artifact does not have are removed; other files of the folder stay.
    ///
    /// # Errors
    /// When the object is damaged, or a file cannot be written.
    pub fn export(&self, digest: Digest, to: &Path) -> Result<(), RunError> {
        let object = self.object(digest)?;
        let earlier: Option<Manifest> = read_json(&to.join(MANIFEST), VERSION.into()).ok();
        files::create_dir(to)?;
        let names = || object.manifest.files.iter().map(|file| file.path.as_str());
        for name in names().chain([MANIFEST]) {
            let (from, target) = (object.dir.join(name), to.join(name));
            let folder = target.parent().expect("it is below the folder");
            files::create_dir(folder)?;
            let copy = || -> std::io::Result<()> {
                let mut new = tempfile::Builder::new().prefix(".lmpipe-").tempfile_in(folder)?;
                std::io::copy(&mut fs::File::open(&from)?, new.as_file_mut())?;
                new.as_file().sync_all()?;
                new.persist(&target).map_err(|error| error.error)?;
                Ok(())
            };
            copy().at("cannot write", &target)?;
            set_mode(&target, 0o644)?;
        }
        for old in earlier.iter().flat_map(|manifest| &manifest.files) {
            // The list is the user's by now: a path that leads out of the folder is not followed.
            let inside = Path::new(&old.path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
            let path = to.join(&old.path);
            if inside && !names().any(|name| name == old.path) && path.is_file() {
                fs::remove_file(&path).at("cannot remove", &path)?;
            }
        }
        Ok(())
    }
}

/// Adds the record to what a stage wrote, and makes all of it the store's own; gives its files.
fn close(root: &Path, record: &Record) -> Result<Vec<FileEntry>, RunError> {
    // A stage that copies an artifact may have brought its `lmpipe.json` along.
    let manifest = root.join(MANIFEST);
    if manifest.exists() {
        fs::remove_file(&manifest).at("cannot remove", &manifest)?;
    }
    write_json(&root.join(RECORD), record)?;
    own_files(root)?;
    list(root)
}

/// The digest of an object: of the names and digests of its files, in the order of the names.
pub(super) fn content_digest(files: &[FileEntry]) -> Digest {
    canonical::digest(&files.iter().map(|file| (&file.path, file.digest)).collect::<Vec<_>>())
}

/// The files below a folder but its manifest, with their digests.
pub(super) fn list(root: &Path) -> Result<Vec<FileEntry>, RunError> {
    let mut entries = Vec::new();
    for relative in digest::files_below(root).at("cannot read", root)? {
        if relative == Path::new(MANIFEST) {
            continue;
        }
        let path = root.join(&relative);
        let parts: Option<Vec<_>> = relative.iter().map(|part| part.to_str()).collect();
        let Some(parts) = parts else {
            return Err(RunError::Unreadable { path, why: "its name is not Unicode".to_owned() });
        };
        let bytes = fs::metadata(&path).at("cannot read", &path)?.len();
        entries.push(FileEntry {
            path: parts.join("/"),
            bytes,
            digest: Digest::of_file(&path).at("cannot read", &path)?,
        });
    }
    // By the name that is stored, which on some systems is not the order of the paths.
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Replaces links by copies: the store owns its content, and what it makes read only is its own.
fn own_files(root: &Path) -> Result<(), RunError> {
    for relative in digest::files_below(root).at("cannot read", root)? {
        let path = root.join(relative);
        if is_shared(&path)? {
            let copy = || -> std::io::Result<()> {
                let folder = path.parent().expect("it is below the folder");
                let mut own = tempfile::Builder::new().prefix(".lmpipe-").tempfile_in(folder)?;
                std::io::copy(&mut fs::File::open(&path)?, own.as_file_mut())?;
                own.persist(&path).map_err(|error| error.error)?;
                Ok(())
            };
            copy().at("cannot copy", &path)?;
        }
    }
    Ok(())
}

fn is_shared(path: &Path) -> Result<bool, RunError> {
    let about = fs::symlink_metadata(path).at("cannot read", path)?;
    #[cfg(unix)]
    let hard_links = std::os::unix::fs::MetadataExt::nlink(&about);
    #[cfg(not(unix))]
    let hard_links = 1;
    Ok(about.is_symlink() || hard_links > 1)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), RunError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).at("cannot set the permissions of", path)?;
    }
    // Elsewhere a read-only file cannot be removed either, and the store must be able to.
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

/// Reads a JSON file of an object; of a file without a version there is only the one that the object's digest names.
fn read_part<T: serde::de::DeserializeOwned>(path: &Path, version: Option<u32>) -> Result<T, Damage> {
    let damage = |kind| Damage { path: path.to_owned(), kind };
    if !path.is_file() {
        return Err(damage(DamageKind::Gone));
    }
    match version {
        Some(version) => read_json(path, version.into()).map_err(|error| match error {
            RunError::Unreadable { why, .. } => damage(DamageKind::Unreadable(why)),
            other => damage(DamageKind::Unreadable(other.to_string())),
        }),
        None => {
            files::read(path).map_err(|error| damage(DamageKind::Unreadable(error.to_string()))).and_then(|bytes| {
                serde_json::from_slice(&bytes).map_err(|error| damage(DamageKind::Unreadable(error.to_string())))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &Store, name: &str, content: &[(&str, &str)]) -> Digest {
        let scratch = store.scratch().unwrap();
        for (name, text) in content {
            let path = scratch.path().join(name);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write_atomic(&path, text.as_bytes()).unwrap();
        }
        let parents = vec![Parent { port: "data".into(), name: "clean".into(), digest: Digest::of(b"parent") }];
        let fingerprint = Digest::of(name.as_bytes());
        let origin = Origin { kind: ArtifactKind::Model, stage: "toy", name, fingerprint, parents };
        store.put(scratch, &Record::default(), origin).unwrap()
    }

    #[test]
    fn content_names_an_object() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let a = put(&store, "a", &[("x", "1"), ("sub/y", "2")]);
        // Where it comes from is not part of it: the first origin stays.
        assert_eq!(put(&store, "b", &[("x", "1"), ("sub/y", "2"), ("lmpipe.json", "of a copy")]), a);
        assert_ne!(put(&store, "c", &[("x", "1"), ("sub/z", "2")]), a);
        let object = store.object(a).unwrap();
        assert_eq!(object.manifest.name, "a");
        assert_eq!(object.manifest.parents[0].name, "clean");
        assert_eq!(
            object.manifest.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
            ["record.json", "sub/y", "x"]
        );
        let left = digest::files_below(&dir.path().join("tmp")).unwrap();
        assert!(left.iter().all(|file| file.ends_with("alive")), "nothing is left half-made: {left:?}");
        let read_only = fs::metadata(object.dir.join("x")).unwrap().permissions().readonly();
        assert_eq!(read_only, cfg!(unix));
        store.discard(a).unwrap();
        assert_eq!(store.object(a).unwrap_err().kind, DamageKind::Gone);
    }

    #[test]
    #[cfg(unix)]
    fn links_become_files() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        files::write_atomic(&outside, b"shared").unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let scratch = store.scratch().unwrap();
        std::os::unix::fs::symlink(&outside, scratch.path().join("soft")).unwrap();
        fs::hard_link(&outside, scratch.path().join("hard")).unwrap();
        let fingerprint = Digest::of(b"");
        let origin = Origin { kind: ArtifactKind::Model, stage: "toy", name: "a", fingerprint, parents: Vec::new() };
        let digest = store.put(scratch, &Record::default(), origin).unwrap();
        files::write_atomic(&outside, b"changed").unwrap();
        assert!(!fs::metadata(&outside).unwrap().permissions().readonly());
        for name in ["soft", "hard"] {
            let path = store.object_dir(digest).join(name);
            assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
            assert_eq!(files::read_text(&path).unwrap(), "shared");
        }
    }

    #[test]
    fn an_export_replaces_the_earlier_one_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let to = dir.path().join("reports/mobile");
        store.export(put(&store, "a", &[("index.html", "1"), ("assets/old.svg", "1")]), &to).unwrap();
        files::write_atomic(&to.join("mine.txt"), b"mine").unwrap();
        store.export(put(&store, "a", &[("index.html", "2")]), &to).unwrap();
        assert_eq!(files::read_text(&to.join("index.html")).unwrap(), "2");
        assert!(!to.join("assets/old.svg").exists());
        assert!(to.join("mine.txt").exists());
        assert!(!fs::metadata(to.join("index.html")).unwrap().permissions().readonly());
        let error = store.export(Digest::of(b"unknown"), &to).unwrap_err();
        assert!(error.to_string().ends_with("is gone"), "{error}");
    }

    #[test]
    fn damage_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let content = [("x", "12345")];
        let digest = put(&store, "a", &content);
        let dir = store.object_dir(digest);
        let kinds = [(Some("123"), DamageKind::Size { expected: 5, found: 3 }), (None, DamageKind::Gone)];
        for (text, kind) in kinds {
            match text {
                Some(text) => files::write_atomic(&dir.join("x"), text.as_bytes()).unwrap(),
                None => fs::remove_file(dir.join("x")).unwrap(),
            }
            assert_eq!(store.object(digest).unwrap_err(), Damage { path: dir.join("x"), kind });
        }
        files::write_atomic(&dir.join(MANIFEST), b"{\"version\": 1, \"ki").unwrap();
        assert!(matches!(store.object(digest).unwrap_err().kind, DamageKind::Unreadable(_)));
        // Making it again mends it.
        assert_eq!(put(&store, "a", &content), digest);
        store.object(digest).unwrap();
        // A change that keeps the size is found by reading everything, and mended in the same way.
        files::write_atomic(&dir.join("x"), b"54321").unwrap();
        store.object(digest).unwrap();
        assert_eq!(store.verify().unwrap(), [Damage { path: dir.join("x"), kind: DamageKind::Content }]);
        put(&store, "a", &content);
        assert_eq!(store.verify().unwrap(), []);
        files::write_atomic(&dir.join("y"), b"").unwrap();
        assert_eq!(store.verify().unwrap(), [Damage { path: dir.join("y"), kind: DamageKind::Foreign }]);
    }
}
