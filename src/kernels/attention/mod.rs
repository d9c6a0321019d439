//! Attention over packed sequences: every token of a sequence attends to the tokens of the same sequence, or to those near
//! it and some that all see.
//!
//! Queries, keys and values are `[tokens, heads · head_dim]`; sequence `s` owns the rows `offsets[s]..offsets[s + 1]`.
//! Probabilities stand sequence after sequence, head after head, `[len, len]` each: `[Σ heads · len²]` in all.

mod cross;
mod product;
mod rows;
mod softmax;
mod tasks;

use super::{dropout::Mask, isa::Isa, shared::Shared};
pub use cross::{cross, cross_backward};
use product::{Source, padded, product};
use rows::{Put, clear, drop_rows, gather, gather_transposed, scatter};
use softmax::{softmax, softmax_backward};
use tasks::{Block, Scratch, Task, for_each, tasks};

/// How a packed batch is cut into sequences and heads.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Where each sequence starts, and the end, `[sequences + 1]`.
    pub offsets: &'a [usize],
    /// How many heads.
    pub heads: usize,
    /// The width of a head.
    pub head_dim: usize,
    /// How far a token sees each way; all of its sequence without it.
    pub reach: Option<usize>,
    /// Tokens that are seen from everywhere in their sequences, ascending.
    pub globals: &'a [usize],
}

impl Shape<'_> {
    fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// How many probabilities a batch has: `Σ heads · len²`.
    pub fn n_probabilities(&self) -> usize {
        self.offsets.windows(2).map(|ends| self.heads * (ends[1] - ends[0]) * (ends[1] - ends[0])).sum()
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    fn check(&self, matrices: &[&[f32]]) {
        assert!(self.head_dim > 0 && self.offsets.is_sorted(), "heads have a width, and sequences follow each other");
        let tokens = self.offsets.last().copied().unwrap_or(0);
        assert!(self.offsets.first().is_none_or(|first| *first == 0), "the first sequence starts at 0");
        for matrix in matrices {
            assert_eq!(matrix.len(), tokens * self.width(), "queries, keys and values are tokens × heads × head_dim");
        }
    }
}

/// `softmax(q kᵀ / √head_dim) v` (Vaswani et al., 2017, eq. 1), the probabilities dropped out by a mask over their
/// flat index; `out` is `[tokens, heads · head_dim]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn forward(q: &[f32], k: &[f32], v: &[f32], shape: Shape<'_>, mask: Option<Mask>, out: &mut [f32]) {
    shape.check(&[q, k, v, out]);
    let shared = Shared::new(out);
    for_each(&tasks(shape), |isa, task, scratch| {
        for block in task.blocks(shape) {
            attend(isa, [q, k, v], Step { task, of_queries: task, shape, block: &block, mask }, scratch, &shared);
        }
    });
}

/// The gradients of [`forward`] for queries, keys and values, into `out`; the probabilities are computed again.
///
/// # Panics
/// When the shapes do not fit.
pub fn backward(
    inputs: [&[f32]; 3],
    gradient: &[f32],
    shape: Shape<'_>,
    mask: Option<Mask>,
    [of_q, of_k, of_v]: [&mut [f32]; 3],
) {
    let [q, k, v] = inputs;
    shape.check(&[q, k, v, gradient, of_q, of_k, of_v]);
    let out = [Shared::new(of_q), Shared::new(of_k), Shared::new(of_v)];
    for_each(&tasks(shape), |isa, task, scratch| {
        let put = if task.is_cut(shape) { Put::Add } else { Put::Over };
        if put == Put::Add {
            // Keys are seen from several blocks, whose parts are added in order.
            clear(task, &[&out[1], &out[2]]);
        }
        for block in task.blocks(shape) {
            let step = Step { task, of_queries: task, shape, block: &block, mask };
            attend_backward(isa, inputs, gradient, step, put, scratch, &out);
        }
    });
}

/// A block of one head of one sequence.
#[derive(Clone, Copy)]
struct Step<'a> {
    /// Where keys and values are.
    task: Task,
    /// Where queries are, and what becomes of them.
    of_queries: Task,
    shape: Shape<'a>,
    block: &'a Block,
    mask: Option<Mask>,
}

