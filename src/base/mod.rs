//! Small things with no home of their own, none of them about tensors.

pub mod abridge;
pub mod argmax;
pub mod canonical;
pub mod device;
pub mod digest;
pub mod every;
pub mod fs;
pub mod guard;
pub mod inputs;
pub mod model_dir;
pub mod node;
pub mod plural;
pub mod rng;
pub mod span;
pub mod suggest;
pub mod units;
