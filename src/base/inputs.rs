//! The files behind a path that a recipe names: a file, a folder, or a pattern with `*`.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use super::digest::{Digest, files_below};

/// The files behind a path, in the order of their names: itself, all visible ones below a folder, or those that fit a pattern
/// (`part-*.csv.gz`, `**/*.parquet`, `[0-9]`).
///
/// # Errors
/// When there is none, or a folder cannot be read.
pub fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    let not_found = |what: &str| io::Error::new(io::ErrorKind::NotFound, what);
    if path.is_dir() {
        let is_visible =
            |name: &PathBuf| name.components().all(|part| !part.as_os_str().to_string_lossy().starts_with(['.', '_']));
        let files: Vec<_> = files_below(path)?.into_iter().filter(is_visible).map(|name| path.join(name)).collect();
        return if files.is_empty() { Err(not_found("there is no file in the folder")) } else { Ok(files) };
    }
    let pattern = plain(path);
    let pattern = pattern.to_string_lossy();
    if !is_pattern(&pattern) || path.exists() {
        return Ok(vec![path.to_owned()]);
    }
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let found = glob::glob_with(&pattern, options)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("not a pattern of files: {error}")))?;
    let mut files = found.collect::<Result<Vec<_>, _>>().map_err(io::Error::from)?;
    files.retain(|file| file.is_file());
    files.sort();
    if files.is_empty() { Err(not_found("no file fits the pattern")) } else { Ok(files) }
}

/// Whether a path is a pattern.
#[must_use]
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The digest of what is behind a path: of a file's content; of the files of a folder or a pattern, of their contents and of their
/// names below the folder that they have in common, which say columns (`lang=en/`).
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn digest_of(path: &Path) -> io::Result<Digest> {
    if path.is_dir() {
        return Digest::of_dir(path);
    }
    let files = files_of(path)?;
    match files.as_slice() {
        [file] if file == path => Digest::of_file(file),
        files => Digest::of_files(&common_folder(path), files),
    }
}

/// The folder that all files behind a path are below: those parts of a pattern that are none.
#[must_use]
pub fn common_folder(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    let path = plain(path);
    let folder = path.parent().unwrap_or(Path::new(""));
    folder.components().take_while(|part| !is_pattern(&part.as_os_str().to_string_lossy())).collect()
}

/// A path without `./`, which the files that fit a pattern do not have.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::fs::write_atomic, *};

    #[test]
    fn folders_and_patterns_are_files_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("lang=en")).unwrap();
        std::fs::create_dir_all(root.join("lang=zh")).unwrap();
        for file in ["lang=zh/a.csv", "lang=en/b.csv", "lang=en/a.csv", "lang=en/.hidden", "c.csv", "_SUCCESS"] {
            write_atomic(&root.join(file), file.as_bytes()).unwrap();
        }
        let names = |path: &Path| -> Vec<String> {
            let files = files_of(path).unwrap();
            files.iter().map(|file| file.strip_prefix(root).unwrap().display().to_string()).collect()
        };
        assert_eq!(names(root), ["c.csv", "lang=en/a.csv", "lang=en/b.csv", "lang=zh/a.csv"]);
        assert_eq!(names(&root.join("*/a.csv")), ["lang=en/a.csv", "lang=zh/a.csv"]);
        assert_eq!(names(&root.join("**/*.csv")).len(), 4);
        assert_eq!(names(&root.join("c.csv")), ["c.csv"]);
        let told = |pattern: &str| files_of(&root.join(pattern)).unwrap_err().to_string();
        assert_eq!(told("*.tsv"), "no file fits the pattern");
        assert!(told("a**b").contains("not a pattern of files"), "{}", told("a**b"));
        assert_eq!(common_folder(&root.join("lang=*/a.csv")), root);
        assert_eq!(names(&root.join("./lang=*/./b.csv")), ["lang=en/b.csv"]);
        assert_eq!(common_folder(Path::new("./a/b*/c")), Path::new("a"));
        // Contents and names count, the folder's own place does not.
        let before = digest_of(&root.join("*/a.csv")).unwrap();
        std::fs::rename(root.join("lang=zh"), root.join("lang=de")).unwrap();
        assert_ne!(digest_of(&root.join("*/a.csv")).unwrap(), before);
        assert_eq!(digest_of(&root.join("c.csv")).unwrap(), Digest::of(b"c.csv"));
        let before = digest_of(&root.join("lang=d*/a.csv")).unwrap();
        std::fs::rename(root.join("lang=de"), root.join("lang=da")).unwrap();
        assert_ne!(digest_of(&root.join("lang=d*/a.csv")).unwrap(), before);
    }
}
