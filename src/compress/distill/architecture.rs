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
        if let (Some(config), Some(padding)) = (student.config.as_object_mut(), teacher.config.get("pad_token_id")) {
            config.insert("pad_token_id".to_owned(), padding.clone());
        }
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

    /// Millions of parameters of the encoder with BERT's 30,522 tokens, as the papers have them, some without poolers.
    #[test]
    fn published_sizes() {
        let (teacher, _) = tiny();
        for (name, millions) in [
            ("tinybert-4l-312", 14.4),
            ("minilm-l6-h384", 22.7),
            ("bert-tiny", 4.4),
            ("bert-mini", 11.2),
            ("mobilebert", 24.6),
            ("mobilebert-tiny", 15.1),
        ] {
            let student = Architecture::of(name).unwrap().student(&teacher, 1).unwrap();
            let spec = &student.spec;
            let missing = (30_522 - spec.vocab_size) * spec.word_width()
                + (512 - spec.max_positions) * spec.embedding_width()
                + (2 - spec.type_vocab_size) * spec.embedding_width();
            let found = (student.n_parameters() + missing) as f64 / 1e6;
            assert!((found - millions).abs() < 0.7, "{name}: {found} M");
            let dir = tempfile::tempdir().unwrap();
            student.save(dir.path(), dir.path()).unwrap();
            verify::read_back(&student, dir.path()).unwrap();
        }
        assert_eq!(Architecture::all().count(), 10);
    }
}
