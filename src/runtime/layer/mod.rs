//! One layer: attention over whole sequences, everything else row by row.

mod attention;
mod feed_forward;
mod global;
mod source;

use std::{ops::Range, sync::Arc};

pub(super) use self::attention::Attention;
use self::{
    feed_forward::FeedForward,
    source::{Resize, Source},
};
use super::{Chunk, norm::Norm, weights::Weights};
use crate::{
    kernels::linear::{After, Linear, Quantized},
    model::{EncoderSpec, ModelError},
};

/// What is added to what stands there: a residual connection.
const RESIDUAL: After = After { activation: None, add: true };

/// Attention and feed-forward nets, each with a residual and a norm.
pub(super) struct Layer {
    pub(super) attention: Attention,
    /// What attention sees of the rows.
    source: Source,
    output: Linear,
    nets: Vec<FeedForward>,
    frame: Frame,
}

/// Where the norms stand, and how wide what is within is.
enum Frame {
    /// `x = Norm(x + attention(x))`, then `Norm(x + net(x))` for each net (Vaswani et al., 2017, 3.1).
    PostNorm(Norm),
    /// The same in a narrower `x`, brought back to the width and added to what came in (Sun et al., 2020, figure 1).
    Bottleneck { input: Arc<Resize>, norm: Norm, output: Box<Resize> },
    /// `x = x + attention(…)`, then `x + net(Norm(x))` (Warner et al., 2024, section 2.1.1).
    PreNorm(Norm),
}

/// What a layer needs beside the rows it works on.
pub(super) struct Room<'a> {
    /// Rows as a part of the layer sees them.
    pub(super) narrow: &'a mut Vec<f32>,
    /// Within feed-forward nets.
    pub(super) wide: &'a mut Vec<f32>,
    /// The gates of feed-forward nets, the turns of a position.
    pub(super) gate: &'a mut Vec<f32>,
    pub(super) quantized: &'a mut Quantized,
}

impl Layer {
    /// A layer, whose weights are then gone. `has_globals` says whether any token sees everything where attention has
    /// windows.
    pub(super) fn new(
        spec: &EncoderSpec,
        index: usize,
        has_globals: bool,
        weights: &mut Weights,
    ) -> Result<Self, ModelError> {
        let prefix = spec.prefix(index);
        let narrow =
            |name: &str, weights: &mut Weights| Resize::new(spec, &format!("{prefix}.{name}"), weights).map(Arc::new);
        let norm = |name: &str, weights: &mut Weights| Norm::new(spec, &format!("{prefix}.{name}.LayerNorm"), weights);
        let (source, frame) = match spec.bottleneck {
            Some(bottleneck) => {
                let input = narrow("bottleneck.input", weights)?;
                let shared = if bottleneck.shares_keys { Some(narrow("bottleneck.attention", weights)?) } else { None };
                let output = Box::new(Resize::new(spec, &format!("{prefix}.output.bottleneck"), weights)?);
                let source = Source::Resize(shared.unwrap_or_else(|| Arc::clone(&input)));
                (source, Frame::Bottleneck { input, norm: norm("attention.output", weights)?, output })
            }
            None if spec.pre_norm => {
                // The embeddings have a norm behind them.
                let source = if index == 0 { Source::Hidden } else { Source::Norm(norm("attention", weights)?) };
                (source, Frame::PreNorm(norm("intermediate", weights)?))
            }
            None => (Source::Hidden, Frame::PostNorm(norm("attention.output", weights)?)),
        };
        let nets = spec.feed_forward_modules();
        Ok(Self {
            attention: Attention::new(spec, index, &prefix, has_globals, weights)?,
            source,
            output: weights.linear(&format!("{prefix}.attention.output.dense"))?,
            nets: nets
                .iter()
                .map(|net| FeedForward::new(spec, &format!("{prefix}{net}"), weights))
                .collect::<Result<_, _>>()?,
            frame,
        })
    }

    /// Queries, keys and values of some rows of a chunk, and behind them what global tokens need of every token.
    pub(super) fn project(&self, chunk: Chunk<'_>, rows: Range<usize>, x: &[f32], room: Room<'_>, qkv: &mut [f32]) {
        let Room { narrow, wide, gate, quantized } = room;
        let seen = self.source.of(x, quantized, narrow);
        self.attention.project([seen, x], wide, quantized, qkv);
        self.attention.turn(chunk, rows, gate, qkv);
    }

    /// What follows attention, in place: `x` holds the layer's input, `context` what attention gave for these rows.
    pub(super) fn finish(&self, x: &mut [f32], context: &[f32], room: Room<'_>) {
        let Room { narrow, wide, gate, quantized } = room;
        match &self.frame {
            Frame::PostNorm(norm) => self.post_norm(norm, x, context, [wide, gate], quantized),
            Frame::Bottleneck { input, norm, output } => {
                let inner = input.of(x, quantized, narrow);
                self.post_norm(norm, inner, context, [wide, gate], quantized);
                output.linear.forward(inner, quantized, RESIDUAL, x);
                output.norm.in_place(x);
            }
            Frame::PreNorm(norm) => {
                self.output.forward(context, quantized, RESIDUAL, x);
                for net in &self.nets {
                    net.add(norm.copied(x, narrow), [wide, gate], quantized, x);
                }
            }
        }
    }

    fn post_norm(
        &self,
        norm: &Norm,
        x: &mut [f32],
        context: &[f32],
        [wide, gate]: [&mut Vec<f32>; 2],
        quantized: &mut Quantized,
    ) {
        self.output.forward(context, quantized, RESIDUAL, x);
        norm.in_place(x);
        for net in &self.nets {
            net.add_to_itself([wide, gate], quantized, x);
        }
    }
}
