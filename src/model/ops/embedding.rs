//! Word, position and type embeddings, added.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{Route, tensor, values, with_values};
use crate::{
    kernels::embedding::{lookup, scatter},
    model::{memory::TrainingMemory, params::EMBEDDINGS},
};

/// `tables[0][ids[0][t]] + tables[1][ids[1][t]] + tables[2][ids[2][t]]` for each token.
///
/// # Shapes
/// Tables `[rows, hidden]` each, ids `[tokens]` each → `[tokens, hidden]`.
pub(in crate::model) fn embed(
    tables: [&Tensor; 3],
    ids: [&[u32]; 3],
    memory: Option<&TrainingMemory>,
    route: Route,
) -> Result<Tensor> {
    let [first, second, third] = tables;
    match route {
        Route::Fused => first.apply_op3(second, third, Embed { ids: ids.map(Arc::from), memory: memory.cloned() }),
        Route::Composed => {
            let look_up = |table: &Tensor, ids: &[u32]| table.index_select(&Tensor::new(ids, table.device())?, 0);
            ((look_up(first, ids[0])? + look_up(second, ids[1])?)? + look_up(third, ids[2])?)?.contiguous()
        }
    }
}

struct Embed {
    ids: [Arc<[u32]>; 3],
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
        lookup(&tables, &[&self.ids[0], &self.ids[1], &self.ids[2]], hidden, &mut out);
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
                for ((table, module), ids) in [first, second, third].into_iter().zip(EMBEDDINGS).zip(&self.ids) {
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
            Ok((of(first, &self.ids[0])?, of(second, &self.ids[1])?, of(third, &self.ids[2])?))
        })
    }
}
