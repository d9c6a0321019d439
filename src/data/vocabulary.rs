//! Tokenizers with fewer tokens.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use serde_json::{Map, Value, json};

use super::{DataError, Tokenizer};
use crate::base::fs;

/// A tokenizer that was left fewer tokens.
pub struct Vocabulary {
    /// The tokens that stay, by their ids before, ascending; the new id of each is its place.
    pub kept: Vec<u32>,
    /// The new files of the tokenizer; those of the old one that are not among them are void.
    pub files: BTreeMap<&'static str, Vec<u8>>,
}

impl Tokenizer {
    /// The tokenizer of a model's folder with the tokens that are used alone, and the special ones, and those that these are
    /// merged from; with `characters` also those of one character, so that words that are not used can still be spelled.
    ///
    /// Texts that only have used tokens are tokenised as before: pieces are taken longest first (`WordPiece`), merged in a
    /// fixed order (BPE) or chosen as the likeliest (Unigram), and what was never the longest, next or likeliest is not
    /// missed.
    ///
    /// # Errors
    /// When the folder's tokenizer cannot be read, or is of a kind that cannot be taken apart.
    pub fn prune(&self, model_dir: &Path, used: &BTreeSet<u32>, characters: bool) -> Result<Vocabulary, DataError> {
        let path = model_dir.join("tokenizer.json");
        let text = if path.is_file() { fs::read_text(&path)? } else { self.to_json()? };
        let wrong = |what: &str| DataError::content(format!("`{}` {what}", path.display()));
        let mut tokenizer: Value =
            serde_json::from_str(&text).map_err(|error| wrong(&format!("is not JSON: {error}")))?;
        let kind = Kind::of(&tokenizer["model"]).map_err(|what| wrong(&what))?;
        let mut ids = used.clone();
        ids.extend(special_ids(&tokenizer));
        kind.close(&tokenizer["model"], &mut ids, characters);
        let kept: Vec<u32> = ids.into_iter().collect();
        let new: HashMap<u32, u32> = kept.iter().zip(0..).map(|(old, new)| (*old, new)).collect();
        if let Some(model) = tokenizer.get_mut("model") {
            kind.keep(model, &new);
        }
        let added = tokenizer.get_mut("added_tokens").and_then(Value::as_array_mut);
        for id in added.into_iter().flatten().filter_map(|token| token.get_mut("id")) {
            renumber(id, &new);
        }
        if let Some(post_processor) = tokenizer.get_mut("post_processor") {
            visit_ids(post_processor, &mut |id| renumber(id, &new));
        }
        if let Some(padding) = tokenizer.get_mut("padding").and_then(|padding| padding.get_mut("pad_id")) {
            renumber(padding, &new);
        }
        let mut files = kind.files(&tokenizer["model"], model_dir);
        files.insert("tokenizer.json", pretty(&tokenizer));
        for name in ["tokenizer_config.json", "special_tokens_map.json"] {
            let path = model_dir.join(name);
            if path.is_file() {
                let mut config: Value = serde_json::from_str(&fs::read_text(&path)?)
                    .map_err(|error| DataError::content(format!("`{}` is not JSON: {error}", path.display())))?;
                if let Some(tokens) = config.get_mut("added_tokens_decoder").and_then(Value::as_object_mut) {
                    rename_keys(tokens, &new);
                }
                files.insert(name, pretty(&config));
            }
        }
        Ok(Vocabulary { kept, files })
    }
}

/// How a tokenizer finds its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Greedily, the longest piece first; also whole words.
    WordPiece,
    /// By merges.
    Bpe,
    /// As the likeliest pieces.
    Unigram,
}

impl Kind {
    fn of(model: &Value) -> Result<Self, String> {
        let has = |affix: &str| model[affix].as_str().is_some_and(|affix| !affix.is_empty());
        match model["type"].as_str() {
            Some("WordPiece" | "WordLevel") => Ok(Self::WordPiece),
            Some("BPE") if has("continuing_subword_prefix") || has("end_of_word_suffix") => {
                Err("merges pieces with a prefix or a suffix, which cannot be taken apart".to_owned())
            }
            Some("BPE") => Ok(Self::Bpe),
            Some("Unigram") => Ok(Self::Unigram),
            // Files of old versions do not say.
            None if model["merges"].is_array() => Ok(Self::Bpe),
            None if model["vocab"].is_array() => Ok(Self::Unigram),
            None if model["vocab"].is_object() => Ok(Self::WordPiece),
            _ => Err(format!("is a tokenizer of the kind {}, which cannot be taken apart", model["type"])),
        }
    }

