//! f32 matrix products of matrices and their transposes, a bias or what is there already added in the same pass: what a
//! training step consists of. Weights change from step to step, so that panels are packed for each product.

use std::{cell::RefCell, ops::Range};

use rayon::prelude::*;

use super::{
    aligned::OnLine,
    isa::Isa,
    shared::Shared,
    tile::{self, Kernel, MAX_HEIGHT, MAX_WIDTH, Operands, with_kernel},
    transpose::transpose,
};

/// Bytes of panels that a task packs: they stay in the second cache while all rows pass.
const PACKED: usize = 512 * 1024;
/// Multiplications that are not worth another thread.
const SMALL: usize = 1 << 17;

/// A matrix of rows.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    /// The matrix `[rows, columns]` of values that stand row after row.
    ///
    /// # Panics
    /// When the length is not `rows · columns`.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix has rows × columns values");
        Self { values, rows, columns, transposed: false }
    }

    /// Its transpose; nothing is copied.
    #[must_use]
    pub fn transpose(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }
}

/// What a product is written over.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// Whatever is there.
    Nothing,
    /// A row that each row of the product is added to, `[n]`.
    Bias(&'a [f32]),
    /// What is there, to which the product is added.
    Sum,
}

/// `out = start + a · b`, `[m, k] · [k, n]`. Results do not depend on the number of threads.
///
/// # Panics
/// When the shapes do not fit.
pub fn product(a: Matrix<'_>, b: Matrix<'_>, start: Start<'_>, out: &mut [f32]) {
    let ((m, k), (k_too, n)) = (a.shape(), b.shape());
    assert!(k == k_too && out.len() == m * n, "{m}×{k} · {k_too}×{n} fits");
    if let Start::Bias(bias) = start {
        assert_eq!(bias.len(), n, "each column has a bias");
    }
    if out.is_empty() {
        return;
    }
    let isa = Isa::detect();
    let width = tile::width(isa);
    let threads = if m * k * n < SMALL { 1 } else { rayon::current_num_threads() };
    let n_panels = n.div_ceil(width);
    let n_groups = n_groups(n_panels, PACKED / (width * k.max(1) * size_of::<f32>()), threads);
    // Few columns leave threads idle that rows can keep busy.
    let n_parts = threads.div_ceil(n_groups).min(m.div_ceil(MAX_HEIGHT));
    let rows_of_part = m.div_ceil(n_parts).next_multiple_of(MAX_HEIGHT);
    let shared = Shared::new(out);
    let task = |task: usize| {
        let (group, part) = (task / n_parts, task % n_parts);
        let edge = |group: usize| (group * n_panels / n_groups * width).min(n);
        let rows = (part * rows_of_part).min(m)..((part + 1) * rows_of_part).min(m);
        let task = Task { a, b, start, columns: edge(group)..edge(group + 1), rows, out: &shared };
        ROOM.with_borrow_mut(|room| run(isa, &task, room));
    };
    if threads == 1 {
        (0..n_groups * n_parts).for_each(task);
    } else {
        (0..n_groups * n_parts).into_par_iter().with_max_len(1).for_each(task);
    }
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

/// Memory that a thread keeps from product to product.
#[derive(Default)]
struct Room {
    panels: Vec<f32>,
    rows: Vec<f32>,
}

/// In how many groups panels are cut: as few as fit the cache, as many for each thread, and alike where that is possible.
fn n_groups(n_panels: usize, most: usize, threads: usize) -> usize {
    let least = n_panels.div_ceil(most.max(1)).next_multiple_of(threads);
    let even = (least..=2 * least).step_by(threads).find(|n| n_panels.is_multiple_of(*n));
    even.unwrap_or(least).min(n_panels)
}

/// Some rows and columns of a product.
struct Task<'a> {
    a: Matrix<'a>,
    b: Matrix<'a>,
    start: Start<'a>,
    /// From the edge of a panel on.
    columns: Range<usize>,
    rows: Range<usize>,
    out: &'a Shared<'a>,
}

