//! The rounding formula: f32 rows to integers and back.

/// Rows of integers with a scale each: `x ≈ value · scale`.
#[derive(Clone, Debug, PartialEq)]
pub struct IntRows {
    /// The values, `[rows, columns]`.
    pub values: Vec<i8>,
    /// The scales, `[rows]`.
    pub scales: Vec<f32>,
}

/// Quantises each row by itself, symmetrically:
///
/// `scale = max |x| / (2ᵇ⁻¹ − ½)` (f32's epsilon where that is 0), `value = round_half_even(clamp(x / scale, −2ᵇ⁻¹, 2ᵇ⁻¹ − 1))`
/// for `b` bits: compressed-tensors' `calculate_qparams` and `quantize`, to the bit. The same formula serves weights (a row an
/// output channel, or a group in it) and activations (a row a token).
///
/// # Panics
/// When the values are not whole rows.
#[must_use]
pub fn quantize_rows(values: &[f32], columns: usize, bits: u32) -> IntRows {
    assert!(columns > 0 && values.len().is_multiple_of(columns), "whole rows");
    let half = (1 << (bits - 1)) as f32;
    let mut rows =
        IntRows { values: Vec::with_capacity(values.len()), scales: Vec::with_capacity(values.len() / columns) };
    for row in values.chunks(columns) {
        let largest = row.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let scale = match largest / (half - 0.5) {
            0.0 => f32::EPSILON,
            scale => scale,
        };
        rows.scales.push(scale);
        rows.values.extend(row.iter().map(|x| (x / scale).clamp(-half, half - 1.0).round_ties_even() as i8));
    }
    rows
}

impl IntRows {
    /// The values that the rows stand for.
    #[must_use]
    pub fn dequantize(&self) -> Vec<f32> {
        let columns = self.values.len() / self.scales.len().max(1);
        self.values
            .chunks(columns.max(1))
            .zip(&self.scales)
            .flat_map(|(row, scale)| row.iter().map(move |value| f32::from(*value) * scale))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::base::rng;

    #[test]
    fn the_formula() {
        let rows = quantize_rows(&[255.0, -255.0, 5.0, -1.0, 0.0, 0.0, 0.0, 0.0], 4, 8);
        // ±127.5: clamped to 127 above, rounded to −128 (even) below; 2.5 and −0.5 go to the even neighbour too.
        assert_eq!(rows.values, [127, -128, 2, 0, 0, 0, 0, 0]);
        assert_eq!(rows.scales, [2.0, f32::EPSILON]);
        let rows = quantize_rows(&[15.0, -15.0, 5.0, -1.0], 4, 4);
        assert_eq!((rows.values, rows.scales), (vec![7, -8, 2, 0], vec![2.0]));
    }

    #[test]
    fn the_error_is_at_most_half_a_step() {
        let mut stream = rng::stream(3, "test");
        for _ in 0..200 {
            let columns = stream.random_range(1..40);
            let size = 10f32.powi(stream.random_range(-20..20));
            let values: Vec<f32> = (0..columns * 3).map(|_| (rng::uniform(&mut stream) - 0.5) * size).collect();
            let rows = quantize_rows(&values, columns, 8);
            for (i, (x, y)) in values.iter().zip(rows.dequantize()).enumerate() {
                let step = rows.scales[i / columns];
                // The largest positive value alone is clamped, by half a step; the rest is rounded, by half at most.
                assert!((x - y).abs() <= step * 0.501, "{x} {y} {step}");
            }
        }
    }
}
