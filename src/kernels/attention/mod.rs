//! Attention over packed sequences: every token of a sequence attends to the tokens of the same sequence, or to those near
//! it and some that all see.
//!
//! Queries, keys and values are `[tokens, heads · head_dim]`; sequence `s` owns the rows `offsets[s]..offsets[s + 1]`.
//! Probabilities stand sequence after sequence, head after head, `[len, len]` each: `[Σ heads · len²]` in all.

mod product;
mod tasks;

use super::{
    dropout::Mask,
    isa::{Isa, multiversion},
    math::{exp, multiply_add},
    shared::Shared,
};
use product::{Source, padded, product};
use tasks::{Scratch, Task, for_each};

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
    for_each(shape, |isa, task, scratch| {
        let Scratch { a, b, c, d, e, .. } = scratch;
        probabilities_of(isa, q, k, shape, task, [a, b], c);
        drop_out(isa, mask, task, c, d);
        let probabilities = if mask.is_some() { d } else { c };
        gather(isa, v, task, 1.0, b);
        multiply(
            isa,
            Operands { a: probabilities, a_transposed: false, b, rows: task.len, depth: task.len },
            task.head_dim,
            e,
        );
        scatter(e, task, &shared);
    });
}

/// The gradients of [`forward`] for queries, keys and values, into `out`; the probabilities are computed again.
///
/// # Panics
/// When the shapes do not fit.
pub fn backward(
    [q, k, v]: [&[f32]; 3],
    gradient: &[f32],
    shape: Shape<'_>,
    mask: Option<Mask>,
    [of_q, of_k, of_v]: [&mut [f32]; 3],
) {
    shape.check(&[q, k, v, gradient, of_q, of_k, of_v]);
    let (of_q, of_k, of_v) = (Shared::new(of_q), Shared::new(of_k), Shared::new(of_v));
    for_each(shape, |isa, task, scratch| {
        let Scratch { a, b, c, d, e, f } = scratch;
        let (len, head_dim) = (task.len, task.head_dim);
        probabilities_of(isa, q, k, shape, task, [a, b], c);
        drop_out(isa, mask, task, c, d);
        // dV = Pᵀ dO, with the probabilities as they were used.
        gather(isa, gradient, task, 1.0, a);
        let used = if mask.is_some() { &*d } else { &*c };
        multiply(isa, Operands { a: used, a_transposed: true, b: a, rows: len, depth: len }, head_dim, e);
        scatter(e, task, &of_v);
        // dP = dO Vᵀ, through the mask, then through the softmax: dS = P (dP − Σ dP P).
        gather_transposed(isa, v, task, b);
        multiply(isa, Operands { a, a_transposed: false, b, rows: len, depth: head_dim }, len, f);
        if mask.is_some() {
            drop_out(isa, mask, task, f, d);
            softmax_backward(isa, c, d, len);
        } else {
            softmax_backward(isa, c, f, len);
        }
        let of_scores = if mask.is_some() { &*d } else { &*f };
        from_scores(isa, q, k, of_scores, task, (a, e), (&of_q, &of_k));
    });
}

