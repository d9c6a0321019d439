//! `probe`: the peak memory of one model, measured in a process of its own.
//!
//! `bench` starts the program again with `__probe MODEL_DIR --batch B --length L --threads N` and reads one line of JSON.

use std::{path::Path, path::PathBuf};

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::EvalError;
use crate::{
    base::rng,
    data::Batch,
    model::{self, Packed},
    runtime::Executor,
};

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The most memory that the whole process ever held, in bytes. On Linux the kernel's own high-water mark (`VmHWM`);
    /// elsewhere the process's memory after the last pass, which is a lower bound.
    pub peak_memory_bytes: u64,
    /// What the process held before it read the model, in bytes: the program itself.
    pub baseline_bytes: u64,
}

/// Loads a model, runs it a few times, and tells the peak memory as a line of JSON; `args` are those after `__probe`.
///
/// # Errors
/// When the arguments are not those that `bench` writes, or the model cannot be run.
pub fn probe(args: &[String]) -> Result<String, EvalError> {
    let Args { model, batch, length, threads } = Args::parse(args)?;
    let baseline_bytes = memory_bytes("VmRSS:");
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| EvalError::Unfit(format!("cannot start {threads} threads: {error}")))?;
    pool.install(|| run(&model, batch, length))?;
    let found = Probe { peak_memory_bytes: memory_bytes("VmHWM:"), baseline_bytes };
    Ok(serde_json::to_string(&found).expect("numbers are JSON"))
}

/// A batch of random ids of one length, as long as the model has words for them; the same for the same arguments.
#[must_use]
pub fn random_batch(vocab_size: usize, batch: usize, length: usize) -> Batch {
    let mut stream = rng::item_stream(0, "random batch", (batch * 1_000_003 + length) as u64);
    let total = batch * length;
    // The first thousand ids of BERT's vocabulary are special and unused tokens.
    let low = if vocab_size > 2000 { 1000 } else { 0 };
    Batch {
        input_ids: (0..total).map(|_| stream.random_range(low..vocab_size.max(1) as u32)).collect(),
        type_ids: vec![0; total],
        offsets: (0..=batch).map(|row| row * length).collect(),
        rows: (0..batch).collect(),
    }
}

fn run(dir: &Path, batch: usize, length: usize) -> Result<(), EvalError> {
    let model = Executor::load(dir, &model::candle_device(crate::base::device::DeviceId::Cpu)?)?;
    let batch = random_batch(model.spec.vocab_size, batch, length);
    for _ in 0..3 {
        let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
        model.last_hidden_state(packed)?;
    }
    Ok(())
}

struct Args {
    model: PathBuf,
    batch: usize,
    length: usize,
    threads: usize,
}

impl Args {
    fn parse(args: &[String]) -> Result<Self, EvalError> {
        let wrong = || EvalError::Unfit("usage: __probe MODEL_DIR --batch B --length L --threads N".into());
        let [model, rest @ ..] = args else { return Err(wrong()) };
        let number = |name: &str| {
            let at = rest.iter().position(|arg| arg == name)?;
            rest.get(at + 1)?.parse().ok().filter(|n| *n > 0)
        };
        match (number("--batch"), number("--length"), number("--threads")) {
            (Some(batch), Some(length), Some(threads)) if rest.len() == 6 => {
                Ok(Self { model: model.into(), batch, length, threads })
            }
            _ => Err(wrong()),
        }
    }
}

/// A line of `/proc/self/status` in bytes; where there is none, the memory of the process now.
fn memory_bytes(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|text| text.strip_prefix(line)?.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map_or_else(memory_now, |kilobytes| kilobytes * 1024)
}

fn memory_now() -> u64 {
    let Ok(id) = sysinfo::get_current_pid() else { return 0 };
    let mut system = sysinfo::System::new();
    system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[id]), true);
    system.process(id).map_or(0, sysinfo::Process::memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn arguments() {
        let parsed = Args::parse(&args("dir --batch 8 --length 128 --threads 1")).unwrap();
        assert_eq!((parsed.batch, parsed.length, parsed.threads), (8, 128, 1));
        for wrong in ["", "dir", "dir --batch 0 --length 1 --threads 1", "dir --batch 1 --length 1 --threads 1 --x 1"] {
            assert!(Args::parse(&args(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_random_batch_is_always_the_same() {
        let batch = random_batch(30_522, 2, 5);
        assert_eq!(batch, random_batch(30_522, 2, 5));
        assert_eq!((batch.offsets.as_slice(), batch.input_ids.len()), ([0, 5, 10].as_slice(), 10));
        assert!(batch.input_ids.iter().all(|id| (1000..30_522).contains(id)));
    }

    #[test]
    fn memory_is_known() {
        assert!(memory_bytes("VmHWM:") > 1 << 20);
        assert!(memory_now() > 1 << 20);
    }
}
