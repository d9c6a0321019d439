//! f32 matrix products of matrices and their transposes, a bias or what is there already added in the same pass; on rten's
//! kernels.

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::NdTensorView;

/// A matrix of rows.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    /// The matrix `[rows, columns]` of values that stand row after row.
    ///
    /// # Panics
    /// When the length is not `rows · columns`.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix has rows × columns values");
        Self { values, rows, columns, transposed: false }
    }

    /// Its transpose; nothing is copied.
    #[must_use]
    pub fn transpose(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    fn view(&self) -> NdTensorView<'a, f32, 2> {
        let view = NdTensorView::from_data([self.rows, self.columns], self.values);
        if self.transposed { view.permuted([1, 0]) } else { view }
    }

    fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }
}

/// What a product is written over.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// Whatever is there.
    Nothing,
    /// A row that each row of the product is added to, `[n]`.
    Bias(&'a [f32]),
    /// What is there, to which the product is added.
    Sum,
}

/// `out = start + a · b`, `[m, k] · [k, n]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn product(a: Matrix<'_>, b: Matrix<'_>, start: Start<'_>, out: &mut [f32]) {
    let ((m, k), (k_too, n)) = (a.shape(), b.shape());
    assert!(k == k_too && out.len() == m * n, "{m}×{k} · {k_too}×{n} fits");
    let (bias, beta) = match start {
        Start::Nothing => (None, 0.0),
        Start::Bias(bias) => {
            assert_eq!(bias.len(), n, "each column has a bias");
            (Some(BiasVector::Row(bias)), 0.0)
        }
        Start::Sum => (None, 1.0),
    };
    // An executor is a choice of kernel, made from cached processor flags: it costs nothing, and cannot be shared.
    let executor = GemmExecutor::<f32>::new();
    let packed;
    let a = if m == 1 {
        // rten's product with a vector cuts its sums by the number of threads; with a packed matrix of one row it does not.
        packed = executor.prepack_a(a.view());
        GemmInputA::Packed(&packed)
    } else {
        GemmInputA::Unpacked(a.view())
    };
    let options = GemmOptions { bias, beta, ..GemmOptions::default() };
    executor.gemm(out, a, GemmInputB::Unpacked(b.view()), options).expect("the shapes were checked above");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::{assert_close, noise};

    #[test]
    fn agrees_with_three_loops_whatever_the_threads() {
        for (m, k, n) in [(1, 7, 5), (1, 400, 300), (2, 0, 3), (33, 50, 30), (130, 390, 257), (864, 384, 150)] {
            let (a, b, bias) = (noise(m * k, 1), noise(k * n, 2), noise(n, 3));
            let transpose = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect()
            };
            let (a_t, b_t) = (transpose(&a, m, k), transpose(&b, k, n));
            let mut expected = vec![0.0_f64; m * n];
            for i in 0..m {
                for j in 0..n {
                    let dot: f64 = (0..k).map(|p| f64::from(a[i * k + p]) * f64::from(b[p * n + j])).sum();
                    expected[i * n + j] = dot + f64::from(bias[j]);
                }
            }
            let run = |threads: usize, a: Matrix<'_>, b: Matrix<'_>| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let mut out = vec![9.0; m * n];
                    product(a, b, Start::Bias(&bias), &mut out);
                    // Twice the product less the bias: the sums of the second are added to those of the first.
                    let mut twice = out.clone();
                    product(a, b, Start::Sum, &mut twice);
                    let half: Vec<f32> =
                        twice.chunks(n).flat_map(|row| row.iter().zip(&bias).map(|(x, b)| (x - b) / 2.0 + b)).collect();
                    assert_close(&half, &expected, 2e-4);
                    out
                })
            };
            let (plain_a, plain_b) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
            for (a, b) in [
                (plain_a, plain_b),
                (Matrix::new(&a_t, k, m).transpose(), plain_b),
                (plain_a, Matrix::new(&b_t, n, k).transpose()),
                (Matrix::new(&a_t, k, m).transpose(), Matrix::new(&b_t, n, k).transpose()),
            ] {
                let one = run(1, a, b);
                assert_close(&one, &expected, 2e-4);
                for threads in [2, 3, 8] {
                    assert_eq!(one, run(threads, a, b), "{m}×{k}×{n} on {threads} threads");
                }
            }
        }
    }
}
