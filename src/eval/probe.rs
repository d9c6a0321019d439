//! `probe`: the peak memory of one model, measured in a process of its own.
//!
//! `bench` starts the program again with `__probe MODEL_DIR --batch B --length L --threads N` and reads one line of JSON;
//! `attention_lab` adds `--attention MECHANISM --window W`.

use std::{path::Path, path::PathBuf};

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{EvalError, Mechanism};
use crate::{
    base::rng,
    data::Batch,
    model::{self, Model, Packed},
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
    let Args { model, batch, length, threads, attention } = Args::parse(args)?;
    let baseline_bytes = memory_bytes("VmRSS:");
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| EvalError::Unfit(format!("cannot start {threads} threads: {error}")))?;
    pool.install(|| run(&model, batch, length, attention))?;
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

fn run(dir: &Path, batch: usize, length: usize, attention: Option<(Mechanism, usize)>) -> Result<(), EvalError> {
    let device = model::candle_device(crate::base::device::DeviceId::Cpu)?;
    let batch = |vocab_size: usize| random_batch(vocab_size, batch, length);
    let Some((mechanism, window)) = attention else {
        let model = Executor::load(dir, &device)?;
        let batch = batch(model.spec.vocab_size);
        return repeat(&model, Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets));
    };
    let model = Executor::with_globals(mechanism.apply(Model::load(dir, &device)?, window))?;
    let batch = mechanism.cut(batch(model.spec.vocab_size), window);
    let packed = Packed::new(&batch.input_ids, &batch.type_ids, &batch.offsets);
    let firsts = &batch.offsets[..batch.offsets.len() - 1];
    repeat(&model, if mechanism == Mechanism::WindowGlobal { packed.with_globals(firsts) } else { packed })
}

fn repeat(model: &Executor, batch: Packed<'_>) -> Result<(), EvalError> {
    for _ in 0..3 {
        model.last_hidden_state(batch)?;
    }
    Ok(())
}

struct Args {
    model: PathBuf,
    batch: usize,
    length: usize,
    threads: usize,
    attention: Option<(Mechanism, usize)>,
}

impl Args {
    fn parse(args: &[String]) -> Result<Self, EvalError> {
        let wrong = || {
            EvalError::Unfit(
                "usage: __probe MODEL_DIR --batch B --length L --threads N [--attention MECHANISM --window W]".into(),
            )
        };
        let [model, rest @ ..] = args else { return Err(wrong()) };
        let text = |name: &str| rest.get(rest.iter().position(|arg| arg == name)? + 1);
        let number = |name: &str| text(name)?.parse().ok().filter(|n| *n > 0);
        let attention = text("--attention").and_then(|name| name.parse().ok()).zip(number("--window"));
        match (number("--batch"), number("--length"), number("--threads")) {
            (Some(batch), Some(length), Some(threads)) if rest.len() == if attention.is_some() { 10 } else { 6 } => {
                Ok(Self { model: model.into(), batch, length, threads, attention })
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
        assert_eq!((parsed.batch, parsed.length, parsed.threads, parsed.attention), (8, 128, 1, None));
        let parsed =
            Args::parse(&args("dir --batch 8 --length 128 --threads 1 --attention window --window 8")).unwrap();
        assert_eq!(parsed.attention, Some((Mechanism::Window, 8)));
        for wrong in [
            "",
            "dir",
            "dir --batch 0 --length 1 --threads 1",
            "dir --batch 1 --length 1 --threads 1 --x 1",
            "dir --batch 1 --length 1 --threads 1 --attention x --window 8",
        ] {
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
