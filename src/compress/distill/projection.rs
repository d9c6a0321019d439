//! A learned map from the student's width to the teacher's.

use candle_core::{Device, Tensor, Var};

use crate::{base::rng, train::TrainError};

/// `x Wᵀ`: `W_h` and `W_e` of TinyBERT (Jiao et al., 2020, eq. 8 and 9). It is trained along with the student, and
/// thrown away after. Students as wide as the teacher need none.
pub(super) struct Projection {
    pub(super) weight: Var,
}

impl Projection {
    /// A projection for these widths, uniform in `±1/√student` as torch initialises linear layers; `None` for equal
    /// ones.
    pub(super) fn between(
        student: usize,
        teacher: usize,
        seed: u64,
        name: &str,
        device: &Device,
    ) -> Result<Option<Self>, TrainError> {
        if student == teacher {
            return Ok(None);
        }
        let bound = 1.0 / (student as f32).sqrt();
        let mut stream = rng::stream(seed, name);
        let values: Vec<f32> =
            (0..student * teacher).map(|_| (rng::uniform(&mut stream) * 2.0 - 1.0) * bound).collect();
        Ok(Some(Self { weight: Var::from_vec(values, (teacher, student), device)? }))
    }

    /// Projects hidden states.
    ///
    /// # Shapes
    /// `[tokens, student]` to `[tokens, teacher]`.
    pub(super) fn apply(projection: Option<&Self>, hidden: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match projection {
            Some(projection) => hidden.matmul(&projection.weight.t()?)?,
            None => hidden.clone(),
        })
    }
}
