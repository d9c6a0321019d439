//! Attention over packed sequences, in one op or with the probabilities between.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Device, Layout, Result, Shape, Tensor};

use super::{Route, tensor, values, with_values};
use crate::kernels::{attention as kernel, dropout::Mask};

/// How a packed batch is cut into sequences and heads.
#[derive(Clone)]
pub(in crate::model) struct Sequences {
    /// Where each sequence starts, and the end.
    pub(in crate::model) offsets: Arc<[usize]>,
    pub(in crate::model) heads: usize,
    pub(in crate::model) head_dim: usize,
    /// How far a token sees each way; all of its sequence without it.
    pub(in crate::model) reach: Option<usize>,
    /// Tokens that are seen from everywhere in their sequences, ascending.
    pub(in crate::model) globals: Arc<[usize]>,
}

impl Sequences {
    pub(super) fn shape(&self) -> kernel::Shape<'_> {
        let Self { offsets, heads, head_dim, reach, globals } = self;
        kernel::Shape { offsets, heads: *heads, head_dim: *head_dim, reach: *reach, globals }
    }

    /// Whether one token of the batch sees another of its sequence.
    fn sees(&self, query: usize, key: usize) -> bool {
        self.reach.is_none_or(|reach| query.abs_diff(key) <= reach) || self.globals.binary_search(&key).is_ok()
    }
}

/// `softmax(q kᵀ / √head_dim) v`, the probabilities dropped out by the mask.
///
/// # Shapes
/// `[tokens, heads · head_dim]` each → the same.
pub(in crate::model) fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    sequences: &Sequences,
    mask: Option<Mask>,
    route: Route,
) -> Result<Tensor> {
    match route {
        Route::Fused => {
            let op = Attend { sequences: sequences.clone(), mask };
            q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, op)
        }
        Route::Composed => {
            let padding = Padding::new(sequences, q.device());
            let dropped = padding.drop_out(&padding.probabilities(q, k)?, mask)?;
            padding.unpack(&dropped.matmul(&padding.pack(v)?)?)
        }
    }
}

/// `softmax(q kᵀ / √head_dim)`, sequence after sequence, head after head, flat: `[Σ heads · len²]`.
pub(in crate::model) fn probabilities(q: &Tensor, k: &Tensor, sequences: &Sequences, route: Route) -> Result<Tensor> {
    match route {
        Route::Fused => q.contiguous()?.apply_op2(&k.contiguous()?, Probabilities(sequences.clone())),
        Route::Composed => {
            let padding = Padding::new(sequences, q.device());
            padding.probabilities(q, k)?.flatten_all()?.index_select(&padding.real_pairs()?, 0)
        }
    }
}

/// `p v` for probabilities `p` as [`probabilities`] gives them.
pub(in crate::model) fn context(p: &Tensor, v: &Tensor, sequences: &Sequences, route: Route) -> Result<Tensor> {
    match route {
        Route::Fused => p.contiguous()?.apply_op2(&v.contiguous()?, Context(sequences.clone())),
        Route::Composed => {
            let padding = Padding::new(sequences, v.device());
            padding.unpack(&padding.pack_pairs(p)?.matmul(&padding.pack(v)?)?)
        }
    }
}

/// Attention of the global tokens, `q`, over the whole of their sequences, composed of candle's ops: they are few.
///
/// # Shapes
/// `[globals, heads · head_dim]`, `[tokens, heads · head_dim]` twice → as `q`.
pub(in crate::model) fn cross(
    q: &Tensor,
    [k, v]: [&Tensor; 2],
    sequences: &Sequences,
    mask: Option<Mask>,
) -> Result<Tensor> {
    let Sequences { heads, head_dim, globals, .. } = sequences;
    let by_head = |x: &Tensor, start: usize, len: usize| {
        x.narrow(0, start, len)?.reshape((len, *heads, *head_dim))?.transpose(0, 1)?.contiguous()
    };
    let mut parts = Vec::new();
    let (mut done, mut dropped) = (0, 0);
    for ends in sequences.offsets.windows(2) {
        let count = globals[done..].partition_point(|place| *place < ends[1]);
        if count == 0 {
            continue;
        }
        let len = ends[1] - ends[0];
        let (q, k, v) = (by_head(q, done, count)?, by_head(k, ends[0], len)?, by_head(v, ends[0], len)?);
        let scores = (q.matmul(&k.t()?.contiguous()?)? / (*head_dim as f64).sqrt())?; // [heads, globals, len]
        let mut shares = candle_nn::ops::softmax(&scores, D::Minus1)?;
        if let Some(mask) = mask {
            let n = shares.elem_count() as u32;
            let factors: Vec<f32> = (dropped..dropped + n).map(|i| mask.factor(i)).collect();
            shares = (&shares * Tensor::from_vec(factors, shares.shape(), shares.device())?)?;
            dropped += n;
        }
        parts.push(shares.matmul(&v)?.transpose(0, 1)?.contiguous()?.reshape((count, heads * head_dim))?);
        done += count;
    }
    Tensor::cat(&parts, 0)
}

