//! The length from which on one way to compute is faster than another.

/// From which length on something is faster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Crossover {
    /// At every length that was measured.
    Always,
    /// From about so many tokens on.
    From(f64),
    /// At no length, or not at the longest.
    Never,
}

/// How many times faster something is at a length: the median, and the interval of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speedup {
    /// Tokens.
    pub length: usize,
    /// Above 1 where it is faster.
    pub median: f64,
    /// What the median is within.
    pub interval: [f64; 2],
}

/// The length from which on all intervals are above 1: between the last that is not and the first that is, where a line
/// through the logarithms of medians and lengths says 1.
#[must_use]
pub fn crossover(by_length: &[Speedup]) -> Crossover {
    let slower = by_length.iter().rposition(|at| at.interval[0] <= 1.0);
    let Some(last) = slower else { return Crossover::Always };
    let (before, Some(after)) = (by_length[last], by_length.get(last + 1)) else { return Crossover::Never };
    let (low, high) = (before.median.max(1e-9).ln(), after.median.ln());
    let share = if high > low { (-low / (high - low)).clamp(0.0, 1.0) } else { 1.0 };
    let [short, long] = [before, *after].map(|at| (at.length as f64).ln());
    Crossover::From((short + share * (long - short)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(medians: &[f64]) -> Crossover {
        let at = |(i, &median): (usize, &f64)| Speedup {
            length: 512 << i,
            median,
            interval: [median * 0.95, median * 1.05],
        };
        crossover(&medians.iter().enumerate().map(at).collect::<Vec<_>>())
    }

    #[test]
    fn it_is_where_the_medians_cross() {
        assert_eq!(of(&[1.2, 1.5, 2.0]), Crossover::Always);
        assert_eq!(of(&[0.5, 0.9, 1.04]), Crossover::Never);
        assert_eq!(of(&[1.5, 0.9]), Crossover::Never);
        assert_eq!(of(&[]), Crossover::Always);
        // Half as fast at 512 and twice at 1,024: equal in the geometric middle.
        let Crossover::From(tokens) = of(&[0.5, 2.0, 4.0]) else { panic!() };
        assert!((tokens - 512.0 * 2.0_f64.sqrt()).abs() < 1e-6, "{tokens}");
        // What is not certain is not faster; the median is, so it is from there on.
        assert_eq!(of(&[0.5, 1.02, 4.0]), Crossover::From((1024.0_f64.ln()).exp()));
    }
}
