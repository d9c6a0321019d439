//! Starts the program.

use std::process::ExitCode;

/// Training and inference make and drop tensors of the same sizes all the time. The system's allocator gives their pages
/// back and faults them in again; this one keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lmpipe::cli::main()
}
