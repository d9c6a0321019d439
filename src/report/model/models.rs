//! A model with its numbers, and how it compares with others.

use crate::stage::Metric;

/// What the quality column shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QualityBasis {
    /// The metric's name: `accuracy`.
    pub metric: String,
    /// The dataset, if the evaluation named it.
    pub dataset: Option<String>,
    /// Its split, if the evaluation named it.
    pub split: Option<String>,
    /// How many rows were scored.
    pub rows: Option<u64>,
}

/// What the latency column shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpeedBasis {
    /// The bench stage.
    pub stage: String,
    /// Rows a batch.
    pub batch: u64,
    /// Tokens a row.
    pub length: u64,
    /// How many threads, if the bench said so.
    pub threads: Option<String>,
    /// The processor or, failing that, the machine.
    pub machine: Option<String>,
}

/// A model with its numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelLine {
    /// Its stage: `student`.
    pub name: String,
    /// The kind of that stage: `distill`.
    pub kind: String,
    /// What the recipe says about it.
    pub about: String,
    /// Whether others are compared with it.
    pub is_baseline: bool,
    /// Its score.
    pub quality: Option<Metric>,
    /// How far its score is from the baseline's.
    pub difference: Option<Difference>,
    /// How often it says what its teacher says.
    pub agreement: Option<Metric>,
    /// Median latency at [`SpeedBasis`].
    pub latency: Option<Compared>,
    /// Peak memory of a process that runs it.
    pub peak_memory: Option<Compared>,
    /// Bytes on disk.
    pub size: Option<Compared>,
    /// Parameters.
    pub parameters: Option<Compared>,
    /// Multiply-accumulates of one row.
    pub macs: Option<Compared>,
}

/// A number and how much better it is than another model's.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The number.
    pub metric: Metric,
    /// How much better; none for the baseline itself.
    pub gain: Option<Gain>,
}

/// A ratio that is above 1 where a model is better (faster, smaller, fewer) than another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The ratio.
    pub factor: f64,
    /// Its 95 % interval, where rounds were paired.
    pub interval: Option<[f64; 2]>,
}

/// A difference of two scores: this model less the other, in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The difference.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    /// Where the interval comes from.
    pub evidence: Evidence,
}

/// Where the interval of a difference comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Both models were compared row by row.
    Paired,
    /// From the two models' own intervals, as if their rows were independent: wider than a paired one.
    Intervals,
    /// There is none.
    None,
}

/// An evaluation over seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedLine {
    /// Its stage without its seeds: `scores@student`.
    pub stage: String,
    /// How many seeds.
    pub n_seeds: usize,
    /// The mean, with its deviation and interval.
    pub metric: Metric,
    /// The stage that it is compared with; none for that itself.
    pub versus: Option<String>,
    /// The mean of the differences within a seed.
    pub difference: Option<Difference>,
}

/// What one stage cost: a model beside its nearest scored ancestor or, for a data stage, a model beside its control.
#[derive(Clone, Debug, PartialEq)]
pub struct StepLine {
    /// The stage: the model that it made, or the data.
    pub stage: String,
    /// The kind of the stage.
    pub kind: String,
    /// For a data stage, the model that learned from its output; `parent` is then the control, which differs from that
    /// model in not having this stage.
    pub learned: Option<String>,
    /// The model that this one is compared with; none for the first.
    pub parent: Option<String>,
    /// The model's score.
    pub quality: Metric,
    /// The parent's score.
    pub parent_quality: Option<f64>,
    /// How far the score is from the parent's.
    pub difference: Option<Difference>,
    /// How much smaller on disk than the parent.
    pub size: Option<Gain>,
    /// How much faster than the parent.
    pub speed: Option<Gain>,
}

impl Gain {
    /// Whether the difference is real; `None` without an interval.
    #[must_use]
    pub fn is_significant(&self) -> Option<bool> {
        self.interval.map(|[low, high]| low > 1.0 || high < 1.0)
    }
}

impl Difference {
    /// Whether the difference is real; `None` without an interval.
    #[must_use]
    pub fn is_significant(&self) -> Option<bool> {
        self.interval.map(|[low, high]| low > 0.0 || high < 0.0)
    }
}
