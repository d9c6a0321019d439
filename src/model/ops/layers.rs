//! Transformer blocks in one operation, for training on the CPU: the backward pass writes the gradients of parameters where a
//! training keeps them, and everything between is in room that is used again in the next step.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};

use super::{Sequences, values, with_values};
use crate::{
    kernels::{
        activation::{self, Function},
        attention, columns,
        dropout::{self, Mask},
        gemm::{Matrix, Start, product},
        norm,
    },
    model::memory::{Room, TrainingMemory},
};

/// A linear layer or a norm, by the name of its module.
pub(in crate::model) struct Module {
    pub(in crate::model) name: String,
    pub(in crate::model) weight: Tensor,
    pub(in crate::model) bias: Tensor,
}

/// Where a block drops out.
pub(in crate::model) struct Masks {
    pub(in crate::model) attention: Option<Mask>,
    pub(in crate::model) attention_output: Option<Mask>,
    pub(in crate::model) feed_forward: Option<Mask>,
}

/// One block: attention and feed-forward net, each with dropout, residual and norm after it.
pub(in crate::model) struct Block {
    /// Query, key, value, output, the norm after attention; up, down, the norm after the feed-forward net.
    pub(in crate::model) modules: [Module; 8],
    pub(in crate::model) sequences: Sequences,
    /// Where tokens that all see have projections of their own for what they see themselves: query, key, value.
    pub(in crate::model) global: Option<Global>,
    pub(in crate::model) masks: Masks,
    pub(in crate::model) activation: Function,
    pub(in crate::model) eps: f32,
}

/// Attention of the tokens that all see (Beltagy et al., 2020, section 3.1).
pub(in crate::model) struct Global {
    /// Query, key, value.
    pub(in crate::model) modules: [Module; 3],
    pub(in crate::model) mask: Option<Mask>,
}

/// Runs blocks one after the other. What blocks compute is kept for the backward pass, or only what each starts from and all
/// of the last, where the memory says so (Chen et al., 2016, section 3): a pass more for less memory, and the same bits.
///
/// # Shapes
/// `[tokens, hidden]` → the same.
pub(in crate::model) fn layers(x: &Tensor, blocks: Vec<Block>, memory: &TrainingMemory) -> Result<Tensor> {
    let saved = Mutex::new(Vec::with_capacity(blocks.len()));
    x.contiguous()?.apply_op1(Layers { blocks, memory: memory.clone(), saved })
}

struct Layers {
    blocks: Vec<Block>,
    memory: TrainingMemory,
    /// What the forward pass leaves for the backward pass: each block's input, the first block's being the operation's own,
    /// and what it computed, where that is kept.
    saved: Mutex<Vec<(Option<Room>, Option<Saved>)>>,
}

/// What a block computed, `[tokens, …]` each.
struct Saved {
    qkv: [Room; 3],
    global: Option<SavedGlobal>,
    attended: Room,
    /// Before the first norm, and after it.
    summed: Room,
    normed: Room,
    /// Before and after the activation.
    inner: Room,
    activated: Room,
    /// Before the second norm.
    outer: Room,
}

/// What the tokens that all see computed.
struct SavedGlobal {
    /// Their rows of the input, `[globals, hidden]`.
    x: Room,
    /// `[globals, width]`, and `[tokens, width]` twice.
    qkv: [Room; 3],
}

/// The numbers of a module.
#[derive(Clone, Copy)]
struct Values<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
}

