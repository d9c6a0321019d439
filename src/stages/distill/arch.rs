//! `arch` of a `distill` stage: a published shape by its name.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    base::{plural, suggest},
    compress::distill::Architecture,
};

/// A published shape.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::stages) struct Arch(pub(in crate::stages) Architecture);

impl PartialEq for Arch {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl TryFrom<String> for Arch {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Architecture::of(&name).map(Self).ok_or_else(|| {
            let names: Vec<_> = Architecture::all().map(|architecture| architecture.name).collect();
            let near = suggest::nearest(&name, names.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("`{name}` is no architecture that lmpipe knows; there are {}{hint}", plural::list(&names))
        })
    }
}

impl From<Arch> for String {
    fn from(arch: Arch) -> Self {
        arch.0.name.to_owned()
    }
}

impl JsonSchema for Arch {
    fn schema_name() -> Cow<'static, str> {
        "Arch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let shapes: Vec<_> = Architecture::all()
            .map(|it| json_schema!({"type": "string", "const": it.name, "description": it.describe()}))
            .collect();
        json_schema!({"description": "A published shape.", "oneOf": shapes})
    }
}
