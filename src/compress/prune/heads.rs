//! `heads`: whole attention heads, those with the least effect on the loss.

use super::Importance;

/// Which heads of each layer stay, ascending: `[layer][kept]`.
pub type HeadChoice = Vec<Vec<usize>>;

/// Chooses the heads that stay when a share of all heads goes.
///
/// Layers are made comparable by dividing each one's importances by their l2 norm (Michel et al., 2019, section 4.1,
/// after Molchanov et al., 2017); the best head of each layer always stays. `round(share · heads)` go, as far as that
/// leaves every layer one.
#[must_use]
pub fn choose_heads(importance: &Importance, share: f64) -> HeadChoice {
    let mut kept: HeadChoice = importance.heads.iter().map(|layer| (0..layer.len()).collect()).collect();
    let mut candidates = Vec::new();
    for (layer, values) in importance.heads.iter().enumerate() {
        let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
        candidates.extend(order.into_iter().skip(1).map(|head| (values[head] / norm, layer, head)));
    }
    let all: usize = importance.heads.iter().map(Vec::len).sum();
    let n_removed = (share * all as f64).round() as usize;
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    for (_, layer, head) in candidates.into_iter().take(n_removed) {
        kept[layer].retain(|&other| other != head);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn importance(heads: &[&[f64]]) -> Importance {
        Importance { heads: heads.iter().map(|layer| layer.to_vec()).collect(), ..Importance::default() }
    }

    #[test]
    fn the_least_important_go_and_every_layer_keeps_one() {
        let importance = importance(&[&[0.1, 5.0, 4.0, 0.2], &[0.01, 0.02, 0.03, 0.04]]);
        assert_eq!(choose_heads(&importance, 0.0), [vec![0, 1, 2, 3], vec![0, 1, 2, 3]]);
        // The small numbers of the second layer are its own scale: its heads are about equally important.
        assert_eq!(choose_heads(&importance, 0.25), [vec![1, 2], vec![0, 1, 2, 3]]);
        assert_eq!(choose_heads(&importance, 0.5), [vec![1, 2], vec![2, 3]]);
        assert_eq!(choose_heads(&importance, 1.0), [vec![1], vec![3]]);
    }
}
