//! Rows of tables, added: word, position and type embeddings in one pass.

use rayon::prelude::*;

/// Rows that one task works on.
const ROWS: usize = 64;

/// `out[t] = Σ tables[n][ids[n][t]]`, each table `[rows, width]`, `out` `[tokens, width]`.
///
/// # Panics
/// When an id is out of range or the shapes do not fit.
pub fn lookup(tables: &[&[f32]], ids: &[&[u32]], width: usize, out: &mut [f32]) {
    assert!(width > 0 && tables.len() == ids.len(), "each table has its ids");
    assert!(ids.iter().all(|ids| ids.len() * width == out.len()), "each token has an id in each table");
    out.par_chunks_mut(ROWS * width).enumerate().for_each(|(task, out)| {
        for (token, out) in out.chunks_exact_mut(width).enumerate() {
            out.fill(0.0);
            for (table, ids) in tables.iter().zip(ids) {
                let start = ids[task * ROWS + token] as usize * width;
                for (out, &x) in out.iter_mut().zip(&table[start..start + width]) {
                    *out += x;
                }
            }
        }
    });
}

/// `out[ids[t]] += gradient[t]`, tokens in their order. `out` is `[rows, width]`.
///
/// One thread: a batch has far fewer tokens than the table has rows, so clearing the table costs more than this.
///
/// # Panics
/// When an id is out of range or the shapes do not fit.
pub fn scatter(ids: &[u32], gradient: &[f32], width: usize, out: &mut [f32]) {
    assert!(width > 0 && ids.len() * width == gradient.len(), "each token has a gradient");
    for (&id, gradient) in ids.iter().zip(gradient.chunks_exact(width)) {
        let start = id as usize * width;
        for (out, &x) in out[start..start + width].iter_mut().zip(gradient) {
            *out += x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_up_and_scatters() {
        let (words, kinds) = ([0.0, 1.0, 10.0, 11.0, 20.0, 21.0], [100.0, 200.0, 300.0, 400.0]);
        let mut out = [0.0; 6];
        lookup(&[&words, &kinds], &[&[2, 0, 2], &[0, 1, 1]], 2, &mut out);
        assert_eq!(out, [120.0, 221.0, 300.0, 401.0, 320.0, 421.0]);
        let mut gradient = [0.0; 6];
        scatter(&[2, 0, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, &mut gradient);
        assert_eq!(gradient, [3.0, 4.0, 0.0, 0.0, 6.0, 8.0]);
    }
}
