//! The keys of a file.

use candle_core::quantized::gguf_file::Value;

use super::{MatrixType, fit::Fitted};
use crate::model::Head;

/// All keys with their values, in the order of the file.
pub(super) fn of(fitted: &Fitted, matrices: MatrixType) -> Vec<(String, Value)> {
    let Fitted { model, pieces, tokens, pooling, .. } = fitted;
    let spec = &model.spec;
    let mut keys = Keys(Vec::new());
    keys.text("general.architecture", "bert");
    keys.text("general.type", "model");
    keys.number("general.file_type", matrices.file_type());
    // The version of the forms of quantised blocks.
    keys.number("general.quantization_version", 2);

    keys.number("bert.context_length", spec.max_positions as u32);
    keys.number("bert.embedding_length", spec.hidden_size as u32);
    keys.number("bert.block_count", spec.n_layers() as u32);
    keys.number("bert.feed_forward_length", spec.layers.first().map_or(0, |layer| layer.intermediate_size) as u32);
    keys.number("bert.attention.head_count", (spec.hidden_size / spec.head_dim) as u32);
    keys.add("bert.attention.layer_norm_epsilon", Value::F32(spec.layer_norm_eps as f32));
    keys.flag("bert.attention.causal", false);
    keys.number("bert.pooling_type", pooling.number());
    if let Head::SequenceClassification { labels } = &model.head {
        keys.list("bert.classifier.output_labels", labels.iter().map(|label| Value::String(label.clone())));
    }

    keys.text("tokenizer.ggml.model", "bert");
    keys.text("tokenizer.ggml.pre", "default");
    // llama.cpp reads as many rows of types as this says; where there are none, it takes none.
    keys.number("tokenizer.ggml.token_type_count", spec.type_vocab_size.max(1) as u32);
    keys.list("tokenizer.ggml.tokens", tokens.iter().map(|token| Value::String(token.text.clone())));
    keys.list("tokenizer.ggml.token_type", tokens.iter().map(|token| Value::I32(token.kind as i32)));
    // `[CLS]` and `[SEP]` under the names that llama.cpp looks for, one of which it misspells.
    keys.number("tokenizer.ggml.bos_token_id", pieces.start);
    keys.number("tokenizer.ggml.cls_token_id", pieces.start);
    keys.number("tokenizer.ggml.eos_token_id", pieces.end);
    keys.number("tokenizer.ggml.seperator_token_id", pieces.end);
    keys.number("tokenizer.ggml.unknown_token_id", pieces.unknown);
    for (key, id) in
        [("tokenizer.ggml.padding_token_id", pieces.padding), ("tokenizer.ggml.mask_token_id", pieces.mask)]
    {
        if let Some(id) = id {
            keys.number(key, id);
        }
    }
    keys.flag("tokenizer.ggml.add_bos_token", true);
    // Of a pair, `[SEP]` stands behind each text.
    keys.flag("tokenizer.ggml.add_eos_token", true);
    keys.flag("tokenizer.ggml.add_sep_token", false);
    keys.flag("tokenizer.ggml.normalizer.lowercase", pieces.lowercase);
    keys.flag("tokenizer.ggml.normalizer.strip_accents", pieces.strip_accents);
    keys.0
}

struct Keys(Vec<(String, Value)>);

impl Keys {
    fn add(&mut self, key: &str, value: Value) {
        self.0.push((key.to_owned(), value));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.add(key, Value::String(value.to_owned()));
    }

    fn number(&mut self, key: &str, value: u32) {
        self.add(key, Value::U32(value));
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.add(key, Value::Bool(value));
    }

    fn list(&mut self, key: &str, values: impl Iterator<Item = Value>) {
        self.add(key, Value::Array(values.collect()));
    }
}
