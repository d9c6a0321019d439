//! Devices: which one a stage gets, and who may use it at the same time as whom.

use std::collections::BTreeMap;

use super::{
    error::{MissingDevice, RunError},
    event::RunEvent,
};
use crate::{
    base::device::DeviceId,
    plan::Plan,
    stage::{ArtifactKind, Lease},
};

/// What each node of a plan gets, and what is to be told about it.
pub(super) struct Assignment {
    /// Node by node.
    pub(super) leases: Vec<Lease>,
    /// Node by node: whether it is heavy, see [`Leases`].
    pub(super) heavy: Vec<bool>,
    /// The devices that were not there.
    pub(super) fallbacks: Vec<RunEvent>,
}

/// Gives each node the first of its devices that is there.
///
/// # Errors
/// When a node has none: all such nodes, each with the reasons.
pub(super) fn assign(
    plan: &Plan,
    available: fn(DeviceId) -> Result<(), String>,
    cores: usize,
) -> Result<Assignment, RunError> {
    let cores = cores.max(1);
    let mut answers: BTreeMap<DeviceId, Result<(), String>> = BTreeMap::new();
    let mut leases = Vec::new();
    let mut heavy = Vec::new();
    let mut fallbacks: Vec<RunEvent> = Vec::new();
    let mut missing = Vec::new();
    for node in &plan.nodes {
        let mut tried = Vec::new();
        let mut device = None;
        for &candidate in &node.device.candidates {
            // Asking a driver may take seconds.
            match answers.entry(candidate).or_insert_with(|| available(candidate)) {
                Ok(()) => {
                    device = Some(candidate);
                    break;
                }
                Err(why) => tried.push((candidate.to_string(), why.clone())),
            }
        }
        let Some(device) = device else {
            missing.push(MissingDevice { node: node.name.clone(), tried });
            continue;
        };
        for (wanted, why) in tried {
            let told =
                |event: &RunEvent| matches!(event, RunEvent::DeviceFallback { wanted: told, .. } if *told == wanted);
            if !fallbacks.iter().any(told) {
                let (name, got) = (node.name.clone(), device.to_string());
                fallbacks.push(RunEvent::DeviceFallback { name, wanted, got, why });
            }
        }
        let threads = node.device.threads.unwrap_or(cores).clamp(1, cores);
        leases.push(Lease { device, threads, exclusive: node.device.exclusive });
        heavy.push(threads > 1 && node.spec.output == ArtifactKind::Model && !node.spec.source);
    }
    if missing.is_empty() { Ok(Assignment { leases, heavy, fallbacks }) } else { Err(RunError::Device(missing)) }
}

/// The leases that are out.
///
/// - A stage with an exclusive lease runs alone.
/// - An accelerator takes one stage at a time.
/// - The processor takes as many stages as it has cores: most data stages keep a core busy for a part of their time only,
///   so they share. But of the stages that make a model, which keep every thread that they are given busy all the time,
///   only one runs at once (`heavy`): two would take turns in the caches and end no earlier.
pub(super) struct Leases {
    cores: usize,
    out: Vec<(Lease, bool)>,
}

impl Leases {
    pub(super) fn new(cores: usize) -> Self {
        Self { cores: cores.max(1), out: Vec::new() }
    }

    /// Whether a lease can be given now.
    pub(super) fn is_free(&self, lease: Lease, heavy: bool) -> bool {
        if lease.exclusive {
            return self.out.is_empty();
        }
        if self.out.iter().any(|(other, _)| other.exclusive) {
            return false;
        }
        let mut same = self.out.iter().filter(|(other, _)| other.device == lease.device);
        match lease.device {
            DeviceId::Cpu => same.clone().count() < self.cores && !(heavy && same.any(|(_, heavy)| *heavy)),
            DeviceId::Cuda(_) | DeviceId::Metal(_) => same.next().is_none(),
        }
    }

    /// Notes that a lease is out.
    pub(super) fn take(&mut self, lease: Lease, heavy: bool) {
        self.out.push((lease, heavy));
    }

    /// Notes that a lease is back.
    pub(super) fn give_back(&mut self, lease: Lease, heavy: bool) {
        let place = self.out.iter().position(|out| *out == (lease, heavy));
        self.out.swap_remove(place.expect("a lease that comes back was out"));
    }

    /// Whether none is out.
    pub(super) fn is_idle(&self) -> bool {
        self.out.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_run_beside_whom() {
        let cpu = Lease { device: DeviceId::Cpu, threads: 2, exclusive: false };
        let alone = Lease { exclusive: true, threads: 1, ..cpu };
        let cuda = |n| Lease { device: DeviceId::Cuda(n), ..cpu };
        let cases = [
            (vec![], (cpu, false), true),
            (vec![(cpu, false)], (cpu, false), true),
            (vec![(cpu, false), (cpu, false)], (cpu, false), false),
            (vec![(cpu, true)], (cpu, false), true),
            (vec![(cpu, true)], (cpu, true), false),
            (vec![], (alone, false), true),
            (vec![(cpu, false)], (alone, false), false),
            (vec![(cuda(0), false)], (alone, false), false),
            (vec![(alone, false)], (cpu, false), false),
            (vec![(alone, false)], (cuda(0), false), false),
            (vec![(cuda(0), true)], (cuda(0), false), false),
            (vec![(cuda(0), true)], (cuda(1), true), true),
            (vec![(cuda(0), true)], (cpu, true), true),
        ];
        for (out, (lease, heavy), expected) in cases {
            let mut leases = Leases::new(2);
            for (lease, heavy) in &out {
                leases.take(*lease, *heavy);
            }
            assert_eq!(leases.is_free(lease, heavy), expected, "{lease:?} beside {out:?}");
            for (lease, heavy) in &out {
                leases.give_back(*lease, *heavy);
            }
            assert!(leases.is_idle());
        }
    }
}
