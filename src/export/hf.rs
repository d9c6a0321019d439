//! A Hugging Face directory: its parameters in a type of one's choice, in one safetensors file.

use std::{fs as files, path::Path};

use super::{Comparison, ExportError, Samples, Written, file::Reader};
use crate::{
    base::fs::AtPath,
    model::{FloatType, Model},
};

/// What is written last: a directory with weights is whole.
const WEIGHTS: &str = "model.safetensors";

/// Writes a model of the folder `from` into a folder. It is written to a draft, read back, compared, and published.
pub(super) fn write(
    model: Model,
    floats: FloatType,
    from: &Path,
    folder: &Path,
    samples: &Samples,
) -> Result<Written, ExportError> {
    let draft = tempfile::Builder::new().prefix(".lmpipe-").tempdir_in(folder).at("cannot write in", folder)?;
    let draft = draft.path();
    model.save_as(draft, from, floats)?;
    let written = Model::load(draft, &model.device)?;
    if let Some(difference) = written.difference(&model, floats)? {
        return Err(ExportError::Misread(difference));
    }
    let (int8, kind) = (model.quantized.is_int8(), model.quantized.weights());
    let comparison = Comparison::of_models(model, written, samples, true)?;
    judge(&comparison, floats, int8)?;
    let path = draft.join(WEIGHTS);
    let bytes = files::metadata(&path).at("cannot read", &path)?.len();
    publish(draft, folder)?;
    let weights = match (kind, floats) {
        ("f32", floats) => floats.name().to_owned(),
        (few, FloatType::F32) => few.to_owned(),
        (few, half) => format!("{few} and {}", half.name()),
    };
    let (on_texts, notes) = (samples.are_texts, Vec::new());
    Ok(Written { bytes, weights, comparison, on_texts, reader: Reader::Lmpipe, notes })
}

/// Whether that is near enough: as near as rounding leaves a model whose weights are of ordinary sizes.
fn judge(comparison: &Comparison, floats: FloatType, int8: bool) -> Result<(), ExportError> {
    let allowed = match floats {
        FloatType::F32 => 0.0,
        FloatType::F16 => 0.01,
        FloatType::Bf16 => 0.05,
    };
    let deviation = comparison.deviation();
    // A NaN is no number below the bound.
    if deviation <= allowed {
        return Ok(());
    }
    // Measured: any rounding of MiniLM's norms moves its int8 answers by 8 %, as much as int8 itself does.
    let why =
        if int8 { " (int8 activations round otherwise after any small change: leave this model f32)" } else { "" };
    Err(ExportError::Differs(format!(
        "by {:.1} % of their size, and {} may change {:.0} %{why}",
        100.0 * deviation,
        floats.name(),
        100.0 * allowed
    )))
}

/// Moves what was written to where it belongs.
fn publish(draft: &Path, folder: &Path) -> Result<(), ExportError> {
    let mut names = Vec::new();
    for entry in files::read_dir(draft).at("cannot read", draft)? {
        names.push(entry.at("cannot read", draft)?.file_name());
    }
    names.sort_by_key(|name| (name == WEIGHTS, name.clone()));
    for name in names {
        let to = folder.join(&name);
        files::rename(draft.join(&name), &to).at("cannot write", &to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use candle_core::{Device, Tensor};

    use super::{
        super::{Format, Request, Target, export},
        *,
    };
    use crate::base::fs;

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    fn written(from: &Path, floats: FloatType, to: &Path) -> Result<Written, ExportError> {
        let request = Request {
            model: from,
            format: Format::Hf(floats),
            data: None,
            rows: 5,
            max_length: 16,
            min_agreement: 0.99,
        };
        export(&request, Target::Folder(to))
    }

    #[test]
    fn every_form_becomes_one_file_of_its_type() {
        let forms =
            ["pickles/model/pickle-shards", "models/tiny-old-names", "families/modernbert-masked-lm", "formats/ct"];
        for name in forms {
            let dir = tempfile::tempdir().unwrap();
            let size = |floats: FloatType| {
                let to = dir.path().join(floats.name());
                let written = written(&data(name), floats, &to).unwrap();
                let left: Vec<_> = files::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
                assert_eq!(left.len(), 2, "{left:?}");
                let config = fs::read_text(&to.join("config.json")).unwrap();
                let kind = ["float32", "float16", "bfloat16"][floats as usize];
                assert!(config.contains(&format!("dtype\": \"{kind}\"")), "{config}");
                assert!(
                    written.describe().contains(" rows of fixed ids run again by lmpipe: "),
                    "{}",
                    written.describe()
                );
                written.bytes
            };
            let [f32, f16, bf16] = [FloatType::F32, FloatType::F16, FloatType::Bf16].map(size);
            assert!(f16 < f32 && bf16 <= f16 + 64, "{name}: {f32} {f16} {bf16}");
            let half = Model::load(&dir.path().join("f16"), &Device::Cpu).unwrap();
            // What other stages write of it is f32 again.
            half.save(&dir.path().join("again"), dir.path()).unwrap();
            let config = fs::read_text(&dir.path().join("again/config.json")).unwrap();
            assert!(config.contains("dtype\": \"float32\""), "{config}");
            // Rounding twice changes nothing.
            let again = dir.path().join("twice");
            assert_eq!(written(&dir.path().join("f16"), FloatType::F16, &again).unwrap().comparison.deviation(), 0.0);
        }
    }

    #[test]
    fn what_a_type_cannot_hold_is_refused_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("large"), dir.path().join("to"));
        let mut model = Model::load(&data("models/tiny-classifier"), &Device::Cpu).unwrap();
        let name = "bert.encoder.layer.1.output.LayerNorm.bias";
        let large = Tensor::full(65_520.0_f32, 30, &Device::Cpu).unwrap();
        model.params.insert(name.to_owned(), large);
        model.save(&from, dir.path()).unwrap();
        let error = written(&from, FloatType::F16, &to).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("`{name}` holds 6.552e4, which is too large for f16: store the model as bf16 or f32")
        );
        assert_eq!(files::read_dir(&to).unwrap().count(), 0);
        assert!(written(&from, FloatType::Bf16, &to).is_ok());
        let error = written(&from, FloatType::F32, &from).unwrap_err().to_string();
        assert!(error.contains("would replace the model itself"), "{error}");
    }

    #[test]
    fn other_answers_are_told() {
        let mut comparison = Comparison::default();
        comparison.add(&[1.0, 0.0], &[1.0, 0.02], true);
        assert!(judge(&comparison, FloatType::Bf16, false).is_ok());
        let error = judge(&comparison, FloatType::F16, false).unwrap_err().to_string();
        assert!(error.contains("by 2.0 % of their size, and f16 may change 1 %"), "{error}");
        let error = judge(&comparison, FloatType::F16, true).unwrap_err().to_string();
        assert!(error.contains("leave this model f32"), "{error}");
        comparison.add(&[1.0, 0.0], &[f32::NAN, 0.0], true);
        assert!(judge(&comparison, FloatType::Bf16, false).is_err());
    }
}
