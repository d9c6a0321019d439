//! What stands on the encoder: pooler and classifier, a classifier of tokens, or the masked-LM head.

use candle_core::Tensor;

use super::{
    ClassifierHead, Head, ModelError,
    encoder::{Pass, Site},
    network::missing,
    ops,
    params::{DECODER_REST, EMBEDDINGS, TOKEN_CLASSIFIER, TRANSFORM, TRANSFORM_NORM},
};

/// The logits of the model's head; none without one.
///
/// # Shapes
/// `[tokens, hidden]` → `[rows, labels]`, `[tokens, labels]` or `[tokens, vocab]`.
pub(super) fn forward(pass: &Pass<'_>, x: &Tensor) -> Result<Option<Tensor>, ModelError> {
    match &pass.model.head {
        Head::None => Ok(None),
        Head::SequenceClassification { .. } => classify(pass, x).map(Some),
        Head::TokenClassification { .. } => classify_tokens(pass, x).map(Some),
        Head::MaskedLm => predict_tokens(pass, x).map(Some),
    }
}

/// `W dropout(h) + b` of every token, after the family's transform where it has one.
fn classify_tokens(pass: &Pass<'_>, x: &Tensor) -> Result<Tensor, ModelError> {
    let spec = &pass.model.spec;
    let transformed = match spec.classifier {
        ClassifierHead::Transform { .. } => &transform(pass, x)?,
        _ => x,
    };
    let rate = spec.classifier_dropout.unwrap_or(spec.hidden_dropout);
    let dropped = ops::drop_out(transformed, pass.mask(rate, Site::Classifier), pass.route)?;
    pass.linear(TOKEN_CLASSIFIER, &dropped)
}

/// `W dropout(f(W₀ h₀ + b₀)) + b`, `h₀` the hidden state of each sequence's first token, or the mean of all, and before it
/// the encoder's pooler or a layer of the head's own, which may drop out `h₀`, too.
fn classify(pass: &Pass<'_>, x: &Tensor) -> Result<Tensor, ModelError> {
    let first = first_or_mean(pass, x)?; // [rows, hidden]
    let spec = &pass.model.spec;
    let rate = spec.classifier_dropout.unwrap_or(spec.hidden_dropout);
    let pooled = match spec.classifier {
        ClassifierHead::Pooler => pass.linear("bert.pooler.dense", &first)?.tanh()?,
        ClassifierHead::First => first,
        ClassifierHead::Transform { .. } => transform(pass, &first)?,
        ClassifierHead::Dense { activation, drops_input } => {
            let mask = if drops_input { pass.mask(rate, Site::ClassifierInput) } else { None };
            let first = ops::drop_out(&first, mask, pass.route)?;
            ops::activation(&pass.linear("classifier.dense", &first)?, activation, pass.route)?
        }
    };
    let pooled = ops::drop_out(&pooled, pass.mask(rate, Site::Classifier), pass.route)?;
    pass.linear("classifier", &pooled)
}

fn first_or_mean(pass: &Pass<'_>, x: &Tensor) -> Result<Tensor, ModelError> {
    let ends = pass.batch.offsets.windows(2);
    if pass.model.spec.classifier == (ClassifierHead::Transform { of_mean: true }) {
        let means = ends.map(|ends| x.narrow(0, ends[0], ends[1] - ends[0])?.mean_keepdim(0));
        return Ok(Tensor::cat(&means.collect::<candle_core::Result<Vec<_>>>()?, 0)?);
    }
    let starts: Vec<u32> = ends.map(|ends| ends[0] as u32).collect();
    Ok(x.index_select(&Tensor::new(starts, x.device())?, 0)?)
}

/// `LayerNorm(f(W h + b))`.
fn transform(pass: &Pass<'_>, x: &Tensor) -> Result<Tensor, ModelError> {
    let x = pass.linear(TRANSFORM, x)?;
    let x = ops::activation(&x, pass.model.spec.masked_lm_activation, pass.route)?;
    pass.norm(TRANSFORM_NORM, &x)
}

/// `E LayerNorm(f(W h + b)) + c`, `E` the word embeddings (Devlin et al., 2019), or a decoder of its own where the
/// checkpoint has one. Where words are narrower than layers, `E` has further columns of the head's own.
fn predict_tokens(pass: &Pass<'_>, x: &Tensor) -> Result<Tensor, ModelError> {
    let transformed = transform(pass, x)?;
    let bias = pass.bias("cls.predictions", pass.model.spec.vocab_size)?;
    let decoder = match pass.matrix("cls.predictions.decoder")? {
        Some(decoder) => decoder,
        None => pass.matrix(EMBEDDINGS[0])?.ok_or_else(|| missing(EMBEDDINGS[0]))?,
    };
    let Some(rest) = pass.matrix(DECODER_REST)? else {
        return Ok(ops::linear(&transformed, &decoder, &bias, pass.route)?);
    };
    let width = decoder.dim(1)?;
    let known = transformed.narrow(1, 0, width)?.contiguous()?;
    let further = transformed.narrow(1, width, rest.dim(0)?)?.contiguous()?;
    Ok((ops::linear(&known, &decoder, &bias, pass.route)? + further.matmul(&rest)?)?)
}
