//! Text to ids, in parallel, in order.

mod bpe;
mod chunks;
mod count;
mod pieces;
mod sentences;
mod settings;
mod trust;
mod whole_words;
mod word_piece;

use std::path::Path;

pub use chunks::LongTexts;
pub use pieces::WordPieces;
use rayon::prelude::*;
pub use sentences::SentenceEncoding;
use tokenizers::{EncodeInput, PostProcessor, TruncationParams};

use super::{DataError, Rows};
use crate::base::{
    fs, guard,
    model_dir::{self, TokenizerSource},
};

/// The ids of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids, special tokens included.
    pub ids: Vec<u32>,
    /// Which of the two texts each token is of.
    pub type_ids: Vec<u32>,
}

/// The tokenizer of a model directory.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    source: TokenizerSource,
}

impl Tokenizer {
    /// Loads `tokenizer.json`, or builds one from `vocab.txt`, or from `vocab.json` and `merges.txt`, where there is none.
    ///
    /// # Errors
    /// When there is none of these, or it is damaged.
    pub fn load(model_dir: &Path) -> Result<Self, DataError> {
        let source = model_dir::tokenizer(model_dir)
            .map_err(|what| DataError::content(format!("`{}` {what}", model_dir.display())))?;
        let mut inner = match source {
            TokenizerSource::Json => {
                let path = model_dir.join("tokenizer.json");
                let wrong = |what: &str| DataError::content(format!("`{}` is not a tokenizer: {what}", path.display()));
                let bytes = fs::read(&path)?;
                trust::check_pairs(&bytes).map_err(|what| wrong(&what))?;
                let inner = guard::caught(|| tokenizers::Tokenizer::from_bytes(bytes))
                    .map_err(|panic| wrong(&panic))?
                    .map_err(|error| wrong(&error.to_string()))?;
                trust::check_template(&inner).map_err(|what| wrong(&what))?;
                inner
            }
            TokenizerSource::WordPiece => word_piece::build(model_dir)?,
            TokenizerSource::ByteLevelBpe => bpe::build(model_dir)?,
        };
        // Batches are packed, and the length is the caller's: what the file says about both is for other programs.
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| DataError::content(format!("`{}`: {error}", model_dir.display())))?;
        Ok(Self { inner, source })
    }

    /// Loads the tokenizer of a model that has embeddings for so many tokens. It may know fewer: tables are padded.
    ///
    /// # Errors
    /// As [`Self::load`], and when it knows more tokens than the model.
    pub fn for_model(model_dir: &Path, vocab_size: usize) -> Result<Self, DataError> {
        let tokenizer = Self::load(model_dir)?;
        // Ids have gaps where a list names a token twice.
        let ids = tokenizer.inner.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1);
        let known = tokenizer.vocab_size().max(ids);
        if known > vocab_size {
            return Err(DataError::content(format!(
                "`{}` has ids for {known} tokens, but the model has embeddings for {vocab_size} (`vocab_size` of its \
                 `config.json`): they do not belong together",
                model_dir.join(tokenizer.source.file_name()).display()
            )));
        }
        Ok(tokenizer)
    }

    /// Encodes rows, in parallel, in order, cut to `max_length` tokens with the special ones kept; of a pair, the longer
    /// text is cut first.
    ///
    /// # Errors
    /// When the tokenizer fails on a row, which is named, or `max_length` leaves no room beside the special tokens.
    pub fn encode(&self, rows: &Rows, max_length: usize) -> Result<Vec<Encoding>, DataError> {
        self.check_room(max_length, rows.pairs.is_some())?;
        let mut tokenizer = self.inner.clone();
        let cut = TruncationParams { max_length, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(cut)).map_err(|error| DataError::content(error.to_string()))?;
        let encode = |row: usize, input: EncodeInput<'_>| {
            let encoding = tokenizer
                .encode_fast(input, true)
                .map_err(|error| DataError::content(format!("row {}: cannot tokenise: {error}", row + 1)))?;
            Ok(Encoding { ids: encoding.get_ids().to_vec(), type_ids: encoding.get_type_ids().to_vec() })
        };
        // Words are tokenised one by one, so that the first tokens of a text are those of its first words.
        let is_local = tokenizer.get_pre_tokenizer().is_some();
        (0..rows.texts.len())
            .into_par_iter()
            .with_min_len(16)
            .map(|row| {
                let text = rows.texts[row].as_str();
                if let Some(pairs) = &rows.pairs {
                    return encode(row, EncodeInput::Dual(text.into(), pairs[row].as_str().into()));
                }
                if is_local && let Some(start) = first_words(text, 2 * max_length) {
                    let encoding = encode(row, EncodeInput::Single(start.into()))?;
                    if encoding.ids.len() == max_length {
                        return Ok(encoding);
                    }
                }
                encode(row, EncodeInput::Single(text.into()))
            })
            .collect()
    }

    /// How many special tokens a row gets; demands that they leave some to its text.
    fn check_room(&self, max_length: usize, has_pairs: bool) -> Result<usize, DataError> {
        let special = self.inner.get_post_processor().map_or(0, |post| post.added_tokens(has_pairs));
        if max_length > special {
            return Ok(special);
        }
        Err(DataError::content(format!(
            "{max_length} tokens leave no room for text: the tokenizer adds {special} special ones to each row"
        )))
    }

    /// The text of ids, without special tokens.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        let text = self.inner.decode(ids, true);
        text.map_err(|error| DataError::content(format!("the tokens {ids:?} are no text: {error}")))
    }

    /// The text of a `tokenizer.json`.
    pub(super) fn to_json(&self) -> Result<String, DataError> {
        self.inner
            .to_string(false)
            .map_err(|error| DataError::content(format!("the tokenizer cannot be written: {error}")))
    }

    /// The id of the mask token, where there is one.
    #[must_use]
    pub fn mask_id(&self) -> Option<u32> {
        self.token_id("[MASK]").or_else(|| self.token_id("<mask>"))
    }

    /// The id of a token.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The number of tokens, added ones included.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The ids of the special tokens (`[CLS]`, `[SEP]`, …), sorted: no objective masks or predicts them.
    #[must_use]
    pub fn special_ids(&self) -> Vec<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let mut ids: Vec<_> = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }
}

