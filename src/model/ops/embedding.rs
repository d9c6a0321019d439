//! Word, position and type embeddings, added.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{Route, tensor, values, with_values};
use crate::{
    kernels::embedding::{lookup, scatter},
    model::{memory::TrainingMemory, params::EMBEDDINGS},
};

/// `tables[0][ids[0][t]] + tables[1][ids[1][t]] + tables[2][ids[2][t]]` for each token; the third table may be missing.
///
/// # Shapes
/// Tables `[rows, hidden]` each, ids `[tokens]` each → `[tokens, hidden]`.
pub(in crate::model) fn embed(
    tables: &[&Tensor],
    ids: [&[u32]; 3],
    memory: Option<&TrainingMemory>,
    route: Route,
) -> Result<Tensor> {
    let (&[first, second], third) = tables.split_first_chunk().expect("words and positions have tables");
    match route {
        Route::Fused => {
            let op = Embed { ids: ids.map(Arc::from), n_tables: tables.len(), memory: memory.cloned() };
            // Without token types the last table is a stand-in that is not looked at.
            first.apply_op3(second, third.first().copied().unwrap_or(second), op)
        }
        Route::Composed => {
            let look_up = |table: &Tensor, ids: &[u32]| table.index_select(&Tensor::new(ids, table.device())?, 0);
            let mut sum = (look_up(first, ids[0])? + look_up(second, ids[1])?)?;
            if let Some(third) = third.first() {
                sum = (sum + look_up(third, ids[2])?)?;
            }
            sum.contiguous()
        }
    }
}

struct Embed {
    ids: [Arc<[u32]>; 3],
    /// Three, or two without token types.
    n_tables: usize,
    /// Where the tables' gradients go; without one they are dense tensors.
    memory: Option<TrainingMemory>,
}

impl CustomOp3 for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn cpu_fwd(
        &self,
        first: &CpuStorage,
        first_layout: &Layout,
        second: &CpuStorage,
        second_layout: &Layout,
        third: &CpuStorage,
        third_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, hidden) = first_layout.shape().dims2()?;
        let tables = [values(first, first_layout)?, values(second, second_layout)?, values(third, third_layout)?];
        let tokens = self.ids[0].len();
        let mut out = vec![0.0; tokens * hidden];
        let ids: [&[u32]; 3] = [&self.ids[0], &self.ids[1], &self.ids[2]];
        lookup(&tables[..self.n_tables], &ids[..self.n_tables], hidden, &mut out);
        Ok((CpuStorage::F32(out), (tokens, hidden).into()))
    }

    fn bwd(
        &self,
        first: &Tensor,
        second: &Tensor,
        third: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, hidden) = gradient.dims2()?;
        with_values([gradient], |[gradient]| {
            if let Some(memory) = &self.memory {
                let tables = [first, second, third].into_iter().take(self.n_tables);
                for ((table, module), ids) in tables.zip(EMBEDDINGS).zip(&self.ids) {
                    memory.add_rows(&format!("{module}.weight"), table, ids, gradient, hidden)?;
                }
                return Ok((None, None, None));
            }
            let of = |table: &Tensor, ids: &[u32]| {
                let mut out = vec![0.0; table.elem_count()];
                scatter(ids, gradient, hidden, &mut out);
                tensor(out, table)
            };
            let of = |table: &Tensor, ids: &[u32]| table.track_op().then(|| of(table, ids)).transpose();
            let of_third = if self.n_tables == 3 { of(third, &self.ids[2])? } else { None };
            Ok((of(first, &self.ids[0])?, of(second, &self.ids[1])?, of_third))
        })
    }
}
