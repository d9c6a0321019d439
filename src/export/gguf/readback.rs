//! Reads a file back, and runs what it holds as llama.cpp computes.

use std::{io::Cursor, path::Path};

use candle_core::{
    Device,
    quantized::gguf_file::{Content, Value},
};

use super::{
    MatrixType,
    fit::{self, Fitted},
    kind, names, numbers,
    tokens::{Kind, WORD},
};
use crate::{
    base::fs,
    export::{Comparison, ExportError, Request, Samples},
    model::{Activation, FloatType, Head, Model, ModelError, parameters},
};

/// Compares the answers of a file, read by candle, with those of the model that it was made of.
pub(in crate::export) fn compare(
    file: &Path,
    model: Model,
    request: &Request<'_>,
    matrices: MatrixType,
    samples: &Samples,
) -> Result<Comparison, ExportError> {
    let fitted = fit::fit(&model, request.model)?;
    let mut reader = Cursor::new(fs::read(file)?);
    let content = Content::read(&mut reader).map_err(|error| ExportError::Unreadable(error.to_string()))?;
    check_keys(&content, &fitted)?;
    let mut written = read(&content, &mut reader, &fitted, matrices)?;
    // What llama.cpp computes, whatever the file was made of.
    written.spec.activation = Activation::GeluTanh;
    let mut expected = model;
    expected.head = fitted.model.head;
    let comparison = Comparison::of_models(expected, written, samples, false)?;
    judge(&comparison, matrices, samples, request.min_agreement)?;
    Ok(comparison)
}

/// Whether keys say what the model is: the numbers of its shape, and every token with its id.
fn check_keys(content: &Content, fitted: &Fitted) -> Result<(), ExportError> {
    let Fitted { model, pieces, .. } = fitted;
    let spec = &model.spec;
    let get = |key: &str| content.metadata.get(key).ok_or_else(|| misread(&format!("it lacks `{key}`")));
    for (key, expected) in [
        ("bert.context_length", spec.max_positions),
        ("bert.embedding_length", spec.hidden_size),
        ("bert.block_count", spec.n_layers()),
        ("bert.feed_forward_length", spec.layers.first().map_or(0, |layer| layer.intermediate_size)),
        ("bert.attention.head_count", spec.layers.first().map_or(0, |layer| layer.heads)),
        ("tokenizer.ggml.bos_token_id", pieces.start as usize),
        ("tokenizer.ggml.seperator_token_id", pieces.end as usize),
        ("tokenizer.ggml.unknown_token_id", pieces.unknown as usize),
    ] {
        let found = get(key)?.to_u64().map_err(|error| misread(&error.to_string()))?;
        if found != expected as u64 {
            return Err(misread(&format!("`{key}` is {found} instead of {expected}")));
        }
    }
    if let Head::SequenceClassification { labels } = &model.head {
        let found = strings(get("bert.classifier.output_labels")?);
        if found != *labels {
            return Err(misread(&format!("its labels are {found:?} instead of {labels:?}")));
        }
    }
    let tokens = strings(get("tokenizer.ggml.tokens")?);
    let Value::Array(kinds) = get("tokenizer.ggml.token_type")? else {
        return Err(misread("`tokenizer.ggml.token_type` is no list"));
    };
    if tokens.len() != spec.vocab_size || kinds.len() != spec.vocab_size {
        return Err(misread(&format!("it has {} tokens instead of {}", tokens.len(), spec.vocab_size)));
    }
    for ((id, token), kind) in (0..).zip(&tokens).zip(kinds) {
        let kind = kind.to_i32().map_err(|error| misread(&error.to_string()))?;
        let plain = match token.strip_prefix(WORD) {
            // No token, or one that llama.cpp must not find.
            _ if kind == Kind::Unused as i32 => continue,
            _ if kind != Kind::Normal as i32 => token.clone(),
            Some(word) => word.to_owned(),
            None => format!("##{token}"),
        };
        if pieces.tokens.get(&id) != Some(&plain) {
            return Err(misread(&format!("its token {id} is `{token}`")));
        }
    }
    Ok(())
}

/// The model of a file's tensors.
fn read(
    content: &Content,
    reader: &mut Cursor<Vec<u8>>,
    fitted: &Fitted,
    matrices: MatrixType,
) -> Result<Model, ExportError> {
    let mut model = fitted.model.clone();
    let wanted = parameters(&model.spec, &model.head);
    if content.tensor_infos.len() != wanted.len() {
        return Err(misread(&format!("it has {} tensors instead of {}", content.tensor_infos.len(), wanted.len())));
    }
    let mut names: Vec<&String> = content.tensor_infos.keys().collect();
    names.sort_unstable();
    for theirs in names {
        let ours = names::ours(theirs, &model.spec);
        let parameter = ours.and_then(|ours| wanted.iter().find(|parameter| parameter.name == ours));
        let parameter = parameter.ok_or_else(|| misread(&format!("it has `{theirs}`, too")))?;
        let (name, shape) = (&parameter.name, &parameter.shape);
        let tensor = content.tensor(reader, theirs, &Device::Cpu).map_err(ModelError::from)?;
        if tensor.shape().dims() != shape {
            return Err(misread(&format!("`{theirs}` has the shape {:?} instead of {shape:?}", tensor.shape().dims())));
        }
        let found = tensor.dequantize(&Device::Cpu).map_err(ModelError::from)?;
        let is_f32 = kind(name, shape, matrices) == MatrixType::Float(FloatType::F32);
        if is_f32 && numbers(&found)? != numbers(&fitted.model.params[name])? {
            return Err(misread(&format!("`{theirs}` reads as other numbers")));
        }
        model.params.insert(name.clone(), found);
    }
    Ok(model)
}

/// Whether that is near enough.
fn judge(
    comparison: &Comparison,
    matrices: MatrixType,
    samples: &Samples,
    min_agreement: f64,
) -> Result<(), ExportError> {
    if samples.are_texts {
        comparison.judge_labels(min_agreement, "weights are rounded and GELU is the tanh approximation")?;
    }
    let (deviation, allowed) = (comparison.deviation(), matrices.tolerance());
    // A NaN is no number below the bound.
    if deviation <= allowed {
        return Ok(());
    }
    let has_types = samples.batches.iter().any(|batch| batch.type_ids.iter().any(|id| *id > 0));
    let why = if has_types { " (llama.cpp gives all tokens the type 0, and these rows are pairs)" } else { "" };
    Err(ExportError::Differs(format!(
        "by {:.1} % of their size, and {} may change {:.0} %{why}",
        100.0 * deviation,
        matrices.name(),
        100.0 * allowed
    )))
}

fn strings(value: &Value) -> Vec<String> {
    let Value::Array(values) = value else { return Vec::new() };
    values.iter().filter_map(|value| value.to_string().ok().cloned()).collect()
}

fn misread(what: &str) -> ExportError {
    ExportError::Misread(what.to_owned())
}
