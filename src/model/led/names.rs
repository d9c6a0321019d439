//! LED's names of tensors: what checkpoints call them, and what our encoder does.

use crate::model::families::rename;

/// The prefix of the encoder's and decoder's tensors, which checkpoints without a head lack.
const PREFIX: &str = "led.";

/// Other prefixes of the same.
const OTHER_PREFIXES: [&str; 2] = ["model.", "led.model."];

/// The table of words, which encoder, decoder and head share.
pub(super) const WORDS: &str = "led.shared.weight";

/// The head, where it is not the table of words.
pub(super) const HEAD: &str = "lm_head.weight";

/// What is added to the logits.
pub(super) const LOGITS_BIAS: &str = "final_logits_bias";

/// Names of the table of words beside [`WORDS`]; all of these are one tensor.
pub(super) const TIED: [&str; 2] = ["led.encoder.embed_tokens.weight", "led.decoder.embed_tokens.weight"];

/// What has no prefix.
const HEADS: [&str; 4] = ["lm_head.", "final_logits_bias", "classification_head.", "qa_outputs."];

/// The encoder's modules: ours, and theirs.
const ENCODER: [(&str, &str); 14] = [
    ("bert.embeddings.word_embeddings", "led.shared"),
    ("bert.embeddings.position_embeddings", "led.encoder.embed_positions"),
    ("bert.embeddings.LayerNorm", "led.encoder.layernorm_embedding"),
    ("bert.encoder.layer.{i}.attention.self.query", "led.encoder.layers.{i}.self_attn.longformer_self_attn.query"),
    ("bert.encoder.layer.{i}.attention.self.key", "led.encoder.layers.{i}.self_attn.longformer_self_attn.key"),
    ("bert.encoder.layer.{i}.attention.self.value", "led.encoder.layers.{i}.self_attn.longformer_self_attn.value"),
    (
        "bert.encoder.layer.{i}.attention.self.query_global",
        "led.encoder.layers.{i}.self_attn.longformer_self_attn.query_global",
    ),
    (
        "bert.encoder.layer.{i}.attention.self.key_global",
        "led.encoder.layers.{i}.self_attn.longformer_self_attn.key_global",
    ),
    (
        "bert.encoder.layer.{i}.attention.self.value_global",
        "led.encoder.layers.{i}.self_attn.longformer_self_attn.value_global",
    ),
    ("bert.encoder.layer.{i}.attention.output.dense", "led.encoder.layers.{i}.self_attn.output"),
    ("bert.encoder.layer.{i}.attention.output.LayerNorm", "led.encoder.layers.{i}.self_attn_layer_norm"),
    ("bert.encoder.layer.{i}.intermediate.dense", "led.encoder.layers.{i}.fc1"),
    ("bert.encoder.layer.{i}.output.dense", "led.encoder.layers.{i}.fc2"),
    ("bert.encoder.layer.{i}.output.LayerNorm", "led.encoder.layers.{i}.final_layer_norm"),
];

/// A name in a checkpoint with LED's prefix, whatever prefix it has there.
pub(super) fn canonical(stored: &str) -> String {
    if HEADS.iter().any(|head| stored.starts_with(head)) {
        return stored.to_owned();
    }
    let other = OTHER_PREFIXES.iter().rev().find_map(|prefix| stored.strip_prefix(prefix));
    let bare = other.or_else(|| stored.strip_prefix(PREFIX)).unwrap_or(stored);
    format!("{PREFIX}{bare}")
}

/// What LED calls a parameter of our encoder.
pub(super) fn theirs(ours: &str) -> String {
    let renamed = ours.rsplit_once('.').and_then(|(module, suffix)| {
        let theirs = ENCODER.iter().find_map(|(ours, theirs)| rename(module, ours, theirs))?;
        Some(format!("{theirs}.{suffix}"))
    });
    renamed.unwrap_or_else(|| ours.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_understood() {
        for stored in ["shared.weight", "led.shared.weight", "model.shared.weight", "led.model.shared.weight"] {
            assert_eq!(canonical(stored), WORDS);
        }
        assert_eq!(canonical("decoder.layers.0.fc1.bias"), "led.decoder.layers.0.fc1.bias");
        assert_eq!(canonical("final_logits_bias"), LOGITS_BIAS);
        assert_eq!(canonical("lm_head.weight"), HEAD);
    }

    #[test]
    fn the_encoder_has_their_names() {
        let cases = [
            ("bert.embeddings.word_embeddings.weight", WORDS),
            (
                "bert.encoder.layer.11.attention.self.key_global.bias",
                "led.encoder.layers.11.self_attn.longformer_self_attn.key_global.bias",
            ),
            ("bert.encoder.layer.0.output.LayerNorm.weight", "led.encoder.layers.0.final_layer_norm.weight"),
        ];
        for (ours, expected) in cases {
            assert_eq!(theirs(ours), expected);
        }
    }
}
