//! YAML to checked data, or diagnostics with line and column; pure.

mod checks;
mod device;
mod diagnostic;
mod document;
mod draft;
mod expand;
mod fields;
mod gates;
mod load;
mod model;
mod render;
mod scalar;
mod schema;
mod template;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod toy;
mod vars;
mod wires;
mod yaml;

pub use device::Device;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use load::load;
pub use model::{Recipe, Step};
pub use schema::schema;

/// Environment values, by name.
pub type Env = std::collections::BTreeMap<String, String>;
