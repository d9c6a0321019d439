//! AdamW, with parameter groups.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor, Var};
use rayon::prelude::*;

use super::{Gradients, Optimizer, Parameter, TrainError};

/// AdamW (Loshchilov and Hutter, 2019, algorithm 2), as `torch.optim.AdamW` computes it: the learning rate scales the
/// decay too.
///
/// On the CPU an update is one pass over parameter, moments and gradient, without a temporary: it is bound by memory
/// bandwidth, and an embedding table is most of it. Other devices compose it from tensor operations on all parameters of a
/// group as one.
pub struct AdamW {
    parameters: Vec<(Parameter, Moments)>,
    options: AdamWOptions,
    step: i32,
}

/// The constants of AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWOptions {
    /// How fast the first and the second moment forget.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// The share of a parameter that decays in a step, times the learning rate.
    pub weight_decay: f64,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        Self { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.01 }
    }
}

enum Moments {
    /// First and second moment. The lock is never waited for: candle hands operations `&self`.
    Cpu(Mutex<(Vec<f32>, Vec<f32>)>),
    Device(Tensor, Tensor),
}

impl AdamW {
    /// An optimiser of some parameters, its moments at zero.
    ///
    /// # Errors
    /// When the moments cannot be made.
    pub fn new(parameters: Vec<Parameter>, options: AdamWOptions) -> Result<Self, TrainError> {
        let with_moments = |parameter: Parameter| -> Result<_, TrainError> {
            let moments = if parameter.var.device().is_cpu() {
                let n = parameter.var.elem_count();
                Moments::Cpu(Mutex::new((vec![0.0; n], vec![0.0; n])))
            } else {
                Moments::Device(parameter.var.zeros_like()?, parameter.var.zeros_like()?)
            };
            Ok((parameter, moments))
        };
        Ok(Self { parameters: parameters.into_iter().map(with_moments).collect::<Result<_, _>>()?, options, step: 0 })
    }
}

