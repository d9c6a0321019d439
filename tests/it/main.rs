//! The program as its users meet it: files and arguments in; output, exit code and files out.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the scene has failed")]

mod cli;
mod data;
mod diagnostics;
mod finds;
mod gates;
mod gguf;
mod hostile;
mod inspect;
mod killing;
mod lies;
mod onnx;
mod pipelines;
mod runs;
mod shared;
mod support;
