//! The named parameters of a spec and a head: which there are, and of which shapes.

use super::{ClassifierHead, Embedding, EncoderSpec, Head, LayerShape};

/// A parameter's name and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Hugging Face's name in its modern form: `bert.encoder.layer.0.output.dense.weight`.
    pub name: String,
    /// `[out, in]` of a linear layer, `[rows, hidden]` of an embedding, `[width]` of a bias or norm.
    pub shape: Vec<usize>,
}

impl Parameter {
    /// Whether it is the scale of a layer norm, which starts at one.
    pub(super) fn is_norm_scale(&self) -> bool {
        self.name.ends_with("LayerNorm.weight")
    }
}

/// The modules that are embedding tables.
pub(super) const EMBEDDINGS: [&str; 3] =
    ["bert.embeddings.word_embeddings", "bert.embeddings.position_embeddings", "bert.embeddings.token_type_embeddings"];

/// What brings embeddings of another width to that of the layers.
pub(crate) const PROJECTION: &str = "bert.embeddings_project";

/// What stands behind the last layer where norms stand before layers.
pub(crate) const FINAL_NORM: &str = "bert.encoder.LayerNorm";

/// The transform of the masked-LM head, which other heads may take.
pub(crate) const TRANSFORM: &str = "cls.predictions.transform.dense";

/// The norm behind it.
pub(crate) const TRANSFORM_NORM: &str = "cls.predictions.transform.LayerNorm";

/// The linear layer of a token classifier.
pub(crate) const TOKEN_CLASSIFIER: &str = "token_classifier";

/// The columns of a masked LM's decoder that word embeddings are too narrow to have, transposed: `[missing, vocab_size]`.
pub(crate) const DECODER_REST: &str = "cls.predictions.dense";

/// All parameters of a model, in the order of its computation. The decoder of a masked LM is tied to the word
/// embeddings and not among them.
pub fn parameters(spec: &EncoderSpec, head: &Head) -> Vec<Parameter> {
    let mut list = List { parameters: Vec::new(), norms_have_bias: spec.biases.norms };
    let (hidden, embedding) = (spec.hidden_size, spec.embedding_width());
    let rows = [spec.vocab_size, spec.positions.table_rows(spec.max_positions), spec.type_vocab_size];
    for ((module, rows), width) in EMBEDDINGS.iter().zip(rows).zip([spec.word_width(), embedding, embedding]) {
        if rows > 0 {
            list.add(format!("{module}.weight"), &[rows, width]);
        }
    }
    if let Embedding::Words { size, trigrams } = spec.embedding {
        list.linear(PROJECTION, hidden, if trigrams { 3 * size } else { size }, true);
    }
    list.norm("bert.embeddings.LayerNorm", embedding);
    if let Embedding::Projected(size) = spec.embedding {
        list.linear(PROJECTION, hidden, size, true);
    }
    for layer in 0..spec.n_stored_layers() {
        list.layer(spec, layer);
    }
    if spec.pre_norm {
        list.norm(FINAL_NORM, hidden);
    }
    if spec.pooler {
        list.linear("bert.pooler.dense", hidden, hidden, true);
    }
    match head {
        Head::None => {}
        Head::SequenceClassification { labels } => {
            match spec.classifier {
                ClassifierHead::Dense { .. } => list.linear("classifier.dense", hidden, hidden, true),
                ClassifierHead::Transform { .. } => list.transform(spec),
                ClassifierHead::Pooler | ClassifierHead::First => {}
            }
            list.linear("classifier", labels.len(), hidden, true);
        }
        Head::TokenClassification { labels } => {
            if let ClassifierHead::Transform { .. } = spec.classifier {
                list.transform(spec);
            }
            list.linear(TOKEN_CLASSIFIER, labels.len(), hidden, true);
        }
        Head::MaskedLm => {
            list.transform(spec);
            let missing = spec.embedding_width() - spec.word_width();
            if missing > 0 {
                list.add(format!("{DECODER_REST}.weight"), &[missing, spec.vocab_size]);
            }
            if spec.biases.decoder {
                list.add("cls.predictions.bias".to_owned(), &[spec.vocab_size]);
            }
        }
    }
    list.parameters
}

struct List {
    parameters: Vec<Parameter>,
    norms_have_bias: bool,
}

impl List {
    fn layer(&mut self, spec: &EncoderSpec, layer: usize) {
        let prefix = format!("bert.encoder.layer.{layer}");
        let LayerShape { heads, intermediate_size: intermediate, .. } = spec.layers[spec.first_layer_of(layer)];
        let (hidden, inner, width) = (spec.hidden_size, spec.inner_size(), heads * spec.head_dim);
        let narrow = |list: &mut Self, name: &str| {
            list.linear(&format!("{prefix}.bottleneck.{name}.dense"), inner, hidden, true);
            list.norm(&format!("{prefix}.bottleneck.{name}.LayerNorm"), inner);
        };
        if let Some(bottleneck) = spec.bottleneck {
            narrow(self, "input");
            if bottleneck.shares_keys {
                narrow(self, "attention");
            }
        }
        // Nothing comes before the first layer but a norm.
        if spec.pre_norm && layer > 0 {
            self.norm(&format!("{prefix}.attention.LayerNorm"), hidden);
        }
        for projection in spec.projections() {
            let is_of_hidden = *projection == "value" && spec.bottleneck.is_some_and(|it| it.shares_keys);
            let inputs = if is_of_hidden { hidden } else { inner };
            self.linear(&format!("{prefix}.attention.self.{projection}"), width, inputs, spec.biases.attention);
        }
        self.linear(&format!("{prefix}.attention.output.dense"), inner, width, spec.biases.attention);
        if spec.pre_norm {
            self.norm(&format!("{prefix}.intermediate.LayerNorm"), inner);
        } else {
            self.norm(&format!("{prefix}.attention.output.LayerNorm"), inner);
        }
        for net in spec.feed_forward_modules() {
            self.linear(&format!("{prefix}{net}.intermediate.dense"), intermediate, inner, spec.biases.feed_forward);
            if spec.gated {
                self.linear(&format!("{prefix}{net}.intermediate.gate"), intermediate, inner, spec.biases.feed_forward);
            }
            self.linear(&format!("{prefix}{net}.output.dense"), inner, intermediate, spec.biases.feed_forward);
            if !spec.pre_norm {
                self.norm(&format!("{prefix}{net}.output.LayerNorm"), inner);
            }
        }
        if spec.bottleneck.is_some() {
            self.linear(&format!("{prefix}.output.bottleneck.dense"), hidden, inner, true);
            self.norm(&format!("{prefix}.output.bottleneck.LayerNorm"), hidden);
        }
    }

    fn transform(&mut self, spec: &EncoderSpec) {
        self.linear(TRANSFORM, spec.embedding_width(), spec.hidden_size, spec.biases.transform);
        self.norm(TRANSFORM_NORM, spec.embedding_width());
    }

    fn add(&mut self, name: String, shape: &[usize]) {
        self.parameters.push(Parameter { name, shape: shape.to_vec() });
    }

    fn linear(&mut self, module: &str, outputs: usize, inputs: usize, has_bias: bool) {
        self.add(format!("{module}.weight"), &[outputs, inputs]);
        if has_bias {
            self.add(format!("{module}.bias"), &[outputs]);
        }
    }

    fn norm(&mut self, module: &str, width: usize) {
        self.add(format!("{module}.weight"), &[width]);
        if self.norms_have_bias {
            self.add(format!("{module}.bias"), &[width]);
        }
    }
}
