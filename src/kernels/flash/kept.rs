//! `Kept`: keys and values that are packed once, for queries that come one after the other.

use rayon::prelude::*;

use super::{Heads, Job, Panels, QUERIES, Rows, Window, blocks};
use crate::kernels::{
    isa::Isa,
    tile::{Kernel, with_kernel},
};

/// Keys and values of every head in the order of the kernel's tiles, as a decoder keeps those of a text that it attends to
/// at every step (Vaswani et al., 2017, section 3.2.3).
pub struct Kept {
    heads: Heads,
    len: usize,
    isa: Isa,
    /// A head each.
    panels: Vec<Panels>,
}

impl Kept {
    /// Packs keys and values, `[len, heads · dim]` each; heads side by side on the threads of the current pool.
    ///
    /// # Panics
    /// When the shapes do not fit, or there are no keys.
    #[must_use]
    pub fn new(kv: [Rows<'_>; 2], heads: Heads) -> Self {
        Self::new_on(Isa::detect(), kv, heads)
    }

    fn new_on(isa: Isa, [keys, values]: [Rows<'_>; 2], heads: Heads) -> Self {
        let (width, len) = (heads.count * heads.dim, keys.count);
        assert!(keys.have(width) && values.have(width) && values.count == len, "each key has a value");
        assert!(len > 0, "queries have keys to see");
        let job = Job { queries: keys, keys, values, len, first: 0, heads, window: Window::ALL };
        let packed = |head: usize| {
            let mut panels = Panels::default();
            pack_on(isa, job, head, &mut panels);
            panels
        };
        Self { heads, len, isa, panels: (0..heads.count).into_par_iter().with_max_len(1).map(packed).collect() }
    }

    /// How many heads there are, and how wide each is.
    #[must_use]
    pub fn heads(&self) -> Heads {
        self.heads
    }

    /// `softmax(q kᵀ / √dim) v` of one head over all keys (Vaswani et al., 2017, eq. 1): `queries` is
    /// `[rows, heads · dim]`, `out` is `[rows, dim]`. All of it runs on the calling thread.
    ///
    /// # Panics
    /// When the shapes do not fit, or there is no such head.
    pub fn attend(&self, head: usize, queries: Rows<'_>, out: &mut [f32]) {
        let Heads { count, dim } = self.heads;
        assert!(
            head < count && queries.have(count * dim) && queries.count * dim == out.len(),
            "an output for each query"
        );
        if out.is_empty() {
            return;
        }
        let queries = queries.from(head * dim);
        let job = Job {
            queries,
            keys: queries,
            values: queries,
            len: self.len,
            first: 0,
            heads: Heads { count: 1, dim },
            window: Window::ALL,
        };
        attend_on(self.isa, job, &self.panels[head], out);
    }
}

fn pack_on(isa: Isa, job: Job<'_>, head: usize, panels: &mut Panels) {
    with_kernel!(isa, pack(job: Job<'_>, head: usize, panels: &mut Panels));
}

#[inline(always)]
fn pack<K: Kernel>(job: Job<'_>, head: usize, panels: &mut Panels) {
    panels.pack::<K>(job, head, 0..job.len, |key| key);
}

fn attend_on(isa: Isa, job: Job<'_>, panels: &Panels, out: &mut [f32]) {
    with_kernel!(isa, attend(job: Job<'_>, panels: &Panels, out: &mut [f32]));
}

#[inline(always)]
fn attend<K: Kernel>(job: Job<'_>, panels: &Panels, out: &mut [f32]) {
    let dim = job.heads.dim;
    let mut sums = vec![0.0; QUERIES.min(out.len() / dim) * dim.next_multiple_of(K::VECTOR)];
    let none = Panels::default();
    for (block, out) in out.chunks_mut(QUERIES * dim).enumerate() {
        let queries = blocks::Queries { first: block * QUERIES, count: out.len() / dim, head: 0 };
        blocks::attend::<K>(job, queries, 0, [panels, &none], &mut sums, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{flash, reference::noise};

    #[test]
    fn what_is_kept_is_attended_to_as_what_is_not() {
        for (rows, len, heads) in [(1, 1, 3), (4, 191, 2), (3, 500, 1), (70, 200, 2)] {
            for dim in [1, 6, 16, 33, 64] {
                let heads = Heads { count: heads, dim };
                let width = heads.count * dim;
                let (queries, kv) = (noise(rows * width, 1), noise(len * 2 * width, 2));
                let queries = Rows::new(&queries, width, 0);
                let kv = [0, width].map(|column| Rows::new(&kv, 2 * width, column));
                for isa in Isa::all() {
                    let mut expected = vec![0.0; rows * width];
                    flash::cross_on(isa, queries, kv, heads, &mut flash::Scratch::default(), &mut expected);
                    let kept = Kept::new_on(isa, kv, heads);
                    for head in 0..heads.count {
                        let mut out = vec![9.0; rows * dim];
                        kept.attend(head, queries, &mut out);
                        for (out, expected) in out.chunks(dim).zip(expected.chunks(width)) {
                            assert_eq!(out, &expected[head * dim..][..dim], "{rows} {len} {heads:?} {isa:?}");
                        }
                    }
                }
            }
        }
    }
}
