//! The contract between orchestration and numerics: what a stage is.

mod amount;
mod artifact;
mod comparison;
mod context;
mod decode;
mod error;
mod gate;
mod known;
mod metric;
mod params;
mod port;
mod record;
mod registry;
mod seeds;

pub use amount::Amount;
pub use artifact::{Artifact, ArtifactKind};
pub use comparison::{Comparison, Finds, Whose, Wired};
pub use context::{Cancel, Lease, Partial, Progress, StageCtx, StageSink};
pub use error::StageError;
pub use gate::{BASELINE, Bound, Gate, Reference, References, Severity, Verdict};
pub use metric::{Better, Metric, Unit};
pub use params::{Fault, Faults, decode};
pub use port::Port;
pub use record::{Confusion, Curve, Record, RunNode, RunStatus, RunView, Sample};
pub use registry::{Registry, StageSpec};
pub use seeds::{Family, Seeded, Spread, over_seeds};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A kind of stage: its parameters, what it takes and makes, and how it runs.
///
/// A new stage is one file in `stages/` and one line in `stages/mod.rs`; everything that lists stages reads the
/// registry made from that line.
pub trait Stage: 'static {
    /// The name after `uses:`.
    const KIND: &'static str;
    /// Part of the fingerprint: raise it when the same inputs and parameters would give other outputs.
    const VERSION: u32;
    /// One line for the stage reference, in lower case: `removes the weights that matter least`.
    const ABOUT: &'static str;
    /// What it takes, in order; a bare name after `in:` goes to the only required port.
    const INPUTS: &'static [Port];
    /// What it makes.
    const OUTPUT: ArtifactKind;
    /// Whether its result depends on the machine (`bench`), which then becomes part of the fingerprint.
    const MEASURES: bool = false;
    /// Whether floating-point numbers of the encoder's kernels go into what it makes: sets of kernels differ in the last bits of sums,
    /// so that theirs becomes part of the fingerprint.
    const COMPUTES: bool = false;
    /// Whether it shows the run itself (`report`): names, gates and graph then become part of the fingerprint.
    const SEES_RUN: bool = false;
    /// Whether it may stand under `inputs:` only, where a recipe gives its parameters without `uses`.
    const SOURCE: bool = false;

    /// The parameters under `with:`. Doc comments become the reference, defaults become part of the fingerprint.
    type Params: Serialize + DeserializeOwned + JsonSchema;

    /// Checks what types cannot say (ranges, combinations); every fault is found before anything runs.
    fn check(_params: &Self::Params, _faults: &mut Faults) {}

    /// Checks the parameters against the ports that are wired, by name: what only makes sense with an optional input, or
    /// without it; found before anything runs, too.
    fn check_wires(_params: &Self::Params, _wired: &[&str], _faults: &mut Faults) {}

    /// The parameters, as paths (`path`, `steps[0].lexicon`), that name local files or folders: they must exist, and their
    /// content instead of their name becomes part of the fingerprint.
    fn files(_params: &Self::Params) -> Vec<(String, String)> {
        Vec::new()
    }

    /// [`Self::COMPUTES`], of a stage that does so with some parameters only.
    fn computes(_params: &Self::Params) -> bool {
        Self::COMPUTES
    }

    /// What the fingerprint says of the parameters; all of them unless a stage knows that some cannot change its output.
    fn identity(params: &Self::Params) -> Value {
        serde_json::to_value(params).unwrap_or_default()
    }

    /// How a metric of this stage is compared in pairs with what a baseline has of it, where that says more than two numbers do;
    /// `wired` are the names of the stages at its ports.
    fn comparison(_params: &Self::Params, _metric: &str, _wired: Wired<'_>) -> Option<Comparison> {
        None
    }

    /// Runs the stage: reads the inputs, writes `ctx.output()`.
    ///
    /// # Errors
    /// When it cannot make its output; what it wrote is then thrown away.
    fn run(params: &Self::Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError>;
}
