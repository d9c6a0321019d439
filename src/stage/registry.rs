//! Stages by kind.

use std::collections::BTreeMap;

use schemars::{Schema, schema_for};
use serde_json::Value;

use super::{ArtifactKind, Comparison, Fault, Faults, Port, Stage, StageCtx, StageError, Wired, params};
use crate::base::node::Node;

/// A kind of stage as data: what [`Stage`] says, behind function pointers.
pub struct StageSpec {
    /// [`Stage::KIND`].
    pub kind: &'static str,
    /// [`Stage::VERSION`].
    pub version: u32,
    /// [`Stage::ABOUT`].
    pub about: &'static str,
    /// [`Stage::INPUTS`].
    pub inputs: &'static [Port],
    /// [`Stage::OUTPUT`].
    pub output: ArtifactKind,
    /// [`Stage::MEASURES`].
    pub measures: bool,
    /// [`Stage::computes`], with parameters as `check` returned them.
    pub computes: fn(&Value) -> bool,
    /// [`Stage::SEES_RUN`].
    pub sees_run: bool,
    /// [`Stage::SOURCE`].
    pub source: bool,
    /// Decodes and checks parameters: all of them with defaults filled in, or everything that is wrong.
    pub check: fn(&Node) -> Result<Value, Vec<Fault>>,
    /// [`Stage::check_wires`], with parameters as `check` returned them, and as they were written.
    pub check_wires: fn(&Value, &[&str], &Node) -> Vec<Fault>,
    /// The parameters that name local files: where they stand, and the path as written.
    pub files: fn(&Value) -> Vec<(String, String)>,
    /// [`Stage::identity`].
    pub identity: fn(&Value) -> Value,
    /// [`Stage::comparison`], with parameters as `check` returned them.
    pub comparison: fn(&Value, &str, Wired<'_>) -> Option<Comparison>,
    /// [`Stage::run`], with parameters as `check` returned them.
    pub run: fn(&Value, &mut StageCtx<'_>) -> Result<(), StageError>,
    /// The JSON Schema of the parameters.
    pub schema: fn() -> Schema,
}

impl StageSpec {
    /// The spec of a stage.
    #[must_use]
    pub const fn of<S: Stage>() -> Self {
        Self {
            kind: S::KIND,
            version: S::VERSION,
            about: S::ABOUT,
            inputs: S::INPUTS,
            output: S::OUTPUT,
            measures: S::MEASURES,
            computes: |value| params_of::<S>(value).is_ok_and(|params| S::computes(&params)),
            sees_run: S::SEES_RUN,
            source: S::SOURCE,
            check: |node| {
                let params = params::decode_checked::<S::Params>(node, S::check)?;
                Ok(serde_json::to_value(&params).expect("parameters are plain data"))
            },
            check_wires: |value, wired, written| {
                params_of::<S>(value).map(|params| wire_faults::<S>(&params, wired).place(written)).unwrap_or_default()
            },
            files: |value| params_of::<S>(value).map(|params| S::files(&params)).unwrap_or_default(),
            identity: |value| params_of::<S>(value).map(|params| S::identity(&params)).unwrap_or_default(),
            comparison: |value, metric, wired| S::comparison(&params_of::<S>(value).ok()?, metric, wired),
            run: |value, ctx| {
                let params = params_of::<S>(value)?;
                let wired: Vec<_> =
                    S::INPUTS.iter().map(|port| port.name).filter(|port| !ctx.many(port).is_empty()).collect();
                match wire_faults::<S>(&params, &wired).into_message() {
                    Some(message) => Err(StageError::msg(message)),
                    None => S::run(&params, ctx),
                }
            },
            schema: || schema_for!(S::Params),
        }
    }

    /// The port that a bare name after `in:` goes to: the only port, or the only required one.
    #[must_use]
    pub fn bare_port(&self) -> Option<&'static Port> {
        match self.inputs {
            [port] => Some(port),
            ports => {
                let mut required = ports.iter().filter(|port| !port.optional);
                required.next().filter(|_| required.next().is_none())
            }
        }
    }
}

fn wire_faults<S: Stage>(params: &S::Params, wired: &[&str]) -> Faults {
    let mut faults = Faults::default();
    S::check_wires(params, wired, &mut faults);
    faults
}

fn params_of<S: Stage>(value: &Value) -> Result<S::Params, StageError> {
    Ok(S::Params::deserialize_value(value)?)
}

trait DeserializeValue: Sized {
    fn deserialize_value(value: &Value) -> Result<Self, serde_json::Error>;
}

impl<T: serde::de::DeserializeOwned> DeserializeValue for T {
    fn deserialize_value(value: &Value) -> Result<Self, serde_json::Error> {
        T::deserialize(value)
    }
}

/// All kinds of stages of a program.
pub struct Registry(pub &'static [StageSpec]);

impl Registry {
    /// The spec of a kind.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&'static StageSpec> {
        self.0.iter().find(|spec| spec.kind == kind)
    }

    /// The kinds that may stand after `uses:`.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        self.0.iter().filter(|spec| !spec.source).map(|spec| spec.kind).collect()
    }

    /// The schema of every kind's parameters.
    #[must_use]
    pub fn schemas(&self) -> BTreeMap<&'static str, Schema> {
        self.0.iter().map(|spec| (spec.kind, (spec.schema)())).collect()
    }
}
