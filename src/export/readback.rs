//! Runs a written ONNX file with rten and compares its answers with those of lmpipe's own engine.

use std::{path::Path, sync::Arc};

use rten::{RunOptions, ThreadPool};
use rten_tensor::{AsView, Layout, NdTensor, Tensor};

use super::{Comparison, ExportError, Samples, onnx};
use crate::{
    base::fs,
    data::Batch,
    model::{EncoderSpec, Head, Model, Packed, Positions},
    runtime::Executor,
};

/// Runs both over the samples.
pub(super) fn compare(file: &Path, model: Model, samples: &Samples) -> Result<Comparison, ExportError> {
    let spec = model.spec.clone();
    let reader = Reader::load(file, &spec, &model.head)?;
    let executor = Executor::new(model)?;
    let mut comparison = Comparison::default();
    for batch in &samples.batches {
        let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
        let expected = executor.answers(packed)?;
        let found = reader.run(batch, &spec)?;
        let n_rows = batch.len();
        let (longest, width) = match found.shape()[..] {
            [rows, width] if rows == n_rows => (1, width),
            [rows, longest, width] if rows == n_rows => (longest, width),
            _ => return Err(ExportError::Differs(format!("it has the shape {:?}", found.shape()))),
        };
        let found = found.to_vec();
        let is_by_row = matches!(executor.head, Head::SequenceClassification { .. });
        let has_largest = executor.head != Head::None;
        for row in 0..n_rows {
            let tokens = if is_by_row { row..row + 1 } else { batch.offsets[row]..batch.offsets[row + 1] };
            for (place, token) in tokens.enumerate() {
                let found = &found[(row * longest + place) * width..][..width];
                comparison.add(&expected[token * width..][..width], found, has_largest);
            }
        }
        comparison.rows += n_rows;
    }
    Ok(comparison)
}

/// A file as rten runs it.
struct Reader {
    model: rten::Model,
    output: &'static str,
    has_types: bool,
    threads: Arc<ThreadPool>,
}

impl Reader {
    fn load(file: &Path, spec: &EncoderSpec, head: &Head) -> Result<Self, ExportError> {
        let model = rten::Model::load(fs::read(file)?).map_err(|error| ExportError::Unreadable(error.to_string()))?;
        // As many as the stage was lent.
        let threads = Arc::new(ThreadPool::with_num_threads(rayon::current_num_threads()));
        Ok(Self { model, output: onnx::output(head), has_types: onnx::has_types(spec), threads })
    }

    /// The answers for a batch, padded: `[rows, labels]`, or `[rows, longest, width]`.
    fn run(&self, batch: &Batch, spec: &EncoderSpec) -> Result<Tensor<f32>, ExportError> {
        let failed = |error: String| ExportError::Unreadable(error);
        let node = |name: &str| self.model.node_id(name).map_err(|error| failed(error.to_string()));
        let padding = match spec.positions {
            Positions::FromZero | Positions::NoTable => 0,
            Positions::AfterPadding(padding) => padding,
        };
        let ones = vec![1; batch.input_ids.len()];
        let mut inputs = vec![
            (node("input_ids")?, padded(batch, &batch.input_ids, padding).into()),
            (node("attention_mask")?, padded(batch, &ones, 0).into()),
        ];
        if self.has_types {
            inputs.push((node("token_type_ids")?, padded(batch, &batch.type_ids, 0).into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads)));
        let outputs = self.model.run(inputs, &[node(self.output)?], Some(options));
        let output = outputs.map_err(|error| failed(error.to_string()))?.pop();
        output.and_then(rten::Value::into_tensor).ok_or_else(|| failed(format!("`{}` is not f32", self.output)))
    }
}

/// Packed numbers as rows of one length, `[rows, longest]`.
fn padded(batch: &Batch, values: &[u32], padding: u32) -> NdTensor<i32, 2> {
    let lengths = batch.offsets.windows(2).map(|ends| ends[1] - ends[0]);
    let longest = lengths.max().unwrap_or(0);
    let mut rows = NdTensor::full([batch.len(), longest], padding as i32);
    for (row, ends) in batch.offsets.windows(2).enumerate() {
        for (place, value) in values[ends[0]..ends[1]].iter().enumerate() {
            rows[[row, place]] = *value as i32;
        }
    }
    rows
}
