//! Students: of chosen layers of the teacher, or fresh.

use crate::{
    compress::{
        CompressError,
        layers::{Selection, keep_layers},
    },
    model::{EncoderSpec, LayerShape, Model},
};

/// A student of some layers of the teacher, with copies of its embeddings, pooler and head.
///
/// # Errors
/// When the teacher lacks a layer or is quantised.
pub fn student_of_layers(teacher: &Model, selection: &Selection) -> Result<Model, CompressError> {
    keep_layers(teacher, &selection.resolve(teacher.spec.n_layers())?)
}

/// The shape of a fresh student; what is `None` follows from the teacher.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StudentShape {
    /// The number of layers.
    pub n_layers: usize,
    /// The width.
    pub hidden_size: usize,
    /// Heads a layer; as wide as the teacher's where they are not given.
    pub heads: Option<usize>,
    /// The width of the feed-forward nets; four times `hidden_size` where it is not given.
    pub intermediate_size: Option<usize>,
}

/// A student with random parameters that reads the same tokens as the teacher and has the same head.
///
/// # Errors
/// When the heads do not divide the width, or a tensor cannot be made.
pub fn fresh_student(teacher: &Model, shape: &StudentShape, seed: u64) -> Result<Model, CompressError> {
    let StudentShape { n_layers, hidden_size, heads, intermediate_size } = *shape;
    let width = teacher.spec.bottleneck.map_or(hidden_size, |bottleneck| bottleneck.size);
    let (heads, head_dim) = match heads {
        Some(heads) => (heads, width / heads.max(1)),
        None => (width / teacher.spec.head_dim.max(1), teacher.spec.head_dim),
    };
    if n_layers == 0 || heads == 0 || heads * head_dim != width {
        return Err(CompressError::Unfit(format!(
            "{n_layers} layers of width {width} with {heads} heads are not an encoder; the heads must \
             divide the width"
        )));
    }
    let intermediate_size = intermediate_size.unwrap_or(4 * width);
    let windows = teacher.spec.layers.iter().map(|layer| layer.reach).cycle();
    let layers = windows.take(n_layers).map(|reach| LayerShape { heads, intermediate_size, reach }).collect();
    let layer_groups = teacher.spec.layer_groups.map(|groups| groups.min(n_layers));
    let spec = EncoderSpec { hidden_size, layers, layer_groups, head_dim, ..teacher.spec.clone() };
    let mut student = teacher.init_alike(spec, teacher.head.clone(), seed)?;
    student.take_token_ids(teacher);
    student.check_config()?;
    Ok(student)
}
