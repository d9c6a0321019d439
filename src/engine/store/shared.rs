//! The shared store: a folder or a bucket through which several machines find what one of them has made.
//!
//! It holds actions and objects as the store of a machine does: `actions/FINGERPRINT.json`, and `objects/DIGEST/` with `lmpipe.json` written
//! last. Nothing that comes from it is believed: every byte is compared with its digest before it enters the machine's own store.

use std::{
    fmt,
    fs::File,
    io::{Read, Write},
    path::{Component, Path},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig, WriteMultipart, aws::AmazonS3Builder,
    local::LocalFileSystem, path::Path as Key,
};
use tokio::runtime::{Builder, Runtime};

use super::{
    Action, Object, Store,
    object::{MANIFEST, Manifest, content_digest},
};
use crate::{
    base::{
        digest::Digest,
        fs::{self as files, AtPath},
    },
    engine::error::RunError,
};

/// What travels at once.
const CHUNK: usize = 8 << 20;
/// What an action or a manifest may have: they are read into memory.
const MOST_JSON: u64 = 64 << 20;

/// A folder or a bucket that is read and written through.
pub struct Shared {
    name: String,
    objects: Arc<dyn ObjectStore>,
    prefix: String,
    runtime: Runtime,
    /// Whether it has failed: the run goes on without it.
    is_lost: AtomicBool,
}

impl fmt::Debug for Shared {
    /// Its name alone: the rest holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.name).finish()
    }
}

