//! Rows to columns, four times four numbers at once.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm_loadu_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_mul_ps, _mm_set1_ps, _mm_storeu_ps, _mm_unpackhi_ps,
    _mm_unpacklo_ps,
};

/// `to[c, r] = from[r, c]`: rows of `from` stand `from_stride` apart, those of `to` `to_stride`.
///
/// # Panics
/// When the shapes do not fit.
#[inline(always)]
pub(super) fn transpose(
    from: &[f32],
    from_stride: usize,
    (rows, columns): (usize, usize),
    to: &mut [f32],
    to_stride: usize,
) {
    let (whole_rows, whole_columns) = (rows / 4 * 4, columns / 4 * 4);
    for r in (0..whole_rows).step_by(4) {
        let lines: [&[f32]; 4] = std::array::from_fn(|i| &from[(r + i) * from_stride..][..columns]);
        for c in (0..whole_columns).step_by(4) {
            let block = transposed(lines.map(|line| line[c..].first_chunk().expect("four columns are left")), 1.0);
            for (i, numbers) in block.iter().enumerate() {
                to[(c + i) * to_stride + r..][..4].copy_from_slice(numbers);
            }
        }
        for c in whole_columns..columns {
            to[c * to_stride + r..][..4].copy_from_slice(&lines.map(|line| line[c]));
        }
    }
    for r in whole_rows..rows {
        for c in 0..columns {
            to[c * to_stride + r] = from[r * from_stride + c];
        }
    }
}

/// Four rows of four as columns, scaled. The compiler takes them apart into single numbers, so shuffles are spelt out.
#[inline(always)]
pub(super) fn transposed(rows: [&[f32; 4]; 4], scale: f32) -> [[f32; 4]; 4] {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has SSE.
    return unsafe { transposed_sse(rows, scale) };
    #[cfg(not(target_arch = "x86_64"))]
    std::array::from_fn(|i| rows.map(|row| row[i] * scale))
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse")]
fn transposed_sse(rows: [&[f32; 4]; 4], scale: f32) -> [[f32; 4]; 4] {
    let scale = _mm_set1_ps(scale);
    // SAFETY: a row is four numbers; loads need no alignment.
    let [a, b, c, d] = rows.map(|row| _mm_mul_ps(unsafe { _mm_loadu_ps(row.as_ptr()) }, scale));
    let (ab_low, ab_high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
    let (cd_low, cd_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
    let columns = [
        _mm_movelh_ps(ab_low, cd_low),
        _mm_movehl_ps(cd_low, ab_low),
        _mm_movelh_ps(ab_high, cd_high),
        _mm_movehl_ps(cd_high, ab_high),
    ];
    columns.map(|column| {
        let mut out = [0.0; 4];
        // SAFETY: there is room for four numbers; stores need no alignment.
        unsafe { _mm_storeu_ps(out.as_mut_ptr(), column) };
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::noise;

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(0, 3), (1, 1), (3, 9), (4, 4), (8, 30), (13, 17)] {
            let (from_stride, to_stride) = (columns + 2, rows + 3);
            let from = noise(rows * from_stride + columns, 1);
            let mut to = vec![9.0; columns * to_stride];
            transpose(&from, from_stride, (rows, columns), &mut to, to_stride);
            for c in 0..columns {
                for r in 0..to_stride {
                    let expected = if r < rows { from[r * from_stride + c] } else { 9.0 };
                    assert_eq!(to[c * to_stride + r], expected);
                }
            }
        }
    }
}
