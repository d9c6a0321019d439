//! The list of metrics: numbers computed from a confusion matrix.

mod accuracy;
mod agreement;
mod f1;
mod matthews;

pub use accuracy::ACCURACY;
pub use agreement::AGREEMENT;
pub use f1::MACRO_F1;
pub use matthews::MATTHEWS;

use super::Counts;

/// A score of a classifier. A new one is its file and its lines here.
pub struct Metric {
    /// Its name in records: `accuracy`.
    pub name: &'static str,
    /// Whether it is a share, `0.0` to `1.0`; otherwise a plain number.
    pub is_share: bool,
    /// The score of a confusion matrix; 0 of an empty one.
    pub score: fn(&Counts) -> f64,
}

/// What is computed against true labels.
pub static METRICS: &[&Metric] = &[&ACCURACY, &MACRO_F1, &MATTHEWS];
