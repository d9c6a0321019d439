//! Cosine decay (Loshchilov and Hutter, 2017, eq. 5, without restarts).

use std::f64::consts::PI;

/// What is left of the learning rate after a share of the steps that follow the warm-up.
pub(super) fn share(done: f64) -> f64 {
    0.5 * (1.0 + (PI * done.min(1.0)).cos())
}
