//! Word, position and type embeddings, normalised.

use std::borrow::Cow;

use candle_core::{DType, Device, Tensor};

use super::{
    Embedding, Int8Weight, ModelError, Packed,
    encoder::{Pass, Site},
    ops::{self, Table},
    params::{EMBEDDINGS, PROJECTION},
};

/// `dropout(LayerNorm(word + position + type))`; positions are counted in each sequence. Embeddings of another width than the
/// layers' go through a linear layer, before or after.
///
/// # Shapes
/// → `[tokens, hidden]`.
pub(super) fn forward(pass: &Pass<'_>) -> Result<Tensor, ModelError> {
    let (spec, Packed { input_ids, type_ids, offsets, .. }) = (&pass.model.spec, pass.batch);
    let sequences = offsets.windows(2).map(|ends| &input_ids[ends[0]..ends[1]]);
    let positions: Vec<u32> = sequences.flat_map(|ids| spec.positions.rows(ids)).map(|row| row as u32).collect();
    // A family that has one type, or none, has none to tell apart.
    let type_ids = if spec.type_vocab_size < 2 { Cow::from(vec![0; type_ids.len()]) } else { Cow::from(type_ids) };
    let rows = [spec.vocab_size, spec.positions.table_rows(spec.max_positions), spec.type_vocab_size];
    let tables = EMBEDDINGS.into_iter().zip([input_ids, positions.as_slice(), &type_ids]).zip(rows);
    let tables: Vec<_> = tables.filter(|(_, rows)| *rows > 0).map(|(table, _)| table).collect();
    let x = if let Embedding::Words { trigrams, .. } = spec.embedding {
        let mut words = sum(pass, &tables[..1])?;
        if trigrams {
            words = with_neighbours(&words, offsets)?;
        }
        let words = pass.linear(PROJECTION, &words)?;
        if tables.len() > 1 { (words + sum(pass, &tables[1..])?)? } else { words }
    } else {
        sum(pass, &tables)?
    };
    let x = pass.norm("bert.embeddings.LayerNorm", &x)?;
    let x = ops::drop_out(&x, pass.mask(spec.hidden_dropout, Site::Embeddings), pass.route)?;
    if let Embedding::Projected(_) = spec.embedding { pass.linear(PROJECTION, &x) } else { Ok(x) }
}

/// The sum of what tables have for each token, `[tokens, width]`; a table is the name of its module and ids.
fn sum(pass: &Pass<'_>, tables: &[(&'static str, &[u32])]) -> Result<Tensor, ModelError> {
    if tables.iter().any(|(module, _)| pass.model.int8.contains_key(*module)) {
        return add_rows(pass, tables);
    }
    let tables = tables
        .iter()
        .map(|&(module, ids)| Ok(Table { module, values: pass.parameter(&format!("{module}.weight"))?, ids }))
        .collect::<Result<Vec<_>, ModelError>>()?;
    Ok(ops::embed(&tables, pass.memory(), pass.route)?)
}

/// Each token's embedding between the next one's and the previous one's, zeros beyond the ends of its sequence (Sun et al.,
/// 2020, section 3.4): `[tokens, size]` → `[tokens, 3 · size]`.
fn with_neighbours(words: &Tensor, offsets: &[usize]) -> Result<Tensor, ModelError> {
    let (tokens, size) = words.dims2()?;
    let padded = Tensor::cat(&[words, &Tensor::zeros((1, size), DType::F32, words.device())?], 0)?;
    let (mut next, mut previous) = (Vec::with_capacity(tokens), Vec::with_capacity(tokens));
    for ends in offsets.windows(2) {
        next.extend((ends[0]..ends[1]).map(|at| if at + 1 < ends[1] { at + 1 } else { tokens } as u32));
        previous.extend((ends[0]..ends[1]).map(|at| if at > ends[0] { at - 1 } else { tokens } as u32));
    }
    let shifted = |ids: Vec<u32>| padded.index_select(&Tensor::new(ids, words.device())?, 0);
    Ok(Tensor::cat(&[&shifted(next)?, words, &shifted(previous)?], 1)?)
}

/// The same sum where some table is int8: only the rows that are needed are dequantised.
fn add_rows(pass: &Pass<'_>, tables: &[(&'static str, &[u32])]) -> Result<Tensor, ModelError> {
    let tokens = pass.batch.input_ids.len();
    let mut sum: Vec<f32> = Vec::new();
    for (module, ids) in tables {
        let rows = if let Some(table) = pass.model.int8.get(*module) {
            rows_of(table, ids)
        } else {
            let ids = Tensor::new(*ids, &Device::Cpu)?;
            pass.parameter(&format!("{module}.weight"))?.index_select(&ids, 0)?.flatten_all()?.to_vec1()?
        };
        if sum.is_empty() {
            sum = rows;
        } else {
            sum.iter_mut().zip(&rows).for_each(|(sum, x)| *sum += x);
        }
    }
    let width = sum.len() / tokens.max(1);
    Ok(Tensor::from_vec(sum, (tokens, width), &Device::Cpu)?)
}

fn rows_of(table: &Int8Weight, ids: &[u32]) -> Vec<f32> {
    let [_, width] = table.shape();
    let mut rows = vec![0.0; ids.len() * width];
    for (&id, row) in ids.iter().zip(rows.chunks_exact_mut(width)) {
        table.dequantize_row(id as usize, row);
    }
    rows
}
