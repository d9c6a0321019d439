//! Comparisons in pairs: two models timed in turns, beside one of them against itself; two models' answers on the same rows.

use std::time::Duration;

use super::{Clock, Counts, Interval, Metric, bootstrap::resample, bootstrap_median, percentile};
use crate::base::rng;

/// Intervals are asked for every so many rounds.
const ROUNDS_A_LOOK: usize = 10;
/// What equals differ by at least, whatever two copies showed: weights that lie elsewhere in memory were seen to make 0.4 %.
const LEAST_NOISE: f64 = 0.005;

/// When timing in turns ends: after `rounds`, as soon as the interval is `precision` to either side of the ratio or the time is over.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The least rounds.
    pub rounds: usize,
    /// Half the width of the interval that is narrow enough, as a share of the ratio.
    pub precision: f64,
    /// How long it may take; the least rounds are made all the same.
    pub time: Duration,
}

/// Who runs in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The model that is compared with.
    Baseline,
    /// The same, loaded once more: what differs between these two is noise.
    Again,
    /// The model.
    Candidate,
}

/// Seconds of rounds, `[round]` each; in a round, all three ran within the same moment of the machine.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    /// Of [`Contender::Baseline`].
    pub baseline: Vec<f64>,
    /// Of [`Contender::Again`].
    pub again: Vec<f64>,
    /// Of [`Contender::Candidate`].
    pub candidate: Vec<f64>,
}

/// A ratio of times with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median over the rounds.
    pub value: f64,
    /// Its interval.
    pub interval: Interval,
}

impl Turns {
    /// Times the three until `effort` is satisfied; the order within a round is drawn, so that none profits from its place.
    ///
    /// `work(contender, round)` is run by each once before the first round; that is not timed. `between` is called before every
    /// round and may end the whole.
    ///
    /// # Errors
    /// The first error of `work` or `between`.
    pub fn take<E>(
        effort: Effort,
        seed: u64,
        clock: Clock<'_>,
        mut work: impl FnMut(Contender, usize) -> Result<(), E>,
        mut between: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut order = [Contender::Baseline, Contender::Again, Contender::Candidate];
        for contender in order {
            work(contender, 0)?;
        }
        let (mut turns, mut stream, began) = (Self::default(), rng::stream(seed, "turns"), clock());
        for round in 0.. {
            let is_look = round >= effort.rounds && round % ROUNDS_A_LOOK == 0;
            let is_over = round >= effort.rounds && clock().saturating_sub(began) >= effort.time;
            if is_over || is_look && turns.ratio(seed).half_width() <= effort.precision {
                break;
            }
            between(round)?;
            rng::shuffle(&mut stream, &mut order);
            for contender in order {
                let start = clock();
                work(contender, round)?;
                // Nothing takes no time: a clock may be coarse.
                let seconds = clock().saturating_sub(start).as_secs_f64().max(1e-9);
                match contender {
                    Contender::Baseline => turns.baseline.push(seconds),
                    Contender::Again => turns.again.push(seconds),
                    Contender::Candidate => turns.candidate.push(seconds),
                }
            }
        }
        Ok(turns)
    }

    /// The baseline's second copy over its first: 1 on a machine that treats equals equally.
    #[must_use]
    pub fn noise(&self, seed: u64) -> Ratio {
        let logs: Vec<f64> = self.again.iter().zip(&self.baseline).map(|(again, first)| (again / first).ln()).collect();
        Ratio::of_logs(&logs, 0.0, seed)
    }

    /// The candidate's time over the baseline's: the median over rounds of the ratio within the round, to the geometric mean of the
    /// baseline's two. Its interval is widened by as much as these two differ, half a percent at least: what equals differ by is no regression.
    #[must_use]
    pub fn ratio(&self, seed: u64) -> Ratio {
        let baselines = self.baseline.iter().zip(&self.again).map(|(first, again)| (first * again).sqrt());
        let logs: Vec<f64> =
            self.candidate.iter().zip(baselines).map(|(own, baseline)| (own / baseline).ln()).collect();
        Ratio::of_logs(&logs, self.noise(seed).value.ln().abs().max(LEAST_NOISE), seed)
    }
}

impl Ratio {
    fn of_logs(logs: &[f64], widened_by: f64, seed: u64) -> Self {
        if logs.is_empty() {
            return Self { value: 1.0, interval: [0.0, f64::INFINITY] };
        }
        let [low, high] = bootstrap_median(logs, seed);
        let value = percentile(&mut logs.to_vec(), 0.5).exp();
        Self { value, interval: [(low - widened_by).exp(), (high + widened_by).exp()] }
    }

    /// Half the width of the interval, as a share of the ratio.
    fn half_width(self) -> f64 {
        (self.interval[1] - self.interval[0]) / (2.0 * self.value)
    }
}

