//! Runs models over datasets: predictions in order, scores with intervals, timings, memory.

mod bootstrap;
mod confusion;
mod crossover;

mod error;
mod labels;
mod machine;

mod mechanism;
mod metrics;
mod paired;
mod predict;
mod predictions;
mod probe;
mod rouge;
mod sentence_scores;
mod size;
mod timing;

pub use crate::base::argmax::argmax;
pub use bootstrap::{Interval, bootstrap_mean, bootstrap_median, bootstrap_metric, bootstrap_share_difference};
pub use confusion::Counts;
pub use crossover::{Crossover, Speedup, crossover};
pub use error::EvalError;
pub use labels::LabelMap;
pub use machine::{Busy, Machine, cpu_seconds};
pub use mechanism::Mechanism;
pub use metrics::{ACCURACY, AGREEMENT, MACRO_F1, MATTHEWS, METRICS, Metric};
pub use paired::{Contender, Effort, Ratio, Turns, bootstrap_difference, mcnemar};
pub use predict::{InputFormat, OutputFormat, PredictOptions, predict};
pub use predictions::{Predictions, RunOptions, answer, cross_entropy, run, run_model, softmax};
pub use probe::{Probe, probe, random_batch};
pub use rouge::{Rouge, RougeScore, RougeScores};
pub use sentence_scores::SentenceScorer;
pub use size::size_on_disk;
pub use timing::{Clock, interleave, percentile};
