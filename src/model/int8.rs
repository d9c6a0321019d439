//! int8 weights: a row of numbers and a scale an output, as compressed-tensors' `int-quantized` stores them.

use std::{fmt, sync::OnceLock};

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::ModelError;
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

#[cfg(test)]
mod tests {
    use super::*;

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
