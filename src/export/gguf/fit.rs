//! What of a model llama.cpp's architecture `bert` can hold, and why not the rest.

use std::path::Path;

use super::{
    heads,
    pooling::{self, Pooling},
    tokens::{self, Token},
};
use crate::{
    base::plural,
    data::{Tokenizer, WordPieces},
    export::ExportError,
    model::{Activation, ClassifierHead, Embedding, EncoderSpec, Head, Model, Positions},
};

/// A model in the form that the file has.
pub(super) struct Fitted {
    /// With all heads in each layer, and without what the file has no place for.
    pub(super) model: Model,
    /// Its tokenizer.
    pub(super) pieces: WordPieces,
    /// Its tokens, one a row of the word embeddings.
    pub(super) tokens: Vec<Token>,
    /// How hidden states become an answer.
    pub(super) pooling: Pooling,
    /// What a user should know of it.
    pub(super) notes: Vec<String>,
}

/// Brings a model of a folder into the form of the file.
pub(super) fn fit(model: &Model, folder: &Path) -> Result<Fitted, ExportError> {
    if model.quantized.is_int8() {
        return Err(ExportError::Unfit(
            "an int8 model would be rounded a second time: export the f32 model that it was made of, whose matrices `gguf` \
             stores in 8 bits itself"
                .to_owned(),
        ));
    }
    if let Some(why) = misfit(&model.spec, &model.head) {
        let family = model.config["model_type"].as_str().unwrap_or("bert");
        return Err(ExportError::Unfit(format!(
            "llama.cpp's architecture `bert` cannot be this model (`model_type` `{family}`): {why}; BERT and DistilBERT fit, \
             and `hf` and `onnx` hold every family"
        )));
    }
    let vocab_size = model.spec.vocab_size;
    let pieces = Tokenizer::for_model(folder, vocab_size)?.word_pieces().map_err(|why| unfit_tokenizer(&why))?;
    let tokens = tokens::of(&pieces, vocab_size).map_err(|why| unfit_tokenizer(&why))?;

    let mut notes = Vec::new();
    let mut model = model.clone();
    let pooling = match &model.head {
        Head::SequenceClassification { labels } => {
            notes.push(format!(
                "a classifier: with the pooling `rank`, llama.cpp gives the logits of {}",
                plural::list(labels)
            ));
            Pooling::Rank
        }
        head @ (Head::None | Head::MaskedLm | Head::TokenClassification { .. }) => {
            let lost = match head {
                Head::MaskedLm => Some("no masked-LM head"),
                Head::TokenClassification { .. } => Some("no classifier of tokens"),
                _ => None,
            };
            if let Some(lost) = lost {
                notes.push(format!("the encoder alone: llama.cpp's `bert` has {lost}"));
            }
            let (pooling, why) = pooling::of(folder)?;
            notes.push(format!("embeddings by the pooling `{}`, {why}", pooling.name()));
            model.head = Head::None;
            model.spec.pooler = false;
            pooling
        }
    };
    let filled = heads::fill(&mut model)?;
    if filled > 0 {
        let (heads, are) = (plural::count(filled, "pruned head"), if filled == 1 { "is" } else { "are" });
        notes.push(format!(
            "{heads} {are} filled with zeros, which add nothing to the answers: llama.cpp's layers have all heads"
        ));
    }
    if !pieces.lowercase {
        notes.push(
            "the tokenizer heeds case: llama.cpp does so where it knows `tokenizer.ggml.normalizer.lowercase`, and older \
             versions make texts lower case"
                .to_owned(),
        );
    }
    Ok(Fitted { model, pieces, tokens, pooling, notes })
}

fn unfit_tokenizer(why: &str) -> ExportError {
    ExportError::Unfit(format!(
        "llama.cpp's tokenizer `bert` cannot be this model's: {why}; `hf` and `onnx` hold every tokenizer"
    ))
}

/// Why the graph of llama.cpp is not that of a model.
fn misfit(spec: &EncoderSpec, head: &Head) -> Option<String> {
    if spec.embedding != Embedding::Plain {
        return Some("its word embeddings are not as wide as its layers".to_owned());
    }
    if spec.layer_groups.is_some() {
        return Some("its layers share their weights".to_owned());
    }
    if !spec.has_plain_layers() {
        return Some("its layers are not those of BERT".to_owned());
    }
    if spec.positions != Positions::FromZero {
        return Some("it counts positions from behind the padding token's, as RoBERTa does".to_owned());
    }
    if spec.global_projections || spec.layers.iter().any(|layer| layer.reach.is_some()) {
        return Some("its attention sees a window".to_owned());
    }
    if !matches!(spec.activation, Activation::Gelu | Activation::GeluTanh) {
        let name = if spec.activation == Activation::Relu { "relu" } else { "tanh" };
        return Some(format!("its feed-forward nets have the activation `{name}`, and llama.cpp's have GELU"));
    }
    if spec.layers.windows(2).any(|pair| pair[0].intermediate_size != pair[1].intermediate_size) {
        return Some("its feed-forward nets are not of one width".to_owned());
    }
    let is_classifier = matches!(head, Head::SequenceClassification { .. });
    if is_classifier && spec.classifier != ClassifierHead::Pooler {
        let of_head = match spec.classifier {
            ClassifierHead::Dense { activation: Activation::Relu, .. } => "ReLU",
            ClassifierHead::Dense { activation: Activation::Gelu | Activation::GeluTanh, .. } => "GELU",
            _ => "another form",
        };
        return Some(format!("its classifier has {of_head} where that of llama.cpp has tanh"));
    }
    None
}
