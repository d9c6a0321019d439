//! int8 weights: a row of numbers and a scale an output, as compressed-tensors' `int-quantized` stores them.

use std::{fmt, sync::OnceLock};

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::{ModelError, Quantized};
use crate::kernels::{
    linear::{After, Linear, Quantized as Rows},
    quantize,
};

/// The int8 weight of a linear layer or an embedding table, `[rows, columns]`: `weight ≈ values · scales[row]`.
///
/// To quantise a module `P` of a model: make this from the tensor `P.weight`, insert it into [`Model::int8`] under `P`, and
/// remove `P.weight` from [`Model::params`]; the bias stays there. Set [`Model::quantized`] to match.
///
/// [`Model::int8`]: super::Model::int8
/// [`Model::params`]: super::Model::params
/// [`Model::quantized`]: super::Model::quantized
pub struct Int8Weight {
    rows: usize,
    columns: usize,
    values: Vec<i8>,
    scales: Vec<f32>,
    /// The same in the kernel's order; made at the first product.
    packed: OnceLock<Linear>,
}

impl Clone for Int8Weight {
    /// The packed form is made anew where it is needed.
    fn clone(&self) -> Self {
        Self {
            rows: self.rows,
            columns: self.columns,
            values: self.values.clone(),
            scales: self.scales.clone(),
            packed: OnceLock::new(),
        }
    }
}

impl fmt::Debug for Int8Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Int8Weight").field("rows", &self.rows).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Int8Weight {
    /// Quantises each row of a matrix: `scale = max|w| / 127.5` (2⁻²³ for a row of zeros),
    /// `q = round_half_even(clamp(w / scale, −128, 127))`.
    ///
    /// # Errors
    /// When it is no matrix of finite f32.
    pub fn from_f32(weight: &Tensor) -> std::result::Result<Self, ModelError> {
        let (rows, columns) = weight.dims2()?;
        let weights = weight.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        if weights.iter().any(|w| !w.is_finite()) {
            return Err(ModelError::Checkpoint("a weight that is not finite cannot be quantised".to_owned()));
        }
        let (mut values, mut scales) = (vec![0; weights.len()], vec![0.0; rows]);
        quantize::rows(&weights, columns, &mut values, &mut scales);
        Ok(Self { rows, columns, values, scales, packed: OnceLock::new() })
    }

    /// From stored numbers.
    ///
    /// # Errors
    /// When the lengths do not fit the shape or a scale is not positive.
    pub fn from_parts(
        rows: usize,
        columns: usize,
        values: Vec<i8>,
        scales: Vec<f32>,
    ) -> std::result::Result<Self, ModelError> {
        if values.len() != rows * columns || scales.len() != rows {
            let (values, scales) = (values.len(), scales.len());
            return Err(ModelError::Checkpoint(format!(
                "an int8 weight [{rows}, {columns}] cannot have {values} values and {scales} scales"
            )));
        }
        if let Some(scale) = scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
            return Err(ModelError::Checkpoint(format!("the scale {scale} is not a positive number")));
        }
        Ok(Self { rows, columns, values, scales, packed: OnceLock::new() })
    }

    /// `[rows, columns]`: `[out, in]` of a linear layer.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// The numbers, row after row.
    pub fn values(&self) -> &[i8] {
        &self.values
    }

    /// A scale a row.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The f32 matrix that it stands for.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn dequantize(&self) -> std::result::Result<Tensor, ModelError> {
        let mut weights = vec![0.0; self.values.len()];
        for row in 0..self.rows {
            self.dequantize_row(row, &mut weights[row * self.columns..(row + 1) * self.columns]);
        }
        Ok(Tensor::from_vec(weights, (self.rows, self.columns), &Device::Cpu)?)
    }

    pub(super) fn dequantize_row(&self, row: usize, out: &mut [f32]) {
        let values = &self.values[row * self.columns..(row + 1) * self.columns];
        quantize::dequantize(values, self.scales[row], out);
    }

    /// The linear layer, `[tokens, columns]` → `[tokens, rows]`, activations quantised per token. It has no gradient.
    pub(super) fn linear(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let product = x.contiguous()?.apply_op1_no_bwd(&Product(self))?;
        match bias {
            // The product is rounded before the bias is added, as everywhere.
            Some(bias) => product.broadcast_add(bias),
            None => Ok(product),
        }
    }

    /// The weights in the kernel's order, without a bias.
    fn pack(&self) -> &Linear {
        self.packed.get_or_init(|| Linear::from_int8(&self.values, &self.scales, &vec![0.0; self.rows]))
    }
}

/// Tokens that one task works on.
const TOKENS: usize = 64;

struct Product<'a>(&'a Int8Weight);

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "int8-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, _) = layout.shape().dims2()?;
        let x = super::ops::values(x, layout)?;
        let (layer, weight) = (self.0.pack(), self.0);
        let mut out = vec![0.0; tokens * weight.rows];
        out.par_chunks_mut((TOKENS * weight.rows).max(1))
            .zip(x.par_chunks((TOKENS * weight.columns).max(1)))
            .for_each(|(out, x)| layer.forward(x, &mut Rows::default(), After::default(), out));
        Ok((CpuStorage::F32(out), (tokens, weight.rows).into()))
    }
}

