//! Positions as turns of queries and keys, composed of candle's ops.

use candle_core::{D, Device, Result, Tensor};

use crate::kernels::rotary;

/// The cosines and sines of a batch's positions, `[tokens, 1, head_dim / 2]` each.
pub(in crate::model) struct Turns {
    cosines: Tensor,
    sines: Tensor,
}

impl Turns {
    /// Those of the tokens of some sequences, which start at `offsets`; `theta` is the base of the angles.
    pub(in crate::model) fn new(offsets: &[usize], theta: f64, head_dim: usize, device: &Device) -> Result<Self> {
        let frequencies = rotary::frequencies(theta, head_dim);
        let positions = offsets.windows(2).flat_map(|ends| 0..ends[1] - ends[0]);
        let (sines, cosines): (Vec<f32>, Vec<f32>) = positions
            .flat_map(|position| frequencies.iter().map(move |frequency| (position as f32 * frequency).sin_cos()))
            .unzip();
        let tensor = |values: Vec<f32>| Tensor::from_vec(values, (offsets[offsets.len() - 1], 1, head_dim / 2), device);
        Ok(Self { cosines: tensor(cosines)?, sines: tensor(sines)? })
    }

    /// Turns pairs of a head's numbers, the one in its first half and the other in its second, by the angles of the token's
    /// position (Su et al., 2021, eq. 34).
    ///
    /// # Shapes
    /// `[tokens, heads · head_dim]` → the same.
    pub(in crate::model) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let half = self.cosines.dim(D::Minus1)?;
        let x = x.reshape((tokens, width / (2 * half), 2 * half))?;
        let (first, second) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
        let turned = [
            (first.broadcast_mul(&self.cosines)? - second.broadcast_mul(&self.sines)?)?,
            (second.broadcast_mul(&self.cosines)? + first.broadcast_mul(&self.sines)?)?,
        ];
        Tensor::cat(&turned, D::Minus1)?.reshape((tokens, width))
    }
}