fn run(isa: Isa, task: &Task<'_>, room: &mut Room) {
    with_kernel!(isa, multiply(task: &Task<'_>, room: &mut Room));
}

#[inline(always)]
fn multiply<K: Kernel>(task: &Task<'_>, room: &mut Room) {
    let Task { a, b, start, columns, rows, out } = task;
    let ((_, depth), (_, n)) = (a.shape(), b.shape());
    let n_panels = columns.len().div_ceil(K::WIDTH);
    let Room { panels, rows: packed } = room;
    grow(panels, n_panels * depth * K::WIDTH);
    grow(packed, MAX_HEIGHT * depth);
    for panel in 0..n_panels {
        let first = columns.start + panel * K::WIDTH;
        pack(
            *b,
            first..(first + K::WIDTH).min(n),
            &mut panels[panel * depth * K::WIDTH..][..depth * K::WIDTH],
            K::WIDTH,
        );
    }
    let mut sums = OnLine([0.0; MAX_HEIGHT * MAX_WIDTH]);
    let sums = &mut sums.0;
    for row in rows.clone().step_by(K::HEIGHT) {
        let height = K::HEIGHT.min(rows.end - row);
        let x = if a.transposed {
            transpose(&a.values[row..], a.columns, (depth, height), packed, depth);
            &packed[..height * depth]
        } else {
            &a.values[row * depth..][..height * depth]
        };
        for panel in 0..n_panels {
            let first = columns.start + panel * K::WIDTH;
            let width = K::WIDTH.min(columns.end - first);
            let w = &panels[panel * depth * K::WIDTH..][..depth * K::WIDTH];
            let operands = Operands { x, x_stride: depth, w, w_stride: K::WIDTH, depth };
            // SAFETY: the caller was compiled for the instruction set of `K`, and runs where the processor has it.
            unsafe { K::tile(operands, height, width.next_multiple_of(K::VECTOR), sums, K::WIDTH) };
            for (line, sums) in sums.chunks_exact(K::WIDTH).take(height).enumerate() {
                // SAFETY: tasks have rows or columns of their own, and a task writes one line at a time.
                let out = unsafe { out.part((row + line) * n + first, width) };
                match start {
                    Start::Nothing => out.copy_from_slice(&sums[..width]),
                    Start::Bias(bias) => {
                        for ((out, sum), bias) in out.iter_mut().zip(sums).zip(&bias[first..]) {
                            *out = sum + bias;
                        }
                    }
                    Start::Sum => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
                }
            }
        }
    }
}

/// Some columns of a matrix as rows of `width` numbers; those beyond the columns are 0.
#[inline(always)]
fn pack(matrix: Matrix<'_>, columns: Range<usize>, panel: &mut [f32], width: usize) {
    if matrix.transposed {
        // The columns stand in rows: `[columns, depth]`.
        let depth = matrix.columns;
        transpose(&matrix.values[columns.start * depth..], depth, (columns.len(), depth), panel, width);
    } else {
        for (line, row) in panel.chunks_exact_mut(width).zip(matrix.values.chunks_exact(matrix.columns)) {
            line[..columns.len()].copy_from_slice(&row[columns.clone()]);
        }
    }
    if columns.len() < width {
        for line in panel.chunks_exact_mut(width) {
            line[columns.len()..].fill(0.0);
        }
    }
}

fn grow(vector: &mut Vec<f32>, len: usize) {
    if vector.len() < len {
        vector.resize(len, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::{assert_close, noise};

    #[test]
    fn agrees_with_three_loops_whatever_the_threads() {
        for (m, k, n) in [(1, 7, 5), (1, 400, 300), (2, 0, 3), (33, 50, 30), (130, 390, 257), (864, 384, 150)] {
            let (a, b, bias) = (noise(m * k, 1), noise(k * n, 2), noise(n, 3));
            let transpose = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect()
            };
            let (a_t, b_t) = (transpose(&a, m, k), transpose(&b, k, n));
            let mut expected = vec![0.0_f64; m * n];
            for i in 0..m {
                for j in 0..n {
                    let dot: f64 = (0..k).map(|p| f64::from(a[i * k + p]) * f64::from(b[p * n + j])).sum();
                    expected[i * n + j] = dot + f64::from(bias[j]);
                }
            }
            let run = |threads: usize, a: Matrix<'_>, b: Matrix<'_>| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let mut out = vec![9.0; m * n];
                    product(a, b, Start::Bias(&bias), &mut out);
                    // Twice the product less the bias: the sums of the second are added to those of the first.
                    let mut twice = out.clone();
                    product(a, b, Start::Sum, &mut twice);
                    let half: Vec<f32> =
                        twice.chunks(n).flat_map(|row| row.iter().zip(&bias).map(|(x, b)| (x - b) / 2.0 + b)).collect();
                    assert_close(&half, &expected, 2e-4);
                    out
                })
            };
            let (plain_a, plain_b) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
            for (a, b) in [
                (plain_a, plain_b),
                (Matrix::new(&a_t, k, m).transpose(), plain_b),
                (plain_a, Matrix::new(&b_t, n, k).transpose()),
                (Matrix::new(&a_t, k, m).transpose(), Matrix::new(&b_t, n, k).transpose()),
            ] {
                let one = run(1, a, b);
                assert_close(&one, &expected, 2e-4);
                for threads in [2, 3, 8] {
                    assert_eq!(one, run(threads, a, b), "{m}×{k}×{n} on {threads} threads");
                }
            }
        }
    }
}
