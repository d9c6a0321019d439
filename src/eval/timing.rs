//! Rounds of timed work, interleaved so that a slow moment of the machine hits every contender; the clock is passed in.

use std::time::Duration;

/// Tells the time since some moment; passed in, so that what times can be tested.
pub type Clock<'a> = &'a mut dyn FnMut() -> Duration;

/// Times contenders round by round: every round runs each of them once, and each round begins with the next one.
///
/// `work(contender)` is run `warmup` times for each before the first round; those are not timed. `between` is called
/// before every round (`None` while warming up) and may end the whole.
///
/// Returns seconds, `[contender][round]`.
///
/// # Errors
/// The first error of `work` or `between`.
pub fn interleave<E>(
    contenders: usize,
    warmup: usize,
    rounds: usize,
    clock: Clock<'_>,
    mut work: impl FnMut(usize) -> Result<(), E>,
    mut between: impl FnMut(Option<usize>) -> Result<(), E>,
) -> Result<Vec<Vec<f64>>, E> {
    for _ in 0..warmup {
        between(None)?;
        for contender in 0..contenders {
            work(contender)?;
        }
    }
    let mut seconds = vec![Vec::with_capacity(rounds); contenders];
    for round in 0..rounds {
        between(Some(round))?;
        for place in 0..contenders {
            // Who runs first finds other caches than who runs second; the order rotates to share that out.
            let contender = (place + round) % contenders;
            let start = clock();
            work(contender)?;
            seconds[contender].push(clock().saturating_sub(start).as_secs_f64());
        }
    }
    Ok(seconds)
}

/// The value below which a share `q` of the values lies, interpolated linearly as `numpy` does. Sorts the values.
///
/// # Panics
/// When there are no values, or `q` is not within `[0, 1]`.
pub fn percentile(values: &mut [f64], q: f64) -> f64 {
    assert!(!values.is_empty() && (0.0..=1.0).contains(&q), "a percentile of something");
    values.sort_by(f64::total_cmp);
    let position = q * (values.len() - 1) as f64;
    let (low, high) = (position.floor(), position.ceil());
    let (below, above) = (values[low as usize], values[high as usize]);
    below + (above - below) * (position - low)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        for (q, expected) in [(0.0, 1.0), (0.5, 2.5), (0.9, 3.7), (1.0, 4.0), (0.25, 1.75)] {
            assert!((percentile(&mut values, q) - expected).abs() < 1e-12, "{q}");
        }
        assert_eq!(percentile(&mut [7.0], 0.99), 7.0);
    }

    #[test]
    fn contenders_take_turns_and_keep_their_own_times() {
        let now = Cell::new(0);
        let order = std::cell::RefCell::new(Vec::new());
        let times = interleave::<()>(
            3,
            1,
            2,
            &mut || Duration::from_millis(now.get()),
            |contender| {
                order.borrow_mut().push(contender);
                now.set(now.get() + 10 * (contender as u64 + 1));
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
        assert_eq!(order.into_inner(), [0, 1, 2, 0, 1, 2, 1, 2, 0]);
        assert_eq!(times, [[0.01, 0.01], [0.02, 0.02], [0.03, 0.03]]);
    }

    #[test]
    fn an_error_ends_it() {
        let mut clock = || Duration::ZERO;
        let result =
            interleave(1, 0, 5, &mut clock, |_| Ok(()), |round| if round == Some(2) { Err(2) } else { Ok(()) });
        assert_eq!(result, Err(2));
    }
}