impl Optimizer for AdamW {
    fn update(&mut self, gradients: &Gradients, learning_rate: f64, scale: f64) -> Result<(), TrainError> {
        self.step += 1;
        let AdamWOptions { betas: (beta1, beta2), eps, weight_decay } = self.options;
        let mut groups: BTreeMap<bool, (Option<Update>, Vec<Member<'_>>)> = BTreeMap::new();
        for (parameter, moments) in &mut self.parameters {
            let Some(gradient) = gradients.get(&parameter.name) else { continue };
            let decay = if parameter.decay { 1.0 - learning_rate * weight_decay } else { 1.0 };
            let update = Update {
                decay: decay as f32,
                beta1: (1.0 - beta1) as f32,
                beta2: beta2 as f32,
                one_minus_beta2: (1.0 - beta2) as f32,
                step_size: (learning_rate / (1.0 - beta1.powi(self.step))) as f32,
                inverse_correction: (1.0 / (1.0 - beta2.powi(self.step)).sqrt()) as f32,
                eps: eps as f32,
                scale: scale as f32,
            };
            match moments {
                Moments::Cpu(moments) => {
                    parameter.var.inplace_op2(&gradient.contiguous()?, &Fused { moments, update })?;
                }
                Moments::Device(first, second) => {
                    let (of_group, members) = groups.entry(parameter.decay).or_default();
                    *of_group = Some(update);
                    members.push(Member { var: &parameter.var, gradient, first, second });
                }
            }
        }
        for (update, members) in groups.into_values() {
            if let Some(update) = update {
                update.compose(members)?;
            }
        }
        Ok(())
    }

    fn state(&self) -> Result<BTreeMap<String, Tensor>, TrainError> {
        let mut state = BTreeMap::new();
        for (Parameter { name, var, .. }, moments) in &self.parameters {
            let [first, second] = match moments {
                Moments::Cpu(moments) => {
                    let (first, second) = &*moments.lock().unwrap_or_else(PoisonError::into_inner);
                    let tensor = |values: &Vec<f32>| Tensor::from_slice(values, var.shape(), var.device());
                    [tensor(first)?, tensor(second)?]
                }
                Moments::Device(first, second) => [first.clone(), second.clone()],
            };
            state.insert(format!("first.{name}"), first);
            state.insert(format!("second.{name}"), second);
        }
        Ok(state)
    }

    fn restore(&mut self, updates: usize, mut state: BTreeMap<String, Tensor>) -> Result<(), TrainError> {
        let mut restored = Vec::new();
        for (Parameter { name, var, .. }, moments) in &self.parameters {
            let mut take = |moment: &str| {
                let found = state.remove(&format!("{moment}.{name}")).filter(|found| found.shape() == var.shape());
                found.ok_or_else(|| TrainError::Unfit(format!("the {moment} moment of `{name}` is missing")))
            };
            let (first, second) = (take("first")?, take("second")?);
            restored.push(match moments {
                Moments::Cpu(_) => {
                    let values = |tensor: Tensor| tensor.flatten_all()?.to_vec1::<f32>();
                    Moments::Cpu(Mutex::new((values(first)?, values(second)?)))
                }
                Moments::Device(..) => Moments::Device(first.to_device(var.device())?, second.to_device(var.device())?),
            });
        }
        self.step = i32::try_from(updates).map_err(|_| TrainError::Unfit(format!("{updates} updates are too many")))?;
        for ((_, moments), restored) in self.parameters.iter_mut().zip(restored) {
            *moments = restored;
        }
        Ok(())
    }
}

/// The numbers of one update.
#[derive(Clone, Copy)]
struct Update {
    /// What is left of a parameter: `1 − lr · λ`.
    decay: f32,
    /// `1 − β₁`.
    beta1: f32,
    /// `β₂`.
    beta2: f32,
    /// `1 − β₂`.
    one_minus_beta2: f32,
    /// `lr / (1 − β₁ᵗ)`.
    step_size: f32,
    /// `1 / √(1 − β₂ᵗ)`.
    inverse_correction: f32,
    eps: f32,
    scale: f32,
}

impl Update {
    fn run(self, parameters: &mut [f32], first: &mut [f32], second: &mut [f32], gradients: &[f32]) {
        // Slices of one length let the compiler drop the bounds checks and vectorise.
        let n = parameters.len();
        let (first, second, gradients) = (&mut first[..n], &mut second[..n], &gradients[..n]);
        for i in 0..n {
            let gradient = gradients[i] * self.scale;
            let m = first[i] + self.beta1 * (gradient - first[i]);
            let v = second[i] * self.beta2 + self.one_minus_beta2 * gradient * gradient;
            first[i] = m;
            second[i] = v;
            parameters[i] =
                parameters[i] * self.decay - self.step_size * m / (v.sqrt() * self.inverse_correction + self.eps);
        }
    }

    /// The same from tensor operations, of all members of a group one after the other: what an operation costs before it
    /// computes is most of its time where there are a hundred parameters.
    fn compose(self, mut members: Vec<Member<'_>>) -> Result<(), TrainError> {
        let flat = |of: fn(&Member<'_>) -> Tensor| {
            let parts = members.iter().map(|member| of(member).flatten_all());
            Tensor::cat(&parts.collect::<candle_core::Result<Vec<_>>>()?, 0)
        };
        let gradient = (flat(|member| member.gradient.detach())? * f64::from(self.scale))?;
        let first = flat(|member| member.first.clone())?;
        let first = (&first + ((&gradient - &first)? * f64::from(self.beta1))?)?;
        let second = (flat(|member| member.second.clone())? * f64::from(self.beta2))?;
        let second = (second + (gradient.sqr()? * f64::from(self.one_minus_beta2))?)?;
        let denominator = second.sqrt()?.affine(f64::from(self.inverse_correction), f64::from(self.eps))?;
        let step = (&first * f64::from(self.step_size))?.div(&denominator)?;
        let values = ((flat(|member| member.var.as_detached_tensor())? * f64::from(self.decay))? - step)?;
        let mut start = 0;
        for Member { var, first: own_first, second: own_second, .. } in &mut members {
            let part = |all: &Tensor| all.narrow(0, start, var.elem_count())?.reshape(var.shape());
            var.set(&part(&values)?)?;
            (**own_first, **own_second) = (part(&first)?, part(&second)?);
            start += var.elem_count();
        }
        Ok(())
    }
}

/// A parameter of a group that is updated as one.
struct Member<'a> {
    var: &'a Var,
    gradient: &'a Tensor,
    first: &'a mut Tensor,
    second: &'a mut Tensor,
}

