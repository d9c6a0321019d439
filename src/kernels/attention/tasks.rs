//! One task a head of a sequence, run over the threads of the pool; a task with windows goes through its queries in blocks.

use std::ops::Range;

use rayon::prelude::*;

use super::{Shape, rows::Places};
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

/// Queries of a block: the more, the more pairs are computed that no window holds; the fewer, the more often keys are brought.
const QUERIES: usize = 128;

/// Queries of a task that are worked on at once, and the keys that some of them see. Places are those in the sequence.
pub(super) struct Block {
    pub(super) queries: Range<usize>,
    /// The keys from the first to the last that is near some query.
    pub(super) near: Range<usize>,
    /// Those further off that all see.
    pub(super) others: Vec<u32>,
}

impl Block {
    /// Where its queries are.
    pub(super) fn queries(&self) -> Places<'_> {
        Places::new(&self.queries, &[])
    }

    /// Where its keys are.
    pub(super) fn keys(&self) -> Places<'_> {
        Places::new(&self.near, &self.others)
    }
}

impl Task {
    /// All queries and all keys.
    pub(super) fn whole(self) -> Block {
        Block { queries: 0..self.len, near: 0..self.len, others: Vec::new() }
    }

    /// How far a token sees, where that is so little that the task is worked on in several blocks.
    fn short_reach(self, shape: Shape<'_>) -> Option<usize> {
        shape.reach.filter(|reach| reach.saturating_add(QUERIES) < self.len)
    }

    /// Whether there are several blocks.
    pub(super) fn is_cut(self, shape: Shape<'_>) -> bool {
        self.short_reach(shape).is_some()
    }

    /// Blocks of queries in order. Pairs of tokens outside of windows are passed over where they are many, so that time and
    /// memory grow with the length and not with its square (Beltagy et al., 2020, section 3.1).
    pub(super) fn blocks(self, shape: Shape<'_>) -> impl Iterator<Item = Block> {
        let reach = self.short_reach(shape);
        let step = if reach.is_some() { QUERIES } else { self.len.max(1) };
        (0..self.len).step_by(step).map(move |first| {
            let Some(reach) = reach else { return self.whole() };
            let queries = first..(first + step).min(self.len);
            let near = queries.start.saturating_sub(reach)..(queries.end + reach).min(self.len);
            let others = self.globals(shape).filter(|place| !near.contains(place)).map(|place| place as u32);
            Block { queries, others: others.collect(), near }
        })
    }

    /// The places of the tokens that all see.
    pub(super) fn globals<'a>(&self, shape: Shape<'a>) -> impl Iterator<Item = usize> + use<'a> {
        let (start, len) = (self.start / self.width, self.len);
        let globals = &shape.globals[shape.globals.partition_point(|place| *place < start)..];
        globals.iter().map(move |place| place - start).take_while(move |place| *place < len)
    }
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

/// One task a head of a sequence.
pub(super) fn tasks(shape: Shape<'_>) -> Vec<Task> {
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
    tasks
}

/// Runs every task once, on any thread.
pub(super) fn for_each<T: Copy + Sync>(tasks: &[T], run: impl Fn(Isa, T, &mut Scratch) + Sync) {
    let isa = Isa::detect();
    tasks.par_iter().for_each_init(Scratch::default, |scratch, task| run(isa, *task, scratch));
}
