//! What stands on the encoder: pooler and classifier, or the masked-LM head.

use candle_core::Tensor;

use super::{
    ClassifierHead, Head, ModelError,
    encoder::{Pass, Site},
    ops,
    params::EMBEDDINGS,
};

/// The logits of the model's head; none without one.
///
/// # Shapes
/// `[tokens, hidden]` → `[rows, labels]` or `[tokens, vocab]`.
pub(super) fn forward(pass: &Pass<'_>, x: &Tensor) -> Result<Option<Tensor>, ModelError> {
    match &pass.model.head {
        Head::None => Ok(None),
        Head::SequenceClassification { .. } => classify(pass, x).map(Some),
        Head::MaskedLm => predict_tokens(pass, x).map(Some),
    }
}

/// `W dropout(f(W₀ h₀ + b₀)) + b`, `h₀` the hidden state of each sequence's first token, and before it the encoder's pooler
/// or a layer of the head's own, which may drop out `h₀`, too.
fn classify(pass: &Pass<'_>, x: &Tensor) -> Result<Tensor, ModelError> {
    let starts: Vec<u32> = pass.batch.offsets.windows(2).map(|ends| ends[0] as u32).collect();
    let first = x.index_select(&Tensor::new(starts, x.device())?, 0)?; // [rows, hidden]
    let spec = &pass.model.spec;
    let rate = spec.classifier_dropout.unwrap_or(spec.hidden_dropout);
    let pooled = match spec.classifier {
        ClassifierHead::Pooler => pass.linear("bert.pooler.dense", &first)?.tanh()?,
        ClassifierHead::Dense { activation, drops_input } => {
            let mask = if drops_input { pass.mask(rate, Site::ClassifierInput) } else { None };
            let first = ops::drop_out(&first, mask, pass.route)?;
            ops::activation(&pass.linear("classifier.dense", &first)?, activation, pass.route)?
        }
    };
    let pooled = ops::drop_out(&pooled, pass.mask(rate, Site::Classifier), pass.route)?;
    pass.linear("classifier", &pooled)
}

/// `E LayerNorm(f(W h + b)) + c`, `E` the word embeddings (Devlin et al., 2019), or a decoder of its own where the
/// checkpoint has one.
fn predict_tokens(pass: &Pass<'_>, x: &Tensor) -> Result<Tensor, ModelError> {
    let transformed = pass.linear("cls.predictions.transform.dense", x)?;
    let transformed = ops::activation(&transformed, pass.model.spec.masked_lm_activation, pass.route)?;
    let transformed = pass.norm("cls.predictions.transform.LayerNorm", &transformed)?;
    let bias = pass.parameter("cls.predictions.bias")?;
    let dequantized;
    let decoder = match (pass.model.params.get("cls.predictions.decoder.weight"), pass.model.int8.get(EMBEDDINGS[0])) {
        (Some(decoder), _) => decoder,
        (None, Some(table)) => {
            dequantized = table.dequantize()?;
            &dequantized
        }
        (None, None) => pass.parameter(&format!("{}.weight", EMBEDDINGS[0]))?,
    };
    Ok(ops::linear(&transformed, decoder, bias, pass.route)?)
}
