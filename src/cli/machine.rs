//! What the machine is: processor, cores, memory, instruction sets.

use std::{collections::BTreeSet, thread};

use serde_json::{Value, json};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// What measurements depend on.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// The processor's name.
    pub(super) cpu: String,
    /// How many threads run at once, as far as this process may use them.
    pub(super) cores: usize,
    /// Bytes of memory, as far as this process may use them.
    pub(super) memory_bytes: u64,
    /// The operating system and its version.
    pub(super) system: String,
    /// `x86_64`, `aarch64`.
    pub(super) architecture: &'static str,
    /// The instruction sets that matter here.
    pub(super) instructions: Vec<&'static str>,
}

impl Machine {
    pub(super) fn detect() -> Self {
        let kinds = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(kinds);
        let names: BTreeSet<&str> =
            system.cpus().iter().map(|cpu| cpu.brand().trim()).filter(|name| !name.is_empty()).collect();
        let cpu = if names.is_empty() {
            "unknown processor".to_owned()
        } else {
            names.into_iter().collect::<Vec<_>>().join(" + ")
        };
        let total = system.total_memory();
        // In a container the limit of the group is what counts.
        let limit = system.cgroup_limits().map(|limits| limits.total_memory).filter(|limit| *limit > 0);
        Self {
            cpu,
            cores: cores(),
            memory_bytes: limit.map_or(total, |limit| limit.min(total)),
            system: System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned()),
            architecture: std::env::consts::ARCH,
            instructions: instructions(),
        }
    }

    /// What enters the fingerprint of a measurement: a number taken here says nothing about another machine.
    pub(super) fn host(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "architecture": self.architecture, "os": std::env::consts::OS,
            "instructions": self.instructions,
        })
    }
}

/// How many threads this process may run at once.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> Vec<&'static str> {
    macro_rules! present {
        ($($name:tt),* $(,)?) => { [$((is_x86_feature_detected!($name), $name)),*] };
    }
    let all = present!("sse4.2", "avx2", "fma", "f16c", "avxvnni", "avx512f", "avx512bw", "avx512vnni", "avx512bf16");
    all.into_iter().filter(|(present, _)| *present).map(|(_, name)| name).collect()
}

#[cfg(target_arch = "aarch64")]
fn instructions() -> Vec<&'static str> {
    macro_rules! present {
        ($($name:tt),* $(,)?) => { [$((std::arch::is_aarch64_feature_detected!($name), $name)),*] };
    }
    let all = present!("neon", "dotprod", "i8mm", "bf16", "fp16", "sve");
    all.into_iter().filter(|(present, _)| *present).map(|(_, name)| name).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn instructions() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_described_the_same_twice() {
        let machine = Machine::detect();
        assert!(machine.cores > 0 && machine.memory_bytes > 0, "{machine:?}");
        assert_eq!(machine.host(), Machine::detect().host());
    }
}
