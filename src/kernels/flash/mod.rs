//! Attention for answering: scores, softmax and weighted values in blocks that stay in the caches, nothing of the size of
//! `len²` kept (Dao et al., 2022, `FlashAttention`, algorithm 1; the running softmax of Milakov and Gimelshein, 2018).
//!
//! A query sees a window of keys, which may be all of them, and keys that every query sees. Blocks of keys outside the
//! windows of a block of queries are passed over. All of it runs on the calling thread; whoever has several cuts the
//! queries. A query's result does not depend on the cut.

mod blocks;
mod kept;
mod panels;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::ops::Range;

pub use self::kept::Kept;
use self::panels::Panels;
use super::{
    isa::Isa,
    tile::{Kernel, with_kernel},
};

/// Keys of a block: a multiple of the width of every tile. Blocks begin at multiples of it, wherever the queries do.
const KEYS: usize = 192;
/// Queries that share a block of keys while it is in the first cache.
const QUERIES: usize = 64;

/// How rows are cut into heads.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// How many.
    pub count: usize,
    /// The width of each.
    pub dim: usize,
}

/// Which keys a query sees where it does not see all: those near it, and some that every query sees, each counted once
/// (Beltagy et al., 2020, `Longformer`, section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// How far a query sees each way; half of what Hugging Face calls `attention_window`.
    pub reach: usize,
    /// The places of the keys that every query sees, ascending, each once.
    pub globals: &'a [usize],
}

impl Window<'_> {
    /// Everything is near.
    pub const ALL: Self = Self { reach: usize::MAX, globals: &[] };

    /// The keys near a query.
    #[inline(always)]
    fn near(self, query: usize, len: usize) -> Range<usize> {
        query.saturating_sub(self.reach)..query.saturating_add(self.reach).saturating_add(1).min(len)
    }
}

/// Memory that is kept from call to call.
#[derive(Default)]
pub struct Scratch {
    /// Of a head, the keys that are near some query.
    near: Panels,
    /// Of a head, the keys that every query sees.
    globals: Panels,
    /// Weighted sums of values, as the values are laid out.
    sums: Vec<f32>,
}

/// A matrix whose rows stand some numbers apart, as part of one with wider rows.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// From the first number of the first row on.
    numbers: &'a [f32],
    stride: usize,
    count: usize,
}

impl<'a> Rows<'a> {
    /// The numbers from `column` on of each row of a matrix, `[rows, stride]`.
    ///
    /// # Panics
    /// When rows are not whole, or have no such column.
    #[must_use]
    pub fn new(matrix: &'a [f32], stride: usize, column: usize) -> Self {
        let count = matrix.len().checked_div(stride).unwrap_or(0);
        assert!(matrix.len() == count * stride && column <= stride, "rows are whole");
        Self { numbers: if count == 0 { &[] } else { &matrix[column..] }, stride, count }
    }

    /// The same from a later column on.
    #[must_use]
    pub fn from(self, column: usize) -> Self {
        Self { numbers: self.numbers.get(column..).unwrap_or(&[]), ..self }
    }

    /// Whether each row has that many numbers.
    fn have(self, width: usize) -> bool {
        self.count == 0 || self.numbers.len() >= (self.count - 1) * self.stride + width
    }

    /// What a row has for a head.
    #[inline(always)]
    fn of_head(self, row: usize, head: usize, dim: usize) -> &'a [f32] {
        &self.numbers[row * self.stride + head * dim..][..dim]
    }

    /// Asks for what a row has for a head to be brought near, if there is such a row: rows lie in pages of their own, and
    /// no processor guesses the next.
    #[inline(always)]
    fn prefetch(self, row: usize, head: usize, dim: usize) {
        #[cfg(target_arch = "x86_64")]
        for line in self.numbers.get(row * self.stride + head * dim..).unwrap_or(&[]).chunks(16).take(dim.div_ceil(16))
        {
            // SAFETY: every x86-64 processor has the instruction; it reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
    }
}

/// What one call works on.
#[derive(Clone, Copy)]
struct Job<'a> {
    queries: Rows<'a>,
    keys: Rows<'a>,
    values: Rows<'a>,
    /// How many keys there are.
    len: usize,
    /// The row of the first query.
    first: usize,
    heads: Heads,
    window: Window<'a>,
}

