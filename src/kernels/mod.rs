//! Fused CPU kernels on slices: safe entry points that check shapes, and the instruction set picked once.
//!
//! Every kernel gives the same bits whatever the number of threads: work is cut by shape, never by thread count, and
//! partial sums are added in a fixed order. Threads are those of the current rayon pool.
#![expect(unsafe_code, reason = "instruction sets, disjoint writes and memory that need not be zeroed first")]
#![expect(clippy::inline_always, reason = "a body must be compiled with the instruction set of its caller")]
#![deny(clippy::multiple_unsafe_ops_per_block)]

pub mod activation;
pub mod affine;
mod aligned;
pub mod attention;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod columns;
pub mod decode;
pub mod dropout;
pub mod embedding;
pub mod flash;
pub mod gemm;
pub mod isa;
pub mod linear;
mod math;
pub mod norm;
pub mod peak;
pub mod quantize;
pub mod rotary;
mod shared;
mod tile;
mod transpose;

#[cfg(test)]
mod reference;

/// Elements that one task works on where elements are independent: large enough to hide the cost of a task.
const TASK: usize = 16_384;
