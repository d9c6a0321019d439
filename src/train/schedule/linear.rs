//! Linear decay.

/// What is left of the learning rate after a share of the steps that follow the warm-up.
pub(super) fn share(done: f64) -> f64 {
    (1.0 - done).max(0.0)
}
