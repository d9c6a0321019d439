//! 95 % intervals by resampling rows: percentile bootstrap, seeded (Efron, 1979).

use super::{Counts, Metric, percentile};
use crate::base::rng;

/// A 95 % interval, `[low, high]`.
pub type Interval = [f64; 2];

/// Enough for the second digit of an interval's ends.
const RESAMPLES: usize = 2000;

/// The interval of a metric over rows that are drawn again with replacement.
///
/// All metrics of one seed and row count see the same resamples.
#[must_use]
pub fn bootstrap_metric(metric: &Metric, truth: &[u32], predicted: &[u32], n_labels: usize, seed: u64) -> Interval {
    let mut counts = Counts::new(n_labels);
    resample(truth.len(), seed, |rows| {
        counts.clear();
        for &row in rows {
            counts.add(truth[row], predicted[row]);
        }
        (metric.score)(&counts)
    })
}

/// The interval of a difference of shares of right answers, `a − b`, of two models on the same rows: rows are drawn
/// in pairs, so that what is hard for both does not widen the interval.
#[must_use]
pub fn bootstrap_share_difference(truth: &[u32], a: &[u32], b: &[u32], seed: u64) -> Interval {
    let differences: Vec<i64> = truth
        .iter()
        .zip(a.iter().zip(b))
        .map(|(truth, (a, b))| i64::from(a == truth) - i64::from(b == truth))
        .collect();
    resample(differences.len(), seed, |rows| {
        rows.iter().map(|&row| differences[row]).sum::<i64>() as f64 / rows.len() as f64
    })
}

/// The interval of the median of some values.
#[must_use]
pub fn bootstrap_median(values: &[f64], seed: u64) -> Interval {
    let mut drawn = Vec::with_capacity(values.len());
    resample(values.len(), seed, |rows| {
        drawn.clear();
        drawn.extend(rows.iter().map(|&row| values[row]));
        percentile(&mut drawn, 0.5)
    })
}

/// The interval of the mean of some values.
#[must_use]
pub fn bootstrap_mean(values: &[f64], seed: u64) -> Interval {
    resample(values.len(), seed, |rows| rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64)
}

pub(super) fn resample(n: usize, seed: u64, mut statistic: impl FnMut(&[usize]) -> f64) -> Interval {
    if n == 0 {
        return [0.0, 0.0];
    }
    let mut stream = rng::stream(seed, "bootstrap");
    let mut rows = vec![0; n];
    let mut values: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            rows.fill_with(|| rng::below(&mut stream, n));
            statistic(&rows)
        })
        .collect();
    [percentile(&mut values, 0.025), percentile(&mut values, 0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::ACCURACY;

    #[test]
    fn an_interval_of_a_share_is_about_the_binomial_one() {
        // 800 of 1000 right: the normal approximation is 0.8 ± 1.96 √(0.8·0.2/1000) = 0.8 ± 0.0248.
        let truth = vec![0; 1000];
        let predicted: Vec<u32> = (0..1000).map(|row| u32::from(row % 5 == 0)).collect();
        let [low, high] = bootstrap_metric(&ACCURACY, &truth, &predicted, 2, 7);
        assert!((low - 0.7752).abs() < 0.004 && (high - 0.8248).abs() < 0.004, "{low} {high}");
        assert_eq!([low, high], bootstrap_metric(&ACCURACY, &truth, &predicted, 2, 7));
        assert_ne!([low, high], bootstrap_metric(&ACCURACY, &truth, &predicted, 2, 8));
    }

    #[test]
    fn pairs_narrow_the_interval_of_a_difference() {
        let truth = vec![0; 400];
        let a: Vec<u32> = (0..400).map(|row| u32::from(row % 4 == 0)).collect();
        assert_eq!(bootstrap_share_difference(&truth, &a, &a, 1), [0.0, 0.0]);
        let mut b = a.clone();
        b[0] = 0;
        let [low, high] = bootstrap_share_difference(&truth, &b, &a, 1);
        assert!(low >= 0.0 && high <= 0.01, "{low} {high}");
    }

    #[test]
    fn medians() {
        assert_eq!(bootstrap_median(&[2.0; 20], 3), [2.0, 2.0]);
        let values: Vec<f64> = (0..101).map(f64::from).collect();
        let [low, high] = bootstrap_median(&values, 3);
        assert!(low > 30.0 && low < 50.0 && high > 50.0 && high < 70.0, "{low} {high}");
    }
}
