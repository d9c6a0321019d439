//! How fast the kernels are, and what fraction of the processor's peak they reach: `cargo bench --bench kernels`.
//!
//! Everything runs on one thread, since the packed kernels do and the peak is that of one.
#![allow(missing_docs, reason = "criterion's macros define functions without any")]
#![expect(clippy::print_stdout, reason = "a benchmark tells what it found")]

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use lmpipe::kernels::{
    activation::{self, Function},
    flash::{self, Heads, Rows, Window},
    isa::Isa,
    linear::{After, Linear, Quantized},
    norm, peak, quantize,
};

/// Rows, inputs and outputs.
const SHAPES: [(usize, usize, usize); 7] = [
    (128, 384, 384),
    (128, 384, 1536),
    (128, 1536, 384),
    (128, 768, 3072),
    (128, 3072, 768),
    (32, 384, 1536),
    (1, 384, 1536),
];

fn main() {
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
    one.install(|| {
        let mut criterion = Criterion::default().configure_from_args();
        let (f32_peak, int8_peak) = (peak::f32_peak(), peak::int8_peak());
        println!("{}: f32 {}, int8 {}", Isa::detect().name(), giga(f32_peak), giga(int8_peak));
        linear(&mut criterion, "linear-f32", f32_peak, |inputs, outputs| {
            Linear::from_f32(&noise(inputs * outputs), &noise(outputs))
        });
        linear(&mut criterion, "linear-int8", int8_peak, |inputs, outputs| {
            let weights: Vec<i8> = noise(inputs * outputs).iter().map(|x| (x * 127.0) as i8).collect();
            Linear::from_int8(&weights, &vec![0.01; outputs], &noise(outputs))
        });
        attention(&mut criterion, f32_peak);
        rows(&mut criterion);
        criterion.final_summary();
    });
}

fn linear(criterion: &mut Criterion, name: &str, peak: Option<f64>, layer: impl Fn(usize, usize) -> Linear) {
    let mut group = criterion.benchmark_group(name);
    let mut summary = Summary::new(name, peak);
    for (rows, inputs, outputs) in SHAPES {
        let (layer, x) = (layer(inputs, outputs), noise(rows * inputs));
        let (mut scratch, mut out) = (Quantized::default(), vec![0.0; rows * outputs]);
        let operations = 2 * rows * inputs * outputs;
        group.throughput(Throughput::Elements(operations as u64));
        for (what, activation) in [("plain", None), ("gelu", Some(Function::Gelu))] {
            let after = After { activation, add: false };
            let id = format!("{what}/{rows}x{inputs}x{outputs}");
            group.bench_function(&id, |bencher| {
                bencher.iter_custom(|n| {
                    summary.time(&id, operations, n, || layer.forward(&x, &mut scratch, after, &mut out))
                });
            });
        }
    }
    group.finish();
    summary.print();
}

fn attention(criterion: &mut Criterion, peak: Option<f64>) {
    let mut group = criterion.benchmark_group("flash");
    let mut summary = Summary::new("flash", peak);
    let heads = Heads { count: 12, dim: 32 };
    for len in [32, 128, 512, 2048] {
        let width = heads.count * heads.dim;
        let (qkv, mut scratch, mut out) = (noise(3 * len * width), flash::Scratch::default(), vec![0.0; len * width]);
        // The two products; what the softmax costs shows as a lower fraction.
        let operations = 4 * len * len * width;
        group.throughput(Throughput::Elements(operations as u64));
        let id = len.to_string();
        group.bench_function(&id, |bencher| {
            bencher.iter_custom(|n| {
                summary.time(&id, operations, n, || {
                    flash::forward(Rows::new(&qkv, 3 * width, 0), heads, Window::ALL, 0..len, &mut scratch, &mut out);
                })
            });
        });
    }
    group.finish();
    summary.print();
}

/// What works on single numbers is bound by more than multiplications: numbers a second, and no fraction.
fn rows(criterion: &mut Criterion) {
    let (rows, width) = (128, 384);
    let (x, scale) = (noise(rows * width), noise(width));
    let (mut out, mut q, mut scales) = (vec![0.0; x.len()], vec![0_i8; x.len()], vec![0.0; rows]);
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(x.len() as u64));
    group.bench_function("norm", |bencher| bencher.iter(|| norm::forward(&x, &scale, &scale, 1e-5, &mut out)));
    group.bench_function("quantize", |bencher| bencher.iter(|| quantize::rows(&x, width, &mut q, &mut scales)));
    for function in [Function::Gelu, Function::GeluTanh, Function::Relu] {
        let id = BenchmarkId::new("activation", format!("{function:?}"));
        group.bench_function(id, |bencher| bencher.iter(|| activation::forward(function, &x, &mut out)));
    }
    group.finish();
}

/// The best rate of each benchmark of a group.
struct Summary {
    group: String,
    peak: Option<f64>,
    best: Vec<(String, f64)>,
}

impl Summary {
    fn new(group: &str, peak: Option<f64>) -> Self {
        Self { group: group.to_owned(), peak, best: Vec::new() }
    }

    fn time(&mut self, id: &str, operations: usize, n: u64, mut run: impl FnMut()) -> std::time::Duration {
        let start = Instant::now();
        for _ in 0..n {
            run();
        }
        let took = start.elapsed();
        let rate = operations as f64 * n as f64 / took.as_secs_f64() / 1e9;
        match self.best.last_mut().filter(|(last, _)| *last == id) {
            Some((_, best)) => *best = best.max(rate),
            None => self.best.push((id.to_owned(), rate)),
        }
        took
    }

    fn print(&self) {
        for (id, rate) in &self.best {
            let fraction = self.peak.map_or_else(String::new, |peak| format!(", {:.0} % of peak", 100.0 * rate / peak));
            println!("{} {id}: {rate:.1} G/s{fraction}", self.group);
        }
    }
}

fn giga(peak: Option<f64>) -> String {
    peak.map_or_else(|| "peak unknown".to_owned(), |peak| format!("{peak:.1} G/s at most"))
}

/// Numbers in −1..1, always the same.
fn noise(n: usize) -> Vec<f32> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 8) as f32 / 8_388_608.0 - 1.0)
    };
    let mut state = 7;
    std::iter::from_fn(|| next(&mut state)).take(n).collect()
}