/// The probabilities before dropout, `[Σ heads · len²]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn probabilities(q: &[f32], k: &[f32], shape: Shape<'_>) -> Vec<f32> {
    shape.check(&[q, k]);
    let mut out = vec![0.0; shape.n_probabilities()];
    let shared = Shared::new(&mut out);
    for_each(shape, |isa, task, scratch| {
        let Scratch { a, b, c, .. } = scratch;
        probabilities_of(isa, q, k, shape, task, [a, b], c);
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
    for_each(shape, |isa, task, scratch| {
        let Scratch { a, c, d, e, .. } = scratch;
        gather_probabilities(p, task, c);
        gather_probabilities(gradient, task, d);
        softmax_backward(isa, c, d, task.len);
        from_scores(isa, q, k, d, task, (a, e), (&shared_q, &shared_k));
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
    for_each(shape, |isa, task, scratch| {
        let Scratch { b, c, e, .. } = scratch;
        gather_probabilities(p, task, c);
        gather(isa, v, task, 1.0, b);
        multiply(isa, Operands { a: c, a_transposed: false, b, rows: task.len, depth: task.len }, task.head_dim, e);
        scatter(e, task, &shared);
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
    for_each(shape, |isa, task, scratch| {
        let Scratch { a, b, c, e, f, .. } = scratch;
        let (len, head_dim) = (task.len, task.head_dim);
        gather_probabilities(p, task, c);
        gather(isa, gradient, task, 1.0, a);
        multiply(isa, Operands { a: c, a_transposed: true, b: a, rows: len, depth: len }, head_dim, e);
        scatter(e, task, &shared_v);
        gather_transposed(isa, v, task, b);
        multiply(isa, Operands { a, a_transposed: false, b, rows: len, depth: head_dim }, len, f);
        for (i, row) in f.chunks_exact(padded(len)).enumerate() {
            // SAFETY: the probabilities of different tasks, and different rows of one, do not overlap.
            let out = unsafe { shared_p.part(task.probabilities + i * len, len) };
            out.copy_from_slice(&row[..len]);
        }
    });
    (of_p, of_v)
}

/// `c = softmax(q kᵀ / √head_dim)` of one task, `[len, padded(len)]`, with `a` and `b` as room.
fn probabilities_of(
    isa: Isa,
    q: &[f32],
    k: &[f32],
    shape: Shape<'_>,
    task: Task,
    room: [&mut Vec<f32>; 2],
    c: &mut Vec<f32>,
) {
    let [a, b] = room;
    gather(isa, q, task, task.scale, a);
    gather_transposed(isa, k, task, b);
    multiply(isa, Operands { a, a_transposed: false, b, rows: task.len, depth: task.head_dim }, task.len, c);
    hide(shape, task, f32::NEG_INFINITY, c);
    softmax(isa, c, task.len);
    hide(shape, task, 0.0, c);
}

/// Gives the pairs of tokens that do not see each other a value.
fn hide(shape: Shape<'_>, task: Task, value: f32, c: &mut [f32]) {
    let Some(reach) = shape.reach else { return };
    let start = task.start / task.width;
    let globals = shape.globals;
    let globals = &globals[globals.partition_point(|place| *place < start)..];
    let globals = &globals[..globals.partition_point(|place| *place < start + task.len)];
    for (query, row) in c.chunks_exact_mut(padded(task.len)).enumerate() {
        let (first, end) = (query.saturating_sub(reach), query.saturating_add(reach).saturating_add(1).min(task.len));
        for hidden in [0..first, end..task.len] {
            let mut from = hidden.start;
            for seen in globals.iter().map(|place| place - start).filter(|place| hidden.contains(place)) {
                row[from..seen].fill(value);
                from = seen + 1;
            }
            row[from..hidden.end].fill(value);
        }
    }
}

/// The gradients of queries and keys from that of the scores: `dQ = dS K / √head_dim`,
/// `dK = dSᵀ Q / √head_dim`.
fn from_scores(
    isa: Isa,
    q: &[f32],
    k: &[f32],
    of_scores: &[f32],
    task: Task,
    (room, result): (&mut Vec<f32>, &mut Vec<f32>),
    (of_q, of_k): (&Shared<'_>, &Shared<'_>),
) {
    let len = task.len;
    gather(isa, k, task, task.scale, room);
    multiply(
        isa,
        Operands { a: of_scores, a_transposed: false, b: room, rows: len, depth: len },
        task.head_dim,
        result,
    );
    scatter(result, task, of_q);
    gather(isa, q, task, task.scale, room);
    multiply(isa, Operands { a: of_scores, a_transposed: true, b: room, rows: len, depth: len }, task.head_dim, result);
    scatter(result, task, of_k);
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

/// Copies one head of one sequence out of `[tokens, width]`, scaled: `[len, padded(head_dim)]`.
fn gather(isa: Isa, x: &[f32], task: Task, scale: f32, out: &mut Vec<f32>) {
    resize(out, task.len * padded(task.head_dim));
    gather_rows(isa, x, task, scale, out);
}

/// The same transposed and not scaled: `[head_dim, padded(len)]`.
fn gather_transposed(isa: Isa, x: &[f32], task: Task, out: &mut Vec<f32>) {
    resize(out, task.head_dim * padded(task.len));
    gather_columns(isa, x, task, out);
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

/// Copies one head of one sequence, `[len, padded(head_dim)]`, to its place in `[tokens, width]`.
fn scatter(x: &[f32], task: Task, out: &Shared<'_>) {
    for (i, row) in x.chunks_exact(padded(task.head_dim)).take(task.len).enumerate() {
        // SAFETY: the rows of one sequence and the columns of one head belong to one task alone, and rows differ.
        let out = unsafe { out.part(task.start + i * task.width, task.head_dim) };
        out.copy_from_slice(&row[..task.head_dim]);
    }
}

/// `to = from · mask` for probabilities `[len, padded(len)]`; nothing without a mask.
fn drop_out(isa: Isa, mask: Option<Mask>, task: Task, from: &[f32], to: &mut Vec<f32>) {
    if let Some(mask) = mask {
        resize(to, from.len());
        drop_rows(isa, mask, task, from, to);
    }
}

multiversion!(fn gather_rows(x: &[f32], task: Task, scale: f32, out: &mut [f32]) = gather_rows_body);
multiversion!(fn gather_columns(x: &[f32], task: Task, out: &mut [f32]) = gather_columns_body);
multiversion!(fn drop_rows(mask: Mask, task: Task, from: &[f32], to: &mut [f32]) = drop_rows_body);
multiversion!(fn softmax(scores: &mut [f32], len: usize) = softmax_body);
multiversion!(fn softmax_backward(p: &[f32], gradient: &mut [f32], len: usize) = softmax_backward_body);

#[inline(always)]
fn gather_rows_body<const FUSED: bool>(x: &[f32], task: Task, scale: f32, out: &mut [f32]) {
    for (i, row) in out.chunks_exact_mut(padded(task.head_dim)).enumerate() {
        let start = task.start + i * task.width;
        for (out, &x) in row.iter_mut().zip(&x[start..start + task.head_dim]) {
            *out = x * scale;
        }
        row[task.head_dim..].fill(0.0);
    }
}

#[inline(always)]
fn gather_columns_body<const FUSED: bool>(x: &[f32], task: Task, out: &mut [f32]) {
    let stride = padded(task.len);
    for (d, row) in out.chunks_exact_mut(stride).enumerate() {
        for (i, out) in row[..task.len].iter_mut().enumerate() {
            *out = x[task.start + i * task.width + d];
        }
        row[task.len..].fill(0.0);
    }
}

#[inline(always)]
fn drop_rows_body<const FUSED: bool>(mask: Mask, task: Task, from: &[f32], to: &mut [f32]) {
    let stride = padded(task.len);
    for (i, (to, from)) in to.chunks_exact_mut(stride).zip(from.chunks_exact(stride)).enumerate() {
        let start = (task.probabilities + i * task.len) as u32;
        for (j, (to, &from)) in to.iter_mut().zip(from).enumerate() {
            *to = from * mask.factor(start.wrapping_add(j as u32));
        }
        to[task.len..].fill(0.0);
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
