//! Rows of one head of one sequence: out of `[tokens, width]` into matrices of whole tiles, and back.

use std::ops::Range;

use super::{product::padded, resize, tasks::Task};
use crate::kernels::{
    dropout::Mask,
    isa::{Isa, multiversion},
    shared::Shared,
};

/// Places in a sequence: those from one to another without a gap, then others.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    first: usize,
    count: usize,
    others: &'a [u32],
}

impl<'a> Places<'a> {
    pub(super) fn new(near: &Range<usize>, others: &'a [u32]) -> Self {
        Self { first: near.start, count: near.len(), others }
    }

    pub(super) fn len(self) -> usize {
        self.count + self.others.len()
    }

    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = usize> + 'a {
        (self.first..self.first + self.count).chain(self.others.iter().map(|place| *place as usize))
    }
}

/// Copies some rows, scaled: `[rows, padded(head_dim)]`.
pub(super) fn gather(isa: Isa, x: &[f32], task: Task, rows: Places<'_>, scale: f32, out: &mut Vec<f32>) {
    resize(out, rows.len() * padded(task.head_dim));
    gather_rows(isa, x, task, rows, scale, out);
}

/// The same transposed and not scaled: `[head_dim, padded(rows)]`.
pub(super) fn gather_transposed(isa: Isa, x: &[f32], task: Task, rows: Places<'_>, out: &mut Vec<f32>) {
    resize(out, task.head_dim * padded(rows.len()));
    gather_columns(isa, x, task, rows, out);
}

/// What becomes of the numbers that are there.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Put {
    /// They are written over.
    Over,
    /// They are added to.
    Add,
}

/// Puts some rows, `[rows, padded(head_dim)]`, to their places in `[tokens, width]`.
pub(super) fn scatter(x: &[f32], task: Task, rows: Places<'_>, put: Put, out: &Shared<'_>) {
    for (x, row) in x.chunks_exact(padded(task.head_dim)).zip(rows.iter()) {
        let x = &x[..task.head_dim];
        // SAFETY: the rows of one sequence and the columns of one head belong to one task alone, and rows differ.
        let out = unsafe { out.part(task.start + row * task.width, task.head_dim) };
        match put {
            Put::Over => out.copy_from_slice(x),
            Put::Add => out.iter_mut().zip(x).for_each(|(out, x)| *out += x),
        }
    }
}

/// Sets a task's part of each matrix to 0.
pub(super) fn clear(task: Task, matrices: &[&Shared<'_>]) {
    for row in 0..task.len {
        for matrix in matrices {
            // SAFETY: the rows of one sequence and the columns of one head belong to one task alone, and rows differ.
            unsafe { matrix.part(task.start + row * task.width, task.head_dim) }.fill(0.0);
        }
    }
}

multiversion!(fn gather_rows(x: &[f32], task: Task, rows: Places<'_>, scale: f32, out: &mut [f32]) = gather_rows_body);
multiversion!(fn gather_columns(x: &[f32], task: Task, rows: Places<'_>, out: &mut [f32]) = gather_columns_body);
multiversion!(pub(super) fn drop_rows(mask: Mask, rows: (u32, u32), keys: Places<'_>, from: &[f32], to: &mut [f32]) = drop_rows_body);

#[inline(always)]
fn gather_rows_body<const FUSED: bool>(x: &[f32], task: Task, rows: Places<'_>, scale: f32, out: &mut [f32]) {
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(padded(task.head_dim))) {
        let start = task.start + row * task.width;
        for (out, &x) in out.iter_mut().zip(&x[start..start + task.head_dim]) {
            *out = x * scale;
        }
        out[task.head_dim..].fill(0.0);
    }
}

#[inline(always)]
fn gather_columns_body<const FUSED: bool>(x: &[f32], task: Task, rows: Places<'_>, out: &mut [f32]) {
    let stride = padded(rows.len());
    for (d, out) in out.chunks_exact_mut(stride).enumerate() {
        let start = task.start + rows.first * task.width + d;
        let (near, others) = out.split_at_mut(rows.count);
        for (i, out) in near.iter_mut().enumerate() {
            *out = x[start + i * task.width];
        }
        let (others, padding) = others.split_at_mut(rows.others.len());
        for (out, row) in others.iter_mut().zip(rows.others) {
            *out = x[task.start + *row as usize * task.width + d];
        }
        padding.fill(0.0);
    }
}

/// `to = from · mask` for `[queries, padded(keys)]`: the element of a query and a key has the number `first + query · len + key`,
/// whatever the block; `rows` is `first` and `len`.
#[inline(always)]
fn drop_rows_body<const FUSED: bool>(
    mask: Mask,
    (first, len): (u32, u32),
    keys: Places<'_>,
    from: &[f32],
    to: &mut [f32],
) {
    let stride = padded(keys.len());
    let mut start = first;
    for (to, from) in to.chunks_exact_mut(stride).zip(from.chunks_exact(stride)) {
        let near = start.wrapping_add(keys.first as u32);
        for (j, (to, &from)) in to[..keys.count].iter_mut().zip(from).enumerate() {
            *to = from * mask.factor(near.wrapping_add(j as u32));
        }
        let others = to[keys.count..].iter_mut().zip(&from[keys.count..]);
        for ((to, &from), &key) in others.zip(keys.others) {
            *to = from * mask.factor(start.wrapping_add(key));
        }
        to[keys.len()..].fill(0.0);
        start = start.wrapping_add(len);
    }
}
