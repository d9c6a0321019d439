//! The stage reference: what the registry knows of a kind, made readable.

mod markdown;
mod schema;
mod text;

pub(super) use markdown::markdown;
pub(super) use schema::{Parameter, Shape, StageDoc};
pub(super) use text::{list, text};
