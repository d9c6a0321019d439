//! The CPU inference engine: packed weights, memory that is kept, whole sequences a thread.
//!
//! It runs the same [`EncoderSpec`] as `model` does with candle, and agrees with it. It learns nothing and keeps nothing but
//! its result; what wants hidden states, attention probabilities, gradients or another device asks `model`.

mod arena;
mod decoder;
mod embeddings;
mod executor;
mod head;
mod layer;
mod norm;
mod weights;

#[cfg(test)]
mod tests;

pub use decoder::{Draft, Precision, Writer};
pub use executor::{Executor, StateAndLogits};

use std::{
    ops::Range,
    sync::{Arc, Mutex},
};

use rayon::prelude::*;

use self::{arena::Arena, embeddings::Embeddings, head::Answer, layer::Layer, norm::Norm, weights::Weights};
use crate::model::{self, EncoderSpec, FINAL_NORM, Head, Model, ModelError, Packed};

/// Tokens that go through a layer together: enough for the weights to be read once for many rows, few enough for the rows
/// to stay in the second cache.
const CHUNK: usize = 256;
/// Rows that pass through all linear layers of a layer before the next ones do: what is between these stays in the second
/// cache.
const BLOCK: usize = 128;
/// Below so many tokens a thread does not pay for being woken.
const LEAST: usize = 16;

/// A model that is ready to answer.
pub struct Engine {
    spec: EncoderSpec,
    head: Head,
    labels: usize,
    /// Whether layers have the projections of tokens that see everything.
    has_globals: bool,
    embeddings: Embeddings,
    /// Some may be the same.
    layers: Vec<Arc<Layer>>,
    /// Behind the last layer, where norms stand before layers.
    final_norm: Option<Norm>,
    answer: Answer,
    /// Memory that no pass is using just now.
    arenas: Mutex<Vec<Arena>>,
}

/// Some sequences that go through the layers together.
#[derive(Clone, Copy)]
struct Chunk<'a> {
    input_ids: &'a [u32],
    type_ids: &'a [u32],
    /// Where each sequence starts in `input_ids`, and the end.
    offsets: &'a [usize],
    /// The tokens that see everything where attention has windows, ascending.
    globals: &'a [usize],
}

impl<'a> Chunk<'a> {
    /// Those of one sequence.
    fn globals_of(self, ends: &[usize]) -> &'a [usize] {
        let before = |end: usize| self.globals.partition_point(|token| *token < end);
        &self.globals[before(ends[0])..before(ends[1])]
    }
}

impl Engine {
    /// Packs a model's weights. The model is taken apart as it goes, so that little is held twice.
    ///
    /// # Errors
    /// When a parameter is missing or not on the CPU.
    pub fn new(model: Model) -> Result<Self, ModelError> {
        let has_globals = !model.globals(&[0, 1]).is_empty();
        Self::pack(model, has_globals)
    }

