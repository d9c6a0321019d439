//! Exact GELU from a table, sixteen numbers at once: AVX-512 looks up 32 places in one instruction, which makes it half as
//! long as the formula.

use std::arch::x86_64::{
    __m512, _mm512_abs_ps, _mm512_cvttps_epi32, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_max_ps,
    _mm512_min_ps, _mm512_mul_ps, _mm512_permutex2var_ps, _mm512_reduce_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use super::{LANES, load, store};

/// Intervals a unit: 32 of them end at 5.75, from where on `x Φ(−x)` is below 3·10⁻⁸.
const PER_UNIT: f32 = 32.0 / 5.75;
/// Just below the end of the last interval.
const LAST: f32 = 5.749_999;

/// `x Φ(x)`, absolute error below 3·10⁻⁷, and a few roundings of small numbers: a norm may follow that makes them large.
///
/// `x Φ(x) = max(0, x) − |x| Φ(−|x|)`, and `Φ` is a polynomial of degree 3 in each interval.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
pub(in crate::kernels) fn gelu(x: __m512) -> __m512 {
    // Where one operand is no number the instruction gives the second.
    let size = _mm512_min_ps(_mm512_set1_ps(LAST), _mm512_abs_ps(x));
    let place = _mm512_mul_ps(size, _mm512_set1_ps(PER_UNIT));
    let interval = _mm512_cvttps_epi32(place);
    // What is above the whole number below.
    let f = _mm512_reduce_ps::<1>(place);
    let [cubic, square, linear, constant] = TABLE.each_ref().map(|table| {
        // SAFETY: a table is twice sixteen numbers, and this is the first half.
        let low = unsafe { _mm512_loadu_ps(table.as_ptr()) };
        // SAFETY: this is the second half.
        let high = unsafe { _mm512_loadu_ps(table[16..].as_ptr()) };
        _mm512_permutex2var_ps(low, interval, high)
    });
    let p = _mm512_fmadd_ps(cubic, f, square);
    let p = _mm512_fmadd_ps(p, f, linear);
    let p = _mm512_fmadd_ps(p, f, constant);
    _mm512_fnmadd_ps(size, p, _mm512_max_ps(_mm512_setzero_ps(), x))
}

/// `y[i] = y[i] Φ(y[i])`; what is no whole register stays as it is and is returned.
#[target_feature(enable = "avx512f,avx512dq")]
pub(in crate::kernels) fn gelu_in_place(y: &mut [f32]) -> &mut [f32] {
    let (lines, rest) = y.as_chunks_mut::<LANES>();
    for line in lines {
        store(line, gelu(load(line)));
    }
    rest
}

/// The polynomials of `Φ(−x)` in each interval, the highest power first: least squares on Chebyshev nodes; the first is ½ at 0.
#[rustfmt::skip]
static TABLE: [[f32; 32]; 4] = [
    [0.000_380_827_2, 0.000_344_489_06, 0.000_278_037_6, 0.000_191_214_74, 9.637_09e-5, 5.742_758_7e-6, -7.069_200_4e-5, -0.000_126_614_69, -0.000_159_808_77, -0.000_171_711_99, -0.000_166_354_7, -0.000_149_054_2, -0.000_125_207_7, -9.941_318_4e-5, -7.500_572e-5, -5.397_328_3e-5, -3.714_072_6e-5, -2.448_904e-5, -1.549_554_1e-5, -9.420_599e-6, -5.508_167e-6, -3.099_814_2e-6, -1.680_151_6e-6, -8.775_743_4e-7, -4.419_204_3e-7, -2.146_357_2e-7, -1.005_789_1e-7, -4.548_714_5e-8, -1.985_916_7e-8, -8.371_900_5e-9, -3.408_526e-9, -1.340_502_4e-9],
    [3.829_328_8e-6, 0.001_153_952_4, 0.002_193_521_5, 0.003_031_009, 0.003_605_043, 0.003_891_862_5, 0.003_904_847_2, 0.003_687_529_6, 0.003_302_388_1, 0.002_818_359_8, 0.002_299_774_2, 0.001_798_562_6, 0.001_350_452_9, 0.000_974_823_4, 0.000_677_197_8, 0.000_453_112_33, 0.000_292_203_45, 0.000_181_714_77, 0.000_109_022_58, 6.312_892e-5, 3.529_11e-5, 1.905_223_7e-5, 9.935_122e-6, 5.005_367e-6, 2.436_754_8e-6, 1.146_487_5e-6, 5.213_974e-7, 2.292_260_7e-7, 9.743_225_6e-8, 4.004_313e-8, 1.591_396_5e-8, 6.116_302e-9],
    [-0.071_685_66, -0.070_540_1, -0.067_206_98, -0.061_996_6, -0.055_372_722, -0.047_884_796, -0.040_093_362, -0.032_502_72, -0.025_511_663, -0.019_387_824, -0.014_265_602, -0.010_162_988, -0.007_010_070_6, -0.004_681_582_6, -0.003_027_136, -0.001_895_132_9, -0.001_148_723_6, -0.000_674_154_3, -0.000_383_063_37, -0.000_210_741_07, -0.000_112_252_16, -5.789_046_2e-5, -2.890_585_7e-5, -1.397_433_1e-5, -6.540_973e-6, -2.964_283_3e-6, -1.300_657_3e-6, -5.525_502_6e-7, -2.272_722e-7, -9.050_786e-8, -3.489_729_4e-8, -1.302_754_3e-8],
    [0.5, 0.428_699_05, 0.359_657_44, 0.294_922_05, 0.236_147_67, 0.184_476_35, 0.140_489_12, 0.104_229_875, 0.075_288_035, 0.052_918_915, 0.036_177_71, 0.024_045_51, 0.015_532_025, 0.009_747_2, 0.005_941_031_5, 0.003_516_094_8, 0.002_020_108_3, 0.001_126_454_4, 0.000_609_531_6, 0.000_319_999_73, 0.000_162_970_17, 8.050_309_4e-5, 3.856_642_8e-5, 1.791_637_3e-5, 8.070_317e-6, 3.524_445e-6, 1.492_155_1e-6, 6.123_882e-7, 2.436_12e-7, 9.392_936_6e-8, 3.510_016_8e-8, 1.271_154_2e-8],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{activation::Function, isa::Isa, reference};

    #[test]
    fn agrees_with_the_formula() {
        if !Isa::all().contains(&Isa::Avx512) {
            return;
        }
        let small = (-9000..9000).map(|i| i as f32 / 9e6);
        let x: Vec<f32> =
            (-9000..9000).map(|i| i as f32 / 1000.0).chain(small).chain([f32::INFINITY, 1e30, -1e30, -0.0]).collect();
        let mut y = x.clone();
        // SAFETY: the processor has it.
        let rest = unsafe { gelu_in_place(&mut y) }.len();
        for (x, y) in x.iter().zip(&y).take(x.len() - rest) {
            let expected = reference::activation(Function::Gelu, f64::from(*x));
            let most = 3e-7_f64.min(1e-6 * f64::from(x.abs()));
            assert!((f64::from(*y) - expected).abs() <= most || f64::from(*y) == expected, "{x}: {y}, not {expected}");
        }
        let mut odd = [f32::NAN; 17];
        // SAFETY: as above.
        assert_eq!(unsafe { gelu_in_place(&mut odd) }.len(), 1);
        assert!(odd[0].is_nan());
    }
}
