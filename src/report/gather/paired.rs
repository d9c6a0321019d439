//! Two models' answers to the same rows.

use std::collections::BTreeMap;

/// The standard normal's 97.5 % quantile.
const Z: f64 = 1.959_963_984_540_054;

/// The difference of two shares of right answers to the same rows (`own` less `other`) and its 95 % interval; `None`
/// unless both answered the same rows.
///
/// The interval is that of Bonett and Price, “Adjusted Wald confidence interval for a difference of binomial proportions
/// based on paired data”, 2012, equation 4: with one disagreement of each kind added, it keeps its level for few rows.
pub(super) fn difference(own: &BTreeMap<String, bool>, other: &BTreeMap<String, bool>) -> Option<(f64, [f64; 2])> {
    if own.is_empty() || own.len() != other.len() {
        return None;
    }
    let (mut gained, mut lost) = (0_u32, 0_u32);
    for ((row, right), (other_row, other_right)) in own.iter().zip(other) {
        if row != other_row {
            return None;
        }
        match (right, other_right) {
            (true, false) => gained += 1,
            (false, true) => lost += 1,
            _ => {}
        }
    }
    let rows = own.len() as f64;
    let share = |count: u32| (f64::from(count) + 1.0) / (rows + 2.0);
    let (gained_share, lost_share) = (share(gained), share(lost));
    let center = gained_share - lost_share;
    let half_width = Z * ((gained_share + lost_share - center * center) / (rows + 2.0)).sqrt();
    Some(((f64::from(gained) - f64::from(lost)) / rows, [center - half_width, center + half_width]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(right: impl Fn(u32) -> bool, rows: u32) -> BTreeMap<String, bool> {
        (0..rows).map(|row| (row.to_string(), right(row))).collect()
    }

    #[test]
    fn answers_to_the_same_rows_are_compared() {
        // 60 rows lost, 30 gained, of 1,000: (61 − 31) / 1002 with a standard error of √(92 / 1002 − 0.0299²) / √1002.
        let own = answers(|row| row >= 60, 1000);
        let other = answers(|row| row < 970, 1000);
        let (value, [low, high]) = difference(&own, &other).unwrap();
        assert!((value - -0.03).abs() < 1e-12);
        assert!((low - -0.048_62).abs() < 5e-5 && (high - -0.011_26).abs() < 5e-5, "{low} {high}");
        let (value, [low, high]) = difference(&own, &own).unwrap();
        assert!(value == 0.0 && low < 0.0 && high > 0.0, "equal answers are never a significant difference");
    }

    #[test]
    fn other_rows_are_not_compared() {
        let own = answers(|_| true, 10);
        assert_eq!(difference(&own, &answers(|_| true, 11)), None);
        assert_eq!(difference(&BTreeMap::new(), &BTreeMap::new()), None);
        let mut other = own.clone();
        other.remove("3");
        other.insert("x".into(), true);
        assert_eq!(difference(&own, &other), None);
    }
}
