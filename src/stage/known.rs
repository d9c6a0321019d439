//! Numbers that are known within an interval only, and bounds on them.

use std::ops::{Neg, Sub};

use super::{Finds, Metric, Unit};

/// A number that may be known within an interval only.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) low: f64,
    pub(super) value: f64,
    pub(super) high: f64,
}

impl Known {
    pub(super) fn exactly(value: f64) -> Self {
        Self { low: value, value, high: value }
    }

    /// What a metric is known to be: shares, which are counted on given rows, and what has no interval, exactly. A mean over seeds is
    /// known within its interval, whatever it counts.
    pub(super) fn of(metric: &Metric) -> Self {
        if metric.unit == Unit::Share && metric.deviation.is_none() {
            Self::exactly(metric.value)
        } else {
            Self::within(metric)
        }
    }

    /// A metric with its interval, whatever it counts.
    fn within(metric: &Metric) -> Self {
        let value = metric.value;
        let [low, high] = metric.interval.unwrap_or([value; 2]);
        Self { low: low.min(value), value, high: high.max(value) }
    }

    fn over(self, other: Self) -> Self {
        Self { low: self.low / other.high, value: self.value / other.value, high: self.high / other.low }
    }

    /// `a · self + b`, for an `a` that is not negative.
    fn scaled(self, a: f64, b: f64) -> Self {
        let of = |x| a * x + b;
        Self { low: of(self.low), value: of(self.value), high: of(self.high) }
    }

    /// Whether it is at most a bound, or may be.
    pub(super) fn at_most(self, bound: f64) -> Kept {
        Kept::of(self.value <= bound, self.low <= bound)
    }

    pub(super) fn at_least(self, bound: f64) -> Kept {
        Kept::of(self.value >= bound, self.high >= bound)
    }
}

impl Sub for Known {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { low: self.low - other.high, value: self.value - other.value, high: self.high - other.low }
    }
}

impl Neg for Known {
    type Output = Self;

    fn neg(self) -> Self {
        Self { low: -self.high, value: -self.value, high: -self.low }
    }
}

/// A metric beside what it is compared with.
#[derive(Clone, Copy)]
pub(super) struct Versus {
    /// What it is compared with.
    pub(super) reference: f64,
    /// The metric less the reference.
    pub(super) rise: Known,
    /// The metric over the reference.
    pub(super) ratio: Known,
    /// The reference over the metric.
    pub(super) speedup: Known,
}

impl Versus {
    /// Two metrics that know nothing of one another.
    pub(super) fn apart(value: &Metric, reference: &Metric) -> Self {
        let (value, reference) = (Known::of(value), Known::of(reference));
        let (rise, ratio, speedup) = (value - reference, value.over(reference), reference.over(value));
        Self { reference: reference.value, rise, ratio, speedup }
    }

    /// A metric, and what a comparison in pairs found of it.
    pub(super) fn paired(value: f64, found: &Metric, finds: Finds) -> Self {
        let found = Known::within(found);
        let (reference, ratio) = match finds {
            Finds::Ratio => (value / found.value, found),
            Finds::Difference => (value - found.value, found.scaled(1.0 / (value - found.value), 1.0)),
        };
        let rise = match finds {
            Finds::Ratio => ratio.scaled(reference, -reference),
            Finds::Difference => found,
        };
        Self { reference, rise, ratio, speedup: Known::exactly(1.0).over(ratio) }
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