/// The first words of a text that has many more: a long document need not be tokenised to its end to be cut.
fn first_words(text: &str, count: usize) -> Option<&str> {
    // Shorter texts than this are not worth the search.
    if text.len() < 16 * count {
        return None;
    }
    let mut in_word = false;
    let starts = text.char_indices().filter(|(_, c)| {
        let starts = !in_word && !c.is_whitespace();
        in_word = !c.is_whitespace();
        starts
    });
    let (end, _) = starts.into_iter().nth(count)?;
    Some(text[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ngood\nmovie\n##s\n!\ncafe\n";

    fn tokenizer() -> (tempfile::TempDir, Tokenizer) {
        let dir = tempfile::tempdir().unwrap();
        fs::write_atomic(&dir.path().join("vocab.txt"), VOCAB.as_bytes()).unwrap();
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        (dir, tokenizer)
    }

    fn rows(texts: &[&str], pairs: Option<&[&str]>) -> Rows {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Rows { texts: own(texts), pairs: pairs.map(own), ..Rows::default() }
    }

    #[test]
    fn a_vocabulary_is_a_bert_tokenizer() {
        let (_dir, tokenizer) = tokenizer();
        let encoded = tokenizer.encode(&rows(&["A good movies!", "Café xyz [MASK]", ""], None), 16).unwrap();
        assert_eq!(encoded[0].ids, [2, 5, 6, 7, 8, 9, 3]);
        assert_eq!(encoded[1].ids, [2, 10, 1, 4, 3]);
        assert_eq!(encoded[2].ids, [2, 3]);
        assert_eq!(tokenizer.mask_id(), Some(4));
        assert_eq!(tokenizer.special_ids(), [0, 1, 2, 3, 4]);
        assert_eq!(tokenizer.vocab_size(), 11);
    }

    #[test]
    fn of_a_pair_the_longer_text_is_cut_and_special_tokens_stay() {
        let (_dir, tokenizer) = tokenizer();
        let pair = rows(&["a a a a a a"], Some(&["good movie"]));
        let encoded = tokenizer.encode(&pair, 8).unwrap();
        assert_eq!(encoded[0].ids, [2, 5, 5, 5, 3, 6, 7, 3]);
        assert_eq!(encoded[0].type_ids, [0, 0, 0, 0, 0, 1, 1, 1]);
        let error = tokenizer.encode(&pair, 3).unwrap_err();
        assert!(error.to_string().contains("leave no room"), "{error}");
    }

    #[test]
    fn a_long_text_is_cut_as_if_it_had_been_read_to_its_end() {
        let (_dir, tokenizer) = tokenizer();
        let long = "a good movies!\n  \u{7f} xyz café ".repeat(200);
        for max_length in [3, 4, 7, 16, 61] {
            let cut = tokenizer.encode(&rows(&[&long], None), max_length).unwrap().remove(0);
            let mut whole = tokenizer.encode(&rows(&[&long], None), 100_000).unwrap().remove(0);
            whole.ids.drain(max_length - 1..whole.ids.len() - 1);
            assert_eq!(cut.ids, whole.ids, "{max_length}");
        }
        assert_eq!(first_words(&"a b ".repeat(100), 3), Some("a b a"));
        assert_eq!(first_words(&"x".repeat(100), 3), None);
    }

    #[test]
    fn a_written_tokenizer_reads_back_without_its_padding_and_length() {
        let (dir, tokenizer) = tokenizer();
        let mut inner = tokenizer.inner.clone();
        inner.with_padding(Some(tokenizers::PaddingParams {
            strategy: tokenizers::PaddingStrategy::Fixed(9),
            ..Default::default()
        }));
        inner.with_truncation(Some(TruncationParams { max_length: 4, ..Default::default() })).unwrap();
        fs::write_atomic(&dir.path().join("tokenizer.json"), inner.to_string(false).unwrap().as_bytes()).unwrap();
        let again = Tokenizer::load(dir.path()).unwrap();
        let rows = rows(&["a good movie a good movie"], None);
        assert_eq!(again.encode(&rows, 64).unwrap(), tokenizer.encode(&rows, 64).unwrap());
    }

    /// Texts and ids of `tests/data/tokenizers`.
    #[test]
    fn what_is_built_gives_the_ids_of_transformers() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers");
        let expected: serde_json::Value =
            serde_json::from_slice(&fs::read(&data.join("expected.json")).unwrap()).unwrap();
        let get = |value: &serde_json::Value| -> Vec<Vec<u32>> { serde_json::from_value(value.clone()).unwrap() };
        let texts: Vec<String> = serde_json::from_value(expected["texts"].clone()).unwrap();
        let pairs: Vec<[String; 2]> = serde_json::from_value(expected["pairs"].clone()).unwrap();
        let [ones, others] = [0, 1].map(|side| pairs.iter().map(|pair| pair[side].clone()).collect::<Vec<_>>());
        for name in ["bert", "bert-cased", "roberta", "roberta-space"] {
            let tokenizer = Tokenizer::load(&data.join(name)).unwrap();
            let rows = Rows { texts: texts.clone(), ..Rows::default() };
            let found = tokenizer.encode(&rows, 1000).unwrap();
            for ((text, found), ids) in texts.iter().zip(found).zip(get(&expected["ids"][name])) {
                assert_eq!(found.ids, ids, "{name}: {text:?}");
            }
            let rows = Rows { texts: ones.clone(), pairs: Some(others.clone()), ..Rows::default() };
            let found = tokenizer.encode(&rows, 1000).unwrap();
            let (ids, types) = (get(&expected["pair_ids"][name]), get(&expected["pair_types"][name]));
            for (row, found) in found.iter().enumerate() {
                assert_eq!((&found.ids, &found.type_ids), (&ids[row], &types[row]), "{name}: {:?}", pairs[row]);
            }
        }
    }

    #[test]
    fn a_tokenizer_that_cannot_be_built_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write_atomic(&dir.path().join(name), text.as_bytes()).unwrap();
        let told = || Tokenizer::load(dir.path()).err().unwrap().to_string();
        write("vocab.json", "{\"<s>\": 0, \"</s>\": 1, \"a\": 2, \"b\": 3, \"ab\": 4}");
        for (merges, part) in [
            ("#version: 0.2\nab\n", "line 2, `ab`, is no pair"),
            ("a c\n", "line 1, `a c`, is of tokens that `vocab.json` lacks"),
            ("a b\nab ab\n", "line 2, `ab ab`, is of tokens that"),
        ] {
            write("merges.txt", merges);
            assert!(told().contains(part), "{part}: {}", told());
        }
        write("merges.txt", "a b\n");
        assert!(Tokenizer::load(dir.path()).is_ok());
        write("added_tokens.json", "{\"<new>\": 9}");
        assert!(told().contains("the added token `<new>` has the id 9"), "{}", told());
        write("tokenizer_config.json", "{\"tokenizer_class\": \"GPT2TokenizerFast\"}");
        assert!(told().contains("`tokenizer_class` is `GPT2TokenizerFast`, which lmpipe does not build"), "{}", told());
        write("tokenizer_config.json", "{\"add_prefix_space\": 1}");
        assert!(told().contains("`add_prefix_space` must be true or false, not `1`"), "{}", told());
        write("tokenizer_config.json", "[]");
        assert!(told().contains("is not a JSON object"), "{}", told());
        for (vocab, part) in [("{\"a\": -1}", "is no vocabulary"), ("{\"a\": 1}", "`a b`, is of tokens")] {
            write("tokenizer_config.json", "{}");
            write("vocab.json", vocab);
            assert!(told().contains(part), "{part}: {}", told());
        }
        // Its reader would panic.
        write(
            "tokenizer.json",
            "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [[\"a\", \"aaaa\"]]}}",
        );
        assert!(told().contains("the pair of `a` and `aaaa` is no token of its vocabulary"), "{}", told());
        for (piece, part) in [
            ("SpecialToken\": {\"id\": \"x\"", "`x` is put around texts, but is none of its `special_tokens`"),
            ("Sequence\": {\"id\": \"B\"", "its `single` asks for a second text"),
        ] {
            let pair =
                "[{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 0}}]";
            let single = format!("[{{\"{piece}, \"type_id\": 0}}}}]");
            let template = format!(
                "{{\"type\": \"TemplateProcessing\", \"single\": {single}, \"pair\": {pair}, \"special_tokens\": {{}}}}"
            );
            for post in [template.clone(), format!("{{\"type\": \"Sequence\", \"processors\": [{template}]}}")] {
                let model = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}";
                write("tokenizer.json", &format!("{{\"model\": {model}, \"post_processor\": {post}}}"));
                assert!(told().contains(part), "{}", told());
            }
        }
    }

    #[test]
    fn a_tokenizer_with_more_tokens_than_its_model_is_refused() {
        let (dir, _) = tokenizer();
        for vocab_size in [11, 64] {
            assert!(Tokenizer::for_model(dir.path(), vocab_size).is_ok());
        }
        let error = Tokenizer::for_model(dir.path(), 10).err().unwrap().to_string();
        assert!(error.contains("has ids for 11 tokens, but the model has embeddings for 10"), "{error}");
    }

    #[test]
    fn what_is_no_tokenizer_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let told = |dir: &Path| Tokenizer::load(dir).err().unwrap().to_string();
        assert!(told(dir.path()).contains("has no tokenizer: neither `tokenizer.json` nor"));
        fs::write_atomic(&dir.path().join("vocab.txt"), b"a\nb\n[UNK]\n").unwrap();
        assert!(told(dir.path()).contains("`[SEP]` is not in the vocabulary"), "{}", told(dir.path()));
        fs::write_atomic(&dir.path().join("tokenizer.json"), b"{").unwrap();
        assert!(told(dir.path()).contains("is not a tokenizer"), "{}", told(dir.path()));
    }
}
