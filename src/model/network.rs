//! `Model`: an encoder and its head, with named parameters.

use std::{collections::BTreeMap, fmt, path::Path};

use candle_core::{Device, Tensor, Var};
use serde_json::{Map, Value, json};

use super::{
    ClassifierHead, EncoderSpec, FloatType, Int8Weight, ModelError, checkpoint,
    encoder::Pass,
    families, init,
    memory::TrainingMemory,
    ops::Route,
    packed::PackedWeight,
    params::{Parameter, TOKEN_CLASSIFIER, parameters},
    quantization::Quantized,
};

/// What stands on the encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// Nothing: hidden states only.
    None,
    /// Sequence classification: dropout and a linear layer on the pooled first token.
    SequenceClassification {
        /// The labels, in the order of the logits.
        labels: Vec<String>,
    },
    /// Token classification: dropout and a linear layer on every token.
    TokenClassification {
        /// The labels, in the order of the logits.
        labels: Vec<String>,
    },
    /// Masked language modelling: dense, activation, norm, and the tied decoder.
    MaskedLm,
}

/// A model. Parameters are kept under Hugging Face's names in their modern form (`bert.encoder.layer.0.attention.self.query.weight`,
/// `classifier.bias`), `[out, in]`, so that what is trained, pruned and written is what `transformers` reads.
///
/// A clone shares the storage of the parameters: training the one changes the other.
#[derive(Clone)]
pub struct Model {
    /// The shape.
    pub spec: EncoderSpec,
    /// The head.
    pub head: Head,
    /// `config.json` as it was read; what lmpipe does not know is kept.
    pub config: Value,
    /// The parameters by name. Trainable ones are [`Var`]s over the same storage.
    pub params: BTreeMap<String, Tensor>,
    /// The int8 weights by the name of their module (`bert.encoder.layer.0.output.dense`); their biases are in `params`.
    pub int8: BTreeMap<String, Int8Weight>,
    /// The weights that are stored in a few bits and computed in f32, by the name of their module; their f32 numbers are in
    /// `params`.
    pub packed: BTreeMap<String, PackedWeight>,
    /// How weights are stored.
    pub quantized: Quantized,
    /// Where it is.
    pub device: Device,
    /// What a user should know about how it was read: tensors that were dropped, a pooler or head that is missing.
    pub notes: Vec<String>,
    /// Where its layers put their gradients while it is trained ([`Self::collect_gradients`]).
    pub(super) memory: Option<TrainingMemory>,
}

/// A packed batch, as the encoder takes it.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    /// Token ids, `[total_tokens]`.
    pub input_ids: &'a [u32],
    /// Token types, `[total_tokens]`.
    pub type_ids: &'a [u32],
    /// Where each sequence starts, and the end, `[rows + 1]`.
    pub offsets: &'a [usize],
    /// The tokens that see, and are seen by, all of their sequences where attention has windows, ascending; those of
    /// [`Model::globals`] without it.
    pub globals: Option<&'a [usize]>,
}

impl<'a> Packed<'a> {
    /// Ids and types of tokens, and where each sequence starts, and the end.
    #[must_use]
    pub fn new(input_ids: &'a [u32], type_ids: &'a [u32], offsets: &'a [usize]) -> Self {
        Self { input_ids, type_ids, offsets, globals: None }
    }

    /// The same with other tokens that all see.
    #[must_use]
    pub fn with_globals(self, globals: &'a [usize]) -> Self {
        Self { globals: Some(globals), ..self }
    }
}

/// What a forward pass keeps beside its result, and whether it drops out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// Keep the hidden states: the embeddings' and each layer's.
    pub hidden_states: bool,
    /// Keep the attention probabilities of each layer.
    pub attentions: bool,
    /// Keep the queries, keys and values of each layer.
    pub projections: bool,
    /// Train: drop out with this seed (a seed a step). `None` is inference.
    pub dropout_seed: Option<u64>,
}

/// What a forward pass gives.
pub struct Output {
    /// The last hidden state, `[total_tokens, hidden_size]`.
    pub last_hidden_state: Tensor,
    /// `[rows, labels]` of a sequence classifier, `[total_tokens, labels]` of a token classifier, `[total_tokens, vocab_size]`
    /// of a masked LM.
    pub logits: Option<Tensor>,
    /// On request: the embeddings' output and each layer's, `[total_tokens, hidden_size]` each.
    pub hidden_states: Vec<Tensor>,
    /// On request: each layer's attention probabilities (before dropout), sequence after sequence, head after head,
    /// flattened: `[Σ heads · len²]`.
    pub attentions: Vec<Tensor>,
    /// On request: each layer's queries, keys and values, `[total_tokens, heads · head_dim]` each.
    pub projections: Vec<[Tensor; 3]>,
}

