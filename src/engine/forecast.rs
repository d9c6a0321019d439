//! What a run would do, and why; nothing is run or written.

use super::{
    Settings,
    cache::{self, Lookup, Trust, Wiring},
    devices,
    error::RunError,
    store::Store,
};
use crate::{
    base::digest::Digest,
    plan::{Key, NodeId, Plan},
};

/// What a run would do with a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Its place in the plan.
    pub node: NodeId,
    /// What would become of it.
    pub state: ForecastState,
    /// Its key; `None` when something that it takes is not made.
    pub key: Option<Key>,
    /// The key that it was made from last; `None` when it was never made.
    pub previous_key: Option<serde_json::Value>,
}

/// What would become of a stage.
#[derive(Clone, Debug, PartialEq)]
pub enum ForecastState {
    /// It is in the store.
    Cached {
        /// The digest of its output.
        digest: Digest,
        /// How long it ran when it was made.
        seconds: f64,
    },
    /// It runs.
    WillRun {
        /// Why: `never made`, `` parameter `learning_rate` changed: 5e-5 → 3e-5 ``.
        reason: String,
    },
    /// It runs unless what it depends on comes out as before.
    Unknown {
        /// Why: `` depends on `clean`, which will run ``.
        reason: String,
    },
}

impl Forecast {
    /// Whether the stage is in the store.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        matches!(self.state, ForecastState::Cached { .. })
    }

    /// Why the stage runs, or may run; nothing for one that is in the store.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.state {
            ForecastState::Cached { .. } => None,
            ForecastState::WillRun { reason } | ForecastState::Unknown { reason } => Some(reason),
        }
    }
}

/// What a run would do, node by node in the order of the plan. The store is not locked: a run may change it meanwhile.
///
/// # Errors
/// When a device is not there, or the store is of another format.
pub fn forecast(plan: &Plan, settings: &Settings) -> Result<Vec<Forecast>, RunError> {
    let leases = devices::assign(plan, settings.available, settings.cores)?.leases;
    let store = Store::read(&settings.store)?;
    let wiring = Wiring::of(plan);
    let mut digests: Vec<Option<Digest>> = vec![None; plan.nodes.len()];
    // For a node that is not made: the first node above it that is the cause.
    let mut causes: Vec<Option<NodeId>> = vec![None; plan.nodes.len()];
    let mut forecasts: Vec<Option<Forecast>> = vec![None; plan.nodes.len()];
    for &id in &wiring.order {
        let node = &plan.nodes[id];
        let previous_key = store.last_key(&plan.name, &node.name).map(|last| last.key);
        let taken = node.inputs.iter().flat_map(|(_, from)| from);
        let open = taken.chain(&wiring.shown[id]).find_map(|from| causes[*from]);
        let (mut state, key) = if let Some(cause) = open {
            causes[id] = Some(cause);
            let depends = format!("depends on `{}`, which will run", plan.nodes[cause].name);
            // What it takes is not known, but all else of its key is.
            let key = cache::key(plan, id, &wiring.shown[id], |id| digests[id], leases[id], settings);
            let state = match previous_key.as_ref().and_then(|previous| cache::own_change(previous, &key)) {
                Some(change) => ForecastState::WillRun { reason: format!("{change}; {depends}") },
                None => ForecastState::Unknown { reason: depends },
            };
            (state, None)
        } else {
            let key = cache::key(plan, id, &wiring.shown[id], |id| digests[id], leases[id], settings);
            let state = match cache::look_up(&store, &plan.name, &node.name, &key, Trust::Sizes) {
                Lookup::Cached(found) => {
                    digests[id] = Some(found.0.digest);
                    ForecastState::Cached { digest: found.0.digest, seconds: found.0.seconds }
                }
                Lookup::Missing(reason) => {
                    causes[id] = Some(id);
                    ForecastState::WillRun { reason }
                }
            };
            (state, Some(key))
        };
        if settings.force {
            state = ForecastState::WillRun { reason: "the store is not asked".to_owned() };
        }
        forecasts[id] = Some(Forecast { node: id, state, key, previous_key });
    }
    Ok(forecasts.into_iter().map(|forecast| forecast.expect("the order has every node")).collect())
}
