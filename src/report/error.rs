//! `ReportError`: why a report could not be rendered or read.

/// A failure of this layer.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A template does not fit its data.
    #[error("cannot render the report page: {0}")]
    Template(#[from] minijinja::Error),
    /// Numbers do not serialise or parse.
    #[error("cannot read the metrics: {0}")]
    Metrics(#[from] serde_json::Error),
    /// A metrics file of another version.
    #[error("`metrics.json` has version {found}, this lmpipe reads version {known}; render the report again")]
    Version {
        /// The version in the file.
        found: u64,
        /// The version of this build.
        known: u64,
    },
}
