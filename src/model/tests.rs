//! The tiny models of `tests/data`: what they compute, how they are read and written.

mod checkpoints;
#[cfg(feature = "cuda")]
mod cuda;
mod goldens;
mod gradients;
mod hostile;
mod int8;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};

use super::{EncoderSpec, Head, Int8Weight, Keep, LayerShape, Model, Packed, Quantized, ops::Route, parameters};

/// Models with their results: BERT's in `models`, those of other families in `families`.
pub(crate) const MODELS: [&str; 32] = [
    "tiny-classifier",
    "tiny-gelu-new",
    "tiny-masked-lm",
    "tiny-old-names",
    "tiny-pruned",
    "tiny-encoder",
    "albert-classifier",
    "albert-masked-lm",
    "bert-tokens",
    "distilbert-classifier",
    "distilbert-masked-lm",
    "electra-classifier",
    "electra-encoder",
    "electra-masked-lm",
    "longformer-classifier",
    "longformer-encoder",
    "longformer-global",
    "longformer-masked-lm",
    "longformer-tokens",
    "mobilebert-classifier",
    "mobilebert-layer-norm",
    "mobilebert-masked-lm",
    "mobilebert-no-bottleneck",
    "modernbert-classifier-cls",
    "modernbert-classifier-mean",
    "modernbert-masked-lm",
    "modernbert-tokens",
    "roberta-classifier",
    "roberta-encoder",
    "roberta-masked-lm",
    "roberta-tokens",
    "xlm-roberta-classifier",
];
const EVERYTHING: Keep = Keep { hidden_states: true, attentions: true, projections: false, dropout_seed: None };

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The folder of a model.
pub(crate) fn place(name: &str) -> PathBuf {
    folder(if name.starts_with("tiny-") { "models" } else { "families" }).join(name)
}

fn load(name: &str) -> Model {
    Model::load(&place(name), &Device::Cpu).unwrap()
}

/// The first CUDA device; without one, nothing is compared.
#[cfg(feature = "cuda")]
pub(crate) fn cuda() -> Option<Device> {
    match super::candle_device(crate::base::device::DeviceId::Cuda(0)) {
        Ok(device) => Some(device),
        Err(why) => {
            eprintln!("skipped: {why}");
            None
        }
    }
}

/// The processor, and the first CUDA device where there is one.
pub(crate) fn devices() -> Vec<Device> {
    #[cfg(feature = "cuda")]
    return [Some(Device::Cpu), cuda()].into_iter().flatten().collect();
    #[cfg(not(feature = "cuda"))]
    vec![Device::Cpu]
}

/// A batch that owns its vectors.
struct Rows {
    input_ids: Vec<u32>,
    type_ids: Vec<u32>,
    offsets: Vec<usize>,
    globals: Option<Vec<usize>>,
}

impl Rows {
    fn packed(&self) -> Packed<'_> {
        let globals = self.globals.as_deref();
        Packed { globals, ..Packed::new(&self.input_ids, &self.type_ids, &self.offsets) }
    }

    fn of_lengths(lengths: &[usize], vocab_size: usize) -> Self {
        let mut offsets = vec![0];
        for len in lengths {
            offsets.push(offsets[offsets.len() - 1] + len);
        }
        let tokens = offsets[lengths.len()];
        Self {
            input_ids: (0..tokens).map(|i| ((i * 31 + 7) % vocab_size) as u32).collect(),
            type_ids: (0..tokens).map(|i| (i % 2) as u32).collect(),
            offsets,
            globals: None,
        }
    }
}

fn expected(name: &str) -> (Rows, BTreeMap<String, Tensor>) {
    let path = place(name).join("expected.safetensors");
    let tensors: BTreeMap<_, _> = candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect();
    let ids = |key: &str| -> Vec<u32> {
        tensors[key].to_vec1::<i32>().unwrap().into_iter().map(|id| u32::try_from(id).unwrap()).collect()
    };
    let mut offsets = vec![0];
    for len in ids("lengths") {
        offsets.push(offsets[offsets.len() - 1] + len as usize);
    }
    let input_ids = ids("input_ids");
    let type_ids = if tensors.contains_key("type_ids") { ids("type_ids") } else { vec![0; input_ids.len()] };
    let is_global = tensors.contains_key("globals").then(|| ids("globals"));
    let globals =
        is_global.map(|mask| mask.iter().zip(0..).filter(|(mask, _)| **mask == 1).map(|(_, at)| at).collect());
    (Rows { input_ids, type_ids, offsets, globals }, tensors)
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}