/// The block of `config.json` that tells readers of compressed-tensors what is int8. For linear layers it has only keys that
/// every release of that library knows, for its readers refuse others.
pub(super) fn config(embeddings: bool, ignore: &[String]) -> Value {
    let weights = json!({"num_bits": 8, "type": "int", "symmetric": true, "strategy": "channel", "dynamic": false});
    let mut groups = json!({
        "group_0": {
            "targets": ["Linear"],
            "weights": weights,
            "input_activations":
                {"num_bits": 8, "type": "int", "symmetric": true, "strategy": "token", "dynamic": true},
            "output_activations": null
        }
    });
    if embeddings {
        // Without a format of its own, a group that has weights only is taken for `pack-quantized`. Releases that do not
        // know the key do not know int8 embeddings either.
        groups["group_1"] = json!({
            "format": "int-quantized",
            "targets": ["Embedding"],
            "weights": weights,
            "input_activations": null,
            "output_activations": null
        });
    }
    json!({
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "quantization_status": "compressed",
        "config_groups": groups,
        "ignore": ignore,
        "kv_cache_scheme": null,
        "global_compression_ratio": null
    })
}

/// Reads the block; the error says what lmpipe cannot run.
pub(super) fn read_config(block: &Value) -> std::result::Result<Quantized, String> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let method = text(block, "quant_method").unwrap_or_default();
    let format = text(block, "format").unwrap_or_default();
    if method != "compressed-tensors" || format != "int-quantized" {
        return Err(format!(
            "`quantization_config` is `{method}` in the format `{format}`; lmpipe reads `compressed-tensors` in the \
             format `int-quantized`"
        ));
    }
    let groups = block.get("config_groups").and_then(Value::as_object);
    let groups = groups.ok_or("`quantization_config` has no `config_groups`")?;
    let mut embeddings = false;
    for (name, group) in groups {
        if let Some(format) = text(group, "format").filter(|format| format != "int-quantized") {
            return Err(format!("`{name}` of `quantization_config` is in the format `{format}`, not `int-quantized`"));
        }
        let weights = &group["weights"];
        let fits = weights["num_bits"] == 8
            && weights["type"] == "int"
            && weights["symmetric"] == true
            && weights["strategy"] == "channel";
        if !fits {
            return Err(format!("`{name}` of `quantization_config`: weights must be symmetric int8 per channel"));
        }
        let targets: Vec<_> = group["targets"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let activations = &group["input_activations"];
        let per_token = activations["num_bits"] == 8
            && activations["type"] == "int"
            && activations["symmetric"] == true
            && activations["strategy"] == "token"
            && activations["dynamic"] == true;
        match targets.as_slice() {
            ["Embedding"] if activations.is_null() => embeddings = true,
            ["Linear"] if per_token => {}
            ["Linear"] => {
                return Err(format!(
                    "`{name}` of `quantization_config`: activations must be symmetric int8 per token, dynamic"
                ));
            }
            _ => {
                return Err(format!(
                    "`{name}` of `quantization_config` targets {}; lmpipe reads `Linear` and `Embedding`",
                    crate::base::plural::list(&targets)
                ));
            }
        }
    }
    let ignore = block.get("ignore").and_then(Value::as_array).into_iter().flatten();
    Ok(Quantized::Int8 { embeddings, ignore: ignore.filter_map(Value::as_str).map(str::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_reads_back_and_others_are_refused() {
        let ignore = vec!["classifier".to_owned()];
        for embeddings in [false, true] {
            let read = read_config(&config(embeddings, &ignore)).unwrap();
            assert_eq!(read, Quantized::Int8 { embeddings, ignore: ignore.clone() });
        }
        let edit = |path: &str, value: Value| {
            let mut block = config(false, &ignore);
            *block.pointer_mut(path).unwrap() = value;
            read_config(&block).unwrap_err()
        };
        assert!(edit("/quant_method", json!("gptq")).contains("`gptq`"));
        assert!(edit("/config_groups/group_0/weights/num_bits", json!(4)).contains("`group_0`"));
        assert!(edit("/config_groups/group_0/targets", json!(["Conv1d"])).contains("`Conv1d`"));
        assert!(edit("/config_groups/group_0/input_activations/dynamic", json!(false)).contains("dynamic"));
    }

    #[test]
    fn a_table_is_near_its_source() {
        let weight = Tensor::new(&[[1.0_f32, -0.5, 0.25], [0.0, 0.0, 0.0]], &Device::Cpu).unwrap();
        let int8 = Int8Weight::from_f32(&weight).unwrap();
        assert_eq!(int8.values(), [127, -64, 32, 0, 0, 0]);
        let difference = (int8.dequantize().unwrap() - weight).unwrap().abs().unwrap().max_all().unwrap();
        assert!(difference.to_scalar::<f32>().unwrap() < 1.0 / 127.0);
        let infinite = Tensor::new(&[[f32::INFINITY]], &Device::Cpu).unwrap();
        assert!(Int8Weight::from_f32(&infinite).is_err());
        assert!(Int8Weight::from_parts(1, 2, vec![1], vec![1.0]).is_err());
        assert!(Int8Weight::from_parts(1, 1, vec![1], vec![0.0]).is_err());
    }
}