    /// The same for batches that name tokens that all see, which a model without a head has none of by itself.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_globals(model: Model) -> Result<Self, ModelError> {
        let has_globals = model.spec.global_projections;
        Self::pack(model, has_globals)
    }

    fn pack(model: Model, has_globals: bool) -> Result<Self, ModelError> {
        let (spec, head) = (model.spec.clone(), model.head.clone());
        let labels = match &head {
            Head::SequenceClassification { labels } | Head::TokenClassification { labels } => labels.len(),
            Head::None | Head::MaskedLm => 0,
        };
        let mut weights = Weights::new(model);
        let answer = Answer::new(&spec, &head, &mut weights)?;
        let mut layers: Vec<Arc<Layer>> = Vec::with_capacity(spec.n_layers());
        for index in 0..spec.n_layers() {
            let stored = spec.stored_layer(index);
            let same = (0..index).find(|&before| spec.stored_layer(before) == stored);
            layers.push(match same {
                Some(before) => Arc::clone(&layers[before]),
                None => Arc::new(Layer::new(&spec, index, has_globals, &mut weights)?),
            });
        }
        let final_norm = spec.pre_norm.then(|| Norm::new(&spec, FINAL_NORM, &mut weights)).transpose()?;
        let embeddings = Embeddings::new(&spec, &mut weights)?;
        let arenas = Mutex::default();
        Ok(Self { spec, head, labels, has_globals, embeddings, layers, final_norm, answer, arenas })
    }

    /// The logits: `[rows, labels]` of a classifier, `[tokens, labels]` of one of tokens, `[tokens, vocab_size]` of a masked
    /// LM, none without a head.
    ///
    /// The result does not depend on the number of threads, which are those of the current rayon pool.
    ///
    /// # Errors
    /// When a sequence is too long or an id out of range.
    pub fn logits(&self, batch: Packed<'_>) -> Result<Option<Vec<f32>>, ModelError> {
        self.check(batch)?;
        let rows = batch.offsets.len() - 1;
        let (width, is_by_row) = match &self.answer {
            Answer::None => return Ok(None),
            Answer::Classify(_) => (self.labels, true),
            Answer::ClassifyTokens(_) => (self.labels, false),
            Answer::PredictTokens(_) => (self.spec.vocab_size, false),
        };
        let mut out = vec![0.0; width * if is_by_row { rows } else { batch.input_ids.len() }];
        let place = |rows: &Range<usize>| {
            let at = |row: usize| width * if is_by_row { row } else { batch.offsets[row] };
            at(rows.start)..at(rows.end)
        };
        self.each_chunk(batch, &mut out, place, |_, chunk, threads, arena, out| {
            self.through(chunk, threads, !self.answer.needs_all_tokens(), arena);
            self.answer.run(self, chunk, arena, out);
        });
        Ok(Some(out))
    }

    /// The logits of some tokens of a batch, `[positions, vocab_size]`, in the order of the positions, which ascend; none where
    /// there is no masked-LM head. What a token gets does not depend on which others are asked for.
    ///
    /// # Errors
    /// As [`Self::logits`], and when a position is no token of the batch.
    pub fn logits_at(&self, batch: Packed<'_>, positions: &[usize]) -> Result<Option<Vec<f32>>, ModelError> {
        self.check(batch)?;
        let Answer::PredictTokens(head) = &self.answer else { return Ok(None) };
        check_positions(batch, positions)?;
        let width = self.spec.vocab_size;
        let mut out = vec![0.0; width * positions.len()];
        let before = |token: usize| positions.partition_point(|position| *position < token);
        let places = |rows: &Range<usize>| before(batch.offsets[rows.start])..before(batch.offsets[rows.end]);
        let place = |rows: &Range<usize>| places(rows).start * width..places(rows).end * width;
        self.each_chunk(batch, &mut out, place, |rows, chunk, threads, arena, out| {
            let asked = &positions[places(rows)];
            if asked.is_empty() {
                return;
            }
            self.through(chunk, threads, false, arena);
            head.at(self, asked.iter().map(|position| position - batch.offsets[rows.start]), arena, out);
        });
        Ok(Some(out))
    }

    fn check(&self, batch: Packed<'_>) -> Result<(), ModelError> {
        batch.check(&self.spec)?;
        if self.has_globals || !self.spec.global_projections || batch.globals.is_none_or(<[usize]>::is_empty) {
            return Ok(());
        }
        Err(ModelError::Checkpoint("the engine was packed without what tokens that all see need".to_owned()))
    }

    /// The last hidden state, `[tokens, hidden_size]`.
    ///
    /// # Errors
    /// When a sequence is too long or an id out of range.
    pub fn last_hidden_state(&self, batch: Packed<'_>) -> Result<Vec<f32>, ModelError> {
        self.check(batch)?;
        let hidden = self.spec.hidden_size;
        let mut out = vec![0.0; batch.input_ids.len() * hidden];
        let place = |rows: &Range<usize>| batch.offsets[rows.start] * hidden..batch.offsets[rows.end] * hidden;
        self.each_chunk(batch, &mut out, place, |_, chunk, threads, arena, out| {
            self.through(chunk, threads, false, arena);
            out.copy_from_slice(&arena.x[..out.len()]);
        });
        Ok(out)
    }

    /// The embedding of a word, `[word_width]`.
    fn word(&self, id: u32, out: &mut [f32]) {
        self.embeddings.word(id, out);
    }

    /// A classifier's logits, `[rows, labels]`, from the last hidden state, as [`Self::last_hidden_state`] gives it; none of
    /// other heads.
    #[must_use]
    pub fn logits_of(&self, last_hidden_state: &[f32], offsets: &[usize]) -> Option<Vec<f32>> {
        let Answer::Classify(_) = &self.answer else { return None };
        let hidden = self.spec.hidden_size;
        let mut arena = Arena::default();
        if self.answer.needs_all_tokens() {
            arena.x.extend_from_slice(last_hidden_state);
        } else {
            for &start in &offsets[..offsets.len() - 1] {
                arena.x.extend_from_slice(&last_hidden_state[start * hidden..(start + 1) * hidden]);
            }
        }
        let mut out = vec![0.0; (offsets.len() - 1) * self.labels];
        let chunk = Chunk { input_ids: &[], type_ids: &[], offsets, globals: &[] };
        self.answer.run(self, chunk, &mut arena, &mut out);
        Some(out)
    }

    /// Cuts a batch into chunks of whole sequences and gives each its part of the output; chunks run side by side. A chunk
    /// that is alone has all threads to itself.
    fn each_chunk(
        &self,
        batch: Packed<'_>,
        out: &mut [f32],
        place: impl Fn(&Range<usize>) -> Range<usize>,
        run: impl Fn(&Range<usize>, Chunk<'_>, usize, &mut Arena, &mut [f32]) + Sync,
    ) {
        let threads = rayon::current_num_threads();
        let chunks = chunks(batch.offsets, threads);
        let mut parts = Vec::with_capacity(chunks.len());
        let mut rest = out;
        for rows in &chunks {
            let (part, others) = rest.split_at_mut(place(rows).len());
            parts.push((rows.clone(), part));
            rest = others;
        }
        let threads_of_a_chunk = if parts.len() == 1 { threads } else { 1 };
        let work = |(rows, part): (Range<usize>, &mut [f32])| {
            let (start, end) = (batch.offsets[rows.start], batch.offsets[rows.end]);
            let mut arena = self.arenas.lock().map_or_else(|_| None, |mut arenas| arenas.pop()).unwrap_or_default();
            let mut offsets = std::mem::take(&mut arena.offsets);
            offsets.clear();
            offsets.extend(batch.offsets[rows.start..=rows.end].iter().map(|offset| offset - start));
            let mut globals = std::mem::take(&mut arena.globals);
            globals.clear();
            match batch.globals.filter(|_| self.has_globals) {
                Some(all) => {
                    let of_chunk = all.iter().filter(|place| (start..end).contains(place));
                    globals.extend(of_chunk.map(|place| place - start));
                }
                None => globals.extend(model::globals(&self.spec, &self.head, &offsets)),
            }
            let (input_ids, type_ids) = (&batch.input_ids[start..end], &batch.type_ids[start..end]);
            let chunk = Chunk { input_ids, type_ids, offsets: &offsets, globals: &globals };
            run(&rows, chunk, threads_of_a_chunk, &mut arena, part);
            (arena.offsets, arena.globals) = (offsets, globals);
            if let Ok(mut arenas) = self.arenas.lock() {
                arenas.push(arena);
            }
        };
        if parts.len() == 1 || threads == 1 {
            parts.into_iter().for_each(work);
        } else {
            parts.into_par_iter().with_max_len(1).for_each(work);
        }
    }

    /// Runs a chunk through embeddings and layers and leaves in `arena.x` the last hidden state: of all tokens or, where that
    /// is enough, of the first token of each sequence.
    fn through(&self, chunk: Chunk<'_>, threads: usize, firsts_only: bool, arena: &mut Arena) {
        let tokens = chunk.input_ids.len();
        let widest = (0..self.layers.len()).map(|index| self.qkv_width(index)).max().unwrap_or(0);
        arena.make_room(self.spec.hidden_size, widest, tokens, self.labels);
        let rows_of_part = if threads == 1 {
            tokens
        } else {
            // Whole tiles of eight rows.
            tokens.div_ceil(threads).next_multiple_of(8).max(LEAST)
        };
        let hidden = self.spec.hidden_size;
        let (mut x, mut qkv, mut next) =
            (std::mem::take(&mut arena.x), std::mem::take(&mut arena.qkv), std::mem::take(&mut arena.next));
        for_parts(
            arena,
            tokens,
            rows_of_part,
            (&mut x, hidden),
            (&mut qkv, self.qkv_width(0)),
            |arena, rows, x, qkv| {
                self.embeddings.run(chunk, rows.clone(), arena.room(), x);
                if let Some(layer) = self.layers.first() {
                    let mut start = rows.start;
                    for (x, qkv) in blocks(x, hidden, qkv, layer.attention.qkv_width()) {
                        let end = start + x.len() / hidden;
                        layer.project(chunk, start..end, x, arena.room(), qkv);
                        start = end;
                    }
                }
            },
        );
        let all = if firsts_only { self.layers.len().saturating_sub(1) } else { self.layers.len() };
        let is_global = |start: &usize| chunk.globals.binary_search(start).is_ok();
        let firsts_are_global = chunk.offsets[..chunk.offsets.len() - 1].iter().all(is_global);
        for (index, layer) in self.layers.iter().enumerate().take(all) {
            let width = self.qkv_width(index + 1);
            for_parts(arena, tokens, rows_of_part, (&mut x, hidden), (&mut next, width), |arena, rows, x, next| {
                layer.attention.attend(chunk, &qkv, rows.clone(), x, arena);
                self.finish(index, firsts_are_global && index + 1 == all, chunk, rows, x, next, arena);
            });
            std::mem::swap(&mut qkv, &mut next);
        }
        if firsts_only {
            for (row, &start) in chunk.offsets[..chunk.offsets.len() - 1].iter().enumerate() {
                x.copy_within(start * hidden..(start + 1) * hidden, row * hidden);
            }
            if let Some(layer) = self.layers.last() {
                let rows = chunk.offsets.len() - 1;
                layer.attention.attend_firsts(chunk, &qkv, &x, arena);
                let context = std::mem::take(&mut arena.context);
                layer.finish(&mut x[..rows * hidden], &context[..rows * layer.attention.width()], arena.room());
                arena.context = context;
            }
        }
        if let Some(norm) = &self.final_norm {
            let rows = if firsts_only { chunk.offsets.len() - 1 } else { tokens };
            norm.in_place(&mut x[..rows * hidden]);
        }
        (arena.x, arena.qkv, arena.next) = (x, qkv, next);
    }

    /// What follows attention in a layer, whose result is in `arena.context`, and what the next layer needs of these rows:
    /// before one that is asked for first tokens only, all of them global, that may be less.
    #[expect(clippy::too_many_arguments, reason = "a layer, its rows, and where they go")]
    fn finish(
        &self,
        index: usize,
        is_before_firsts: bool,
        chunk: Chunk<'_>,
        rows: Range<usize>,
        x: &mut [f32],
        next: &mut [f32],
        arena: &mut Arena,
    ) {
        let (layer, following) = (&self.layers[index], self.layers.get(index + 1));
        let hidden = self.spec.hidden_size;
        let context = std::mem::take(&mut arena.context);
        let width = layer.attention.width();
        let mut start = rows.start;
        for ((x, next), context) in
            blocks(x, hidden, next, self.qkv_width(index + 1)).zip(context.chunks(BLOCK * width))
        {
            let end = start + x.len() / hidden;
            layer.finish(x, &context[..(end - start) * width], arena.room());
            match following {
                Some(layer) if is_before_firsts && layer.attention.firsts_need_hidden_states_alone() => {
                    layer.attention.pass(x, next);
                }
                Some(layer) => layer.project(chunk, start..end, x, arena.room(), next),
                None => {}
            }
            start = end;
        }
        arena.context = context;
    }

    /// Numbers a token has between projection and attention of a layer; none after the last.
    fn qkv_width(&self, index: usize) -> usize {
        self.layers.get(index).map_or(0, |layer| layer.attention.qkv_width())
    }
}

