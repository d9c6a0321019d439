//! Numbers that are known within an interval only, and bounds on them.

use super::{Metric, Unit};

/// A number that may be known within an interval only.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) low: f64,
    pub(super) value: f64,
    pub(super) high: f64,
}

impl Known {
    /// What a metric is known to be: shares, which are counted on given rows, and what has no interval, exactly.
    pub(super) fn of(metric: &Metric) -> Self {
        let value = metric.value;
        match metric.interval {
            Some([low, high]) if metric.unit != Unit::Share => {
                Self { low: low.min(value), value, high: high.max(value) }
            }
            _ => Self { low: value, value, high: value },
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self { low: self.low - other.high, value: self.value - other.value, high: self.high - other.low }
    }

    pub(super) fn over(self, other: Self) -> Self {
        Self { low: self.low / other.high, value: self.value / other.value, high: self.high / other.low }
    }

    /// Whether it is at most a bound, or may be.
    pub(super) fn at_most(self, bound: f64) -> Kept {
        Kept::of(self.value <= bound, self.low <= bound)
    }

    pub(super) fn at_least(self, bound: f64) -> Kept {
        Kept::of(self.value >= bound, self.high >= bound)
    }
}

/// Whether a bound is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    /// What was measured is beyond it, but not by more than it varies.
    WithinNoise,
    No,
}

impl Kept {
    fn of(value: bool, interval: bool) -> Self {
        match (value, interval) {
            (true, _) => Self::Yes,
            (false, true) => Self::WithinNoise,
            (false, false) => Self::No,
        }
    }
}