impl CustomOp1 for Layers {
    fn name(&self) -> &'static str {
        "layers"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout)?;
        let mut all = Vec::with_capacity(self.blocks.len());
        let mut input: Option<Room> = None;
        for (at, block) in self.blocks.iter().enumerate() {
            let (saved, out) = block.forward(&self.memory, input.as_deref().unwrap_or(x))?;
            let is_kept = !self.memory.recomputes() || at + 1 == self.blocks.len();
            all.push((input.replace(out), is_kept.then_some(saved)));
        }
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = all;
        let out = input.map_or_else(|| x.to_vec(), Room::into_values);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let saved = std::mem::take(&mut *self.saved.lock().unwrap_or_else(PoisonError::into_inner));
        if saved.len() != self.blocks.len() {
            bail!("the layers of a forward pass were asked for their gradients twice")
        }
        let out = with_values([x, gradient], |[x, gradient]| {
            let mut upstream: Option<Room> = None;
            for (block, (input, saved)) in self.blocks.iter().zip(saved).rev() {
                let (x, gradient) = (input.as_deref().unwrap_or(x), upstream.as_deref().unwrap_or(gradient));
                let saved = saved.map_or_else(|| Ok(block.forward(&self.memory, x)?.0), Ok::<_, candle_core::Error>)?;
                upstream = Some(block.backward(&self.memory, x, saved, gradient)?);
            }
            Ok(upstream.map_or_else(|| gradient.to_vec(), Room::into_values))
        })?;
        Tensor::from_vec(out, x.shape(), &Device::Cpu).map(Some)
    }
}

