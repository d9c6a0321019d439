//! Attention against plain loops in double precision, and its gradients against differences.

use super::*;
use crate::kernels::reference::{self, assert_close, check_gradient, noise};

const OFFSETS: [usize; 6] = [0, 1, 3, 3, 20, 37];

fn attended(q: &[f32], k: &[f32], v: &[f32], shape: Shape<'_>, mask: Option<Mask>) -> Vec<f32> {
    let mut out = vec![9.0; q.len()];
    forward(q, k, v, shape, mask, &mut out);
    out
}

fn gradients(inputs: [&[f32]; 3], gradient: &[f32], shape: Shape<'_>, mask: Option<Mask>) -> [Vec<f32>; 3] {
    let mut out = [vec![9.0; gradient.len()], vec![9.0; gradient.len()], vec![9.0; gradient.len()]];
    let [q, k, v] = &mut out;
    backward(inputs, gradient, shape, mask, [q, k, v]);
    out
}

fn shape(heads: usize, head_dim: usize) -> Shape<'static> {
    Shape { offsets: &OFFSETS, heads, head_dim, reach: None, globals: &[] }
}

/// All of a sequence, and windows with and without tokens that are seen from everywhere.
fn shapes(heads: usize, head_dim: usize) -> [Shape<'static>; 4] {
    let whole = shape(heads, head_dim);
    [
        whole,
        Shape { reach: Some(0), ..whole },
        Shape { reach: Some(3), globals: &[1, 3, 11, 12, 36], ..whole },
        Shape { reach: Some(usize::MAX - 1), globals: &[20], ..whole },
    ]
}

/// Probabilities and output in double precision.
fn expected(q: &[f32], k: &[f32], v: &[f32], shape: Shape<'_>, mask: Option<Mask>) -> (Vec<f64>, Vec<f64>) {
    let (mut all, mut out) = (Vec::new(), vec![0.0; v.len()]);
    for ends in shape.offsets.windows(2) {
        for head in 0..shape.heads {
            let column = head * shape.head_dim;
            let cut = |x: &[f32]| -> Vec<f32> {
                (ends[0]..ends[1]).flat_map(|t| x[t * shape.width() + column..][..shape.head_dim].to_vec()).collect()
            };
            let p = reference::probabilities(&cut(q), &cut(k), shape.head_dim, |i, j| {
                shape.reach.is_none_or(|reach| i.abs_diff(j) <= reach) || shape.globals.contains(&(ends[0] + j))
            });
            let (len, v) = (ends[1] - ends[0], cut(v));
            for i in 0..len {
                for j in 0..len {
                    let index = (all.len() + i * len + j) as u32;
                    let used = p[i * len + j] * mask.map_or(1.0, |mask| f64::from(mask.factor(index)));
                    for d in 0..shape.head_dim {
                        out[(ends[0] + i) * shape.width() + column + d] += used * f64::from(v[j * shape.head_dim + d]);
                    }
                }
            }
            all.extend(p);
        }
    }
    (all, out)
}

