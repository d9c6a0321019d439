//! Maps values to coordinates, and finds round numbers to write beside an axis.

/// A linear or logarithmic map from values to coordinates.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    is_log: bool,
    ticks: Vec<f64>,
}

impl Scale {
    /// A linear scale whose ends are the round numbers around the values.
    pub(super) fn linear(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = range(values);
        let step = round_step((high - low) / 5.0);
        let (low, high) = ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step);
        let count = ((high - low) / step).round() as usize;
        let ticks = (0..=count).map(|i| low + step * i as f64).collect();
        Self { low, high, from, to, is_log: false, ticks }
    }

    /// A linear scale that ends at the values themselves: for steps and epochs.
    pub(super) fn exact(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let are_counts = values.iter().all(|value| value.fract() == 0.0);
        let (low, high) = range(values);
        let step = round_step((high - low) / 5.0);
        let step = if are_counts { step.max(1.0) } else { step };
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|i| step * i as f64).collect();
        Self { low, high, from, to, is_log: false, ticks }
    }

    /// A linear scale, or a logarithmic one where the values span more than a factor of 12.
    pub(super) fn of_costs(values: &[f64], from: f64, to: f64) -> Self {
        let (low, high) = range(values.iter().copied());
        if low <= 0.0 || high / low <= 12.0 {
            return Self::linear(values.iter().copied().chain([0.0]), from, to);
        }
        Self::logarithmic(values.iter().copied(), from, to)
    }

    /// A logarithmic scale of what is above 0, with a margin and ticks at 1, 2 and 5.
    pub(super) fn logarithmic(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = range(values.into_iter().filter(|value| *value > 0.0));
        let (low, high) = (low.max(f64::MIN_POSITIVE) / 1.25, high * 1.25);
        let ticks = (low.log10().floor() as i32..=high.log10().ceil() as i32)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
            .filter(|tick| (low..=high).contains(tick))
            .collect();
        Self { low, high, from, to, is_log: true, ticks }
    }

    /// A logarithmic scale that ends at the values, which are its ticks: for lengths that double.
    pub(super) fn powers(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let mut ticks: Vec<f64> = values.into_iter().filter(|value| *value > 0.0).collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        let (low, high) = range(ticks.iter().copied());
        Self { low: low.max(f64::MIN_POSITIVE), high, from, to, is_log: true, ticks }
    }

    /// A logarithmic scale that ends at the values, with ticks at powers of ten; at 1, 2 and 5 where those would be few.
    pub(super) fn decades(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = range(values.into_iter().filter(|value| *value > 0.0));
        let low = low.max(f64::MIN_POSITIVE);
        let digits: &[f64] = if high / low > 500.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let ticks = (low.log10().floor() as i32..=high.log10().ceil() as i32)
            .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)))
            .filter(|tick| (low..=high).contains(tick) && *tick >= 1.0)
            .collect();
        Self { low, high, from, to, is_log: true, ticks }
    }

    /// The coordinate of a value.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }

    /// Round values to write beside the axis.
    pub(super) fn ticks(&self) -> &[f64] {
        &self.ticks
    }
}

/// The ends of the values; never empty, so that one value or none draws as well.
fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let mut ends = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.into_iter().filter(|value| value.is_finite()) {
        ends = (ends.0.min(value), ends.1.max(value));
    }
    match ends {
        (low, high) if low > high => (0.0, 1.0),
        (low, high) if (high - low).abs() <= 1e-12 * high.abs().max(1e-6) => {
            let margin = if low == 0.0 { 1.0 } else { low.abs() * 0.05 };
            (low - margin, high + margin)
        }
        ends => ends,
    }
}

/// The round number (1, 2 or 5 times a power of ten) at or above a step.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|digit| digit * power >= step * (1.0 - 1e-9));
    digit.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(scale: &Scale) -> Vec<String> {
        scale.ticks().iter().map(|tick| format!("{tick:.3}")).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(shown(&Scale::linear([0.8222, 0.8806], 0.0, 1.0)), ["0.820", "0.840", "0.860", "0.880", "0.900"]);
        assert_eq!(shown(&Scale::exact([1.0, 3.0], 0.0, 1.0)), ["1.000", "2.000", "3.000"]);
        assert_eq!(shown(&Scale::of_costs(&[3.0, 90.0], 0.0, 1.0)), ["5.000", "10.000", "20.000", "50.000", "100.000"]);
        assert_eq!(
            shown(&Scale::of_costs(&[17.0, 91.0], 0.0, 1.0)),
            ["0.000", "20.000", "40.000", "60.000", "80.000", "100.000"]
        );
    }

    #[test]
    fn few_or_odd_values_still_make_a_scale() {
        for values in [
            vec![],
            vec![0.0],
            vec![0.86],
            vec![-3.0, -3.0],
            vec![f64::NAN, 1.0],
            vec![1e300, -1e300],
            vec![1e-12, 2e-12],
        ] {
            let scale = Scale::linear(values.iter().copied(), 0.0, 100.0);
            assert!((2..=12).contains(&scale.ticks().len()), "{values:?}: {:?}", scale.ticks());
            for value in values.into_iter().filter(|value| value.is_finite()) {
                assert!((-0.1..=100.1).contains(&scale.at(value)), "{value}: {}", scale.at(value));
            }
        }
    }
}
