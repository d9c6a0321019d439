//! What the numbers were measured on, and how quiet it was.

use std::time::Duration;

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine, as a reader of a report wants it named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name in its network; `unknown` where it has none.
    pub host: String,
    /// The processor's own name.
    pub cpu: String,
    /// Logical cores.
    pub cores: usize,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The system and its version.
    pub os: String,
    /// The architecture: `x86_64`, `aarch64`.
    pub arch: &'static str,
}

impl Machine {
    /// Looks at this machine.
    #[must_use]
    pub fn here() -> Self {
        let system = System::new_with_specifics(
            RefreshKind::nothing()
                .with_cpu(CpuRefreshKind::nothing())
                .with_memory(MemoryRefreshKind::nothing().with_ram()),
        );
        let unknown = || "unknown".to_owned();
        let cpu = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).filter(|brand| !brand.is_empty());
        Self {
            host: System::host_name().unwrap_or_else(unknown),
            cpu: cpu.unwrap_or_else(unknown),
            cores: system.cpus().len(),
            memory_bytes: system.total_memory(),
            os: System::long_os_version().unwrap_or_else(unknown),
            arch: std::env::consts::ARCH,
        }
    }
}

/// How busy the machine was with other work while something was measured.
#[derive(Clone, Copy, Debug)]
pub struct Busy {
    all: Option<f64>,
    own: Option<f64>,
}

impl Busy {
    /// Begins to watch.
    #[must_use]
    pub fn start() -> Self {
        Self { all: machine_seconds(), own: cpu_seconds() }
    }

    /// How many cores others kept busy, on average, since the start; the load average where the system does not tell.
    #[must_use]
    pub fn others(&self, elapsed: Duration) -> f64 {
        let (Some(all), Some(own)) = (self.all, self.own) else {
            return (System::load_average().one - 1.0).max(0.0);
        };
        let others = || Some(machine_seconds()? - all - (cpu_seconds()? - own));
        (others().unwrap_or(0.0) / elapsed.as_secs_f64().max(1e-9)).max(0.0)
    }
}

/// Processor time of this process so far, in seconds; Linux only.
#[must_use]
pub fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name, which may hold spaces and brackets; the rest begins after the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

/// Processor time of the whole machine that was not idle, in seconds since it started; Linux only.
fn machine_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<f64> =
        stat.lines().next()?.split_whitespace().skip(1).take(8).map_while(|field| field.parse().ok()).collect();
    // user, nice, system, (idle, waiting for disks,) interrupts, steal
    let busy = [0, 1, 2, 5, 6, 7].map(|field| fields.get(field).copied().unwrap_or(0.0));
    Some(busy.iter().sum::<f64>() / TICKS)
}

/// Clock ticks a second in `/proc`: 100 on every architecture that Linux runs on today.
const TICKS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_a_name() {
        let machine = Machine::here();
        assert!(machine.cores > 0 && machine.memory_bytes > 0 && !machine.cpu.is_empty(), "{machine:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn processor_time_passes() {
        let before = cpu_seconds().unwrap();
        let mut x = 1u64;
        while cpu_seconds().unwrap() < before + 0.03 {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        assert!(machine_seconds().unwrap() > 0.0);
    }
}
