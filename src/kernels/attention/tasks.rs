//! One task a head of a sequence, run over the threads of the pool.

use rayon::prelude::*;

use super::Shape;
use crate::kernels::isa::Isa;

/// One head of one sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    /// Tokens of the sequence.
    pub(super) len: usize,
    /// Where its first element stands in `[tokens, width]`.
    pub(super) start: usize,
    /// Where its probabilities start.
    pub(super) probabilities: usize,
    /// `heads · head_dim`.
    pub(super) width: usize,
    pub(super) head_dim: usize,
    /// `1 / √head_dim`.
    pub(super) scale: f32,
}

/// Room for the matrices of one task; it grows to the longest sequence and is used again.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) a: Vec<f32>,
    pub(super) b: Vec<f32>,
    pub(super) c: Vec<f32>,
    pub(super) d: Vec<f32>,
    pub(super) e: Vec<f32>,
    pub(super) f: Vec<f32>,
}

/// Runs every task once, on any thread.
pub(super) fn for_each(shape: Shape<'_>, run: impl Fn(Isa, Task, &mut Scratch) + Sync) {
    let width = shape.width();
    let mut tasks = Vec::with_capacity(shape.heads * shape.offsets.len());
    let mut probabilities = 0;
    for ends in shape.offsets.windows(2) {
        let len = ends[1] - ends[0];
        // A sequence without tokens has nothing to do.
        for head in 0..if len == 0 { 0 } else { shape.heads } {
            let start = ends[0] * width + head * shape.head_dim;
            tasks.push(Task { len, start, probabilities, width, head_dim: shape.head_dim, scale: shape.scale() });
            probabilities += len * len;
        }
    }
    let isa = Isa::detect();
    tasks.par_iter().for_each_init(Scratch::default, |scratch, task| run(isa, *task, scratch));
}