/// Elements that a thread works on at once: four arrays of them fit the second-level cache. Every element is computed
/// alone, so the result does not depend on it.
const CHUNK: usize = 16 * 1024;

struct Fused<'a> {
    moments: &'a Mutex<(Vec<f32>, Vec<f32>)>,
    update: Update,
}

impl InplaceOp2 for Fused<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, s1: &mut CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> candle_core::Result<()> {
        let (CpuStorage::F32(parameters), CpuStorage::F32(gradients)) = (s1, s2) else {
            candle_core::bail!("adamw updates f32 parameters only")
        };
        let (Some((start, end)), Some((gradient_start, gradient_end))) =
            (l1.contiguous_offsets(), l2.contiguous_offsets())
        else {
            candle_core::bail!("adamw updates contiguous parameters only")
        };
        if l1.shape() != l2.shape() {
            candle_core::bail!("the gradient is {:?}, its parameter {:?}", l2.shape(), l1.shape());
        }
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, second) = &mut *moments;
        parameters[start..end]
            .par_chunks_mut(CHUNK)
            .zip(first.par_chunks_mut(CHUNK))
            .zip(second.par_chunks_mut(CHUNK))
            .zip(gradients[gradient_start..gradient_end].par_chunks(CHUNK))
            .for_each(|(((parameters, first), second), gradients)| {
                self.update.run(parameters, first, second, gradients);
            });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    const START: [f32; 6] = [0.5, -1.25, 2.0, 0.0, -0.03, 1.0];
    const GRADIENTS: [[f32; 6]; 3] =
        [[0.1, -0.2, 0.0, 3.0, 1e-4, -1.0], [0.3, 0.2, 0.0, -2.0, 1e-5, -1.0], [-0.1, 0.25, 1e-6, 0.5, -1e-4, 4.0]];
    const LEARNING_RATES: [f64; 3] = [1e-2, 5e-3, 2.5e-3];

    fn parameter(name: &str, values: &[f32], decay: bool) -> Parameter {
        Parameter { name: name.into(), var: Var::new(values, &Device::Cpu).unwrap(), decay }
    }

    fn close(found: &Tensor, expected: &[f32]) {
        let found = found.to_vec1::<f32>().unwrap();
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{found:?} instead of {expected:?}");
        }
    }

    #[test]
    fn equals_torch() {
        // torch.optim.AdamW([p], lr, weight_decay=λ), three steps with these gradients and learning rates
        let table = [
            (0.0, [0.484_201_88, -1.241_397_5, 1.998_430_1, -0.011_218_79, -0.043_589_84, 1.014_137_9]),
            (0.1, [0.483_335_97, -1.239_218_5, 1.994_931_8, -0.011_211_11, -0.043_528_94, 1.012_380_1]),
        ];
        for (weight_decay, expected) in table {
            let p = parameter("p", &START, true);
            let var = p.var.clone();
            let mut adamw = AdamW::new(vec![p], AdamWOptions { weight_decay, ..AdamWOptions::default() }).unwrap();
            for (gradient, lr) in GRADIENTS.iter().zip(LEARNING_RATES) {
                let gradient = Tensor::new(gradient, &Device::Cpu).unwrap();
                adamw.update(&Gradients::from_iter([("p".to_owned(), gradient)]), lr, 1.0).unwrap();
            }
            close(&var, &expected);
        }
    }

    #[test]
    fn clipped_groups_equal_torch() {
        // Two groups, λ = 0.1 and 0, and `clip_grad_norm_([p, q], 1.0)` before each step.
        let (p, q) = (parameter("p", &START, true), parameter("q", &[0.25, -0.75], false));
        let (p_var, q_var) = (p.var.clone(), q.var.clone());
        let options = AdamWOptions { weight_decay: 0.1, ..AdamWOptions::default() };
        let mut adamw = AdamW::new(vec![p, q], options).unwrap();
        let norms = [4.365_776, 3.036_445_1, 4.072_161_7];
        for ((gradient, lr), expected) in GRADIENTS.iter().zip(LEARNING_RATES).zip(norms) {
            let gradients = Gradients::from_iter([
                ("p".to_owned(), Tensor::new(gradient, &Device::Cpu).unwrap()),
                ("q".to_owned(), Tensor::new(&[gradient[3], gradient[0]], &Device::Cpu).unwrap()),
            ]);
            let norm = gradients.norm().unwrap();
            assert!((norm - expected).abs() < 1e-5, "{norm} instead of {expected}");
            adamw.update(&gradients, lr, super::super::super::grad::clip_scale(norm, 1.0)).unwrap();
        }
        close(&p_var, &[0.483_483_5, -1.240_285, 1.995_009_8, -0.009_979_485, -0.043_634_433, 1.012_456_4]);
        close(&q_var, &[0.240_013_05, -0.765_650_6]);
    }

    #[test]
    fn composed_equals_fused() {
        let n = 3 * CHUNK + 5;
        let numbers = |seed| {
            let mut rng = crate::base::rng::stream(seed, "test");
            (0..n).map(|_| crate::base::rng::uniform(&mut rng) - 0.5).collect::<Vec<_>>()
        };
        let p = parameter("p", &numbers(1), true);
        let var = p.var.clone();
        // The same numbers as two parameters of a group.
        let parts = |x: &Tensor| [(0, CHUNK), (CHUNK, n - CHUNK)].map(|(start, len)| x.narrow(0, start, len).unwrap());
        let mut composed = parts(&var.as_detached_tensor()).map(|part| {
            let var = Var::from_tensor(&part.copy().unwrap()).unwrap();
            (var, part.zeros_like().unwrap(), part.zeros_like().unwrap())
        });
        let mut adamw = AdamW::new(vec![p], AdamWOptions::default()).unwrap();
        for step in 1..4 {
            let gradient = Tensor::new(numbers(step + 1), &Device::Cpu).unwrap();
            adamw.update(&Gradients::from_iter([("p".to_owned(), gradient.clone())]), 1e-2, 0.5).unwrap();
            let step = i32::try_from(step).unwrap();
            let update = Update {
                decay: 1.0 - 1e-4,
                beta1: 0.1,
                beta2: 0.999,
                one_minus_beta2: 0.001,
                step_size: (1e-2 / (1.0 - 0.9_f64.powi(step))) as f32,
                inverse_correction: (1.0 / (1.0 - 0.999_f64.powi(step)).sqrt()) as f32,
                eps: 1e-8,
                scale: 0.5,
            };
            let gradients = parts(&gradient);
            let members = composed.iter_mut().zip(&gradients);
            let members = members.map(|((var, first, second), gradient)| Member { var, gradient, first, second });
            update.compose(members.collect()).unwrap();
        }
        let composed = Tensor::cat(&composed.map(|(var, ..)| var.as_detached_tensor()), 0).unwrap();
        close(&var, &composed.to_vec1::<f32>().unwrap());
    }
}