#[test]
fn forward_agrees_with_plain_loops() {
    for shape in [(5, 6), (2, 32), (1, 17)].into_iter().flat_map(|(heads, head_dim)| shapes(heads, head_dim)) {
        let Shape { heads, head_dim, .. } = shape;
        let [q, k, v] = [1, 2, 3].map(|seed| noise(37 * heads * head_dim, seed));
        for mask in [None, Some(Mask::new(0.2, 7, 1))] {
            let (p, out) = expected(&q, &k, &v, shape, mask);
            assert_close(&attended(&q, &k, &v, shape, mask), &out, 2e-6);
            if mask.is_none() {
                let found = probabilities(&q, &k, shape);
                assert_close(&found, &p, 1e-6);
                assert_close(&context(&found, &v, shape), &out, 2e-6);
            }
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    shapes(2, 6).into_iter().for_each(check_gradients);
}

fn check_gradients(shape: Shape<'_>) {
    let [q, k, v, gradient] = [1, 2, 3, 4].map(|seed| noise(37 * 12, seed));
    let dot = |x: &[f64], gradient: &[f32]| x.iter().zip(gradient).map(|(x, g)| x * f64::from(*g)).sum::<f64>();
    for mask in [None, Some(Mask::new(0.2, 7, 1))] {
        let [found_q, found_k, found_v] = gradients([&q, &k, &v], &gradient, shape, mask);
        let loss = |q: &[f32], k: &[f32], v: &[f32]| dot(&expected(q, k, v, shape, mask).1, &gradient);
        check_gradient(&q, &found_q, 1e-4, |q| loss(q, &k, &v));
        check_gradient(&k, &found_k, 1e-4, |k| loss(&q, k, &v));
        check_gradient(&v, &found_v, 1e-4, |v| loss(&q, &k, v));
    }
    let p = probabilities(&q, &k, shape);
    let of_p = noise(p.len(), 9);
    let (of_q, of_k) = probabilities_backward(&q, &k, &p, &of_p, shape);
    check_gradient(&q, &of_q, 1e-4, |q| dot(&expected(q, &k, &v, shape, None).0, &of_p));
    check_gradient(&k, &of_k, 1e-4, |k| dot(&expected(&q, k, &v, shape, None).0, &of_p));
    // The two steps together are the one fused step.
    let (of_p, of_v) = context_backward(&p, &v, &gradient, shape);
    let (of_q, of_k) = probabilities_backward(&q, &k, &p, &of_p, shape);
    let fused = gradients([&q, &k, &v], &gradient, shape, None);
    let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
    for (found, expected) in [&of_q, &of_k, &of_v].into_iter().zip(&fused) {
        assert_close(found, &wide(expected), 1e-6);
    }
}

/// Sequences of several blocks: a long one with few windows, one that is a block and a bit, a short one.
fn long(globals: &[usize]) -> Shape<'_> {
    Shape { offsets: &[0, 301, 433, 440], heads: 2, head_dim: 6, reach: Some(20), globals }
}

#[test]
fn blocks_give_what_all_pairs_give() {
    let everywhere: Vec<usize> = (0..440).collect();
    for globals in [&[0, 3, 170, 171, 300, 301, 433][..], &everywhere] {
        check_blocks(long(globals));
    }
}

fn check_blocks(shape: Shape<'_>) {
    let [q, k, v, gradient] = [1, 2, 3, 4].map(|seed| noise(440 * 12, seed));
    let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
    for mask in [None, Some(Mask::new(0.2, 7, 1))] {
        assert_close(&attended(&q, &k, &v, shape, mask), &expected(&q, &k, &v, shape, mask).1, 2e-6);
        // All pairs, step by step, each step checked against differences above.
        let p = probabilities(&q, &k, shape);
        let drop = |x: &[f32]| -> Vec<f32> {
            x.iter().zip(0..).map(|(x, i)| x * mask.map_or(1.0, |mask| mask.factor(i))).collect()
        };
        let (of_used, of_v) = context_backward(&drop(&p), &v, &gradient, shape);
        let (of_q, of_k) = probabilities_backward(&q, &k, &p, &drop(&of_used), shape);
        let blocks = gradients([&q, &k, &v], &gradient, shape, mask);
        for (found, expected) in blocks.iter().zip([&of_q, &of_k, &of_v]) {
            assert_close(found, &wide(expected), 2e-6);
        }
    }
}

#[test]
fn tokens_that_all_see_look_across_their_sequences() {
    let globals = [0, 4, 20, 36];
    let shape = Shape { reach: Some(2), globals: &globals, ..shape(2, 6) };
    let [k, v] = [2, 3].map(|seed| noise(37 * 12, seed));
    let [q, gradient] = [1, 4].map(|seed| noise(globals.len() * 12, seed));
    let mask = Mask::new(0.2, 7, 1);
    let expected = |q: &[f32], k: &[f32], v: &[f32]| {
        let (mut out, mut done, mut index) = (vec![0.0; q.len()], 0, 0);
        for ends in OFFSETS.windows(2) {
            let count = globals.iter().filter(|place| (ends[0]..ends[1]).contains(place)).count();
            for head in (0..2).filter(|_| count > 0) {
                for global in done..done + count {
                    let query = &q[global * 12 + head * 6..][..6];
                    let score = |key: usize| -> f64 {
                        let key = &k[key * 12 + head * 6..][..6];
                        query.iter().zip(key).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>() / 6.0_f64.sqrt()
                    };
                    let sum: f64 = (ends[0]..ends[1]).map(|key| score(key).exp()).sum();
                    for key in ends[0]..ends[1] {
                        let used = score(key).exp() / sum * f64::from(mask.factor(index));
                        index += 1;
                        for d in 0..6 {
                            out[global * 12 + head * 6 + d] += used * f64::from(v[key * 12 + head * 6 + d]);
                        }
                    }
                }
            }
            done += count;
        }
        out
    };
    let mut out = vec![9.0; q.len()];
    cross(&q, [&k, &v], shape, Some(mask), &mut out);
    assert_close(&out, &expected(&q, &k, &v), 2e-6);
    let mut found = [vec![9.0; q.len()], vec![9.0; k.len()], vec![9.0; k.len()]];
    let [of_q, of_k, of_v] = &mut found;
    cross_backward([&q, &k, &v], &gradient, shape, Some(mask), [of_q, of_k, of_v]);
    let loss = |q: &[f32], k: &[f32], v: &[f32]| -> f64 {
        expected(q, k, v).iter().zip(&gradient).map(|(x, g)| x * f64::from(*g)).sum()
    };
    check_gradient(&q, &found[0], 1e-4, |q| loss(q, &k, &v));
    check_gradient(&k, &found[1], 1e-4, |k| loss(&q, k, &v));
    check_gradient(&v, &found[2], 1e-4, |v| loss(&q, &k, v));
}

#[test]
fn threads_do_not_change_a_bit() {
    let [q, k, v, gradient] = [1, 2, 3, 4].map(|seed| noise(440 * 12, seed));
    let shape = long(&[0, 170]);
    let mask = Some(Mask::new(0.1, 3, 0));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (attended(&q, &k, &v, shape, mask), gradients([&q, &k, &v], &gradient, shape, mask)))
    };
    assert_eq!(run(1), run(5));
}

#[test]
fn every_isa_computes_the_same_products() {
    for (rows, depth, columns) in [(1, 1, 1), (5, 3, 20), (6, 7, 16), (13, 40, 33)] {
        let (a, b) = (noise(rows * padded(depth), 1), noise(depth * padded(columns), 2));
        let mut expected = vec![0.0; rows * padded(columns)];
        for (i, row) in expected.chunks_exact_mut(padded(columns)).enumerate() {
            for (j, out) in row.iter_mut().enumerate() {
                *out = (0..depth)
                    .map(|p| f64::from(a[i * padded(depth) + p]) * f64::from(b[p * padded(columns) + j]))
                    .sum();
            }
        }
        for isa in Isa::all() {
            let mut c = Vec::new();
            multiply(isa, Operands { a: &a, a_transposed: false, b: &b, rows, depth }, columns, &mut c);
            assert_close(&c, &expected, 1e-5);
        }
    }
}
