//! Every way of attending, beside plain loops in double precision.

use super::*;
use crate::kernels::reference::{assert_close, noise};

/// Attention where `sees(query, key)` says who sees what; `parts` are queries, keys and values.
fn expected(
    parts: [Rows<'_>; 3],
    shape: (usize, usize),
    heads: Heads,
    sees: impl Fn(usize, usize) -> bool,
) -> Vec<f64> {
    let ((rows, len), width) = (shape, heads.count * heads.dim);
    let at = |part: usize, row: usize, head: usize, i: usize| f64::from(parts[part].of_head(row, head, heads.dim)[i]);
    let mut out = vec![0.0; rows * width];
    for head in 0..heads.count {
        for query in 0..rows {
            let keys: Vec<usize> = (0..len).filter(|key| sees(query, *key)).collect();
            let score = |key: usize| (0..heads.dim).map(|i| at(0, query, head, i) * at(1, key, head, i)).sum::<f64>();
            let scores: Vec<f64> = keys.iter().map(|key| score(*key) / (heads.dim as f64).sqrt()).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
            let total: f64 = weights.iter().sum();
            for i in 0..heads.dim {
                let sum: f64 = weights.iter().zip(&keys).map(|(weight, key)| weight * at(2, *key, head, i)).sum();
                out[query * width + head * heads.dim + i] = sum / total;
            }
        }
    }
    out
}

/// Large scores: a softmax without the greatest taken off would overflow.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    noise(n, seed).iter().map(|x| x * 6.0).collect()
}

fn parts(qkv: &[f32], width: usize) -> [Rows<'_>; 3] {
    [0, 1, 2].map(|part| Rows::new(qkv, 3 * width, part * width))
}

/// The whole, after it was found to be as exact as it should be and the same when it is cut.
fn check(isa: Isa, qkv: &[f32], heads: Heads, window: Window<'_>, expected: &[f64]) -> Vec<f32> {
    let width = heads.count * heads.dim;
    let len = qkv.len() / (3 * width);
    let mut scratch = Scratch::default();
    // What an earlier call left behind must not be seen.
    scratch.near.keys.resize(64 * 192 * heads.dim, f32::NAN);
    scratch.near.values.resize(64 * 192 * heads.dim, f32::NAN);
    scratch.globals.keys.resize(64 * 192, f32::NAN);
    let mut out = vec![9.0; len * width];
    forward_on(isa, Rows::new(qkv, 3 * width, 0), heads, window, 0..len, &mut scratch, &mut out);
    assert_close(&out, expected, 1e-4);
    let mut cut = Vec::new();
    for rows in [0..len / 3, len / 3..len / 2, len / 2..len / 2 + len % 2, len / 2 + len % 2..len] {
        let mut part = vec![9.0; rows.len() * width];
        forward_on(isa, Rows::new(qkv, 3 * width, 0), heads, window, rows, &mut scratch, &mut part);
        cut.extend(part);
    }
    assert_eq!(cut, out, "{len} {heads:?} {window:?} {isa:?}");
    out
}

#[test]
fn agrees_with_plain_loops_on_every_isa_however_it_is_cut() {
    let shapes = [(1, 1, 1), (5, 2, 6), (17, 3, 8), (65, 2, 32), (48, 1, 64), (193, 2, 12), (400, 1, 20)];
    for (len, count, dim) in shapes {
        let heads = Heads { count, dim };
        let qkv = numbers(len * 3 * count * dim, 1);
        let expected = expected(parts(&qkv, count * dim), (len, len), heads, |_, _| true);
        for isa in Isa::all() {
            let all = check(isa, &qkv, heads, Window::ALL, &expected);
            for reach in [len, len + 1000] {
                let wide = check(isa, &qkv, heads, Window { reach, globals: &[] }, &expected);
                assert_eq!(wide, all, "a window wider than the sequence is no window");
            }
        }
    }
}

#[test]
fn windows_and_global_keys_agree_with_plain_loops() {
    let shapes = [(1, 1, 4), (7, 2, 6), (50, 1, 32), (191, 1, 5), (385, 2, 16), (701, 1, 8)];
    for (len, count, dim) in shapes {
        let heads = Heads { count, dim };
        let qkv = numbers(len * 3 * count * dim, 2);
        let some: Vec<usize> = (0..len).filter(|place| place % 7 == 3).collect();
        let most: Vec<usize> = (0..len).filter(|place| place % 3 != 1).collect();
        let all: Vec<usize> = (0..len).collect();
        let places: [&[usize]; 7] = [&[], &[0], &[len - 1], &[0, len / 2], &some, &most, &all];
        for globals in places.into_iter().filter(|globals| globals.is_sorted_by(|a, b| a < b)) {
            for reach in [0, 1, 3, 16, 37, 96, 256] {
                let sees = |query: usize, key: usize| query.abs_diff(key) <= reach || globals.contains(&key);
                let expected = expected(parts(&qkv, count * dim), (len, len), heads, sees);
                for isa in Isa::all() {
                    check(isa, &qkv, heads, Window { reach, globals }, &expected);
                }
            }
        }
    }
}

#[test]
fn queries_of_their_own_see_every_key() {
    for (rows, len, count, dim) in [(1, 1, 1, 3), (1, 300, 2, 32), (9, 40, 3, 8), (70, 193, 1, 20)] {
        let heads = Heads { count, dim };
        let width = count * dim;
        let (queries, kv) = (numbers(rows * width, 3), numbers(len * 2 * width, 4));
        let of_kv = |part: usize| Rows::new(&kv, 2 * width, part * width);
        let kv = [of_kv(0), of_kv(1)];
        let expected = expected([Rows::new(&queries, width, 0), kv[0], kv[1]], (rows, len), heads, |_, _| true);
        for isa in Isa::all() {
            let (mut scratch, mut out) = (Scratch::default(), vec![9.0; rows * width]);
            cross_on(isa, Rows::new(&queries, width, 0), kv, heads, &mut scratch, &mut out);
            assert_close(&out, &expected, 1e-4);
            let cut = rows / 2;
            let mut part = vec![9.0; (rows - cut) * width];
            cross_on(isa, Rows::new(&queries[cut * width..], width, 0), kv, heads, &mut scratch, &mut part);
            assert_eq!(part, out[cut * width..]);
        }
    }
}

#[test]
#[should_panic(expected = "global places ascend")]
fn a_global_place_outside_is_refused() {
    let (heads, mut out) = (Heads { count: 1, dim: 2 }, vec![0.0; 6]);
    forward(
        Rows::new(&[0.0; 18], 6, 0),
        heads,
        Window { reach: 1, globals: &[3] },
        0..3,
        &mut Scratch::default(),
        &mut out,
    );
}