fn attend(isa: Isa, [q, k, v]: [&[f32]; 3], step: Step<'_>, scratch: &mut Scratch, out: &Shared<'_>) {
    let Step { task, of_queries, block, mask, .. } = step;
    let Scratch { a, b, c, d, e, .. } = scratch;
    probabilities_of(isa, q, k, step, [a, b], c);
    drop_out(isa, step, c, d);
    let used = if mask.is_some() { &*d } else { &*c };
    gather(isa, v, task, block.keys(), 1.0, b);
    multiply(isa, block.operands(used, false, b), task.head_dim, e);
    scatter(e, of_queries, block.queries(), Put::Over, out);
}

fn attend_backward(
    isa: Isa,
    [q, k, v]: [&[f32]; 3],
    gradient: &[f32],
    step: Step<'_>,
    put: Put,
    scratch: &mut Scratch,
    [of_q, of_k, of_v]: &[Shared<'_>; 3],
) {
    let Step { task, of_queries, block, mask, .. } = step;
    let Scratch { a, b, c, d, e, f } = scratch;
    let (head_dim, queries, keys) = (task.head_dim, block.queries(), block.keys());
    probabilities_of(isa, q, k, step, [a, b], c);
    drop_out(isa, step, c, d);
    // dV = Pᵀ dO, with the probabilities as they were used.
    gather(isa, gradient, of_queries, queries, 1.0, a);
    let used = if mask.is_some() { &*d } else { &*c };
    multiply(isa, block.operands(used, true, a), head_dim, e);
    scatter(e, task, keys, put, of_v);
    // dP = dO Vᵀ, through the mask, then through the softmax: dS = P (dP − Σ dP P).
    gather_transposed(isa, v, task, keys, b);
    multiply(isa, Operands { a, a_transposed: false, b, rows: queries.len(), depth: head_dim }, keys.len(), f);
    if mask.is_some() {
        drop_out(isa, step, f, d);
        softmax_backward(isa, c, d, keys.len());
    } else {
        softmax_backward(isa, c, f, keys.len());
    }
    let of_scores = if mask.is_some() { &*d } else { &*f };
    from_scores(isa, [q, k], of_scores, step, [a, e], put, [of_q, of_k]);
}

/// The probabilities before dropout, `[Σ heads · len²]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn probabilities(q: &[f32], k: &[f32], shape: Shape<'_>) -> Vec<f32> {
    shape.check(&[q, k]);
    let mut out = vec![0.0; shape.n_probabilities()];
    let shared = Shared::new(&mut out);
    for_each(&tasks(shape), |isa, task, scratch| {
        let Scratch { a, b, c, .. } = scratch;
        probabilities_of(isa, q, k, Step::of(task, shape, &task.whole()), [a, b], c);
        for (i, row) in c.chunks_exact(padded(task.len)).enumerate() {
            // SAFETY: the probabilities of different tasks, and different rows of one, do not overlap.
            let out = unsafe { shared.part(task.probabilities + i * task.len, task.len) };
            out.copy_from_slice(&row[..task.len]);
        }
    });
    out
}

/// The gradients of queries and keys from that of [`probabilities`], whose result `p` is.
///
/// # Panics
/// When the shapes do not fit.
pub fn probabilities_backward(
    q: &[f32],
    k: &[f32],
    p: &[f32],
    gradient: &[f32],
    shape: Shape<'_>,
) -> (Vec<f32>, Vec<f32>) {
    shape.check(&[q, k]);
    assert!(p.len() == shape.n_probabilities() && gradient.len() == p.len(), "each probability has a gradient");
    let (mut of_q, mut of_k) = (vec![0.0; q.len()], vec![0.0; q.len()]);
    let (shared_q, shared_k) = (Shared::new(&mut of_q), Shared::new(&mut of_k));
    for_each(&tasks(shape), |isa, task, scratch| {
        let Scratch { a, c, d, e, .. } = scratch;
        let block = task.whole();
        gather_probabilities(p, task, c);
        gather_probabilities(gradient, task, d);
        softmax_backward(isa, c, d, task.len);
        let step = Step::of(task, shape, &block);
        from_scores(isa, [q, k], d, step, [a, e], Put::Over, [&shared_q, &shared_k]);
    });
    (of_q, of_k)
}

