//! Attention over packed sequences, in one op or with the probabilities between.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor};

use super::{
    Route,
    given::given,
    padding::{Padding, of_scores},
    tensor, values, with_values,
};
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
        Route::Given => attend_by_hand([q, k, v], sequences, mask),
        Route::Composed => {
            let padding = Padding::new(sequences, q.device())?;
            let dropped = padding.drop_out(&padding.probabilities(&padding.pack(q)?, &padding.pack(k)?)?, mask)?;
            padding.unpack(&dropped.matmul(&padding.pack(v)?)?)
        }
    }
}

/// `softmax(q kᵀ / √head_dim)`, sequence after sequence, head after head, flat: `[Σ heads · len²]`.
pub(in crate::model) fn probabilities(q: &Tensor, k: &Tensor, sequences: &Sequences, route: Route) -> Result<Tensor> {
    match route {
        Route::Fused => q.contiguous()?.apply_op2(&k.contiguous()?, Probabilities(sequences.clone())),
        Route::Given => {
            let padding = Padding::new(sequences, q.device())?;
            let [q0, k0] = [padding.pack(&q.detach())?, padding.pack(&k.detach())?];
            let p = padding.probabilities(&q0, &k0)?;
            let out = padding.take_pairs(&p)?;
            given([q, k], out, move |gradient| {
                let of_scores = of_scores(&p, &padding.spread_pairs(gradient)?)?;
                let [of_q, of_k] = padding.of_queries_and_keys(&of_scores, [&q0, &k0])?;
                Ok([Some(of_q), Some(of_k)])
            })
        }
        Route::Composed => {
            let padding = Padding::new(sequences, q.device())?;
            padding.take_pairs(&padding.probabilities(&padding.pack(q)?, &padding.pack(k)?)?)
        }
    }
}

/// Attention of candle's ops on the padded form: one product over all rows and heads.
fn attend_by_hand([q, k, v]: [&Tensor; 3], sequences: &Sequences, mask: Option<Mask>) -> Result<Tensor> {
    let padding = Padding::new(sequences, q.device())?;
    let [q0, k0, v0] = [padding.pack(&q.detach())?, padding.pack(&k.detach())?, padding.pack(&v.detach())?];
    let p = padding.probabilities(&q0, &k0)?;
    let factors = mask.map(|mask| padding.factors(mask)).transpose()?;
    let drop_out = |x: Tensor, factors: &Option<Tensor>| match factors {
        Some(factors) => x * factors,
        None => Ok(x),
    };
    let dropped = drop_out(p.clone(), &factors)?;
    let out = padding.unpack(&dropped.matmul(&v0)?)?;
    given([q, k, v], out, move |gradient| {
        let gradient = padding.pack(gradient)?;
        let of_v = padding.unpack(&dropped.t()?.matmul(&gradient)?)?;
        let of_p = drop_out(gradient.matmul(&v0.t()?)?, &factors)?;
        let [of_q, of_k] = padding.of_queries_and_keys(&of_scores(&p, &of_p)?, [&q0, &k0])?;
        Ok([Some(of_q), Some(of_k), Some(of_v)])
    })
}

/// `p v` for probabilities `p` as [`probabilities`] gives them.
pub(in crate::model) fn context(p: &Tensor, v: &Tensor, sequences: &Sequences, route: Route) -> Result<Tensor> {
    match route {
        Route::Fused => p.contiguous()?.apply_op2(&v.contiguous()?, Context(sequences.clone())),
        Route::Given => {
            let padding = Padding::new(sequences, v.device())?;
            let (p0, v0) = (padding.spread_pairs(&p.detach())?, padding.pack(&v.detach())?);
            let out = padding.unpack(&p0.matmul(&v0)?)?;
            given([p, v], out, move |gradient| {
                let gradient = padding.pack(gradient)?;
                let of_p = padding.take_pairs(&gradient.matmul(&v0.t()?)?)?;
                Ok([Some(of_p), Some(padding.unpack(&p0.t()?.matmul(&gradient)?)?)])
            })
        }
        Route::Composed => {
            let padding = Padding::new(sequences, v.device())?;
            padding.unpack(&padding.spread_pairs(p)?.matmul(&padding.pack(v)?)?)
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