/// `softmax(q kᵀ / √dim) v` of the queries `rows` of one sequence (Vaswani et al., 2017, eq. 1), one softmax over the keys
/// that a window lets each see: those near it and those that every query sees. Time and memory grow with the rows and the
/// reach, not with the length (Beltagy et al., 2020, section 3.1).
///
/// `qkv` is `[len, 3 · heads · dim]`: queries, keys and values side by side. `out` is `[rows, heads · dim]`.
///
/// Queries that are themselves global are treated as all others; [`cross`] gives what they see of the whole sequence, and
/// whoever wants that puts it over the rows of `out`. Values are finite: one that is not may reach neighbours of the
/// queries that see it.
///
/// # Panics
/// When the shapes do not fit, or global places do not ascend or lie outside the sequence.
pub fn forward(
    qkv: Rows<'_>,
    heads: Heads,
    window: Window<'_>,
    rows: Range<usize>,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    forward_on(Isa::detect(), qkv, heads, window, rows, scratch, out);
}

/// As [`forward`], with queries of their own: the global ones of `Longformer`, whose queries, keys and values come from a
/// second set of projections (Beltagy et al., 2020, section 3.1).
///
/// `queries` is `[rows, heads · dim]`; `kv` are keys and values, `[len, heads · dim]` each, which may be the same; `out` is as
/// the queries are.
///
/// # Panics
/// When the shapes do not fit, or there are queries and no keys.
pub fn cross(queries: Rows<'_>, kv: [Rows<'_>; 2], heads: Heads, scratch: &mut Scratch, out: &mut [f32]) {
    cross_on(Isa::detect(), queries, kv, heads, scratch, out);
}

fn forward_on(
    isa: Isa,
    qkv: Rows<'_>,
    heads: Heads,
    window: Window<'_>,
    rows: Range<usize>,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let width = heads.count * heads.dim;
    let len = qkv.count;
    assert!(qkv.have(3 * width) && out.len() == rows.len() * width, "queries, keys and values stand together");
    assert!(rows.end <= len || rows.is_empty(), "queries are rows of the sequence");
    assert!(
        window.globals.is_sorted_by(|a, b| a < b) && window.globals.last().is_none_or(|last| *last < len),
        "global places ascend within the sequence"
    );
    if out.is_empty() {
        return;
    }
    let (keys, values) = (qkv.from(width), qkv.from(2 * width));
    let job = Job { queries: qkv, keys, values, len, first: rows.start, heads, window };
    run(isa, job, scratch, out);
}

fn cross_on(
    isa: Isa,
    queries: Rows<'_>,
    [keys, values]: [Rows<'_>; 2],
    heads: Heads,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let width = heads.count * heads.dim;
    let len = keys.count;
    assert!(keys.have(width) && values.have(width) && values.count == len, "each key has a value");
    assert!(queries.have(width) && queries.count * width == out.len(), "an output for every query");
    if out.is_empty() {
        return;
    }
    assert!(len > 0, "queries have keys to see");
    let job = Job { queries, keys, values, len, first: 0, heads, window: Window::ALL };
    run(isa, job, scratch, out);
}

fn run(isa: Isa, job: Job<'_>, scratch: &mut Scratch, out: &mut [f32]) {
    with_kernel!(isa, attend(job: Job<'_>, scratch: &mut Scratch, out: &mut [f32]));
}

#[inline(always)]
fn attend<K: Kernel>(job: Job<'_>, scratch: &mut Scratch, out: &mut [f32]) {
    let width = job.heads.count * job.heads.dim;
    let padded = job.heads.dim.next_multiple_of(K::VECTOR);
    let last = job.first + out.len() / width - 1;
    let near = job.window.near(job.first, job.len).start..job.window.near(last, job.len).end;
    // The block that the nearest keys lie in begins where it would for every other cut of the queries.
    let base = near.start / KEYS * KEYS;
    if scratch.sums.len() < QUERIES * padded {
        scratch.sums.resize(QUERIES * padded, 0.0);
    }
    for head in 0..job.heads.count {
        scratch.near.pack::<K>(job, head, near.start - base..near.end - base, |key| base + key);
        scratch.globals.pack::<K>(job, head, 0..job.window.globals.len(), |key| job.window.globals[key]);
        for (block, out) in out.chunks_mut(QUERIES * width).enumerate() {
            let queries = blocks::Queries { first: job.first + block * QUERIES, count: out.len() / width, head };
            let Scratch { near, globals, sums } = scratch;
            blocks::attend::<K>(job, queries, base, [near, globals], sums, out);
        }
    }
}
