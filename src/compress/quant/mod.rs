//! The list of schemes: how numbers of a trained model become narrower.

mod apply;
mod reference;
mod round;
mod scheme;

pub use apply::{Quantization, quantize};
pub use reference::{Comparison, compare};
pub use round::{Int8Rows, quantize_rows};
pub use scheme::Scheme;

#[cfg(test)]
mod tests {
    //! Against the files that compressed-tensors 0.20.0 wrote from `tests/data/formats/fp32`.

    use std::path::{Path, PathBuf};

    use candle_core::Device;
    use serde_json::Value;

    use super::*;
    use crate::{base::fs, compress::verify, model::Model};

    fn formats(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name)
    }

    fn json(path: &Path) -> Value {
        serde_json::from_str(&fs::read_text(path).unwrap()).unwrap()
    }

    fn written(embeddings: bool, ignore: &[&str]) -> (tempfile::TempDir, Model, Comparison) {
        let parent = Model::load(&formats("fp32"), &Device::Cpu).unwrap();
        let ignore: Vec<String> = ignore.iter().map(ToString::to_string).collect();
        let plan = Quantization::plan(&parent, Scheme::W8A8, embeddings, &ignore).unwrap();
        let model = quantize(&parent, &plan).unwrap();
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path(), &formats("fp32")).unwrap();
        let read = verify::read_back(&model, dir.path()).unwrap();
        let compared = compare(&parent, &read, &plan).unwrap();
        (dir, read, compared)
    }

    #[test]
    fn the_file_is_compressed_tensors_own_to_the_byte() {
        let (dir, _, compared) = written(false, &[]);
        let bytes = |dir: &Path| fs::read(&dir.join("model.safetensors")).unwrap();
        for theirs in ["ct", "own_MIN"] {
            assert!(bytes(dir.path()) == bytes(&formats(theirs)), "the bytes of {theirs}");
        }
        assert!(compared.from_reference < 1e-5, "{compared:?}");
        // What is said about it is what they say: every key of ours that they have has their value.
        let ours = json(&dir.path().join("config.json"))["quantization_config"].clone();
        let theirs = json(&formats("ct").join("config.json"))["quantization_config"].clone();
        for key in ["quant_method", "format", "quantization_status", "ignore"] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
        for block in ["weights", "input_activations"] {
            let path = format!("/config_groups/group_0/{block}");
            for (key, value) in ours.pointer(&path).unwrap().as_object().unwrap() {
                assert_eq!(Some(value), theirs.pointer(&format!("{path}/{key}")), "{path}/{key}");
            }
        }
    }

    #[test]
    fn embeddings_shrink_too() {
        let (plain, ..) = written(false, &[]);
        let (tables, model, compared) = written(true, &[]);
        let size = |dir: &tempfile::TempDir| std::fs::metadata(dir.path().join("model.safetensors")).unwrap().len();
        assert!(size(&tables) < size(&plain) - 200 * 32 * 2);
        assert!(model.int8.contains_key("bert.embeddings.word_embeddings"));
        assert!(compared.from_reference < 1e-5, "{compared:?}");
    }

    #[test]
    fn what_is_ignored_stays_and_wrong_patterns_are_told() {
        let (dir, model, _) = written(false, &["*.layer.0.*", "output.dense"]);
        assert_eq!(model.int8.len(), 4, "query, key, value and the first feed-forward matrix of layer 1");
        let ignore = json(&dir.path().join("config.json"))["quantization_config"]["ignore"].clone();
        assert_eq!(ignore.as_array().unwrap().len(), 6 + 2 + 2);
        let parent = Model::load(&formats("fp32"), &Device::Cpu).unwrap();
        for (ignore, expected) in [
            ("clasifier", "no linear layer of the model is called `clasifier`"),
            ("*.layer.1.attention.self.key", "`ignore` names `bert.encoder.layer.1.attention.self.key` but not"),
            ("*.layer.*", "`ignore` leaves nothing to quantise"),
        ] {
            let error = Quantization::plan(&parent, Scheme::W8A8, false, &[ignore.to_owned()]).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = Quantization::plan(&model, Scheme::W8A8, false, &[]).unwrap_err().to_string();
        assert!(error.contains("quantised already"), "{error}");
    }

    #[test]
    fn a_wrong_number_and_a_wrong_kernel_are_noticed() {
        let parent = Model::load(&formats("fp32"), &Device::Cpu).unwrap();
        let plan = Quantization::plan(&parent, Scheme::W8A8, false, &[]).unwrap();
        let mut model = quantize(&parent, &plan).unwrap();
        let module = "bert.encoder.layer.1.output.dense";
        let weight = model.int8[module].clone();
        let [rows, columns] = weight.shape();
        let mut values = weight.values().to_vec();
        values[77] ^= 1;
        let wrong = crate::model::Int8Weight::from_parts(rows, columns, values, weight.scales().to_vec()).unwrap();
        model.int8.insert(module.into(), wrong);
        let error = compare(&parent, &model, &plan).unwrap_err().to_string();
        assert!(error.contains("`bert.encoder.layer.1.output.dense.weight` is not stored"), "{error}");
        // A kernel that computes something else: here, another bias.
        model.int8.insert(module.into(), weight);
        let bias = (0..rows).map(|i| i as f32 / 10.0).collect::<Vec<_>>();
        let bias = candle_core::Tensor::from_vec(bias, rows, &Device::Cpu).unwrap();
        model.params.insert(format!("{module}.bias"), bias);
        let error = compare(&parent, &model, &plan).unwrap_err().to_string();
        assert!(error.contains("rounding explains"), "{error}");
    }
}
