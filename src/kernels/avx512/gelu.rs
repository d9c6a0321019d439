//! Exact GELU from a table, sixteen numbers at once: AVX-512 looks up 32 places in one instruction, which makes it half as
//! long as the formula.

use std::arch::x86_64::{
    __m512, _mm512_abs_ps, _mm512_cvttps_epi32, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps,
    _mm512_mul_ps, _mm512_permutex2var_ps, _mm512_reduce_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_sub_ps,
};

use super::{LANES, load, store};

/// Intervals a unit: 32 of them end at 5.75, from where on `x Φ(−x)` is below 3·10⁻⁸.
const PER_UNIT: f32 = 32.0 / 5.75;
/// The last number of the last interval.
const LAST: f32 = 31.999_998;

/// `x Φ(x)`, absolute error below 8·10⁻⁷.
///
/// `x Φ(x) = max(0, x) − |x| Φ(−|x|)`, and the second term is a polynomial of degree 3 in each interval.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
pub(in crate::kernels) fn gelu(x: __m512) -> __m512 {
    // Where one operand is no number the instruction gives the second.
    let place = _mm512_min_ps(_mm512_set1_ps(LAST), _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(PER_UNIT)));
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
    _mm512_sub_ps(_mm512_max_ps(_mm512_setzero_ps(), x), p)
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

/// The polynomials of `x Φ(−x)` in each interval, the highest power first: least squares on Chebyshev nodes; the first is
/// 0 at 0.
#[rustfmt::skip]
static TABLE: [[f32; 32]; 4] = [
    [0.000_132_613_3, 0.000_392_904_18, 0.000_593_767_15, 0.000_716_167_8, 0.000_751_415_2, 0.000_706_303_86, 0.000_599_844_7, 0.000_457_718_07, 0.000_306_179_6, 0.000_167_017_72, 5.457_284e-5, -2.494_187_7e-5, -7.224_454e-5, -9.271_429e-5, -9.389_303e-5, -8.339_958e-5, -6.758_05e-5, -5.092_517_7e-5, -3.607_632_6e-5, -2.419_088_6e-5, -1.542_451e-5, -9.382_338e-6, -5.457_462e-6, -3.041_183e-6, -1.625_87e-6, -8.348_637e-7, -4.121_303e-7, -1.957_382e-7, -8.949_886e-8, -3.941_818_2e-8, -1.673_073_8e-8, -6.846_169e-9],
    [-0.012_957_935, -0.012_544_977_5, -0.011_350_076, -0.009_548_668, -0.007_379_908_6, -0.005_108_636_3, -0.002_978_202_4, -0.001_173_485_1, 0.000_199_043_37, 0.001_112_644_9, 0.001_606_369_5, 0.001_762_198_3, 0.001_680_307_3, 0.001_458_126, 0.001_176_387_7, 0.000_892_790_56, 0.000_641_953_96, 0.000_439_400_12, 0.000_287_237_5, 0.000_179_754, 0.000_107_881_39, 6.217_874e-5, 3.445_367_5e-5, 1.836_987_6e-5, 9.431_124e-6, 4.665_133_5e-6, 2.224_454_4e-6, 1.022_879_9e-6, 4.537_579_6e-7, 1.942_485_1e-7, 8.026_809e-8, 3.202_456_6e-8],
    [0.089_856_56, 0.064_372_08, 0.040_485_803, 0.019_582_205, 0.002_637_819, -0.009_873_279, -0.017_984_796, -0.022_159_28, -0.023_151_912, -0.021_852_598, -0.019_140_277, -0.015_773_764, -0.012_330_138, -0.009_188_861, -0.006_550_943, -0.004_478_572, -0.002_941_237_8, -0.001_858_004_3, -0.001_130_129_8, -0.000_662_398_7, -0.000_374_365_1, -0.000_204_116_98, -0.000_107_412_365, -5.457_244e-5, -2.677_717_2e-5, -1.269_220_9e-5, -5.812_782e-6, -2.572_678_8e-6, -1.100_554_8e-6, -4.551_173_4e-7, -1.819_593_5e-7, -7.034_158_5e-8],
    [0.0, 0.077_031_38, 0.129_251_51, 0.158_981_16, 0.169_731, 0.165_740_46, 0.151_464_94, 0.131_101_82, 0.108_226_77, 0.085_580_04, 0.065_007_05, 0.047_527_663, 0.033_491_1, 0.022_768_985, 0.014_945_511, 0.009_477_048, 0.005_807_862_6, 0.003_440_999_7, 0.001_971_474_8, 0.001_092_511_9, 0.000_585_681_5, 0.000_303_777_6, 0.000_152_460_17, 7.404_619e-5, 3.480_383_4e-5, 1.583_275_5e-5, 6.971_296_4e-6, 2.971_100_2e-6, 1.225_699_2e-6, 4.894_712e-7, 1.892_163_5e-7, 7.080_903e-8],
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
        let x: Vec<f32> = (-9000..9000).map(|i| i as f32 / 1000.0).chain([f32::INFINITY, 1e30, -1e30, -0.0]).collect();
        let mut y = x.clone();
        // SAFETY: the processor has it.
        let rest = unsafe { gelu_in_place(&mut y) }.len();
        for (x, y) in x.iter().zip(&y).take(x.len() - rest) {
            let expected = reference::activation(Function::Gelu, f64::from(*x));
            assert!((f64::from(*y) - expected).abs() <= 8e-7 || *y as f64 == expected, "{x}: {y}, not {expected}");
        }
        let mut odd = [f32::NAN; 17];
        // SAFETY: as above.
        assert_eq!(unsafe { gelu_in_place(&mut odd) }.len(), 1);
        assert!(odd[0].is_nan());
    }
}
