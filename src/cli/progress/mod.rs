//! A run as it goes: an `EventSink` that draws, writes plain lines, or streams JSON.

mod bars;
mod json;
mod lines;

pub(super) use bars::Bars;
pub(super) use json::JsonLines;
pub(super) use lines::Lines;

use std::time::Duration;

use crate::base::units;

/// Seconds as people read them.
pub(super) fn seconds(seconds: f64) -> String {
    units::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// How long the rest takes if it goes on as it did; nothing is said before there is something to go by.
fn remaining(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    if done == 0 || done >= total || elapsed < Duration::from_secs(1) {
        return None;
    }
    let share = done as f64 / total as f64;
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - share) / share).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_estimated_from_what_is_done() {
        assert_eq!(remaining(Duration::from_secs(10), 1, 4), Some(Duration::from_secs(30)));
        assert_eq!(remaining(Duration::from_secs(10), 0, 4), None);
        assert_eq!(remaining(Duration::from_secs(10), 4, 4), None);
        assert_eq!(remaining(Duration::from_millis(10), 1, 4), None);
    }
}