/// `p v` for probabilities as [`probabilities`] gives them; `[tokens, heads · head_dim]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn context(p: &[f32], v: &[f32], shape: Shape<'_>) -> Vec<f32> {
    shape.check(&[v]);
    assert_eq!(p.len(), shape.n_probabilities(), "there is a probability for each pair of tokens and head");
    let mut out = vec![0.0; v.len()];
    let shared = Shared::new(&mut out);
    for_each(&tasks(shape), |isa, task, scratch| {
        let Scratch { b, c, e, .. } = scratch;
        let block = task.whole();
        gather_probabilities(p, task, c);
        gather(isa, v, task, block.keys(), 1.0, b);
        multiply(isa, block.operands(c, false, b), task.head_dim, e);
        scatter(e, task, block.keys(), Put::Over, &shared);
    });
    out
}

/// The gradients of probabilities and values from that of [`context`].
///
/// # Panics
/// When the shapes do not fit.
pub fn context_backward(p: &[f32], v: &[f32], gradient: &[f32], shape: Shape<'_>) -> (Vec<f32>, Vec<f32>) {
    shape.check(&[v, gradient]);
    assert_eq!(p.len(), shape.n_probabilities(), "there is a probability for each pair of tokens and head");
    let (mut of_p, mut of_v) = (vec![0.0; p.len()], vec![0.0; v.len()]);
    let (shared_p, shared_v) = (Shared::new(&mut of_p), Shared::new(&mut of_v));
    for_each(&tasks(shape), |isa, task, scratch| {
        let Scratch { a, b, c, e, f, .. } = scratch;
        let (len, head_dim) = (task.len, task.head_dim);
        let block = task.whole();
        gather_probabilities(p, task, c);
        gather(isa, gradient, task, block.keys(), 1.0, a);
        multiply(isa, block.operands(c, true, a), head_dim, e);
        scatter(e, task, block.keys(), Put::Over, &shared_v);
        gather_transposed(isa, v, task, block.keys(), b);
        multiply(isa, Operands { a, a_transposed: false, b, rows: len, depth: head_dim }, len, f);
        for (i, row) in f.chunks_exact(padded(len)).enumerate() {
            // SAFETY: the probabilities of different tasks, and different rows of one, do not overlap.
            let out = unsafe { shared_p.part(task.probabilities + i * len, len) };
            out.copy_from_slice(&row[..len]);
        }
    });
    (of_p, of_v)
}

impl<'a> Step<'a> {
    /// Without dropout.
    fn of(task: Task, shape: Shape<'a>, block: &'a Block) -> Self {
        Self { task, of_queries: task, shape, block, mask: None }
    }
}

/// `c = softmax(q kᵀ / √head_dim)` of a block, `[queries, padded(keys)]`, with `a` and `b` as room.
fn probabilities_of(isa: Isa, q: &[f32], k: &[f32], step: Step<'_>, [a, b]: [&mut Vec<f32>; 2], c: &mut Vec<f32>) {
    let Step { task, of_queries, shape, block, .. } = step;
    let (queries, keys) = (block.queries(), block.keys());
    gather(isa, q, of_queries, queries, task.scale, a);
    gather_transposed(isa, k, task, keys, b);
    multiply(isa, Operands { a, a_transposed: false, b, rows: queries.len(), depth: task.head_dim }, keys.len(), c);
    hide(shape, task, block, f32::NEG_INFINITY, c);
    softmax(isa, c, keys.len());
    hide(shape, task, block, 0.0, c);
}