impl fmt::Debug for Model {
    /// Without the numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spec, head, quantized, .. } = self;
        f.debug_struct("Model")
            .field("spec", spec)
            .field("head", head)
            .field("quantized", quantized)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Reads a Hugging Face directory: `config.json` and its weights (safetensors or a pickle, in one file or several), floats,
    /// int8, or packed in a few bits.
    ///
    /// Names of old checkpoints (`gamma`, `beta`), and with or without the `bert.` prefix, are understood. A head that
    /// the checkpoint lacks is [`Head::None`].
    ///
    /// # Errors
    /// When a file is missing or damaged, the family unknown, or a tensor missing or of another shape than the config says.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, ModelError> {
        checkpoint::load(dir, device)
    }

    /// Writes `config.json` and `model.safetensors` and copies the tokenizer's files from `tokenizer_from`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, dir: &Path, tokenizer_from: &Path) -> Result<(), ModelError> {
        self.save_as(dir, tokenizer_from, FloatType::F32)
    }

    /// The same with f32 parameters rounded to a type, to nearest with ties to even; int8 weights and their scales stay as
    /// they are. `config.json` says so in `dtype`, and [`Self::load`] widens them again.
    ///
    /// # Errors
    /// When a parameter is too large for the type, or a file cannot be written.
    pub fn save_as(&self, dir: &Path, tokenizer_from: &Path, floats: FloatType) -> Result<(), ModelError> {
        checkpoint::save(self, dir, tokenizer_from, floats)
    }

    /// The same encoder with a fresh sequence-classification head for these labels (pooler initialised too where the
    /// checkpoint had none), seeded. A head for the same labels is kept.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn with_classifier(mut self, labels: &[String], seed: u64) -> Result<Self, ModelError> {
        let head = Head::SequenceClassification { labels: labels.to_vec() };
        if self.head != head {
            self.spec.pooler |= self.spec.classifier == ClassifierHead::Pooler;
            self.replace_head(head, seed)?;
        }
        Ok(self)
    }

    /// The same encoder with a fresh token-classification head for these labels, seeded, and without its pooler, which such a
    /// head does not look at. A head for the same labels is kept.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn with_token_classifier(mut self, labels: &[String], seed: u64) -> Result<Self, ModelError> {
        let head = Head::TokenClassification { labels: labels.to_vec() };
        if self.head != head {
            self.spec.pooler = false;
            self.replace_head(head, seed)?;
        }
        Ok(self)
    }

    /// Takes away what only the old head needs, and adds what the new one lacks.
    fn replace_head(&mut self, head: Head, seed: u64) -> Result<(), ModelError> {
        self.head = head;
        let wanted = parameters(&self.spec, &self.head);
        let is_wanted = |name: &str| wanted.iter().any(|parameter| parameter.name == name);
        // Other labels have other logits, though the layer is called the same.
        let is_of_labels = |module: &str| module.starts_with("classifier") || module == TOKEN_CLASSIFIER;
        let stays = |module: &str| is_wanted(&format!("{module}.weight")) && !is_of_labels(module);
        self.params.retain(|name, _| {
            is_wanted(name) && !name.rsplit_once('.').is_some_and(|(module, _)| is_of_labels(module))
        });
        self.int8.retain(|module, _| stays(module));
        self.packed.retain(|module, _| stays(module));
        self.fill_in(&wanted, seed)?;
        if let Some(config) = self.config.as_object_mut() {
            // It described the head that is gone.
            config.shift_remove("problem_type");
        }
        Ok(())
    }

    /// A BERT of a shape, initialised at random (normal with `initializer_range`, zero biases), seeded.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn init(spec: EncoderSpec, head: Head, seed: u64, device: &Device) -> Result<Self, ModelError> {
        Self::init_of(families::default(), spec, head, seed, device)
    }

    /// The same of the family of a `model_type`.
    ///
    /// # Errors
    /// When there is no such family, its `config.json` cannot say the shape, or a tensor cannot be made.
    pub fn init_as(
        model_type: &str,
        spec: EncoderSpec,
        head: Head,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        Self::init_of(families::of(model_type).map_err(ModelError::Checkpoint)?, spec, head, seed, device)
    }

    /// The same of this model's family.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn init_alike(&self, spec: EncoderSpec, head: Head, seed: u64) -> Result<Self, ModelError> {
        Self::init_of(families::of_config(&self.config)?, spec, head, seed, &self.device)
    }

    fn init_of(
        family: &families::Family,
        spec: EncoderSpec,
        head: Head,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let mut config = Map::new();
        // First: a shape that the family has not may have no parameters either.
        family.write_config(&spec, &mut config)?;
        let wanted = parameters(&spec, &head);
        let mut model = Self {
            spec,
            head,
            config: Value::Object(config),
            params: BTreeMap::new(),
            int8: BTreeMap::new(),
            packed: BTreeMap::new(),
            quantized: Quantized::No,
            device: device.clone(),
            notes: Vec::new(),
            memory: None,
        };
        model.fill_in(&wanted, seed)?;
        Ok(model)
    }

    /// Says early, before it is trained or written, that `config.json` cannot say what the model is.
    ///
    /// # Errors
    /// When its family has no way to say it; the message says what would fit.
    pub fn check_config(&self) -> Result<(), ModelError> {
        checkpoint::check_config(self)
    }

    /// Takes over which tokens are special from the `config.json` of another model that reads the same ones.
    pub fn take_token_ids(&mut self, other: &Self) {
        let Some(config) = self.config.as_object_mut() else { return };
        for (key, id) in other.config.as_object().into_iter().flatten() {
            if key.ends_with("_token_id") {
                config.insert(key.clone(), id.clone());
            }
        }
    }

    /// Whether `config.json` can say which attention heads are gone.
    #[must_use]
    pub fn can_lack_heads(&self) -> bool {
        families::of_config(&self.config).is_ok_and(|family| family.can_lack_heads)
    }

    /// Makes every f32 parameter trainable and returns the variables by name, in order.
    ///
    /// # Errors
    /// When the model is quantised.
    pub fn trainable(&mut self) -> Result<BTreeMap<String, Var>, ModelError> {
        if self.quantized != Quantized::No || !self.int8.is_empty() {
            return Err(ModelError::Checkpoint(
                "a quantised model cannot be trained; train its f32 parent and quantise again".to_owned(),
            ));
        }
        let mut variables = BTreeMap::new();
        for (name, tensor) in &mut self.params {
            let variable = Var::from_tensor(tensor)?;
            *tensor = variable.as_tensor().clone();
            variables.insert(name.clone(), variable);
        }
        Ok(variables)
    }

    /// Lets the forward passes that drop out put the gradients of layers and embedding tables into a memory, where they can
    /// from then on be found instead of in candle's store: on the CPU, a step is then free of allocations and copies.
    pub fn collect_gradients(&mut self) -> TrainingMemory {
        self.memory.insert(TrainingMemory::default()).clone()
    }

    /// Ends what [`Self::collect_gradients`] began.
    pub fn stop_collecting(&mut self) {
        self.memory = None;
    }

    /// The same model with parameters that are no variables: a forward pass keeps nothing for gradients. The storage is
    /// shared, so it follows the training of its source.
    #[must_use]
    pub fn frozen(&self) -> Self {
        let params = self.params.iter().map(|(name, tensor)| (name.clone(), tensor.detach())).collect();
        Self { params, memory: None, ..self.clone() }
    }

    /// Runs the model.
    ///
    /// # Errors
    /// When a sequence is longer than `max_positions` or an id is out of range (the message says which), or a computation fails.
    pub fn forward(&self, batch: Packed<'_>, keep: Keep) -> Result<Output, ModelError> {
        self.forward_by(batch, keep, Route::of(&self.device))
    }

    /// Runs the model by candle's operations, and changes what each linear layer takes, by the name of its module, first.
    ///
    /// # Errors
    /// As [`Self::forward`], or those of `change`.
    pub fn forward_changed(
        &self,
        batch: Packed<'_>,
        keep: Keep,
        change: &dyn Fn(&str, &Tensor) -> candle_core::Result<Tensor>,
    ) -> Result<Output, ModelError> {
        Pass::new(self, batch, keep, Route::Composed)?.with_hook(change).run()
    }

    pub(super) fn forward_by(&self, batch: Packed<'_>, keep: Keep, route: Route) -> Result<Output, ModelError> {
        Pass::new(self, batch, keep, route)?.run()
    }

    /// The tokens of a packed batch that see their whole sequence, and that all of it sees, where attention has windows:
    /// the first of each sequence for a classifier (Beltagy et al., 2020, section 3.1), none else.
    #[must_use]
    pub fn globals(&self, offsets: &[usize]) -> Vec<usize> {
        globals(&self.spec, &self.head, offsets)
    }

    /// Whether a parameter is stored in a few bits, by its name.
    pub(super) fn is_packed(&self, parameter: &str) -> bool {
        parameter.strip_suffix(".weight").is_some_and(|module| self.packed.contains_key(module))
    }

    /// How many parameters it has, int8 ones included.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        let int8: usize = self.int8.values().map(|weight| weight.values().len()).sum();
        self.params.values().map(Tensor::elem_count).sum::<usize>() + int8
    }

    /// Multiply–accumulates of one forward pass over one sequence of this length: linear layers, attention and head, without what
    /// global tokens have beside the others.
    #[must_use]
    pub fn macs(&self, sequence_length: usize) -> u64 {
        let len = sequence_length as u64;
        let attention: u64 = self
            .spec
            .layers
            .iter()
            .map(|layer| {
                let seen = layer.reach.map_or(len, |reach| len.min(2 * reach as u64 + 1));
                2 * len * seen * (layer.heads * self.spec.head_dim) as u64
            })
            .sum();
        // A weight of a linear layer is one multiplication a token, as often as its layer is run.
        let times = |name: &str| {
            let layer = name.strip_prefix("bert.encoder.layer.").and_then(|rest| rest.split_once('.'));
            let Some(stored) = layer.and_then(|(number, _)| number.parse::<usize>().ok()) else {
                // Classifiers see one token.
                let classifies = matches!(self.head, Head::SequenceClassification { .. });
                let is_of_one = name.starts_with("bert.pooler.") || classifies && !name.starts_with("bert.");
                return if is_of_one { 1 } else { len };
            };
            len * (0..self.spec.n_layers()).filter(|&layer| self.spec.stored_layer(layer) == stored).count() as u64
        };
        let linear: u64 = parameters(&self.spec, &self.head)
            .iter()
            .filter(|parameter| parameter.shape.len() == 2 && !parameter.name.contains("_embeddings."))
            // Of few tokens, if any.
            .filter(|parameter| !parameter.name.contains("_global."))
            .map(|parameter| times(&parameter.name) * parameter.shape.iter().product::<usize>() as u64)
            .sum();
        let decoder =
            if self.head == Head::MaskedLm { len * (self.spec.vocab_size * self.spec.word_width()) as u64 } else { 0 };
        attention + linear + decoder
    }

    /// Adds the parameters that are missing, fresh.
    fn fill_in(&mut self, wanted: &[Parameter], seed: u64) -> Result<(), ModelError> {
        for parameter in wanted {
            let is_int8 = parameter.name.strip_suffix(".weight").is_some_and(|module| self.int8.contains_key(module));
            if !is_int8 && !self.params.contains_key(&parameter.name) {
                let fresh = init::tensor(parameter, self.spec.initializer_range, seed, &self.device)?;
                self.params.insert(parameter.name.clone(), fresh);
            }
        }
        Ok(())
    }
}

/// The labels of a head as `config.json` has them.
pub(super) fn label_maps(labels: &[String]) -> (Value, Value) {
    let by_id: Map<_, _> = labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label))).collect();
    let by_label: Map<_, _> = labels.iter().enumerate().map(|(id, label)| (label.clone(), json!(id))).collect();
    (Value::Object(by_id), Value::Object(by_label))
}

/// As [`Model::globals`].
pub(crate) fn globals(spec: &EncoderSpec, head: &Head, offsets: &[usize]) -> Vec<usize> {
    let classifies = matches!(head, Head::SequenceClassification { .. });
    let has_them = spec.global_projections && classifies;
    if has_them { offsets[..offsets.len().saturating_sub(1)].to_vec() } else { Vec::new() }
}

pub(super) fn missing(name: &str) -> ModelError {
    ModelError::Checkpoint(format!("the model has no tensor `{name}`"))
}
