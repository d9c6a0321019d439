//! Attention over packed sequences: every token of a sequence attends to the tokens of the same sequence, or to those near
//! it and some that all see.
//!
//! Queries, keys and values are `[tokens, heads · head_dim]`; sequence `s` owns the rows `offsets[s]..offsets[s + 1]`.
//! Probabilities stand sequence after sequence, head after head, `[len, len]` each: `[Σ heads · len²]` in all.

mod cross;
mod product;
mod tasks;

use super::{
    dropout::Mask,
    isa::{Isa, multiversion},
    math::{exp, multiply_add},
    shared::Shared,
};
pub use cross::{cross, cross_backward};
use product::{Source, padded, product};
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
        let mut put = Put::Over;
        for block in task.blocks(shape) {
            if put == Put::Over && block.keys.len() < task.len {
                // Keys are seen from several blocks, whose parts are added in order.
                task.clear(&[&out[1], &out[2]]);
                put = Put::Add;
            }
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
    let Scratch { a, b, c, d, e, rows, .. } = scratch;
    probabilities_of(isa, q, k, step, (rows, a, b), c);
    drop_out(isa, step, c, d);
    let used = if mask.is_some() { &*d } else { &*c };
    gather(isa, v, task, &block.keys, 1.0, b);
    multiply(isa, block.operands(used, false, b), task.head_dim, e);
    scatter(e, of_queries, rows, Put::Over, out);
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
    let Scratch { a, b, c, d, e, f, rows } = scratch;
    let (head_dim, keys) = (task.head_dim, block.keys.len());
    probabilities_of(isa, q, k, step, (rows, a, b), c);
    drop_out(isa, step, c, d);
    // dV = Pᵀ dO, with the probabilities as they were used.
    gather(isa, gradient, of_queries, rows, 1.0, a);
    let used = if mask.is_some() { &*d } else { &*c };
    multiply(isa, block.operands(used, true, a), head_dim, e);
    scatter(e, task, &block.keys, put, of_v);
    // dP = dO Vᵀ, through the mask, then through the softmax: dS = P (dP − Σ dP P).
    gather_transposed(isa, v, task, &block.keys, b);
    multiply(isa, Operands { a, a_transposed: false, b, rows: rows.len(), depth: head_dim }, keys, f);
    if mask.is_some() {
        drop_out(isa, step, f, d);
        softmax_backward(isa, c, d, keys);
    } else {
        softmax_backward(isa, c, f, keys);
    }
    let of_scores = if mask.is_some() { &*d } else { &*f };
    from_scores(isa, [q, k], of_scores, step, (rows, a, e), put, [of_q, of_k]);
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
        let Scratch { a, b, c, rows, .. } = scratch;
        let block = task.whole();
        probabilities_of(isa, q, k, Step::of(task, shape, &block), (rows, a, b), c);
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
        let Scratch { a, c, d, e, rows, .. } = scratch;
        let block = task.whole();
        rows.clone_from(&block.keys);
        gather_probabilities(p, task, c);
        gather_probabilities(gradient, task, d);
        softmax_backward(isa, c, d, task.len);
        let step = Step::of(task, shape, &block);
        from_scores(isa, [q, k], d, step, (rows, a, e), Put::Over, [&shared_q, &shared_k]);
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
        gather(isa, v, task, &block.keys, 1.0, b);
        multiply(isa, block.operands(c, false, b), task.head_dim, e);
        scatter(e, task, &block.keys, Put::Over, &shared);
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
        gather(isa, gradient, task, &block.keys, 1.0, a);
        multiply(isa, block.operands(c, true, a), head_dim, e);
        scatter(e, task, &block.keys, Put::Over, &shared_v);
        gather_transposed(isa, v, task, &block.keys, b);
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

/// `c = softmax(q kᵀ / √head_dim)` of a block, `[queries, padded(keys)]`, with `a` and `b` as room; `rows` gets its queries.
fn probabilities_of(
    isa: Isa,
    q: &[f32],
    k: &[f32],
    step: Step<'_>,
    (rows, a, b): (&mut Vec<u32>, &mut Vec<f32>, &mut Vec<f32>),
    c: &mut Vec<f32>,
) {
    let Step { task, of_queries, shape, block, .. } = step;
    rows.clear();
    rows.extend(block.queries.clone().map(|place| place as u32));
    gather(isa, q, of_queries, rows, task.scale, a);
    gather_transposed(isa, k, task, &block.keys, b);
    let (rows, depth, keys) = (rows.len(), task.head_dim, block.keys.len());
    multiply(isa, Operands { a, a_transposed: false, b, rows, depth }, keys, c);
    hide(shape, task, block, f32::NEG_INFINITY, c);
    softmax(isa, c, keys);
    hide(shape, task, block, 0.0, c);
}

/// Gives the pairs of tokens that do not see each other a value.
fn hide(shape: Shape<'_>, task: Task, block: &Block, value: f32, c: &mut [f32]) {
    let Some(reach) = shape.reach else { return };
    let start = block.keys.first().map_or(0, |first| *first as usize);
    let near = start..start + block.near;
    let globals: Vec<usize> = task.globals(shape).filter(|place| near.contains(place)).collect();
    for (query, row) in block.queries.clone().zip(c.chunks_exact_mut(padded(block.keys.len()))) {
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
    (rows, room, result): (&[u32], &mut Vec<f32>, &mut Vec<f32>),
    put: Put,
    [of_q, of_k]: [&Shared<'_>; 2],
) {
    let Step { task, of_queries, block, .. } = step;
    gather(isa, k, task, &block.keys, task.scale, room);
    multiply(isa, block.operands(of_scores, false, room), task.head_dim, result);
    scatter(result, of_queries, rows, Put::Over, of_q);
    gather(isa, q, of_queries, rows, task.scale, room);
    multiply(isa, block.operands(of_scores, true, room), task.head_dim, result);
    scatter(result, task, &block.keys, put, of_k);
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
        let (queries, keys) = (self.queries.len(), self.keys.len());
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

/// Copies some rows of one head of one sequence out of `[tokens, width]`, scaled: `[rows, padded(head_dim)]`.
fn gather(isa: Isa, x: &[f32], task: Task, rows: &[u32], scale: f32, out: &mut Vec<f32>) {
    resize(out, rows.len() * padded(task.head_dim));
    gather_rows(isa, x, task, rows, scale, out);
}

/// The same transposed and not scaled: `[head_dim, padded(rows)]`.
fn gather_transposed(isa: Isa, x: &[f32], task: Task, rows: &[u32], out: &mut Vec<f32>) {
    resize(out, task.head_dim * padded(rows.len()));
    gather_columns(isa, x, task, rows, out);
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

/// What becomes of the numbers that are there.
#[derive(Clone, Copy, PartialEq)]
enum Put {
    /// They are written over.
    Over,
    /// They are added to.
    Add,
}

/// Puts some rows of one head of one sequence, `[rows, padded(head_dim)]`, to their places in `[tokens, width]`.
fn scatter(x: &[f32], task: Task, rows: &[u32], put: Put, out: &Shared<'_>) {
    for (x, &row) in x.chunks_exact(padded(task.head_dim)).zip(rows) {
        let x = &x[..task.head_dim];
        // SAFETY: the rows of one sequence and the columns of one head belong to one task alone, and rows differ.
        let out = unsafe { out.part(task.start + row as usize * task.width, task.head_dim) };
        match put {
            Put::Over => out.copy_from_slice(x),
            Put::Add => out.iter_mut().zip(x).for_each(|(out, x)| *out += x),
        }
    }
}

impl Task {
    /// Sets its part of each matrix to 0.
    fn clear(self, matrices: &[&Shared<'_>]) {
        for row in 0..self.len {
            for matrix in matrices {
                // SAFETY: the rows of one sequence and the columns of one head belong to one task alone, and rows differ.
                unsafe { matrix.part(self.start + row * self.width, self.head_dim) }.fill(0.0);
            }
        }
    }
}

/// `to = from · mask` for probabilities `[queries, padded(keys)]`; nothing without a mask.
fn drop_out(isa: Isa, step: Step<'_>, from: &[f32], to: &mut Vec<f32>) {
    let Step { task, block, .. } = step;
    if let Some(mask) = step.mask {
        resize(to, from.len());
        let first = (task.probabilities + block.queries.start * task.len) as u32;
        drop_rows(isa, mask, (first, task.len as u32), &block.keys, from, to);
    }
}

multiversion!(fn gather_rows(x: &[f32], task: Task, rows: &[u32], scale: f32, out: &mut [f32]) = gather_rows_body);
multiversion!(fn gather_columns(x: &[f32], task: Task, rows: &[u32], out: &mut [f32]) = gather_columns_body);
multiversion!(fn drop_rows(mask: Mask, rows: (u32, u32), keys: &[u32], from: &[f32], to: &mut [f32]) = drop_rows_body);
multiversion!(fn softmax(scores: &mut [f32], len: usize) = softmax_body);
multiversion!(fn softmax_backward(p: &[f32], gradient: &mut [f32], len: usize) = softmax_backward_body);

#[inline(always)]
fn gather_rows_body<const FUSED: bool>(x: &[f32], task: Task, rows: &[u32], scale: f32, out: &mut [f32]) {
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(padded(task.head_dim))) {
        let start = task.start + *row as usize * task.width;
        for (out, &x) in out.iter_mut().zip(&x[start..start + task.head_dim]) {
            *out = x * scale;
        }
        out[task.head_dim..].fill(0.0);
    }
}

#[inline(always)]
fn gather_columns_body<const FUSED: bool>(x: &[f32], task: Task, rows: &[u32], out: &mut [f32]) {
    let stride = padded(rows.len());
    for (d, out) in out.chunks_exact_mut(stride).enumerate() {
        for (out, row) in out.iter_mut().zip(rows) {
            *out = x[task.start + *row as usize * task.width + d];
        }
        out[rows.len()..].fill(0.0);
    }
}

/// The element of a query and a key has the number `first + query · len + key`, whatever the block.
#[inline(always)]
fn drop_rows_body<const FUSED: bool>(mask: Mask, (first, len): (u32, u32), keys: &[u32], from: &[f32], to: &mut [f32]) {
    let stride = padded(keys.len());
    let mut start = first;
    for (to, from) in to.chunks_exact_mut(stride).zip(from.chunks_exact(stride)) {
        for ((to, &from), &key) in to.iter_mut().zip(from).zip(keys) {
            *to = from * mask.factor(start.wrapping_add(key));
        }
        to[keys.len()..].fill(0.0);
        start = start.wrapping_add(len);
    }
}

/// Partial maxima and sums of a row, combined in a fixed order.
const LANES: usize = 16;

/// Softmax over the first `len` of each row; the padding becomes 0.
#[inline(always)]
fn softmax_body<const FUSED: bool>(scores: &mut [f32], len: usize) {
    for row in scores.chunks_exact_mut(padded(len)) {
        row[len..].fill(f32::NEG_INFINITY);
        let mut greatest = [f32::NEG_INFINITY; LANES];
        for chunk in row.chunks_exact(LANES) {
            for (greatest, &x) in greatest.iter_mut().zip(chunk) {
                *greatest = if x > *greatest { x } else { *greatest };
            }
        }
        let greatest = greatest.into_iter().fold(f32::NEG_INFINITY, f32::max);
        // `exp` clamps its input, so the padding is cleared by hand.
        let mut sums = [0.0; LANES];
        for x in row.iter_mut() {
            *x = exp::<FUSED>(*x - greatest);
        }
        row[len..].fill(0.0);
        for chunk in row.chunks_exact(LANES) {
            for (sum, &x) in sums.iter_mut().zip(chunk) {
                *sum += x;
            }
        }
        let inverse = 1.0 / fold(sums);
        for x in row.iter_mut() {
            *x *= inverse;
        }
    }
}

/// `gradient = p · (gradient − Σ gradient · p)` over each row.
#[inline(always)]
fn softmax_backward_body<const FUSED: bool>(p: &[f32], gradient: &mut [f32], len: usize) {
    let stride = padded(len);
    for (p, gradient) in p.chunks_exact(stride).zip(gradient.chunks_exact_mut(stride)) {
        let mut sums = [0.0; LANES];
        for (p, gradient) in p.chunks_exact(LANES).zip(gradient.chunks_exact(LANES)) {
            for ((sum, &p), &gradient) in sums.iter_mut().zip(p).zip(gradient) {
                *sum = multiply_add::<FUSED>(p, gradient, *sum);
            }
        }
        let sum = fold(sums);
        for (gradient, &p) in gradient.iter_mut().zip(p) {
            *gradient = p * (*gradient - sum);
        }
    }
}

#[inline(always)]
fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES;
    while half > 1 {
        half /= 2;
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests;
