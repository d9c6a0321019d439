//! Word, position and type embeddings, normalised.

use std::borrow::Cow;

use candle_core::{Device, Tensor};

use super::{
    Int8Weight, ModelError, Packed,
    encoder::{Pass, Site},
    ops,
    params::{EMBEDDINGS, PROJECTION},
};

/// `dropout(LayerNorm(word + position + type))`; positions are counted in each sequence. Embeddings of another width than the
/// layers' go through a linear layer.
///
/// # Shapes
/// → `[tokens, hidden]`.
pub(super) fn forward(pass: &Pass<'_>) -> Result<Tensor, ModelError> {
    let (spec, Packed { input_ids, type_ids, offsets }) = (&pass.model.spec, pass.batch);
    let sequences = offsets.windows(2).map(|ends| &input_ids[ends[0]..ends[1]]);
    let positions: Vec<u32> = sequences.flat_map(|ids| spec.positions.rows(ids)).map(|row| row as u32).collect();
    // A family that has one type, or none, has none to tell apart.
    let type_ids = if spec.type_vocab_size < 2 { Cow::from(vec![0; type_ids.len()]) } else { Cow::from(type_ids) };
    let ids = [input_ids, positions.as_slice(), &type_ids];
    let x = if EMBEDDINGS.iter().any(|module| pass.model.int8.contains_key(*module)) {
        add_rows(pass, ids)?
    } else {
        let tables: Vec<&Tensor> = tables(spec.type_vocab_size)
            .iter()
            .map(|module| pass.parameter(&format!("{module}.weight")))
            .collect::<Result<_, _>>()?;
        ops::embed(&tables, ids, pass.memory(), pass.route)?
    };
    let x = pass.norm("bert.embeddings.LayerNorm", &x)?;
    let x = ops::drop_out(&x, pass.mask(spec.hidden_dropout, Site::Embeddings), pass.route)?;
    if spec.embedding_size.is_some() { pass.linear(PROJECTION, &x) } else { Ok(x) }
}

/// The modules of the tables that there are.
fn tables(type_vocab_size: usize) -> &'static [&'static str] {
    if type_vocab_size == 0 { &EMBEDDINGS[..2] } else { &EMBEDDINGS }
}

/// The same sum where some table is int8: only the rows that are needed are dequantised.
fn add_rows(pass: &Pass<'_>, ids: [&[u32]; 3]) -> Result<Tensor, ModelError> {
    let (tokens, hidden) = (pass.batch.input_ids.len(), pass.model.spec.embedding_width());
    let mut sum = vec![0.0_f32; tokens * hidden];
    for (module, ids) in tables(pass.model.spec.type_vocab_size).iter().zip(ids) {
        let rows = if let Some(table) = pass.model.int8.get(*module) {
            rows_of(table, ids, hidden)
        } else {
            let ids = Tensor::new(ids, &Device::Cpu)?;
            pass.parameter(&format!("{module}.weight"))?.index_select(&ids, 0)?.flatten_all()?.to_vec1()?
        };
        sum.iter_mut().zip(&rows).for_each(|(sum, x)| *sum += x);
    }
    Ok(Tensor::from_vec(sum, (tokens, hidden), &Device::Cpu)?)
}

fn rows_of(table: &Int8Weight, ids: &[u32], hidden: usize) -> Vec<f32> {
    let mut rows = vec![0.0; ids.len() * hidden];
    for (&id, row) in ids.iter().zip(rows.chunks_exact_mut(hidden)) {
        table.dequantize_row(id as usize, row);
    }
    rows
}
