//! The list of pruning methods: single weights by magnitude, heads and neurons by their effect on the loss.

mod heads;
mod importance;
mod magnitude;
mod masks;
mod neurons;
mod recover;
pub mod surgery;
mod vocabulary;

pub use heads::{HeadChoice, choose_heads};
pub use importance::{Importance, measure};
pub use magnitude::{Scope, smallest};
pub use masks::Masks;
pub use neurons::{NeuronChoice, choose_neurons};
pub use recover::{Guided, Masked};
pub use vocabulary::keep_tokens;

#[cfg(test)]
mod tests {
    //! Against PyTorch and transformers: `tests/data/prune/make.py` made the numbers.

    use std::path::{Path, PathBuf};

    use candle_core::Device;
    use serde_json::Value;

    use super::*;
    use crate::{
        compress::{modules, verify},
        data::{Batch, Encoding},
        model::{Model, tests::devices},
    };

    fn data(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
    }

    fn model(device: &Device) -> Model {
        Model::load(&data("formats/fp32"), device).unwrap()
    }

    fn golden() -> Value {
        serde_json::from_str(&crate::base::fs::read_text(&data("prune/prune.json")).unwrap()).unwrap()
    }

    fn numbers(value: &Value) -> Vec<Vec<f64>> {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn rows(golden: &Value) -> Vec<Encoding> {
        let rows: Vec<Vec<u32>> = serde_json::from_value(golden["rows"].clone()).unwrap();
        rows.into_iter().map(|ids| Encoding { type_ids: vec![0; ids.len()], ids }).collect()
    }

    /// A mask as `make.py` writes it: a bit a weight, the first weight in the lowest bit.
    fn hex(mask: &[f32]) -> String {
        use std::fmt::Write;
        mask.chunks(8).fold(String::new(), |mut text, bits| {
            let byte = bits.iter().enumerate().fold(0_u8, |byte, (i, kept)| byte | (u8::from(*kept == 1.0) << i));
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    #[test]
    fn single_weights_go_as_in_pytorch() {
        for device in devices() {
            let golden = golden();
            let model = model(&device);
            let modules = modules::encoder_modules(&model);
            for (scope, key) in [(Scope::Layer, "layer"), (Scope::Global, "global")] {
                let masks = smallest(&model, &modules, golden["sparsity"].as_f64().unwrap(), scope).unwrap();
                assert_eq!(masks.names().count(), golden[key].as_object().unwrap().len());
                let mut pruned = super::tests::model(&device);
                masks.apply(&mut pruned).unwrap();
                for module in &modules {
                    let weight = &pruned.params[&format!("{module}.weight")];
                    let kept: Vec<f32> = weight.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    let kept: Vec<f32> = kept.iter().map(|x| f32::from(u8::from(*x != 0.0))).collect();
                    assert_eq!(hex(&kept), golden[key][module].as_str().unwrap(), "{key} {module}");
                }
                let found = surgery::sparsity(&pruned).unwrap();
                // `round(0.37 · n)` of each tensor, or of all together.
                assert!((found - 0.37).abs() < 2e-4, "{found}");
            }
        }
    }

    #[test]
    fn importance_is_the_gradient_of_a_gate() {
        for device in devices() {
            let golden = golden();
            let mut model = model(&device);
            let labels: Vec<u32> = serde_json::from_value(golden["labels"].clone()).unwrap();
            let before = verify::answers(&model, &verify::fixed_batch(&model)).unwrap();
            let found = measure(&mut model, &rows(&golden), &labels, |_| true).unwrap();
            for (what, found, expected) in [
                ("heads", &found.heads, numbers(&golden["heads"])),
                ("neurons", &found.neurons, numbers(&golden["neurons"])),
            ] {
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                    // The gradients are around 1e-5; f32 sums in another order differ in the seventh digit of their terms.
                    assert!((found - expected).abs() < 1e-8 + 2e-3 * expected, "{what}: {found} {expected}");
                }
            }
            assert_eq!(
                before,
                verify::answers(&model, &verify::fixed_batch(&model)).unwrap(),
                "the model is as it was"
            );
            assert!(measure(&mut model, &rows(&golden), &labels, |row| row < 2).is_err(), "it can be stopped");
        }
    }

    #[test]
    fn what_is_cut_out_answers_as_after_transformers_own_surgery() {
        for device in devices() {
            let golden = golden();
            let mut model = model(&device);
            let choice = |key: &str| -> Vec<Vec<usize>> { serde_json::from_value(golden[key].clone()).unwrap() };
            let before = model.n_parameters();
            surgery::keep_heads(&mut model, &choice("kept_heads")).unwrap();
            surgery::keep_neurons(&mut model, &choice("kept_neurons")).unwrap();
            // 3 heads of 4 matrices of 8 · 32 with 3 · 8 biases, and twice 40 neurons of 2 · 32 weights and a bias.
            assert_eq!(before - model.n_parameters(), 3 * (4 * 8 * 32 + 3 * 8) + 2 * 40 * (2 * 32 + 1));
            assert_eq!(model.config["pruned_heads"], serde_json::json!({"0": [1, 3], "1": [0]}));
            let check = |model: &Model| {
                for (row, expected) in rows(&golden).iter().zip(numbers(&golden["pruned_logits"])) {
                    let found = verify::answers(model, &Batch::pack(std::slice::from_ref(row), &[0])).unwrap();
                    for (found, expected) in found.iter().zip(expected) {
                        assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
                    }
                }
            };
            check(&model);
            let dir = tempfile::tempdir().unwrap();
            model.save(dir.path(), &data("formats/fp32")).unwrap();
            check(&verify::read_back(&model, dir.path()).unwrap());
            // A second cut names heads by their first numbers: of 1, 2 and 3 the middle one is 2.
            surgery::keep_heads(&mut model, &vec![vec![0, 1], vec![0, 2]]).unwrap();
            assert_eq!(model.config["pruned_heads"], serde_json::json!({"0": [1, 3], "1": [0, 2]}));
            let error = surgery::keep_heads(&mut model, &vec![vec![], vec![0]]).unwrap_err().to_string();
            assert!(error.starts_with("layer 0: heads [] cannot stay"), "{error}");
        }
    }
}
