//! Attention of the tokens that all see, over the whole of their sequences, by queries, keys and values of their own.

use super::{
    Put, Shape, Step, attend, attend_backward,
    tasks::{Block, Task, for_each},
};
use crate::kernels::{dropout::Mask, shared::Shared};

/// `softmax(q kᵀ / √head_dim) v` of the tokens that all see (Beltagy et al., 2020, section 3.1): `q` and `out` are
/// `[globals, heads · head_dim]`, `k` and `v` `[tokens, heads · head_dim]`. The probabilities are dropped out by a mask over
/// their flat index: sequence after sequence, head after head, `[globals of it, len]` each.
///
/// # Panics
/// When the shapes do not fit.
pub fn cross(q: &[f32], [k, v]: [&[f32]; 2], shape: Shape<'_>, mask: Option<Mask>, out: &mut [f32]) {
    check(shape, &[k, v], &[q, out]);
    let out = Shared::new(out);
    for_each(&pairs(shape), |isa, (of_queries, task), scratch| {
        let block = block(of_queries, task);
        attend(isa, [q, k, v], Step { task, of_queries, shape: whole(shape), block: &block, mask }, scratch, &out);
    });
}

/// The gradients of [`cross`] for queries, keys and values, into `out`; those of sequences without such tokens are zero.
///
/// # Panics
/// When the shapes do not fit.
pub fn cross_backward(
    inputs: [&[f32]; 3],
    gradient: &[f32],
    shape: Shape<'_>,
    mask: Option<Mask>,
    [of_q, of_k, of_v]: [&mut [f32]; 3],
) {
    let [q, k, v] = inputs;
    check(shape, &[k, v, of_k, of_v], &[q, gradient, of_q]);
    of_k.fill(0.0);
    of_v.fill(0.0);
    let out = [Shared::new(of_q), Shared::new(of_k), Shared::new(of_v)];
    for_each(&pairs(shape), |isa, (of_queries, task), scratch| {
        let block = block(of_queries, task);
        let step = Step { task, of_queries, shape: whole(shape), block: &block, mask };
        attend_backward(isa, inputs, gradient, step, Put::Over, scratch, &out);
    });
}

fn check(shape: Shape<'_>, of_tokens: &[&[f32]], of_globals: &[&[f32]]) {
    shape.check(of_tokens);
    let globals = shape.globals;
    assert!(globals.is_sorted(), "the tokens that all see ascend");
    assert!(globals.last() < shape.offsets.last(), "the tokens that all see are among the tokens");
    for matrix in of_globals {
        assert_eq!(matrix.len(), globals.len() * shape.width(), "there is a row for each token that all see");
    }
}

/// The same without windows.
fn whole(shape: Shape<'_>) -> Shape<'_> {
    Shape { reach: None, ..shape }
}

/// For each head of each sequence that has them: where its queries are, and where its keys and values are.
fn pairs(shape: Shape<'_>) -> Vec<(Task, Task)> {
    let (width, head_dim, scale) = (shape.width(), shape.head_dim, shape.scale());
    let mut pairs = Vec::new();
    let (mut done, mut probabilities) = (0, 0);
    for ends in shape.offsets.windows(2) {
        let (count, len) = (shape.globals[done..].partition_point(|place| *place < ends[1]), ends[1] - ends[0]);
        for head in 0..if count == 0 { 0 } else { shape.heads } {
            let task = |row: usize, len| Task {
                len,
                start: row * width + head * head_dim,
                probabilities,
                width,
                head_dim,
                scale,
            };
            pairs.push((task(done, count), task(ends[0], len)));
            probabilities += count * len;
        }
        done += count;
    }
    pairs
}

fn block(of_queries: Task, task: Task) -> Block {
    Block { queries: 0..of_queries.len, ..task.whole() }
}
