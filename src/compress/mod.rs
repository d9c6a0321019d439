//! The methods behind the compressing stages: models in, models out.

pub mod distill;
mod error;
pub mod layers;
pub mod lengthen;
pub mod modules;
pub mod prune;
pub mod quant;
pub mod verify;

#[cfg(test)]
mod tests;

pub use error::CompressError;
