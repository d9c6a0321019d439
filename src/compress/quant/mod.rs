//! The list of schemes: how numbers of a trained model become narrower.

mod apply;
mod reference;
mod round;
mod scheme;

pub use apply::{Quantization, quantize};
pub use reference::{Comparison, compare};
pub use round::{IntRows, quantize_rows};
pub use scheme::Scheme;

#[cfg(test)]
mod tests {
    //! Against the files that compressed-tensors 0.20.0 wrote from `tests/data/formats/fp32`.

    use std::path::{Path, PathBuf};

    use candle_core::Device;
    use serde_json::Value;

    use super::*;
    use crate::{
        base::fs,
        compress::verify,
        model::{FloatType, Model, Packed, Width},
        runtime::Executor,
    };

    fn formats(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name)
    }

    fn json(path: &Path) -> Value {
        serde_json::from_str(&fs::read_text(path).unwrap()).unwrap()
    }

    fn written(embeddings: bool, ignore: &[&str]) -> (tempfile::TempDir, Model, Comparison) {
        written_as(Scheme::W8A8, embeddings, ignore)
    }

    fn written_as(scheme: Scheme, embeddings: bool, ignore: &[&str]) -> (tempfile::TempDir, Model, Comparison) {
        let parent = Model::load(&formats("fp32"), &Device::Cpu).unwrap();
        let ignore: Vec<String> = ignore.iter().map(ToString::to_string).collect();
        let plan = Quantization::plan(&parent, scheme, embeddings, &ignore).unwrap();
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
    fn packed_files_are_compressed_tensors_own_to_the_byte() {
        let forms = [
            ("w4a16", Width { bits: 4, group_size: Some(16) }, false),
            ("w8a16", Width { bits: 8, group_size: None }, true),
        ];
        let said = json(&formats("logits.json"));
        let numbers = |value: &Value| -> Vec<f64> {
            value
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|row| row.as_array().unwrap())
                .map(|x| x.as_f64().unwrap())
                .collect()
        };
        let ids: Vec<u32> = numbers(&said["input_ids"]).into_iter().map(|id| id as u32).collect();
        for (theirs, width, embeddings) in forms {
            let (dir, model, compared) = written_as(Scheme::WeightOnly(width), embeddings, &[]);
            let bytes = |dir: &Path| fs::read(&dir.join("model.safetensors")).unwrap();
            assert!(bytes(dir.path()) == bytes(&formats(theirs)), "the bytes of {theirs}");
            assert!(compared.price > 1e-4 && compared.from_reference < 1e-6, "{compared:?}");
            let ours = json(&dir.path().join("config.json"))["quantization_config"].clone();
            let block = json(&formats(theirs).join("config.json"))["quantization_config"].clone();
            for key in ["quant_method", "format", "quantization_status", "ignore"] {
                assert_eq!(ours[key], block[key], "{key}");
            }
            for (key, value) in ours.pointer("/config_groups/group_0/weights").unwrap().as_object().unwrap() {
                assert_eq!(Some(value), block.pointer(&format!("/config_groups/group_0/weights/{key}")), "{key}");
            }
            let read = Model::load(&formats(theirs), &Device::Cpu).unwrap();
            assert_eq!(read.difference(&model, FloatType::F32).unwrap(), None);
            let (types, offsets) = (vec![0; ids.len()], [0, ids.len() / 2, ids.len()]);
            let batch = Packed::new(&ids, &types, &offsets);
            let answers = Executor::new(read).unwrap().answers(batch).unwrap();
            for (found, expected) in answers.iter().zip(numbers(&said["logits"][theirs])) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{theirs}: {found} {expected}");
            }
        }
    }

    #[test]
    fn modules_that_a_family_keeps_as_one_are_packed_as_one() {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families/modernbert-masked-lm");
        let parent = Model::load(&from, &Device::Cpu).unwrap();
        let scheme = Scheme::WeightOnly(Width { bits: 8, group_size: None });
        let plan = Quantization::plan(&parent, scheme, false, &[]).unwrap();
        let (model, dir) = (quantize(&parent, &plan).unwrap(), tempfile::tempdir().unwrap());
        model.save(dir.path(), &from).unwrap();
        compare(&parent, &verify::read_back(&model, dir.path()).unwrap(), &plan).unwrap();
        let header = String::from_utf8_lossy(&fs::read(&dir.path().join("model.safetensors")).unwrap()).into_owned();
        assert!(header.contains("layers.0.attn.Wqkv.weight_packed"), "stacked");
    }

    #[test]
    fn groups_that_do_not_divide_a_row_are_told() {
        let parent = Model::load(&formats("fp32"), &Device::Cpu).unwrap();
        let scheme = Scheme::WeightOnly(Width { bits: 4, group_size: Some(128) });
        let plan = Quantization::plan(&parent, scheme, false, &[]).unwrap();
        let error = quantize(&parent, &plan).unwrap_err().to_string();
        assert!(error.contains("`group_size` is 128, which does not divide its rows of 32; 32, 16 would"), "{error}");
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
