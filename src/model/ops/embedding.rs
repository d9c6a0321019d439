//! Rows of embedding tables, added.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use super::{Route, given::given, tensor, values, with_values};
use crate::{
    kernels::embedding::{lookup, scatter},
    model::memory::TrainingMemory,
};

/// A table, `[rows, width]`, and the row that each token takes of it.
pub(in crate::model) struct Table<'a> {
    /// The name of its module.
    pub(in crate::model) module: &'static str,
    pub(in crate::model) values: &'a Tensor,
    pub(in crate::model) ids: &'a [u32],
}

/// `Σ table[ids[t]]` over one to three tables for each token.
///
/// # Shapes
/// → `[tokens, width]`.
pub(in crate::model) fn embed(tables: &[Table<'_>], memory: Option<&TrainingMemory>, route: Route) -> Result<Tensor> {
    if route != Route::Fused {
        let mut rows = tables.iter().map(|it| match route {
            Route::Given => choose(it.values, it.ids),
            _ => it.values.index_select(&Tensor::new(it.ids, it.values.device())?, 0),
        });
        let Some(first) = rows.next() else { bail!("tokens have some embedding") };
        return rows.try_fold(first?, |sum, rows| sum + rows?)?.contiguous();
    }
    let op = Embed {
        modules: tables.iter().map(|table| table.module).collect(),
        ids: tables.iter().map(|table| Arc::from(table.ids)).collect(),
        memory: memory.cloned(),
    };
    match tables {
        [first] => first.values.apply_op1(op),
        [first, second] => first.values.apply_op2(second.values, op),
        [first, second, third] => first.values.apply_op3(second.values, third.values, op),
        _ => bail!("tokens have one to three embeddings, not {}", tables.len()),
    }
}

/// Rows of a table, some of them more than once.
fn choose(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let (rows, _) = table.dims2()?;
    let device = table.device().clone();
    let out = table.detach().index_select(&Tensor::new(ids, &device)?, 0)?;
    let ids = ids.to_vec();
    given([table], out, move |gradient| Ok([Some(gather(gradient, &ids, rows)?)]))
}

/// The gradient of a table of so many rows from those of the rows that were chosen: which of them are of a row of the table
/// is a matrix of zeros and ones, and its product with them has a fixed order of sums.
fn gather(gradient: &Tensor, ids: &[u32], rows: usize) -> Result<Tensor> {
    let device = gradient.device();
    let mut used = ids.to_vec();
    used.sort_unstable();
    used.dedup();
    let mut place = vec![u32::MAX; rows]; // candle gives zeros there
    for (at, &id) in used.iter().enumerate() {
        place[id as usize] = at as u32;
    }
    let column = Tensor::new(used.as_slice(), device)?.reshape((used.len(), 1))?;
    let mut sums: Option<Tensor> = None;
    for (at, part) in ids.chunks(TOKENS).enumerate() {
        let ids = Tensor::new(part, device)?.reshape((1, part.len()))?;
        let is_of = column.broadcast_eq(&ids)?.to_dtype(DType::F32)?; // [used, tokens]
        let sum = is_of.matmul(&gradient.narrow(0, at * TOKENS, part.len())?)?;
        sums = Some(match sums {
            Some(sums) => (sums + sum)?,
            None => sum,
        });
    }
    let Some(sums) = sums else { bail!("a batch has tokens") };
    sums.index_select(&Tensor::new(place, device)?, 0)
}

/// Tokens whose matrix of zeros and ones is made at once.
const TOKENS: usize = 4096;

struct Embed {
    modules: Vec<&'static str>,
    ids: Vec<Arc<[u32]>>,
    /// Where the tables' gradients go; without one they are dense tensors.
    memory: Option<TrainingMemory>,
}

impl Embed {
    fn forward<const N: usize>(&self, tables: [(&CpuStorage, &Layout); N]) -> Result<(CpuStorage, Shape)> {
        let (_, width) = tables[0].1.shape().dims2()?;
        let mut slices: [&[f32]; N] = [&[]; N];
        for (slice, (storage, layout)) in slices.iter_mut().zip(tables) {
            *slice = values(storage, layout)?;
        }
        let ids: Vec<&[u32]> = self.ids.iter().map(|ids| &**ids).collect();
        let tokens = ids[0].len();
        let mut out = vec![0.0; tokens * width];
        lookup(&slices, &ids, width, &mut out);
        Ok((CpuStorage::F32(out), (tokens, width).into()))
    }

    /// The gradients of the tables that ask for one and have no memory for it.
    fn backward<const N: usize>(&self, tables: [&Tensor; N], gradient: &Tensor) -> Result<[Option<Tensor>; N]> {
        let (_, width) = gradient.dims2()?;
        with_values([gradient], |[gradient]| {
            let mut gradients = [const { None }; N];
            for (at, table) in tables.into_iter().enumerate() {
                if let Some(memory) = &self.memory {
                    let name = format!("{}.weight", self.modules[at]);
                    memory.add_rows(&name, table, &self.ids[at], gradient, width)?;
                } else if table.track_op() {
                    let mut out = vec![0.0; table.elem_count()];
                    scatter(&self.ids[at], gradient, width, &mut out);
                    gradients[at] = Some(tensor(out, table)?);
                }
            }
            Ok(gradients)
        })
    }
}

impl CustomOp1 for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn cpu_fwd(&self, table: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward([(table, layout)])
    }

    fn bwd(&self, table: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [of_table] = self.backward([table], gradient)?;
        Ok(of_table)
    }
}

impl CustomOp2 for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward([(a, a_layout), (b, b_layout)])
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [of_a, of_b] = self.backward([a, b], gradient)?;
        Ok((of_a, of_b))
    }
}

impl CustomOp3 for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        c: &CpuStorage,
        c_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward([(a, a_layout), (b, b_layout), (c, c_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [of_a, of_b, of_c] = self.backward([a, b, c], gradient)?;
        Ok((of_a, of_b, of_c))
    }
}
