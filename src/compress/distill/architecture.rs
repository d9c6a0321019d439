//! Light architectures by their published shapes.

use crate::{
    compress::CompressError,
    model::{Activation, Bottleneck, ClassifierHead, Embedding, EncoderSpec, LayerShape, Model, Norm, Positions},
};

/// The shape of a small model that was published.
#[derive(Clone, Copy, Debug)]
pub struct Architecture {
    /// Its name in recipes.
    pub name: &'static str,
    /// The family that it is of.
    model_type: &'static str,
    /// Layers, their width, heads, the width of feed-forward nets.
    sizes: [usize; 4],
    /// What else differs from BERT.
    adapt: fn(&mut EncoderSpec),
}

/// All of them: `TinyBERT` (Jiao et al., 2020, section 4.2), `MiniLM` (Wang et al., 2020, section 4.1), `DistilBERT` (Sanh et
/// al., 2019, section 3), BERT-small, -mini and -tiny (Turc et al., 2019, table 1), `MobileBERT` and its tiny one (Sun et al.,
/// 2020, table 1).
const ALL: &[Architecture] = &[
    Architecture::bert("tinybert-4l-312", [4, 312, 12, 1200]),
    Architecture::bert("tinybert-6l-768", [6, 768, 12, 3072]),
    Architecture::bert("minilm-l6-h384", [6, 384, 12, 1536]),
    Architecture::bert("minilm-l12-h384", [12, 384, 12, 1536]),
    Architecture::bert("bert-tiny", [2, 128, 2, 512]),
    Architecture::bert("bert-mini", [4, 256, 4, 1024]),
    Architecture::bert("bert-small", [4, 512, 8, 2048]),
    Architecture { name: "distilbert", model_type: "distilbert", sizes: [6, 768, 12, 3072], adapt: distilbert },
    Architecture { name: "mobilebert", model_type: "mobilebert", sizes: [24, 512, 4, 512], adapt: mobilebert },
    Architecture {
        name: "mobilebert-tiny",
        model_type: "mobilebert",
        sizes: [24, 512, 4, 512],
        adapt: mobilebert_tiny,
    },
];

impl Architecture {
    const fn bert(name: &'static str, sizes: [usize; 4]) -> Self {
        Self { name, model_type: "bert", sizes, adapt: |_| () }
    }

    /// The architecture of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        ALL.iter().find(|architecture| architecture.name == name).copied()
    }

    /// All that there are.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.iter().copied()
    }

    /// Its shape in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let [n_layers, hidden_size, heads, intermediate_size] = self.sizes;
        let family = self.model_type;
        format!(
            "Of the family `{family}`: {n_layers} layers of {hidden_size}, {heads} heads, feed-forward {intermediate_size}."
        )
    }

    /// A student of this shape with random parameters, that reads the same tokens as the teacher and has the same head.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn student(&self, teacher: &Model, seed: u64) -> Result<Model, CompressError> {
        let [n_layers, hidden_size, heads, intermediate_size] = self.sizes;
        let layer = LayerShape { heads, intermediate_size, reach: None };
        let mut spec = EncoderSpec {
            vocab_size: teacher.spec.vocab_size,
            max_positions: teacher.spec.max_positions,
            type_vocab_size: teacher.spec.type_vocab_size.max(1),
            positions: Positions::FromZero,
            ..EncoderSpec::bert(hidden_size, hidden_size / heads, vec![layer; n_layers])
        };
        (self.adapt)(&mut spec);
        let mut student = Model::init_as(self.model_type, spec, teacher.head.clone(), seed, &teacher.device)?;
        student.take_token_ids(teacher);
        student.check_config()?;
        Ok(student)
    }
}

fn distilbert(spec: &mut EncoderSpec) {
    spec.type_vocab_size = 0;
    spec.drops_attention_output = false;
    spec.pooler = false;
    spec.classifier_dropout = Some(0.2);
    spec.classifier = ClassifierHead::Dense { activation: Activation::Relu, drops_input: false };
}

/// Layers of 128 within, four feed-forward nets each; words of 128 that see their neighbours; no layer norms.
fn mobilebert(spec: &mut EncoderSpec) {
    let size = 128;
    spec.bottleneck = Some(Bottleneck { size, shares_keys: true });
    spec.head_dim = size / 4;
    spec.feed_forwards = 4;
    spec.embedding = Embedding::Words { size, trigrams: true };
    spec.norm = Norm::Affine;
    spec.activation = Activation::Relu;
    spec.masked_lm_activation = Activation::Relu;
    spec.drops_attention_output = false;
    spec.hidden_dropout = 0.0;
}

/// The same with two feed-forward nets a layer, and all of attention from the narrow side.
fn mobilebert_tiny(spec: &mut EncoderSpec) {
    mobilebert(spec);
    spec.bottleneck = Some(Bottleneck { size: 128, shares_keys: false });
    spec.feed_forwards = 2;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compress::verify, train::tests::tiny};

    /// Millions of parameters with BERT's 30,522 tokens and 512 positions, as the papers and the models that were published
    /// have them: within 2 %, as some count a pooler and a head, and some do not. `MobileBERT`'s tiny one is 15.1 in its
    /// paper, without pooler and positions (0.26 each).
    #[test]
    fn published_sizes() {
        let (teacher, _) = tiny();
        let sizes = [14.4, 67.0, 22.7, 33.4, 4.4, 11.2, 28.8, 66.4, 24.6, 15.7];
        for (architecture, millions) in Architecture::all().zip(sizes) {
            let name = architecture.name;
            let student = architecture.student(&teacher, 1).unwrap();
            let spec = &student.spec;
            let types = if spec.type_vocab_size == 0 { 0 } else { 2 - spec.type_vocab_size };
            let missing = (30_522 - spec.vocab_size) * spec.word_width()
                + (512 - spec.max_positions + types) * spec.embedding_width();
            let found = (student.n_parameters() + missing) as f64 / 1e6;
            assert!((found / millions - 1.0).abs() < 0.02, "{name}: {found} M instead of {millions}");
            let dir = tempfile::tempdir().unwrap();
            student.save(dir.path(), dir.path()).unwrap();
            verify::read_back(&student, dir.path()).unwrap();
        }
        assert_eq!(Architecture::all().count(), sizes.len());
    }
}