/// Hands the numbers of modules to a function.
fn with_modules<const N: usize, T>(modules: &[Module; N], run: impl FnOnce([Values<'_>; N]) -> Result<T>) -> Result<T> {
    with_values(modules.each_ref().map(|module| &module.weight), |weights| {
        with_values(modules.each_ref().map(|module| &module.bias), |biases| {
            run(std::array::from_fn(|i| Values { weight: weights[i], bias: biases[i] }))
        })
    })
}

/// `W x + b` of so many rows.
fn linear(memory: &TrainingMemory, module: Values<'_>, x: &[f32], rows: usize) -> Room {
    let (inputs, outputs) = (x.len() / rows.max(1), module.bias.len());
    let mut out = memory.room(rows * outputs);
    let weight = Matrix::new(module.weight, outputs, inputs).transpose();
    product(Matrix::new(x, rows, inputs), weight, Start::Bias(module.bias), &mut out);
    out
}

/// `dx = dy W` of so many rows, onto what is there.
fn through(module: Values<'_>, gradient: &[f32], rows: usize, start: Start<'_>, of_x: &mut [f32]) {
    let (outputs, inputs) = (module.bias.len(), of_x.len() / rows.max(1));
    product(Matrix::new(gradient, rows, outputs), Matrix::new(module.weight, outputs, inputs), start, of_x);
}

impl Block {
    fn forward(&self, memory: &TrainingMemory, x: &[f32]) -> Result<(Saved, Room)> {
        with_modules(&self.modules, |[query, key, value, output, first_norm, up, down, second_norm]| {
            let hidden = output.bias.len();
            let tokens = x.len() / hidden.max(1);
            let linear = |module: Values<'_>, x: &[f32]| linear(memory, module, x, tokens);
            let like = |x: &[f32]| memory.room(x.len());
            let qkv = [query, key, value].map(|module| linear(module, x));
            let mut attended = like(&qkv[0]);
            let [q, k, v] = &qkv;
            attention::forward(q, k, v, self.sequences.shape(), self.masks.attention, &mut attended);
            let global = match &self.global {
                Some(global) => Some(global.forward(memory, &self.sequences, x, tokens, &mut attended)?),
                None => None,
            };
            let projected = linear(output, &attended);
            let mut summed = like(x);
            dropout::apply(self.masks.attention_output, &projected, Some(x), &mut summed);
            drop(projected);
            let mut normed = like(x);
            norm::forward(&summed, first_norm.weight, first_norm.bias, self.eps, &mut normed);
            let inner = linear(up, &normed);
            let mut activated = like(&inner);
            activation::forward(self.activation, &inner, &mut activated);
            let projected = linear(down, &activated);
            let mut outer = like(x);
            dropout::apply(self.masks.feed_forward, &projected, Some(&normed), &mut outer);
            let mut out = projected;
            norm::forward(&outer, second_norm.weight, second_norm.bias, self.eps, &mut out);
            Ok((Saved { qkv, global, attended, summed, normed, inner, activated, outer }, out))
        })
    }

    /// The gradient of the block's input from that of its output; those of its parameters go to the memory.
    fn backward(&self, memory: &TrainingMemory, x: &[f32], saved: Saved, gradient: &[f32]) -> Result<Room> {
        with_modules(&self.modules, |[query, key, value, output, first_norm, up, down, second_norm]| {
            let [query_module, key_module, value_module, output_module, ..] = &self.modules;
            let [.., first_norm_module, up_module, down_module, second_norm_module] = &self.modules;
            let Saved { qkv: [q, k, v], global, attended, summed, normed, inner, activated, outer } = saved;
            let tokens = x.len() / output.bias.len().max(1);
            let like = |x: &[f32]| memory.room(x.len());
            let norm_backward = |values: Values<'_>, module: &Module, x: &[f32], gradient: &[f32]| {
                let mut of_x = like(x);
                let [of_scale, of_shift] = norm::backward(x, values.weight, self.eps, gradient, &mut of_x);
                module.write(memory, "weight", &module.weight, &of_scale)?;
                module.write(memory, "bias", &module.bias, &of_shift)?;
                Ok::<_, candle_core::Error>(of_x)
            };
            let through = |module: Values<'_>, gradient: &[f32], start: Start<'_>, of_x: &mut [f32]| {
                through(module, gradient, tokens, start, of_x);
            };
            let masked = |mask: Option<Mask>, gradient: &[f32]| {
                let mut out = like(gradient);
                dropout::apply(mask, gradient, None, &mut out);
                out
            };

            let mut of_normed = norm_backward(second_norm, second_norm_module, &outer, gradient)?;
            let of_projected = masked(self.masks.feed_forward, &of_normed);
            down_module.linear_backward(memory, &of_projected, &activated, tokens)?;
            let mut of_activated = like(&activated);
            through(down, &of_projected, Start::Nothing, &mut of_activated);
            let mut of_inner = activated;
            activation::backward(self.activation, &inner, &of_activated, &mut of_inner);
            up_module.linear_backward(memory, &of_inner, &normed, tokens)?;
            through(up, &of_inner, Start::Sum, &mut of_normed);

            let mut of_x = norm_backward(first_norm, first_norm_module, &summed, &of_normed)?;
            let of_projected = masked(self.masks.attention_output, &of_x);
            output_module.linear_backward(memory, &of_projected, &attended, tokens)?;
            let mut of_attended = attended;
            through(output, &of_projected, Start::Nothing, &mut of_attended);
            if let (Some(global), Some(saved)) = (&self.global, global) {
                global.backward(memory, &self.sequences, (x, tokens), &saved, &mut of_attended, &mut of_x)?;
            }
            let mut of_qkv = [like(&q), like(&k), like(&v)];
            let [of_q, of_k, of_v] = &mut of_qkv;
            let shape = self.sequences.shape();
            attention::backward([&q, &k, &v], &of_attended, shape, self.masks.attention, [of_q, of_k, of_v]);
            let projections = [(query, query_module), (key, key_module), (value, value_module)];
            for ((values, module), gradient) in projections.into_iter().zip(&of_qkv) {
                module.linear_backward(memory, gradient, x, tokens)?;
                through(values, gradient, Start::Sum, &mut of_x);
            }
            Ok(of_x)
        })
    }
}

impl Global {
    /// Puts what the tokens that all see have seen over what windows gave them.
    fn forward(
        &self,
        memory: &TrainingMemory,
        sequences: &Sequences,
        x: &[f32],
        tokens: usize,
        attended: &mut [f32],
    ) -> Result<SavedGlobal> {
        with_modules(&self.modules, |[query, key, value]| {
            let globals = &sequences.globals;
            let x_of_globals = rows(memory, x, globals, tokens);
            let q = linear(memory, query, &x_of_globals, globals.len());
            let [k, v] = [key, value].map(|module| linear(memory, module, x, tokens));
            let mut seen = memory.room(q.len());
            attention::cross(&q, [&k, &v], sequences.shape(), self.mask, &mut seen);
            let width = attended.len() / tokens.max(1);
            for (seen, &row) in seen.chunks_exact(width).zip(globals.iter()) {
                attended[row * width..][..width].copy_from_slice(seen);
            }
            Ok(SavedGlobal { x: x_of_globals, qkv: [q, k, v] })
        })
    }

    /// Takes the gradients of what these tokens have seen out of `of_attended`, as windows gave nothing to it, and adds to `of_x`.
    fn backward(
        &self,
        memory: &TrainingMemory,
        sequences: &Sequences,
        (x, tokens): (&[f32], usize),
        saved: &SavedGlobal,
        of_attended: &mut [f32],
        of_x: &mut [f32],
    ) -> Result<()> {
        with_modules(&self.modules, |[query, key, value]| {
            let globals = &sequences.globals;
            let [query_module, key_module, value_module] = &self.modules;
            let gradient = rows(memory, of_attended, globals, tokens);
            let width = of_attended.len() / tokens.max(1);
            for &row in globals.iter() {
                of_attended[row * width..][..width].fill(0.0);
            }
            let SavedGlobal { x: x_of_globals, qkv: [q, k, v] } = saved;
            let [mut of_q, mut of_k, mut of_v] = [q, k, v].map(|x| memory.room(x.len()));
            let shape = sequences.shape();
            attention::cross_backward([q, k, v], &gradient, shape, self.mask, [&mut of_q, &mut of_k, &mut of_v]);
            query_module.linear_backward(memory, &of_q, x_of_globals, globals.len())?;
            let mut of_rows = memory.room(x_of_globals.len());
            through(query, &of_q, globals.len(), Start::Nothing, &mut of_rows);
            let hidden = of_x.len() / tokens.max(1);
            for (more, &row) in of_rows.chunks_exact(hidden).zip(globals.iter()) {
                of_x[row * hidden..][..hidden].iter_mut().zip(more).for_each(|(sum, x)| *sum += x);
            }
            for (values, module, gradient) in [(key, key_module, &of_k), (value, value_module, &of_v)] {
                module.linear_backward(memory, gradient, x, tokens)?;
                through(values, gradient, tokens, Start::Sum, of_x);
            }
            Ok(())
        })
    }
}

/// Some rows of a matrix of so many.
fn rows(memory: &TrainingMemory, x: &[f32], places: &[usize], count: usize) -> Room {
    let width = x.len() / count.max(1);
    let mut out = memory.room(places.len() * width);
    for (out, &row) in out.chunks_exact_mut(width.max(1)).zip(places) {
        out.copy_from_slice(&x[row * width..][..width]);
    }
    out
}

impl Module {
    /// `dW = dyᵀ x` and `db = Σ dy`.
    fn linear_backward(&self, memory: &TrainingMemory, gradient: &[f32], x: &[f32], tokens: usize) -> Result<()> {
        let (outputs, inputs) = self.weight.dims2()?;
        memory.write(&format!("{}.weight", self.name), &self.weight, |out, is_first| {
            let start = if is_first { Start::Nothing } else { Start::Sum };
            let gradient = Matrix::new(gradient, tokens, outputs).transpose();
            product(gradient, Matrix::new(x, tokens, inputs), start, out);
        })?;
        let mut sums = vec![0.0; outputs];
        columns::sum(gradient, &mut sums);
        self.write(memory, "bias", &self.bias, &sums)
    }

    fn write(&self, memory: &TrainingMemory, parameter: &str, like: &Tensor, gradient: &[f32]) -> Result<()> {
        memory.write(&format!("{}.{parameter}", self.name), like, |out, is_first| {
            if is_first {
                out.copy_from_slice(gradient);
            } else {
                out.iter_mut().zip(gradient).for_each(|(out, x)| *out += x);
            }
        })
    }
}
