//! What stands where in a model directory of the hub: which files hold the weights, and which the tokenizer.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::Value;

use super::{fs, plural};

/// The files that weights are looked for in, best first: one file, or an index that names several.
pub const WEIGHTS: [&str; 4] =
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

/// All files that may belong to a tokenizer.
pub const TOKENIZER: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
];

/// The files that hold a model's weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// The index, where there are several files.
    pub index: Option<String>,
    /// The files with the tensors, sorted.
    pub files: Vec<String>,
    /// Which file each tensor is in, as the index has it; empty without one.
    pub places: BTreeMap<String, String>,
}

/// What a tokenizer is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenizerSource {
    /// `tokenizer.json`, which says all.
    Json,
    /// `vocab.txt`.
    WordPiece,
    /// `vocab.json` and `merges.txt`.
    ByteLevelBpe,
}

impl TokenizerSource {
    /// The file with the tokens.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Json => "tokenizer.json",
            Self::WordPiece => "vocab.txt",
            Self::ByteLevelBpe => "vocab.json",
        }
    }
}

impl Weights {
    /// The index and the files.
    pub fn all_files(&self) -> impl Iterator<Item = &str> {
        self.index.iter().chain(&self.files).map(String::as_str)
    }
}

/// Finds the weights of a directory.
///
/// # Errors
/// When there are none, the index is damaged, or it names a file that is not there.
pub fn weights(dir: &Path) -> Result<Weights, String> {
    let Some(name) = WEIGHTS.into_iter().find(|name| dir.join(name).is_file()) else {
        let names = WEIGHTS.map(|name| format!("`{name}`")).join(" nor ");
        return Err(format!("there are no weights in `{}`: neither {names} is there", dir.display()));
    };
    let path = dir.join(name);
    if !is_index(name) {
        return Ok(Weights { files: vec![name.to_owned()], ..Weights::default() });
    }
    let text = fs::read_text(&path).map_err(|error| error.to_string())?;
    let places = places(&text).map_err(|what| format!("`{}` {what}", path.display()))?;
    let files: BTreeSet<_> = places.values().cloned().collect();
    if let Some(missing) = files.iter().find(|file| !dir.join(file).is_file()) {
        let path = path.display();
        return Err(format!("`{path}` names `{missing}`, which is not there (an unfinished download?)"));
    }
    Ok(Weights { index: Some(name.to_owned()), files: files.into_iter().collect(), places })
}

/// Whether one of [`WEIGHTS`] names the files of the weights, and has none itself.
pub fn is_index(name: &str) -> bool {
    name.ends_with(".index.json")
}

/// Which file each tensor is in, by the text of an index.
///
/// # Errors
/// When it is no index, or names a file outside its folder; the text follows the name of the index.
pub fn places(index: &str) -> Result<BTreeMap<String, String>, String> {
    let value: Value = serde_json::from_str(index).map_err(|error| format!("is not JSON: {error}"))?;
    let map = value.get("weight_map").and_then(Value::as_object).filter(|map| !map.is_empty());
    let mut places = BTreeMap::new();
    for (tensor, file) in map.ok_or("has no `weight_map`, which says where each tensor is")? {
        let file = file.as_str().ok_or_else(|| format!("must name a file for `{tensor}`, not `{file}`"))?;
        if file.is_empty() || file.starts_with('.') || file.contains(['/', '\\', ':']) {
            return Err(format!("names `{file}` for `{tensor}`, which is no file of its folder"));
        }
        places.insert(tensor.clone(), file.to_owned());
    }
    Ok(places)
}

/// What the tokenizer of a directory is made from.
///
/// # Errors
/// When there is nothing that it can be made from; the text follows the name of the directory.
pub fn tokenizer(dir: &Path) -> Result<TokenizerSource, String> {
    let has = |name: &str| dir.join(name).is_file();
    if has("tokenizer.json") {
        return Ok(TokenizerSource::Json);
    }
    if has("vocab.txt") {
        return Ok(TokenizerSource::WordPiece);
    }
    if has("vocab.json") && has("merges.txt") {
        return Ok(TokenizerSource::ByteLevelBpe);
    }
    let pieces: Vec<_> = ["spiece.model", "sentencepiece.bpe.model"].into_iter().filter(|name| has(name)).collect();
    if pieces.is_empty() {
        return Err(
            "has no tokenizer: neither `tokenizer.json` nor `vocab.txt` nor `vocab.json` with `merges.txt` is there"
                .to_owned(),
        );
    }
    Err(format!("has its tokenizer as {} only; {MAKE_JSON}", plural::list(&pieces)))
}

/// What to do about a tokenizer that is not read.
pub const MAKE_JSON: &str = "make a `tokenizer.json` of it in Python, with transformers: \
                             `AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`";

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, text: &str) {
        fs::write_atomic(&dir.join(name), text.as_bytes()).unwrap();
    }

    #[test]
    fn the_best_weights_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let told = |dir: &Path| weights(dir).unwrap_err().replace(&*dir.to_string_lossy(), "DIR");
        assert!(
            told(dir).starts_with("there are no weights in `DIR`: neither `model.safetensors` nor "),
            "{}",
            told(dir)
        );
        let index = "pytorch_model.bin.index.json";
        for (text, what) in [
            ("[", "is not JSON"),
            ("{}", "has no `weight_map`"),
            ("{\"weight_map\": {}}", "has no `weight_map`"),
            ("{\"weight_map\": {\"x\": 1}}", "must name a file for `x`, not `1`"),
            ("{\"weight_map\": {\"x\": \"../a.bin\"}}", "names `../a.bin` for `x`, which is no file of its folder"),
            ("{\"weight_map\": {\"x\": \"a.bin\"}}", "names `a.bin`, which is not there"),
        ] {
            write(dir, index, text);
            assert!(told(dir).starts_with(&format!("`DIR/{index}` {what}")), "{}", told(dir));
        }
        write(dir, "a.bin", "");
        let sharded = weights(dir).unwrap();
        assert_eq!(sharded.all_files().collect::<Vec<_>>(), [index, "a.bin"]);
        for name in ["pytorch_model.bin", "model.safetensors"] {
            write(dir, name, "");
            assert_eq!(weights(dir).unwrap(), Weights { files: vec![name.to_owned()], ..Weights::default() });
        }
    }

    #[test]
    fn the_best_tokenizer_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert!(tokenizer(dir).unwrap_err().starts_with("has no tokenizer: neither"));
        write(dir, "spiece.model", "");
        assert!(tokenizer(dir).unwrap_err().starts_with("has its tokenizer as `spiece.model` only; make a"));
        write(dir, "vocab.json", "");
        assert!(tokenizer(dir).is_err());
        for (name, source) in [
            ("merges.txt", TokenizerSource::ByteLevelBpe),
            ("vocab.txt", TokenizerSource::WordPiece),
            ("tokenizer.json", TokenizerSource::Json),
        ] {
            write(dir, name, "");
            assert_eq!(tokenizer(dir), Ok(source));
        }
    }
}
