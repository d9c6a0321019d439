//! lmpipe: one recipe from raw text and a pretrained encoder to a small, fast, proven language model.
//!
//! Two wings and one door. Orchestration ([`recipe`], [`plan`], [`engine`]) knows nothing of tensors; numerics ([`text`],
//! [`data`], [`model`], [`train`], [`eval`], [`export`], [`compress`]) know nothing of recipes. They meet in [`stage`], and
//! [`cli`] hands [`stages::REGISTRY`] to the engine. `ARCHITECTURE.md` has the whole picture; `tests/architecture.rs` enforces
//! it.

// floor 0
pub mod base;
pub mod kernels;
// floor 1
pub mod data;
pub mod hub;
pub mod model;
pub mod stage;
pub mod text;
// floor 2
pub mod eval;
pub mod export;
pub mod generate;
pub mod profile;
pub mod recipe;
pub mod report;
pub mod runtime;
pub mod train;
// floor 3
pub mod compress;
pub mod plan;
// floor 4
pub mod engine;
pub mod stages;
// floor 5
pub mod cli;