/// The interval of the difference of a metric, `score(a) − score(b)`, of two models on the same rows: rows are drawn in pairs, so that
/// what is hard for both does not widen it.
#[must_use]
pub fn bootstrap_difference(
    metric: &Metric,
    truth: &[u32],
    (a, b): (&[u32], &[u32]),
    n_labels: usize,
    seed: u64,
) -> Interval {
    let mut counts = [Counts::new(n_labels), Counts::new(n_labels)];
    resample(truth.len(), seed, |rows| {
        counts.iter_mut().for_each(Counts::clear);
        for &row in rows {
            counts[0].add(truth[row], a[row]);
            counts[1].add(truth[row], b[row]);
        }
        (metric.score)(&counts[0]) - (metric.score)(&counts[1])
    })
}

/// The chance that models which are right equally often differ as much as `gained` rows one way and `lost` the other, or more: the exact,
/// two-sided test of `McNemar` (1947), by the binomial distribution with p = ½ of the rows on which one of them is right.
#[must_use]
pub fn mcnemar(gained: u64, lost: u64) -> f64 {
    let (n, fewer) = (gained + lost, gained.min(lost));
    // ln C(n, k) − n ln 2, from one k to the next: 2⁻ⁿ alone is no number beyond 1,074 rows.
    let mut log = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = log.exp();
    for k in 0..fewer {
        log += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
        tail += log.exp();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{
        super::{ACCURACY, bootstrap_share_difference},
        *,
    };

    /// A machine under load that changes: stretches in which everything takes up to twice as long, and single turns that take up to
    /// half as long again.
    fn measure(seed: u64, factor: f64) -> Turns {
        let (now, load) = (Cell::new(0.0_f64), Cell::new(1.0_f64));
        let stream = std::cell::RefCell::new(rng::stream(seed, "machine"));
        let draw = || f64::from(rng::uniform(&mut *stream.borrow_mut()));
        let effort = Effort { rounds: 40, precision: 0.015, time: Duration::from_secs(1) };
        let work = |contender, _| {
            if draw() < 0.1 {
                load.set(1.0 + draw());
            }
            let own = if contender == Contender::Candidate { factor } else { 1.0 };
            now.set(now.get() + 0.005 * own * load.get() * (1.0 + 0.5 * draw() * draw()));
            Ok::<(), ()>(())
        };
        Turns::take(effort, seed, &mut || Duration::from_secs_f64(now.get()), work, |_| Ok(())).unwrap()
    }

    #[test]
    fn under_load_equals_are_equal_and_a_sixth_more_work_is_found() {
        let slower = |factor: f64| {
            let is_slower = |seed: &u64| measure(*seed, factor).ratio(7).interval[0] > 1.0;
            (0..60).filter(is_slower).count()
        };
        assert!(slower(1.0) <= 3, "{} false alarms of 60", slower(1.0));
        assert!(slower(1.15) >= 57, "{} of 60 found", slower(1.15));
        let one = measure(1, 1.15);
        assert!(one.baseline.len() >= 40 && one.baseline.len() == one.candidate.len());
        let (ratio, noise) = (one.ratio(7), one.noise(7));
        assert!(ratio.interval[0] < 1.15 && 1.15 < ratio.interval[1], "{ratio:?}");
        assert!(noise.interval[0] < 1.0 && 1.0 < noise.interval[1], "{noise:?}");
    }

    #[test]
    fn a_quiet_machine_is_done_soon_and_an_error_ends_it() {
        let now = Cell::new(0);
        let effort = Effort { rounds: 3, precision: 0.01, time: Duration::from_hours(1) };
        let mut work = |contender, round| {
            now.set(now.get() + if contender == Contender::Candidate { 30 } else { 20 });
            if round == 40 { Err(()) } else { Ok(()) }
        };
        let turns = Turns::take(effort, 1, &mut || Duration::from_millis(now.get()), &mut work, |_| Ok(())).unwrap();
        assert_eq!(turns.candidate.len(), ROUNDS_A_LOOK, "the first look");
        assert!((turns.ratio(1).value - 1.5).abs() < 1e-12);
        let never = Effort { precision: 0.0, ..effort };
        let odd = |contender, round| {
            now.set(now.get() + round as u64 % 7);
            work(contender, round)
        };
        assert!(Turns::take(never, 1, &mut || Duration::from_millis(now.get()), odd, |_| Ok(())).is_err());
    }

    #[test]
    fn differences_are_those_of_shares() {
        let truth = vec![1; 60];
        let (a, b): (Vec<u32>, Vec<u32>) = ((0..60).map(|i| i % 3 % 2).collect(), (0..60).map(|i| i % 2).collect());
        let difference = bootstrap_difference(&ACCURACY, &truth, (&a, &b), 2, 5);
        let expected = bootstrap_share_difference(&truth, &a, &b, 5);
        assert!(difference.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12));
    }

    #[test]
    fn mcnemar_is_scipys() {
        // scipy.stats.binomtest(min(b, c), b + c).pvalue
        for (gained, lost, expected) in [
            (0, 0, 1.0),
            (5, 5, 1.0),
            (0, 5, 0.0625),
            (10, 3, 0.092_285_156_25),
            (40, 20, 0.013_489_293_731_191_86),
            (1100, 1000, 0.030_720_707_864_242),
        ] {
            let found = mcnemar(gained, lost);
            assert!((found - expected).abs() < 1e-9, "{gained} {lost}: {found}");
            assert_eq!(found, mcnemar(lost, gained));
        }
    }
}