impl Shared {
    /// A folder, which is made, or `s3://BUCKET/PREFIX` with the address and the credentials that the environment has
    /// (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, …, as the AWS tools read them). Nothing is asked of a bucket yet.
    ///
    /// # Errors
    /// When it is neither, or the folder cannot be made.
    pub fn open(place: &str) -> Result<Self, RunError> {
        let wrong = |why: String| RunError::Shared { name: place.to_owned(), why };
        let (objects, prefix): (Arc<dyn ObjectStore>, String) = match place.split_once("://") {
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                // Who waits for a stage waits seconds for a network that is gone, not minutes.
                let retry =
                    RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(20), ..RetryConfig::default() };
                let client = ClientOptions::new().with_connect_timeout(Duration::from_secs(5)).with_allow_http(true);
                let builder = AmazonS3Builder::from_env().with_client_options(client);
                let bucket = builder.with_bucket_name(bucket).with_retry(retry).build();
                (Arc::new(bucket.map_err(|error| wrong(error.to_string()))?), prefix.trim_matches('/').to_owned())
            }
            Some((scheme, _)) => {
                return Err(wrong(format!("`{scheme}://` is not known: it is a folder, or `s3://BUCKET/PREFIX`")));
            }
            None => {
                files::create_dir(Path::new(place))?;
                let folder = LocalFileSystem::new_with_prefix(place).map_err(|error| wrong(error.to_string()))?;
                (Arc::new(folder), String::new())
            }
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| wrong(error.to_string()))?;
        Ok(Self { name: place.to_owned(), objects, prefix, runtime, is_lost: AtomicBool::new(false) })
    }

    /// Brings what a fingerprint led to into a store, where it is not; nothing when it is not here either.
    pub(in crate::engine) fn pull(
        &self,
        store: &Store,
        fingerprint: Digest,
    ) -> Result<Option<(Action, Object)>, RunError> {
        let Some(bytes) = self.small(&action_name(fingerprint))? else { return Ok(None) };
        let Some(action) = Action::read(&bytes, fingerprint) else {
            return Err(self.damaged(format!("the record of {fingerprint} is not what was written")));
        };
        if !self.pull_object(store, action.digest)? {
            return Err(self.damaged(format!("{} is gone, though its record is there", action.digest)));
        }
        store.put_action(&action)?;
        let object = store.object(action.digest)?;
        Ok(Some((action, object)))
    }

    /// Brings an object into a store, where it is not; tells whether it is there now.
    ///
    /// # Errors
    /// When it cannot be reached, or what comes is not what was written.
    pub fn pull_object(&self, store: &Store, digest: Digest) -> Result<bool, RunError> {
        if store.whole_object(digest).is_ok() {
            return Ok(true);
        }
        let pulled = self.download_object(store, digest);
        if matches!(pulled, Err(RunError::SharedDamage { .. })) {
            // Without its manifest it is none, so that who makes it again writes it anew. Who may only read leaves it.
            let _ = self.runtime.block_on(self.objects.delete(&self.key(&manifest_name(digest))));
        }
        pulled
    }

    fn download_object(&self, store: &Store, digest: Digest) -> Result<bool, RunError> {
        let Some(bytes) = self.small(&manifest_name(digest))? else { return Ok(false) };
        let damaged = |what: &str| self.damaged(format!("the object {digest}: {what}"));
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| damaged(&error.to_string()))?;
        if manifest.digest != digest || content_digest(&manifest.files) != digest {
            return Err(damaged("its list of files is another's"));
        }
        let scratch = store.scratch()?;
        for file in &manifest.files {
            // A name such as `../x` would be written outside of the store.
            if !Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(damaged(&format!("`{}` leads out of it", file.path)));
            }
            let path = scratch.path().join(&file.path);
            files::create_dir(path.parent().unwrap_or(scratch.path()))?;
            self.download(&format!("objects/{digest}/{}", file.path), file.bytes, &path)?;
            if Digest::of_file(&path).at("cannot read", &path)? != file.digest {
                return Err(damaged(&format!("`{}` has another content", file.path)));
            }
        }
        store.adopt(scratch, &manifest)?;
        Ok(true)
    }

    /// Writes what an action led to, and then the action.
    pub(in crate::engine) fn push(&self, store: &Store, action: &Action) -> Result<(), RunError> {
        let object = store.object(action.digest)?;
        let folder = format!("objects/{}", action.digest);
        if !self.has(&manifest_name(action.digest))? {
            let names = object.manifest.files.iter().map(|file| file.path.as_str());
            // Last: an object with a manifest is whole.
            for name in names.chain([MANIFEST]) {
                self.upload(&object.dir.join(name), &format!("{folder}/{name}"))?;
            }
        }
        let path = store.action_path(action.fingerprint);
        self.upload(&path, &action_name(action.fingerprint))
    }

    /// Asks something of it, unless it could not be reached before; the first time is told by `told`, and the run goes on without it.
    /// What is damaged there is as if it were not there.
    pub(in crate::engine) fn attempt<T>(
        &self,
        told: impl FnOnce(String),
        ask: impl FnOnce(&Self) -> Result<T, RunError>,
    ) -> Option<T> {
        if self.is_lost.load(Ordering::SeqCst) {
            return None;
        }
        match ask(self) {
            Ok(answer) => Some(answer),
            Err(error @ RunError::SharedDamage { .. }) => {
                told(format!("{error}; the stage runs"));
                None
            }
            Err(error) => {
                let is_first = !self.is_lost.swap(true, Ordering::SeqCst);
                if is_first {
                    told(format!("{error}; the run goes on without it"));
                }
                None
            }
        }
    }

    fn wrong(&self, why: String) -> RunError {
        RunError::Shared { name: self.name.clone(), why }
    }

    fn damaged(&self, why: String) -> RunError {
        RunError::SharedDamage { name: self.name.clone(), why }
    }

    fn key(&self, name: &str) -> Key {
        Key::from(format!("{}/{name}", self.prefix))
    }

    fn failed(&self, error: &object_store::Error) -> RunError {
        self.wrong(error.to_string())
    }

    fn has(&self, name: &str) -> Result<bool, RunError> {
        match self.runtime.block_on(self.objects.head(&self.key(name))) {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// A small file as a whole; nothing where there is none.
    fn small(&self, name: &str) -> Result<Option<Vec<u8>>, RunError> {
        let found = self.runtime.block_on(async {
            let found = self.objects.get(&self.key(name)).await?;
            if found.meta.size > MOST_JSON { Ok(None) } else { found.bytes().await.map(Some) }
        });
        match found {
            Ok(Some(bytes)) => Ok(Some(bytes.to_vec())),
            Ok(None) => Err(self.damaged(format!("`{name}` is larger than any such file is"))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Writes so many bytes of a file that is there to a path; fewer or more are none of ours.
    fn download(&self, name: &str, bytes: u64, to: &Path) -> Result<(), RunError> {
        let key = self.key(name);
        let mut file = File::create(to).at("cannot write", to)?;
        let size = match self.runtime.block_on(self.objects.head(&key)) {
            Ok(meta) => meta.size,
            Err(object_store::Error::NotFound { .. }) => return Err(self.damaged(format!("`{name}` is gone"))),
            Err(error) => return Err(self.failed(&error)),
        };
        if size != bytes {
            return Err(self.damaged(format!("`{name}` has {size} bytes instead of {bytes}")));
        }
        let mut start = 0;
        while start < bytes {
            let end = bytes.min(start + CHUNK as u64);
            let part = self.runtime.block_on(self.objects.get_range(&key, start..end));
            file.write_all(&part.map_err(|error| self.failed(&error))?).at("cannot write", to)?;
            start = end;
        }
        file.sync_all().at("cannot write", to)?;
        Ok(())
    }

    /// Writes a file, in parts where it is large; it is seen when it is whole.
    fn upload(&self, from: &Path, name: &str) -> Result<(), RunError> {
        let key = self.key(name);
        let mut file = File::open(from).at("cannot read", from)?;
        let bytes = file.metadata().at("cannot read", from)?.len();
        if bytes <= CHUNK as u64 {
            let whole = files::read(from)?;
            let done = self.runtime.block_on(self.objects.put(&key, whole.into()));
            return done.map(drop).map_err(|error| self.failed(&error));
        }
        self.runtime.block_on(async {
            let upload = self.objects.put_multipart(&key).await.map_err(|error| self.failed(&error))?;
            let mut parts = WriteMultipart::new_with_chunk_size(upload, CHUNK);
            let mut buffer = vec![0; CHUNK];
            loop {
                let n = file.read(&mut buffer).at("cannot read", from)?;
                if n == 0 {
                    break;
                }
                parts.wait_for_capacity(2).await.map_err(|error| self.failed(&error))?;
                parts.write(&buffer[..n]);
            }
            parts.finish().await.map(drop).map_err(|error| self.failed(&error))
        })
    }
}

fn action_name(fingerprint: Digest) -> String {
    format!("actions/{fingerprint}.json")
}

fn manifest_name(digest: Digest) -> String {
    format!("objects/{digest}/{MANIFEST}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stage::{ArtifactKind, Record};

    /// A store with an object of two files, one of them large.
    fn made(dir: &Path) -> (Store, Action) {
        let store = Store::open(&dir.join("one")).unwrap();
        let scratch = store.scratch().unwrap();
        files::create_dir(&scratch.path().join("in")).unwrap();
        files::write_atomic(&scratch.path().join("in/a b.txt"), b"some text").unwrap();
        files::write_atomic(&scratch.path().join("large.bin"), &vec![7; 2 * CHUNK + 5]).unwrap();
        let key = json!({"stage": "toy"});
        let action_of = |digest| Action::new("a", ArtifactKind::Model, key.clone(), digest, 1.0, "cpu".into());
        let fingerprint = action_of(Digest::of(b"")).fingerprint;
        let origin = super::super::object::Origin {
            kind: ArtifactKind::Model,
            stage: "toy",
            name: "a",
            fingerprint,
            parents: Vec::new(),
        };
        let digest = store.put(scratch, &Record::default(), origin).unwrap();
        store.put_action(&action_of(digest)).unwrap();
        (store, action_of(digest))
    }

    #[test]
    fn what_one_store_made_another_finds() {
        let dir = tempfile::tempdir().unwrap();
        let (store, action) = made(dir.path());
        let action = store.action(action.fingerprint).unwrap();
        let shared = Shared::open(dir.path().join("shared").to_str().unwrap()).unwrap();
        let other = Store::open(&dir.path().join("two")).unwrap();
        assert!(shared.pull(&other, action.fingerprint).unwrap().is_none(), "it has nothing yet");
        shared.push(&store, &action).unwrap();
        shared.push(&store, &action).unwrap();
        let (found, object) = shared.pull(&other, action.fingerprint).unwrap().unwrap();
        assert_eq!(found, action);
        assert_eq!(other.whole_object(action.digest).unwrap().manifest, object.manifest);
        assert_eq!(files::read(&object.dir.join("in/a b.txt")).unwrap(), b"some text");
        assert!(!shared.pull_object(&other, Digest::of(b"nothing")).unwrap());
    }

    #[test]
    fn what_comes_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let (store, action) = made(dir.path());
        let action = store.action(action.fingerprint).unwrap();
        let place = dir.path().join("shared");
        let shared = Shared::open(place.to_str().unwrap()).unwrap();
        shared.push(&store, &action).unwrap();
        let folder = place.join(format!("objects/{}", action.digest));
        let other = Store::open(&dir.path().join("two")).unwrap();
        let manifest = files::read_text(&folder.join(MANIFEST)).unwrap();
        let large = files::read(&folder.join("large.bin")).unwrap();
        let mut flipped = large.clone();
        flipped[CHUNK] ^= 1;
        for (name, bytes, told) in [
            ("large.bin", flipped, "`large.bin` has another content"),
            ("large.bin", large[1..].to_vec(), "bytes instead of"),
            (
                MANIFEST,
                manifest.replace("large.bin", "../../../large.bin").into_bytes(),
                "its list of files is another's",
            ),
            (MANIFEST, manifest.as_bytes()[..99].to_vec(), "EOF while parsing"),
        ] {
            let whole = files::read(&folder.join(name)).unwrap();
            files::write_atomic(&folder.join(name), &bytes).unwrap();
            let error = shared.pull(&other, action.fingerprint).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
            assert!(other.action(action.fingerprint).is_none() && other.object(action.digest).is_err(), "{told}");
            // Who has it mends it.
            shared.push(&store, &action).unwrap();
            assert_eq!(files::read(&folder.join(name)).unwrap(), whole, "{told}");
        }
        std::fs::remove_file(folder.join("in/a b.txt")).unwrap();
        let error = shared.pull(&other, action.fingerprint).unwrap_err();
        assert!(matches!(&error, RunError::SharedDamage { why, .. } if why.ends_with("is gone")), "{error}");
        shared.push(&store, &action).unwrap();
        assert!(shared.pull(&other, action.fingerprint).unwrap().is_some());
    }

    #[test]
    fn who_is_lost_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Shared::open(dir.path().join("shared").to_str().unwrap()).unwrap();
        let told = std::cell::RefCell::new(Vec::new());
        let fail =
            || shared.attempt(|text| told.borrow_mut().push(text), |it| Err::<(), _>(it.wrong("no network".into())));
        assert!(fail().is_none() && fail().is_none());
        assert_eq!(told.borrow().len(), 1);
        assert!(told.borrow()[0].contains("no network; the run goes on without it"), "{told:?}");
        assert!(shared.attempt(|_| (), |_| Ok(1)).is_none(), "it is not asked again");
        let error = Shared::open("gs://bucket").unwrap_err().to_string();
        assert!(error.contains("`gs://` is not known"), "{error}");
    }
}