    /// Adds to the tokens that stay those that they need.
    fn close(self, model: &Value, ids: &mut BTreeSet<u32>, characters: bool) {
        let pieces = pieces(model);
        let is_character = |piece: &str| {
            let piece = piece.strip_prefix("##").unwrap_or(piece);
            piece.chars().count() == 1
        };
        // Bytes are what every text is merged from.
        if characters || self == Self::Bpe {
            ids.extend(pieces.iter().filter(|(piece, _)| is_character(piece)).map(|(_, id)| *id));
        }
        if self == Self::Unigram
            && let Some(unknown) = model["unk_id"].as_u64()
        {
            ids.insert(unknown as u32);
        }
        if let Some(unknown) = model["unk_token"].as_str().and_then(|unknown| pieces.get(unknown)) {
            ids.insert(*unknown);
        }
        if self == Self::Bpe {
            let merges = merges(model);
            let used: Vec<&str> = pieces.iter().filter(|(_, id)| ids.contains(*id)).map(|(piece, _)| *piece).collect();
            for piece in used {
                for part in merged(piece, &merges) {
                    ids.extend(pieces.get(part.as_str()));
                }
            }
        }
    }

    /// Leaves a model the tokens that stay, under their new ids.
    fn keep(self, model: &mut Value, new: &HashMap<u32, u32>) {
        match &mut model["vocab"] {
            Value::Array(pieces) => {
                let mut id = 0;
                pieces.retain(|_| {
                    id += 1;
                    new.contains_key(&(id - 1))
                });
            }
            Value::Object(pieces) => {
                let mut kept: Vec<(u32, String)> = pieces
                    .iter()
                    .filter_map(|(piece, id)| Some((*new.get(&u32::try_from(id.as_u64()?).ok()?)?, piece.clone())))
                    .collect();
                kept.sort();
                *pieces = kept.into_iter().map(|(id, piece)| (piece, json!(id))).collect();
            }
            _ => {}
        }
        if self == Self::Unigram && model["unk_id"].is_u64() {
            renumber(&mut model["unk_id"], new);
        }
        if self == Self::Bpe {
            let pieces: BTreeSet<String> = pieces(model).into_keys().map(str::to_owned).collect();
            if let Some(merges) = model["merges"].as_array_mut() {
                merges.retain(|merge| {
                    pair(merge).is_some_and(|(a, b)| {
                        pieces.contains(a) && pieces.contains(b) && pieces.contains(&format!("{a}{b}"))
                    })
                });
            }
        }
    }

    /// The files beside `tokenizer.json` that say the same, where the folder has them.
    fn files(self, model: &Value, dir: &Path) -> BTreeMap<&'static str, Vec<u8>> {
        let mut files = BTreeMap::new();
        let has = |name: &str| dir.join(name).is_file();
        if self == Self::WordPiece && has("vocab.txt") {
            let mut pieces: Vec<_> = pieces(model).into_iter().map(|(piece, id)| (id, piece)).collect();
            pieces.sort_unstable();
            files
                .insert("vocab.txt", pieces.iter().flat_map(|(_, piece)| [piece.as_bytes(), b"\n"].concat()).collect());
        }
        if self == Self::Bpe && has("vocab.json") && has("merges.txt") {
            let lines = model["merges"].as_array().into_iter().flatten().filter_map(pair);
            let mut text = "#version: 0.2\n".to_owned();
            lines.for_each(|(a, b)| text.extend([a, " ", b, "\n"]));
            files.insert("vocab.json", pretty(&model["vocab"]));
            files.insert("merges.txt", text.into_bytes());
        }
        files
    }
}