/// Gives the pairs of tokens that do not see each other a value.
fn hide(shape: Shape<'_>, task: Task, block: &Block, value: f32, c: &mut [f32]) {
    let Some(reach) = shape.reach else { return };
    let (near, start) = (&block.near, block.near.start);
    let globals: Vec<usize> = task.globals(shape).filter(|place| near.contains(place)).collect();
    for (query, row) in block.queries.clone().zip(c.chunks_exact_mut(padded(block.keys().len()))) {
        let (first, end) = (query.saturating_sub(reach), query.saturating_add(reach).saturating_add(1));
        for hidden in [near.start..first.max(near.start), end.min(near.end)..near.end] {
            let mut from = hidden.start;
            for &seen in globals.iter().filter(|place| hidden.contains(place)) {
                row[from - start..seen - start].fill(value);
                from = seen + 1;
            }
            row[from - start..hidden.end - start].fill(value);
        }
    }
}

/// The gradients of queries and keys from that of the scores: `dQ = dS K / √head_dim`,
/// `dK = dSᵀ Q / √head_dim`.
fn from_scores(
    isa: Isa,
    [q, k]: [&[f32]; 2],
    of_scores: &[f32],
    step: Step<'_>,
    [room, result]: [&mut Vec<f32>; 2],
    put: Put,
    [of_q, of_k]: [&Shared<'_>; 2],
) {
    let Step { task, of_queries, block, .. } = step;
    gather(isa, k, task, block.keys(), task.scale, room);
    multiply(isa, block.operands(of_scores, false, room), task.head_dim, result);
    scatter(result, of_queries, block.queries(), Put::Over, of_q);
    gather(isa, q, of_queries, block.queries(), task.scale, room);
    multiply(isa, block.operands(of_scores, true, room), task.head_dim, result);
    scatter(result, task, block.keys(), put, of_k);
}

/// The factors of a product: `a` is `[rows, depth]` or its transpose, `b` `[depth, columns]`; all rows are padded.
#[derive(Clone, Copy)]
struct Operands<'a> {
    a: &'a [f32],
    a_transposed: bool,
    b: &'a [f32],
    rows: usize,
    depth: usize,
}

impl Block {
    /// A product of `[queries, keys]` and `[keys, columns]`, or of its transpose and `[queries, columns]`.
    fn operands<'a>(&self, a: &'a [f32], a_transposed: bool, b: &'a [f32]) -> Operands<'a> {
        let (queries, keys) = (self.queries.len(), self.keys().len());
        let (rows, depth) = if a_transposed { (keys, queries) } else { (queries, keys) };
        Operands { a, a_transposed, b, rows, depth }
    }
}

/// `c = a · b`, `[rows, padded(columns)]`.
fn multiply(isa: Isa, operands: Operands<'_>, columns: usize, c: &mut Vec<f32>) {
    let Operands { a, a_transposed, b, rows, depth } = operands;
    let stride = padded(if a_transposed { rows } else { depth });
    let (row_stride, depth_stride) = if a_transposed { (1, stride) } else { (stride, 1) };
    resize(c, rows * padded(columns));
    product(isa, Source { values: a, row_stride, depth_stride, rows, depth }, b, c);
}

fn resize(buffer: &mut Vec<f32>, len: usize) {
    buffer.resize(len, 0.0);
}

/// Copies the probabilities of one task, `[len, padded(len)]`.
fn gather_probabilities(p: &[f32], task: Task, out: &mut Vec<f32>) {
    let stride = padded(task.len);
    resize(out, task.len * stride);
    for (i, row) in out.chunks_exact_mut(stride).enumerate() {
        let start = task.probabilities + i * task.len;
        row[..task.len].copy_from_slice(&p[start..start + task.len]);
        row[task.len..].fill(0.0);
    }
}

/// `to = from · mask` for probabilities `[queries, padded(keys)]`; nothing without a mask.
fn drop_out(isa: Isa, step: Step<'_>, from: &[f32], to: &mut Vec<f32>) {
    let Step { task, block, .. } = step;
    if let Some(mask) = step.mask {
        resize(to, from.len());
        let first = (task.probabilities + block.queries.start * task.len) as u32;
        drop_rows(isa, mask, (first, task.len as u32), block.keys(), from, to);
    }
}

#[cfg(test)]
mod tests;
