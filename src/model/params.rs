//! The named parameters of a spec and a head: which there are, and of which shapes.

use super::{ClassifierHead, EncoderSpec, Head, LayerShape};

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

/// All parameters of a model, in the order of its computation. The decoder of a masked LM is tied to the word
/// embeddings and not among them.
pub fn parameters(spec: &EncoderSpec, head: &Head) -> Vec<Parameter> {
    let mut list = List(Vec::new());
    let (hidden, embedding) = (spec.hidden_size, spec.embedding_width());
    for (module, rows) in
        EMBEDDINGS.iter().zip([spec.vocab_size, spec.max_positions + spec.positions.offset(), spec.type_vocab_size])
    {
        if rows > 0 {
            list.add(format!("{module}.weight"), &[rows, embedding]);
        }
    }
    list.norm("bert.embeddings.LayerNorm", embedding);
    if spec.embedding_size.is_some() {
        list.linear(PROJECTION, hidden, embedding);
    }
    for (layer, &LayerShape { heads, intermediate_size: intermediate, .. }) in spec.layers.iter().enumerate() {
        let prefix = format!("bert.encoder.layer.{layer}");
        let width = heads * spec.head_dim;
        for projection in spec.projections() {
            list.linear(&format!("{prefix}.attention.self.{projection}"), width, hidden);
        }
        list.linear(&format!("{prefix}.attention.output.dense"), hidden, width);
        list.norm(&format!("{prefix}.attention.output.LayerNorm"), hidden);
        list.linear(&format!("{prefix}.intermediate.dense"), intermediate, hidden);
        list.linear(&format!("{prefix}.output.dense"), hidden, intermediate);
        list.norm(&format!("{prefix}.output.LayerNorm"), hidden);
    }
    if spec.pooler {
        list.linear("bert.pooler.dense", hidden, hidden);
    }
    match head {
        Head::None => {}
        Head::SequenceClassification { labels } => {
            if let ClassifierHead::Dense { .. } = spec.classifier {
                list.linear("classifier.dense", hidden, hidden);
            }
            list.linear("classifier", labels.len(), hidden);
        }
        Head::MaskedLm => {
            list.linear("cls.predictions.transform.dense", embedding, hidden);
            list.norm("cls.predictions.transform.LayerNorm", embedding);
            list.add("cls.predictions.bias".to_owned(), &[spec.vocab_size]);
        }
    }
    list.0
}

struct List(Vec<Parameter>);

impl List {
    fn add(&mut self, name: String, shape: &[usize]) {
        self.0.push(Parameter { name, shape: shape.to_vec() });
    }

    fn linear(&mut self, module: &str, outputs: usize, inputs: usize) {
        self.add(format!("{module}.weight"), &[outputs, inputs]);
        self.add(format!("{module}.bias"), &[outputs]);
    }

    fn norm(&mut self, module: &str, width: usize) {
        self.add(format!("{module}.weight"), &[width]);
        self.add(format!("{module}.bias"), &[width]);
    }
}