/// Demands that positions ascend and are tokens of a batch.
fn check_positions(batch: Packed<'_>, positions: &[usize]) -> Result<(), ModelError> {
    let tokens = batch.input_ids.len();
    if positions.is_sorted() && positions.last().is_none_or(|last| *last < tokens) {
        return Ok(());
    }
    Err(ModelError::Checkpoint(format!(
        "positions that do not ascend, or are not below the {tokens} tokens of their batch"
    )))
}

/// Rows of two matrices, some at a time; the second may have no columns.
fn blocks<'a>(
    x: &'a mut [f32],
    x_width: usize,
    y: &'a mut [f32],
    y_width: usize,
) -> impl Iterator<Item = (&'a mut [f32], &'a mut [f32])> {
    let mut rest = y;
    x.chunks_mut(BLOCK * x_width).map(move |x| {
        let (y, others) = std::mem::take(&mut rest).split_at_mut(x.len() / x_width * y_width);
        rest = others;
        (x, y)
    })
}

/// Runs `work` on parts of the rows, side by side where there are several; each part has memory of its own.
fn for_parts(
    arena: &mut Arena,
    tokens: usize,
    rows_of_part: usize,
    (x, x_width): (&mut [f32], usize),
    (y, y_width): (&mut [f32], usize),
    work: impl Fn(&mut Arena, Range<usize>, &mut [f32], &mut [f32]) + Sync,
) {
    let (x, y) = (&mut x[..tokens * x_width], &mut y[..tokens * y_width]);
    if rows_of_part >= tokens {
        return work(arena, 0..tokens, x, y);
    }
    let n_parts = tokens.div_ceil(rows_of_part);
    let mut others = std::mem::take(&mut arena.others);
    others.resize_with(n_parts.max(others.len()), Arena::default);
    let mut parts = Vec::with_capacity(n_parts);
    let (mut x, mut y) = (x, y);
    for (part, other) in others.iter_mut().take(n_parts).enumerate() {
        let rows = part * rows_of_part..((part + 1) * rows_of_part).min(tokens);
        let (own_x, rest_x) = x.split_at_mut(rows.len() * x_width);
        let (own_y, rest_y) = y.split_at_mut(rows.len() * y_width);
        parts.push((other, rows, own_x, own_y));
        (x, y) = (rest_x, rest_y);
    }
    parts.into_par_iter().with_max_len(1).for_each(|(arena, rows, x, y)| {
        work(arena, rows, x, y);
    });
    arena.others = others;
}

/// Rows that go through the layers together, in order: about [`CHUNK`] tokens each, fewer where threads would idle.
fn chunks(offsets: &[usize], threads: usize) -> Vec<Range<usize>> {
    let tokens = offsets.last().copied().unwrap_or(0);
    let target = if threads == 1 { CHUNK } else { (tokens / (2 * threads)).clamp(LEAST, CHUNK) };
    let mut chunks = Vec::new();
    let mut first = 0;
    for row in 0..offsets.len().saturating_sub(1) {
        if offsets[row + 1] - offsets[first] > target && row > first {
            chunks.push(first..row);
            first = row;
        }
    }
    if offsets.len() > 1 {
        chunks.push(first..offsets.len() - 1);
    }
    chunks
}
