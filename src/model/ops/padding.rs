//! The padded form of a packed batch, for devices without our kernels: one product over all rows and heads.

use candle_core::{D, Device, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{Sequences, dropout::factors_of};
use crate::kernels::dropout::{Mask, kept};

/// candle gives zeros where a row of this number is asked for, and adds nothing there.
const NONE: u32 = u32::MAX;

/// How sequences lie one after the other, and how in rows of one length.
pub(super) struct Padding {
    sequences: Sequences,
    rows: usize,
    longest: usize,
    device: Device,
    /// Which token stands at each place of the padded form.
    tokens: Tensor,
    /// Where each token stands in it.
    places: Tensor,
}

impl Padding {
    pub(super) fn new(sequences: &Sequences, device: &Device) -> Result<Self> {
        let (mut tokens, mut places) = (Vec::new(), Vec::new());
        let longest = spans(sequences).map(|(_, len)| len).max().unwrap_or(0);
        for (row, (start, len)) in spans(sequences).enumerate() {
            tokens.extend((0..longest).map(|i| if i < len { (start + i) as u32 } else { NONE }));
            places.extend((0..len).map(|i| (row * longest + i) as u32));
        }
        Ok(Self {
            sequences: sequences.clone(),
            rows: sequences.offsets.len().saturating_sub(1),
            longest,
            device: device.clone(),
            tokens: Tensor::new(tokens, device)?,
            places: Tensor::new(places, device)?,
        })
    }

    /// `[tokens, width]` → `[rows, heads, longest, head_dim]`; the padding is 0.
    pub(super) fn pack(&self, x: &Tensor) -> Result<Tensor> {
        let shape = (self.rows, self.longest, self.sequences.heads, self.sequences.head_dim);
        x.contiguous()?.index_select(&self.tokens, 0)?.reshape(shape)?.transpose(1, 2)?.contiguous()
    }

    /// `[rows, heads, longest, head_dim]` → `[tokens, width]`.
    pub(super) fn unpack(&self, x: &Tensor) -> Result<Tensor> {
        let width = self.sequences.heads * self.sequences.head_dim;
        let flat = x.transpose(1, 2)?.contiguous()?.reshape((self.rows * self.longest, width))?;
        flat.index_select(&self.places, 0)
    }

    /// `softmax(q kᵀ / √head_dim)` of packed queries and keys, `[rows, heads, longest, longest]`; keys that are padding have
    /// probability 0.
    pub(super) fn probabilities(&self, q: &Tensor, k: &Tensor) -> Result<Tensor> {
        let scores = (q.matmul(&k.t()?)? * self.scale())?;
        candle_nn::ops::softmax(&scores.broadcast_add(&self.hidden()?)?, D::Minus1)
    }

    /// The gradients of queries and keys, `[tokens, width]`, from that of [`Self::probabilities`]' scores.
    pub(super) fn of_queries_and_keys(&self, of_scores: &Tensor, [q, k]: [&Tensor; 2]) -> Result<[Tensor; 2]> {
        let of_q = self.unpack(&of_scores.matmul(k)?)?;
        let of_k = self.unpack(&of_scores.t()?.matmul(q)?)?;
        Ok([(of_q * self.scale())?, (of_k * self.scale())?])
    }

    fn scale(&self) -> f64 {
        1.0 / (self.sequences.head_dim as f64).sqrt()
    }

    /// What is added to scores so that keys which a query does not see weigh nothing: `[rows, 1, 1 or longest, longest]`.
    fn hidden(&self) -> Result<Tensor> {
        let Sequences { reach, globals, .. } = &self.sequences;
        let queries = if reach.is_some() { self.longest } else { 1 };
        let mut hidden = vec![-1e30_f32; self.rows * queries * self.longest];
        let rows = hidden.chunks_mut((queries * self.longest).max(1));
        for (hidden, (start, len)) in rows.zip(spans(&self.sequences)) {
            let first = globals.partition_point(|place| *place < start);
            let globals = globals[first..].iter().map(|place| place - start).take_while(|place| *place < len);
            for (query, hidden) in hidden.chunks_mut(self.longest).enumerate() {
                // What padding sees is not looked at, but it must see something.
                let query = query.min(len - 1);
                let window = reach.map_or(0..len, |reach| query.saturating_sub(reach)..(query + reach + 1).min(len));
                hidden[window].fill(0.0);
                globals.clone().for_each(|key| hidden[key] = 0.0);
            }
        }
        Tensor::from_vec(hidden, (self.rows, 1, queries, self.longest), &self.device)
    }

    /// `[rows, heads, longest, longest]` → the pairs of tokens of one sequence, `[Σ heads · len²]`.
    pub(super) fn take_pairs(&self, p: &Tensor) -> Result<Tensor> {
        let mut places = Vec::new();
        let mut start = 0;
        for (_, len) in spans(&self.sequences) {
            for _ in 0..self.sequences.heads {
                for i in 0..len {
                    let start = start + i * self.longest;
                    places.extend((start..start + len).map(|place| place as u32));
                }
                start += self.longest * self.longest;
            }
        }
        p.flatten_all()?.index_select(&Tensor::new(places, &self.device)?, 0)
    }

    /// The other way; the padding is 0.
    pub(super) fn spread_pairs(&self, p: &Tensor) -> Result<Tensor> {
        let pairs = self.spread(NONE, |first, pairs| {
            pairs.iter_mut().zip(first..).for_each(|(pair, number)| *pair = number);
        });
        p.contiguous()?.index_select(&Tensor::new(pairs, &self.device)?, 0)?.reshape(self.shape())
    }

    /// `p` without what a mask over the pairs drops.
    pub(super) fn drop_out(&self, p: &Tensor, mask: Option<Mask>) -> Result<Tensor> {
        match mask {
            Some(mask) => p * self.factors(mask)?,
            None => Ok(p.clone()),
        }
    }

    /// What probabilities are multiplied by: 0 in the padding.
    pub(super) fn factors(&self, mask: Mask) -> Result<Tensor> {
        let is_kept = self.spread(0, |first, is_kept| kept(mask, first, is_kept));
        factors_of(mask, is_kept, &self.shape(), &self.device)
    }

    fn shape(&self) -> Shape {
        (self.rows, self.sequences.heads, self.longest, self.longest).into()
    }

    /// For each place of the padded form `padding`, or what `fill` puts there: it is given the places of a query's keys, and
    /// the number of the first of them among all pairs.
    fn spread<T: Copy + Send + Sync>(&self, padding: T, fill: impl Fn(u32, &mut [T]) + Sync) -> Vec<T> {
        let (heads, longest) = (self.sequences.heads, self.longest);
        let mut before = 0;
        let rows: Vec<(usize, usize)> = spans(&self.sequences)
            .map(|(_, len)| {
                let first = before;
                before += heads * len * len;
                (first, len)
            })
            .collect();
        let mut places = vec![padding; self.rows * heads * longest * longest];
        places.par_chunks_mut((longest * longest).max(1)).enumerate().for_each(|(at, places)| {
            let (first, len) = rows[at / heads];
            let first = first + at % heads * len * len;
            for (i, places) in places.chunks_mut(longest).take(len).enumerate() {
                fill((first + i * len) as u32, &mut places[..len]);
            }
        });
        places
    }
}

/// `(offset, length)` of each row.
fn spans(sequences: &Sequences) -> impl Iterator<Item = (usize, usize)> + '_ {
    sequences.offsets.windows(2).map(|ends| (ends[0], ends[1] - ends[0]))
}

/// The gradient of scores from that of their softmax `p`: `p (g − Σ g p)`.
pub(super) fn of_scores(p: &Tensor, of_p: &Tensor) -> Result<Tensor> {
    p * of_p.broadcast_sub(&(of_p * p)?.sum_keepdim(D::Minus1)?)?
}