/// The padded form of a packed batch, for devices without our kernels.
struct Padding<'a> {
    sequences: &'a Sequences,
    rows: usize,
    longest: usize,
    device: &'a Device,
}

impl<'a> Padding<'a> {
    fn new(sequences: &'a Sequences, device: &'a Device) -> Self {
        let longest = sequences.offsets.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0);
        Self { sequences, rows: sequences.offsets.len().saturating_sub(1), longest, device }
    }

    /// `(offset, length)` of each row.
    fn spans(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.sequences.offsets.windows(2).map(|ends| (ends[0], ends[1] - ends[0]))
    }

    /// `[tokens, width]` → `[rows, heads, longest, head_dim]`; the padding repeats some token.
    fn pack(&self, x: &Tensor) -> Result<Tensor> {
        let ids: Vec<u32> = self
            .spans()
            .flat_map(|(start, len)| (0..self.longest).map(move |i| if i < len { (start + i) as u32 } else { 0 }))
            .collect();
        let shape = (self.rows, self.longest, self.sequences.heads, self.sequences.head_dim);
        x.index_select(&Tensor::new(ids, self.device)?, 0)?.reshape(shape)?.transpose(1, 2)?.contiguous()
    }

    /// `[rows, heads, longest, head_dim]` → `[tokens, width]`.
    fn unpack(&self, x: &Tensor) -> Result<Tensor> {
        let ids: Vec<u32> = self
            .spans()
            .enumerate()
            .flat_map(|(row, (_, len))| (0..len).map(move |i| (row * self.longest + i) as u32))
            .collect();
        let width = self.sequences.heads * self.sequences.head_dim;
        let flat = x.transpose(1, 2)?.contiguous()?.reshape((self.rows * self.longest, width))?;
        flat.index_select(&Tensor::new(ids, self.device)?, 0)
    }

    /// `[rows, heads, longest, longest]`; the padding has probability 0.
    fn probabilities(&self, q: &Tensor, k: &Tensor) -> Result<Tensor> {
        let hidden = self.hidden()?;
        let scale = 1.0 / (self.sequences.head_dim as f64).sqrt();
        let scores = (self.pack(q)?.matmul(&self.pack(k)?.transpose(2, 3)?.contiguous()?)? * scale)?;
        candle_nn::ops::softmax(&scores.broadcast_add(&hidden)?, D::Minus1)
    }

    /// What is added to scores so that keys which a query does not see weigh nothing: `[rows, 1, 1 or longest, longest]`.
    fn hidden(&self) -> Result<Tensor> {
        let queries = if self.sequences.reach.is_some() { self.longest } else { 1 };
        let mut hidden = Vec::with_capacity(self.rows * queries * self.longest);
        for (start, len) in self.spans() {
            for query in 0..queries {
                let is_seen = |key: usize| key < len && self.sequences.sees(start + query.min(len - 1), start + key);
                hidden.extend((0..self.longest).map(|key| if is_seen(key) { 0.0_f32 } else { -1e30 }));
            }
        }
        Tensor::from_vec(hidden, (self.rows, 1, queries, self.longest), self.device)
    }

    /// The place of each pair of one sequence in the padded form, in the order of the packed form.
    fn real_pairs(&self) -> Result<Tensor> {
        let (heads, longest) = (self.sequences.heads, self.longest);
        let mut ids = Vec::new();
        for (row, (_, len)) in self.spans().enumerate() {
            for head in 0..heads {
                for i in 0..len {
                    let start = ((row * heads + head) * longest + i) * longest;
                    ids.extend((start..start + len).map(|id| id as u32));
                }
            }
        }
        Tensor::new(ids, self.device)
    }

    /// For each place of the padded form: what `real` gives for the packed index, or `padding`.
    fn spread<T: Copy>(&self, padding: T, real: impl Fn(u32) -> T) -> Vec<T> {
        let (heads, longest) = (self.sequences.heads, self.longest);
        let mut places = vec![padding; self.rows * heads * longest * longest];
        let mut packed = 0;
        for (row, (_, len)) in self.spans().enumerate() {
            for head in 0..heads {
                for i in 0..len {
                    let start = ((row * heads + head) * longest + i) * longest;
                    for place in &mut places[start..start + len] {
                        *place = real(packed);
                        packed += 1;
                    }
                }
            }
        }
        places
    }

    /// `[Σ heads · len²]` → `[rows, heads, longest, longest]`; the padding is 0.
    fn pack_pairs(&self, p: &Tensor) -> Result<Tensor> {
        let shape = (self.rows, self.sequences.heads, self.longest, self.longest);
        // Padding takes the zero that is put after the last probability.
        let zero = p.elem_count() as u32;
        let ids = Tensor::new(self.spread(zero, |packed| packed), self.device)?;
        let with_zero = Tensor::cat(&[p, &p.zeros_like()?.narrow(0, 0, 1)?], 0)?;
        with_zero.index_select(&ids, 0)?.reshape(shape)
    }

    fn drop_out(&self, p: &Tensor, mask: Option<Mask>) -> Result<Tensor> {
        let Some(mask) = mask else { return Ok(p.clone()) };
        let factors = self.spread(0.0, |packed| mask.factor(packed));
        p * Tensor::from_vec(factors, p.shape(), self.device)?
    }
}

