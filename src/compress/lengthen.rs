//! Longer inputs for a short encoder: a `Longformer` that begins where a BERT or `RoBERTa` stands.

use candle_core::{DType, Tensor};

use super::CompressError;
use crate::model::{
    Activation, ClassifierHead, Embedding, EncoderSpec, Head, LayerShape, Model, ModelError, Positions, Quantized,
};

const POSITIONS: &str = "bert.embeddings.position_embeddings.weight";
const TYPES: &str = "bert.embeddings.token_type_embeddings.weight";

/// A `Longformer` of a BERT, `RoBERTa` or another encoder of their layers, as its authors made theirs (Beltagy et al., 2020, section
/// 5): the table of positions is repeated until it is long enough, the projections of global tokens begin as copies of the others,
/// and attention has windows, one a layer, half to each side. What the windows hold whole gives the answers that it gave before.
///
/// A classifier keeps its answers, too: the pooler is the dense layer of the new one. A `Longformer` is given new windows and
/// positions, and keeps its global projections.
///
/// # Errors
/// When the model is quantised or has lost heads, its layers are not BERT's, it takes more tokens already, there is not a window a
/// layer, or one is not an even number above 0.
pub fn lengthen(model: &Model, max_positions: usize, windows: &[usize]) -> Result<Model, CompressError> {
    let spec = &model.spec;
    check(model, max_positions, windows)?;
    let padding = match spec.positions {
        Positions::AfterPadding(padding) => padding,
        _ => model.config.get("pad_token_id").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32,
    };
    let layers = spec.layers.iter().zip(windows);
    let new_spec = EncoderSpec {
        layers: layers.map(|(layer, window)| LayerShape { reach: Some(window / 2), ..*layer }).collect(),
        positions: Positions::AfterPadding(padding),
        max_positions,
        // Its readers know no encoder without types; a row of zeros is none.
        type_vocab_size: spec.type_vocab_size.max(1),
        global_projections: true,
        drops_attention_output: true,
        drops_feed_forward: true,
        pooler: spec.pooler && model.head == Head::None,
        classifier: ClassifierHead::Dense { activation: Activation::Tanh, drops_input: true },
        classifier_dropout: None,
        ..spec.clone()
    };
    let mut new = Model::init_as("longformer", new_spec, model.head.clone(), 0, &model.device)?;
    new.take_token_ids(model);
    for name in new.params.keys().cloned().collect::<Vec<_>>() {
        let tensor = match name.as_str() {
            POSITIONS => repeated(model, &new)?,
            TYPES if spec.type_vocab_size == 0 => new.params[TYPES].zeros_like()?,
            _ => parameter(model, &name)?.copy()?,
        };
        new.params.insert(name, tensor);
    }
    new.check_config()?;
    Ok(new)
}

fn check(model: &Model, max_positions: usize, windows: &[usize]) -> Result<(), CompressError> {
    let spec = &model.spec;
    let unfit = |what: String| Err(CompressError::Unfit(what));
    if model.quantized != Quantized::No {
        return unfit("a quantised model cannot be lengthened; lengthen it before it is quantised".into());
    }
    let is_bert = spec.has_plain_layers() && spec.embedding == Embedding::Plain && spec.layer_groups.is_none();
    let has_windows = spec.layers.iter().any(|layer| layer.reach.is_some());
    if !is_bert || spec.positions == Positions::NoTable || (has_windows && !spec.global_projections) {
        let kind = model.config.get("model_type").and_then(serde_json::Value::as_str).unwrap_or("bert");
        return unfit(format!("`{kind}` cannot be lengthened: a Longformer has the layers of BERT and RoBERTa"));
    }
    if spec.layers.iter().any(|layer| layer.heads * spec.head_dim != spec.hidden_size) {
        return unfit("heads of the model are gone, which no Longformer's config can say: lengthen it first".into());
    }
    if model.head == Head::MaskedLm && spec.masked_lm_activation != Activation::Gelu {
        return unfit("the masked-LM head of a Longformer has `gelu`, and that of this model has not".into());
    }
    if max_positions < spec.max_positions {
        return unfit(format!("the model takes {} tokens already; ask for more than that", spec.max_positions));
    }
    if windows.len() != spec.n_layers() {
        return unfit(format!(
            "there must be a window for each of the {} layers, not {}",
            spec.n_layers(),
            crate::base::plural::count(windows.len(), "window")
        ));
    }
    match windows.iter().find(|window| **window == 0 || !window.is_multiple_of(2)) {
        Some(window) => unfit(format!("a window is an even number above 0, half to each side, not {window}")),
        None => Ok(()),
    }
}

