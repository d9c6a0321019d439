//! What llama.cpp calls the parameters of its architecture `bert`.

use crate::model::EncoderSpec;

/// The modules before and behind the layers.
const MODULES: [(&str, &str); 6] = [
    // ours                                       theirs
    ("bert.embeddings.word_embeddings", "token_embd"),
    (POSITIONS, "position_embd"),
    (TYPES, "token_types"),
    ("bert.embeddings.LayerNorm", "token_embd_norm"),
    ("bert.pooler.dense", "cls"),
    ("classifier", "cls.output"),
];

/// The modules of a layer, behind `bert.encoder.layer.{i}.` and `blk.{i}.`.
const OF_LAYER: [(&str, &str); 8] = [
    ("attention.self.query", "attn_q"),
    ("attention.self.key", "attn_k"),
    ("attention.self.value", "attn_v"),
    ("attention.output.dense", "attn_output"),
    ("attention.output.LayerNorm", "attn_output_norm"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("output.LayerNorm", "layer_output_norm"),
];

const POSITIONS: &str = "bert.embeddings.position_embeddings";
const TYPES: &str = "bert.embeddings.token_type_embeddings";

/// The name in the file; what has none there keeps its own, and [`fit`](super::fit) leaves no such parameter.
pub(super) fn theirs(name: &str) -> String {
    let (module, part) = name.rsplit_once('.').unwrap_or((name, ""));
    if let Some((_, theirs)) = MODULES.iter().find(|(ours, _)| *ours == module) {
        return format!("{theirs}.{part}");
    }
    let layer = module.strip_prefix("bert.encoder.layer.").and_then(|rest| rest.split_once('.'));
    let found = layer.and_then(|(layer, module)| Some((layer, OF_LAYER.iter().find(|(ours, _)| *ours == module)?)));
    found.map_or_else(|| name.to_owned(), |(layer, (_, theirs))| format!("blk.{layer}.{theirs}.{part}"))
}

/// The name of a tensor of a file, as [`crate::model`] has it; none where `bert` has no such tensor.
pub(super) fn ours(name: &str, spec: &EncoderSpec) -> Option<String> {
    let (module, part) = name.rsplit_once('.')?;
    if let Some((ours, _)) = MODULES.iter().find(|(_, theirs)| *theirs == module) {
        return Some(format!("{ours}.{part}"));
    }
    let (layer, module) = module.strip_prefix("blk.")?.split_once('.')?;
    let layer = layer.parse::<usize>().ok().filter(|layer| *layer < spec.n_layers())?;
    let (ours, _) = OF_LAYER.iter().find(|(_, theirs)| *theirs == module)?;
    Some(format!("{}.{ours}.{part}", spec.prefix(layer)))
}

/// Whether a parameter has the type of matrices: llama.cpp adds the rows of the other two tables as f32.
pub(super) fn is_matrix(name: &str, shape: &[usize]) -> bool {
    let is_added = [POSITIONS, TYPES].iter().any(|module| name.starts_with(module));
    shape.len() == 2 && !is_added
}
