//! The program as its users meet it: files and arguments in; output, exit code and files out.

mod cli;
mod diagnostics;
mod pipelines;
mod runs;
mod support;
