//! What a run found, for people and programs: data in, bytes out.

mod diff;
mod error;
mod formats;
mod gather;
pub mod markup;
mod model;
mod overlap;
mod plot;
mod table;
mod words;

pub use diff::{Piece, words as changed_words};
pub use error::ReportError;
pub use formats::{FORMATS, METRICS_VERSION, MetricsFile, MetricsGate, Output, Renderer};
pub use gather::{Answers, Summary};
pub use model::{
    AttentionCell, AttentionLine, AttentionTable, Compared, ConfusionLine, CurvePlot, DataProfile, DataSide, DataSplit,
    Difference, Environment, Evidence, Example, ExampleText, Gain, GateLine, GateState, LengthLine, LengthPoint,
    LengthShape, LengthTable, ModelLine, Options, Outcome, QualityBasis, Report, ScoreLine, SeedLine, Series,
    SpeedBasis, SpeedRow, SpeedTable, StageLine, StageSamples, StepLine, SummaryLine, SummaryTable,
};

/// Renders a report in every format: `index.html`, `report.md`, `metrics.json`, `junit.xml`, `bench.json`.
///
/// # Errors
/// When a template fails, which is a bug of this crate.
pub fn render(report: &Report) -> Result<Vec<Output>, ReportError> {
    FORMATS
        .iter()
        .map(|format| Ok(Output { name: format.file_name(), bytes: format.render(report)?.into_bytes() }))
        .collect()
}

#[cfg(test)]
mod fixture;