struct Attend {
    sequences: Sequences,
    mask: Option<Mask>,
}

impl CustomOp3 for Attend {
    fn name(&self) -> &'static str {
        "attend"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let [q, k, v] = [values(q, q_layout)?, values(k, k_layout)?, values(v, v_layout)?];
        let mut out = vec![0.0; q.len()];
        kernel::forward(q, k, v, self.sequences.shape(), self.mask, &mut out);
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        with_values([q, k, v, gradient], |[q_values, k_values, v_values, gradient]| {
            let mut out = [q, k, v].map(|x| vec![0.0; x.elem_count()]);
            let [of_q, of_k, of_v] = &mut out;
            let shape = self.sequences.shape();
            kernel::backward([q_values, k_values, v_values], gradient, shape, self.mask, [of_q, of_k, of_v]);
            let [of_q, of_k, of_v] = out;
            Ok((Some(tensor(of_q, q)?), Some(tensor(of_k, k)?), Some(tensor(of_v, v)?)))
        })
    }
}

struct Probabilities(Sequences);

impl CustomOp2 for Probabilities {
    fn name(&self) -> &'static str {
        "attention-probabilities"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = kernel::probabilities(values(q, q_layout)?, values(k, k_layout)?, self.0.shape());
        let len = out.len();
        Ok((CpuStorage::F32(out), len.into()))
    }

    fn bwd(&self, q: &Tensor, k: &Tensor, p: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        with_values([q, k, p, gradient], |[q_values, k_values, p, gradient]| {
            let (of_q, of_k) = kernel::probabilities_backward(q_values, k_values, p, gradient, self.0.shape());
            Ok((Some(tensor(of_q, q)?), Some(tensor(of_k, k)?)))
        })
    }
}

struct Context(Sequences);

impl CustomOp2 for Context {
    fn name(&self) -> &'static str {
        "attention-context"
    }

    fn cpu_fwd(
        &self,
        p: &CpuStorage,
        p_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = kernel::context(values(p, p_layout)?, values(v, v_layout)?, self.0.shape());
        Ok((CpuStorage::F32(out), v_layout.shape().clone()))
    }

    fn bwd(&self, p: &Tensor, v: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        with_values([p, v, gradient], |[p_values, v_values, gradient]| {
            let (of_p, of_v) = kernel::context_backward(p_values, v_values, gradient, self.0.shape());
            Ok((Some(tensor(of_p, p)?), Some(tensor(of_v, v)?)))
        })
    }
}
