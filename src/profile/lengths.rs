//! How long texts are: counted by length, in memory that does not grow with the rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Lengths of more binary digits than these are counted together with those that begin with the same digits: what is told of them
/// is right to one part in 4,096.
const DIGITS: u32 = 13;

/// Where the bins of a histogram begin up to 100, ten a decade; above, they go on as [`HUNDREDS`] times a power of ten. The same
/// for all texts, so that two histograms can be laid over each other.
const UP_TO_HUNDRED: [u64; 19] = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 63, 80, 100];
/// The preferred numbers of ISO 3, series R10.
const HUNDREDS: [u64; 10] = [125, 160, 200, 250, 315, 400, 500, 630, 800, 1000];

/// How long some texts are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lengths {
    /// The texts that were measured.
    pub rows: u64,
    /// The shortest.
    pub min: u64,
    /// The lower quartile. Quantiles are interpolated between the two nearest lengths.
    pub p25: f64,
    /// The median.
    pub p50: f64,
    /// The upper quartile.
    pub p75: f64,
    /// 95 % of the texts are no longer.
    pub p95: f64,
    /// 99 % of the texts are no longer.
    pub p99: f64,
    /// The longest.
    pub max: u64,
    /// The mean.
    pub mean: f64,
    /// A histogram, from the first bin that has a text to the last.
    pub bins: Vec<Bin>,
}

/// A bin of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// The least length in it.
    pub from: u64,
    /// The least length beyond it.
    pub to: u64,
    /// The texts in it.
    pub rows: u64,
}

/// Lengths and how many texts have them.
#[derive(Clone, Debug, Default)]
pub(super) struct LengthTally {
    counts: BTreeMap<u64, u64>,
    rows: u64,
    sum: u128,
    max: u64,
}

impl LengthTally {
    pub(super) fn add(&mut self, length: u64) {
        *self.counts.entry(rounded(length)).or_default() += 1;
        self.rows += 1;
        self.sum += u128::from(length);
        self.max = self.max.max(length);
    }

    pub(super) fn merge(&mut self, next: &Self) {
        for (length, count) in &next.counts {
            *self.counts.entry(*length).or_default() += count;
        }
        self.rows += next.rows;
        self.sum += next.sum;
        self.max = self.max.max(next.max);
    }

    /// Texts that are longer than `most`.
    pub(super) fn longer(&self, most: u64) -> u64 {
        self.counts.range(most.saturating_add(1)..).map(|(_, count)| count).sum()
    }

    pub(super) fn quantile(&self, share: f64) -> f64 {
        if self.rows == 0 {
            return 0.0;
        }
        let place = (self.rows - 1) as f64 * share;
        let (low, high) = (self.at(place.floor() as u64), self.at(place.ceil() as u64));
        low as f64 + (high - low) as f64 * place.fract()
    }

    /// The length at a place among all, from the shortest.
    fn at(&self, place: u64) -> u64 {
        let mut before = 0;
        for (length, count) in &self.counts {
            before += count;
            if before > place {
                return *length;
            }
        }
        self.max
    }

    pub(super) fn lengths(&self) -> Lengths {
        let quantile = |share| self.quantile(share);
        Lengths {
            rows: self.rows,
            min: self.counts.keys().next().copied().unwrap_or_default(),
            p25: quantile(0.25),
            p50: quantile(0.5),
            p75: quantile(0.75),
            p95: quantile(0.95),
            p99: quantile(0.99),
            max: self.max,
            mean: if self.rows == 0 { 0.0 } else { self.sum as f64 / self.rows as f64 },
            bins: self.bins(),
        }
    }

    fn bins(&self) -> Vec<Bin> {
        let mut bins: Vec<Bin> = Vec::new();
        let mut edges = edges();
        let mut from = edges.next().unwrap_or_default();
        let mut counts = self.counts.iter().peekable();
        for to in edges {
            let mut rows = 0;
            while let Some((_, count)) = counts.next_if(|(length, _)| **length < to) {
                rows += count;
            }
            if rows > 0 || !bins.is_empty() {
                bins.push(Bin { from, to, rows });
            }
            from = to;
            if counts.peek().is_none() {
                break;
            }
        }
        bins
    }
}