/// The tokens and their ids.
fn pieces(model: &Value) -> BTreeMap<&str, u32> {
    match &model["vocab"] {
        Value::Array(pieces) => {
            pieces.iter().zip(0..).filter_map(|(piece, id)| Some((piece[0].as_str()?, id))).collect()
        }
        Value::Object(pieces) => {
            pieces.iter().filter_map(|(piece, id)| Some((piece.as_str(), u32::try_from(id.as_u64()?).ok()?))).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// The two parts of a merge, `"a b"` or `["a", "b"]`.
fn pair(merge: &Value) -> Option<(&str, &str)> {
    match merge {
        Value::String(merge) => merge.split_once(' '),
        Value::Array(parts) => Some((parts.first()?.as_str()?, parts.get(1)?.as_str()?)),
        _ => None,
    }
}

/// The rank of each merge.
fn merges(model: &Value) -> HashMap<(&str, &str), usize> {
    let merges = model["merges"].as_array().into_iter().flatten().filter_map(pair);
    merges.enumerate().map(|(rank, pair)| (pair, rank)).collect()
}

/// Everything that a piece is merged from, step by step (Sennrich et al., 2016, algorithm 1).
fn merged(piece: &str, merges: &HashMap<(&str, &str), usize>) -> Vec<String> {
    let mut parts: Vec<String> = piece.chars().map(String::from).collect();
    let mut seen = parts.clone();
    loop {
        let ranks = parts.windows(2).enumerate();
        let next = ranks.filter_map(|(at, pair)| Some((merges.get(&(pair[0].as_str(), pair[1].as_str()))?, at))).min();
        let Some((_, at)) = next else { return seen };
        let right = parts.remove(at + 1);
        parts[at].push_str(&right);
        seen.push(parts[at].clone());
    }
}

/// The ids of added tokens, and of those that the post-processor puts in.
fn special_ids(tokenizer: &Value) -> BTreeSet<u32> {
    let added = tokenizer["added_tokens"].as_array().into_iter().flatten().filter_map(|token| token["id"].as_u64());
    let mut ids: BTreeSet<u32> = added.map(|id| id as u32).collect();
    let mut post = tokenizer["post_processor"].clone();
    visit_ids(&mut post, &mut |id| ids.extend(id.as_u64().map(|id| id as u32)));
    ids
}

fn renumber(id: &mut Value, new: &HashMap<u32, u32>) {
    if let Some(number) = id.as_u64().and_then(|id| u32::try_from(id).ok()).and_then(|id| new.get(&id)) {
        *id = json!(number);
    }
}

/// Visits the ids in a post-processor: `"ids": [1, …]`, and `"cls": ["[CLS]", 1]`.
fn visit_ids(value: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value) {
                    ("ids", Value::Array(ids)) => ids.iter_mut().for_each(&mut *visit),
                    ("cls" | "sep", Value::Array(token)) => token.iter_mut().skip(1).for_each(&mut *visit),
                    (_, value) => visit_ids(value, visit),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| visit_ids(value, visit)),
        _ => {}
    }
}

/// Renumbers the keys of a map from ids.
fn rename_keys(tokens: &mut Map<String, Value>, new: &HashMap<u32, u32>) {
    let renamed = std::mem::take(tokens).into_iter().filter_map(|(id, token)| {
        let id = id.parse::<u32>().ok().and_then(|id| new.get(&id))?;
        Some((id.to_string(), token))
    });
    *tokens = renamed.collect();
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::data::Rows;

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers").join(name)
    }

    fn rows(texts: &[String]) -> Rows {
        let ids = (0..texts.len()).map(|row| row.to_string()).collect();
        Rows { texts: texts.to_vec(), pairs: None, labels: None, ids }
    }

    /// The texts of `expected.json`, nasty ones among them.
    fn texts() -> Vec<String> {
        let expected = std::fs::read_to_string(folder("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        expected["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    fn ids(tokenizer: &Tokenizer, texts: &[String]) -> Vec<Vec<u32>> {
        tokenizer.encode(&rows(texts), 1 << 30).unwrap().into_iter().map(|encoding| encoding.ids).collect()
    }

    #[test]
    fn used_texts_keep_their_tokens() {
        let texts = texts();
        for name in ["bert", "bert-cased", "roberta", "roberta-space"] {
            for (characters, n_texts) in [(true, 3), (false, 3), (false, texts.len())] {
                let dir = folder(name);
                let tokenizer = Tokenizer::load(&dir).unwrap();
                let before = ids(&tokenizer, &texts[..n_texts]);
                let used = before.iter().flatten().copied().collect();
                let Vocabulary { kept, files } = tokenizer.prune(&dir, &used, characters).unwrap();
                assert!(kept.is_sorted() && kept.len() <= tokenizer.vocab_size(), "{name}");
                assert!(n_texts > 3 || kept.len() < tokenizer.vocab_size(), "{name}: {}", kept.len());
                let smaller = tempfile::tempdir().unwrap();
                let check = |what: &str| {
                    let pruned = Tokenizer::load(smaller.path()).unwrap();
                    let found = ids(&pruned, &texts[..n_texts]);
                    let found: Vec<Vec<u32>> =
                        found.iter().map(|ids| ids.iter().map(|id| kept[*id as usize]).collect()).collect();
                    assert_eq!(found, before, "{name} {what}");
                    assert_eq!(pruned.vocab_size(), kept.len(), "{name} {what}");
                    // Whatever comes, no token is named that is gone.
                    assert!(ids(&pruned, &texts).iter().flatten().all(|id| (*id as usize) < kept.len()), "{name}");
                };
                for (file, bytes) in &files {
                    fs::write_atomic(&smaller.path().join(file), bytes).unwrap();
                }
                check("tokenizer.json");
                // The other files say the same.
                std::fs::remove_file(smaller.path().join("tokenizer.json")).unwrap();
                let added = dir.join("added_tokens.json");
                if !added.is_file() {
                    check("vocab");
                }
            }
        }
    }

    /// Files of tokenizers are anybody's.
    #[test]
    fn what_cannot_be_taken_apart_is_said_and_odd_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write_atomic(&dir.path().join(name), text.as_bytes()).unwrap();
        let source = Tokenizer::load(&folder("roberta")).unwrap();
        let mut json: Value = serde_json::from_str(&source.to_json().unwrap()).unwrap();
        write("tokenizer.json", &json.to_string());
        write("special_tokens_map.json", "[]");
        let used = BTreeSet::from([0, 2]);
        let files = source.prune(dir.path(), &used, false).unwrap().files;
        assert_eq!(files["special_tokens_map.json"], b"[]\n");
        write("special_tokens_map.json", "{");
        assert!(source.prune(dir.path(), &used, false).err().unwrap().to_string().contains("special_tokens_map.json"));
        json["model"]["end_of_word_suffix"] = json!("</w>");
        write("tokenizer.json", &json.to_string());
        let error = source.prune(dir.path(), &used, false).err().unwrap().to_string();
        assert!(error.contains("a prefix or a suffix"), "{error}");
    }

    #[test]
    fn unigrams_lose_what_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let model = json!({
            "type": "Unigram", "unk_id": 1,
            "vocab": [["<s>", 0.0], ["<unk>", 0.0], ["▁good", -2.0], ["▁bad", -2.5], ["▁", -3.0], ["b", -4.0], ["ad", -3.0],
                      ["</s>", 0.0]],
        });
        let special = |id: u32, content: &str| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        };
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": [special(0, "<s>"), special(1, "<unk>"), special(7, "</s>")],
            "normalizer": null, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
            "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 7], "cls": ["<s>", 0], "trim_offsets": true,
                               "add_prefix_space": true},
            "decoder": null, "model": model,
        });
        fs::write_atomic(&dir.path().join("tokenizer.json"), &pretty(&tokenizer)).unwrap();
        let whole = Tokenizer::load(dir.path()).unwrap();
        let texts = ["good good".to_owned()];
        assert_eq!(ids(&whole, &texts), [[0, 2, 2, 7]]);
        let Vocabulary { kept, files } = whole.prune(dir.path(), &BTreeSet::from([0, 2, 7]), false).unwrap();
        assert_eq!(kept, [0, 1, 2, 7]);
        fs::write_atomic(&dir.path().join("tokenizer.json"), &files["tokenizer.json"]).unwrap();
        let pruned = Tokenizer::load(dir.path()).unwrap();
        assert_eq!(ids(&pruned, &texts), [[0, 2, 2, 3]]);
        assert_eq!(ids(&pruned, &["bad".to_owned()]), [[0, 1, 3]]);
    }
}
