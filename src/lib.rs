//! lmpipe: one recipe from raw text and a pretrained encoder to a small, fast, proven language model.

pub mod base;
pub mod compress;
pub mod data;
pub mod engine;
pub mod eval;
pub mod hub;
pub mod kernels;
pub mod model;
pub mod plan;
pub mod recipe;
pub mod report;
pub mod stage;
pub mod stages;
pub mod text;
pub mod train;