impl Lengths {
    /// Two sets of texts together, as far as both tell: rows, mean, longest, bins. Quantiles cannot be joined and are 0.
    #[must_use]
    pub fn joined<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut joined = Self { min: u64::MAX, ..Self::default() };
        let mut bins: BTreeMap<u64, Bin> = BTreeMap::new();
        let mut sum = 0.0;
        for lengths in all.into_iter().filter(|lengths| lengths.rows > 0) {
            joined.rows += lengths.rows;
            joined.min = joined.min.min(lengths.min);
            joined.max = joined.max.max(lengths.max);
            sum += lengths.mean * lengths.rows as f64;
            for bin in &lengths.bins {
                bins.entry(bin.from).and_modify(|known| known.rows += bin.rows).or_insert(*bin);
            }
        }
        if joined.rows == 0 {
            return Self::default();
        }
        joined.mean = sum / joined.rows as f64;
        joined.bins = bins.into_values().collect();
        joined
    }
}

/// A length without its last digits, if it has more than [`DIGITS`].
fn rounded(length: u64) -> u64 {
    let shift = (u64::BITS - length.leading_zeros()).saturating_sub(DIGITS);
    length >> shift << shift
}

/// Where bins begin.
fn edges() -> impl Iterator<Item = u64> {
    let powers = (0..17).map(|power| 10_u64.pow(power));
    UP_TO_HUNDRED.into_iter().chain(powers.flat_map(|power| HUNDREDS.map(|edge| edge * power))).chain([u64::MAX])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lengths: impl IntoIterator<Item = u64>) -> LengthTally {
        let mut tally = LengthTally::default();
        lengths.into_iter().for_each(|length| tally.add(length));
        tally
    }

    /// Checked against `numpy.percentile`.
    #[test]
    fn quantiles_are_interpolated() {
        let lengths = tally([7, 1, 3, 3, 100]).lengths();
        assert_eq!((lengths.rows, lengths.min, lengths.max, lengths.mean), (5, 1, 100, 22.8));
        assert_eq!((lengths.p25, lengths.p50, lengths.p75), (3.0, 3.0, 7.0));
        assert!((lengths.p95 - 81.4).abs() < 1e-9 && (lengths.p99 - 96.28).abs() < 1e-9);
        assert_eq!(tally([]).lengths(), Lengths::default());
        assert_eq!(tally([4]).lengths().p99, 4.0);
    }

    #[test]
    fn parts_make_the_same_whole() {
        let all: Vec<u64> = (0..10_000).map(|i| i * i % 70_001).collect();
        let mut parts = LengthTally::default();
        all.chunks(77).for_each(|part| parts.merge(&tally(part.iter().copied())));
        let whole = tally(all.iter().copied());
        assert_eq!(parts.lengths(), whole.lengths());
        assert_eq!(whole.longer(512), all.iter().filter(|length| **length > 512).count() as u64);
        assert_eq!(whole.lengths().bins.iter().map(|bin| bin.rows).sum::<u64>(), 10_000);
    }

    #[test]
    fn bins_touch_and_memory_is_bounded() {
        let huge = tally((0..200_000).map(|i| i * 1_000_003).chain([u64::MAX]));
        assert!(huge.counts.len() < 8_192 + 4_096 * 51);
        let lengths = huge.lengths();
        assert!(lengths.bins.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].from < pair[0].to));
        assert_eq!(lengths.bins.iter().map(|bin| bin.rows).sum::<u64>(), 200_001);
        assert!((lengths.p50 / 100_000.0 / 1_000_003.0 - 1.0).abs() < 1.0 / 4_096.0);
        let small = tally([0, 5, 9]).lengths().bins;
        assert_eq!((small[0].from, small[0].to, small.len()), (0, 1, 8));
    }

    #[test]
    fn sets_are_joined() {
        let (a, b) = (tally([1, 5]).lengths(), tally([30, 5, 2]).lengths());
        let joined = Lengths::joined([&a, &b, &Lengths::default()]);
        assert_eq!((joined.rows, joined.min, joined.max, joined.mean), (5, 1, 30, 8.6));
        assert_eq!(joined.bins.iter().map(|bin| bin.rows).sum::<u64>(), 5);
        assert_eq!(Lengths::joined([]), Lengths::default());
    }
}
