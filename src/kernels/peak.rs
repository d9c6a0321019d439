//! What the processor can do at most: loops on registers alone, which benchmarks measure kernels against.

use std::time::Instant;

use super::isa::Isa;

/// Rounds that one measurement takes.
const ROUNDS: usize = 2_000_000;
/// Measurements; the best counts, since whatever disturbs one makes it slower.
const TRIES: usize = 7;

/// Multiplications and additions of f32, in 10⁹ a second, of one thread with the instruction set that kernels use. `None`
/// where there is no loop for it.
#[must_use]
pub fn f32_peak() -> Option<f64> {
    match Isa::detect() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Isa::detect` gives `Avx512` only where the processor has AVX-512F.
        Isa::Avx512 => Some(best(20 * 16 * 2, || unsafe { x86::f32_512() })),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Isa::detect` gives `Avx2` only where the processor has AVX2 and FMA.
        Isa::Avx2 => Some(best(12 * 8 * 2, || unsafe { x86::f32_256() })),
        _ => None,
    }
}

/// The same of the int8 kernel: 8-bit dot products with AVX-512 VNNI, pairs of 16-bit numbers with AVX2.
#[must_use]
pub fn int8_peak() -> Option<f64> {
    match Isa::detect() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if is_x86_feature_detected!("avx512vnni") => {
            // SAFETY: the processor has AVX-512F (`Isa::detect`) and VNNI, as was just seen.
            Some(best(20 * 64 * 2, || unsafe { x86::int8_512() }))
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Isa::detect` gives `Avx2` and above only where the processor has AVX2.
        Isa::Avx2 | Isa::Avx512 => Some(best(12 * 16 * 2, || unsafe { x86::int16_256() })),
        _ => None,
    }
}

/// The best of some measurements of a loop whose rounds have `operations`.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only x86 has loops"))]
fn best(operations: usize, run: impl Fn()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        (operations * ROUNDS) as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..TRIES).map(time).fold(0.0, f64::max)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm256_add_epi32, _mm256_fmadd_ps, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm512_dpbusd_epi32,
        _mm512_fmadd_ps, _mm512_set1_epi32, _mm512_set1_ps,
    };
    use std::hint::black_box;

    use super::ROUNDS;

    /// Enough chains to hide an instruction's latency; what they give is looked at, so that the loop stays.
    macro_rules! chains {
        ($name:ident, $features:literal, $chains:literal, $one:expr, |$sum:ident, $x:ident| $step:expr) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name() {
                let $x = black_box($one);
                let mut sums = [$x; $chains];
                for _ in 0..ROUNDS {
                    for $sum in &mut sums {
                        *$sum = $step;
                    }
                }
                black_box(sums);
            }
        };
    }

    chains!(f32_512, "avx512f", 20, _mm512_set1_ps(0.5), |sum, x| _mm512_fmadd_ps(*sum, x, x));
    chains!(f32_256, "avx2,fma", 12, _mm256_set1_ps(0.5), |sum, x| _mm256_fmadd_ps(*sum, x, x));
    chains!(int8_512, "avx512f,avx512vnni", 20, _mm512_set1_epi32(1), |sum, x| _mm512_dpbusd_epi32(*sum, x, x));
    chains!(int16_256, "avx2", 12, _mm256_set1_epi32(1), |sum, x| {
        _mm256_add_epi32(*sum, _mm256_madd_epi16(*sum, x))
    });
}