/// The parameter that one of the new model begins as.
fn parameter<'a>(model: &'a Model, name: &str) -> Result<&'a Tensor, ModelError> {
    let of_pooler = name.replace("classifier.dense", "bert.pooler.dense");
    let of_all = name.replace("_global.", ".");
    let mut names = [name, &of_pooler, &of_all].into_iter();
    names
        .find_map(|name| model.params.get(name))
        .ok_or_else(|| ModelError::Checkpoint(format!("the model has no tensor `{name}`")))
}

/// The table of positions, from the first position on again when it ends.
fn repeated(model: &Model, new: &Model) -> Result<Tensor, CompressError> {
    let (old, spec) = (parameter(model, POSITIONS)?, &model.spec);
    let (first, offset) = (spec.positions.offset(), new.spec.positions.offset());
    // Rows before the first position are those of padding, which nothing looks at.
    let before = (0..offset).map(|row| row.min(old.dims()[0] - 1));
    let positions = (0..new.spec.max_positions).map(|position| first + position % spec.max_positions);
    let rows: Vec<u32> = before.chain(positions).map(|row| row as u32).collect();
    Ok(old.to_dtype(DType::F32)?.index_select(&Tensor::new(rows, old.device())?, 0)?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;

    use super::*;
    use crate::model::{Keep, Packed};

    fn model(name: &str) -> Model {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        Model::load(&dir, &Device::Cpu).unwrap()
    }

    fn difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn what_windows_hold_is_answered_as_before() {
        for name in [
            "models/tiny-classifier",
            "models/tiny-masked-lm",
            "models/tiny-encoder",
            "families/distilbert-masked-lm",
            "families/roberta-classifier",
            "families/longformer-encoder",
        ] {
            let short = model(name);
            let most = short.spec.max_positions;
            let window = |layer: &LayerShape| 2 * layer.reach.unwrap_or(most);
            let windows: Vec<usize> = short.spec.layers.iter().map(window).collect();
            let long = lengthen(&short, 3 * most, &windows).unwrap();
            let ids: Vec<u32> = (0..9).map(|id| 5 + id % 7).collect();
            let packed = |model: &Model| {
                let types = vec![0; ids.len()];
                let batch = Packed::new(&ids, &types, &[0, 4, 9]);
                model.forward(batch, Keep::default()).unwrap()
            };
            let (before, after) = (packed(&short), packed(&long));
            assert!(difference(&before.last_hidden_state, &after.last_hidden_state) < 2e-5, "{name}");
            match (before.logits, after.logits) {
                (Some(before), Some(after)) => assert!(difference(&before, &after) < 2e-5, "{name}"),
                (before, after) => assert!(before.is_none() && after.is_none(), "{name}"),
            }
        }
    }

    #[test]
    fn it_is_written_and_takes_longer_texts() {
        let short = model("models/tiny-classifier");
        let most = short.spec.max_positions;
        let long = lengthen(&short, 2 * most + 3, &[4, 6, 8][..short.spec.n_layers()]).unwrap();
        let table = &long.params[POSITIONS];
        assert_eq!(difference(&table.get(1).unwrap(), &table.get(most + 1).unwrap()), 0.0);
        let dir = tempfile::tempdir().unwrap();
        long.save(dir.path(), dir.path()).unwrap();
        let read = Model::load(dir.path(), &Device::Cpu).unwrap();
        assert_eq!((read.spec.clone(), read.head.clone()), (long.spec.clone(), long.head.clone()));
        assert!(read.notes.is_empty(), "{:?}", read.notes);
        let ids = vec![6; 2 * most + 3];
        let (types, offsets) = (vec![0; ids.len()], [0, ids.len()]);
        let batch = Packed::new(&ids, &types, &offsets);
        assert!(read.forward(batch, Keep::default()).is_ok());
    }

    #[test]
    fn what_cannot_be_is_told() {
        let short = model("models/tiny-classifier");
        let (most, layers) = (short.spec.max_positions, short.spec.n_layers());
        let told = |model: &Model, positions, windows: &[usize]| {
            lengthen(model, positions, windows).map(drop).unwrap_err().to_string()
        };
        assert!(told(&short, most - 1, &vec![4; layers]).contains("tokens already"));
        assert!(told(&short, most, &[4]).contains("not 1 window"));
        assert!(told(&short, most, &vec![3; layers]).contains("an even number above 0"));
        let albert = model("families/albert-classifier");
        assert!(told(&albert, 9999, &vec![4; albert.spec.n_layers()]).contains("`albert` cannot be lengthened"));
    }
}
