//! What a data stage does with a dataset, batch by batch: several at a time, written in order, and taken up again where it was
//! interrupted.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    base::{digest::Digest, every::Every, fs as files},
    data::{DatasetReader, DatasetWriter, Meta, Pause, RowBatch},
    stage::{Better, Partial, Progress, StageCtx, StageError, StageSink, Unit},
};

/// Leaving what is done takes at most this share of the time of a stage.
const SHARE: u32 = 50;
/// Batches that are worked on at a time, a thread: a thread that is done early has another.
const EACH: usize = 2;

/// What a stage notes of a batch; the notes of all batches become one, in their order.
pub(in crate::stages) trait Merge: Default + Send {
    /// Adds the note of what follows.
    fn merge(&mut self, next: Self);
}

impl Merge for () {
    fn merge(&mut self, (): Self) {}
}

impl<A: Merge, B: Merge> Merge for (A, B) {
    fn merge(&mut self, next: Self) {
        self.0.merge(next.0);
        self.1.merge(next.1);
    }
}

impl<T: Send> Merge for Vec<T> {
    fn merge(&mut self, next: Self) {
        self.extend(next);
    }
}

/// Makes a new batch of every batch of a dataset and writes the new dataset, with the same roles and labels.
///
/// # Errors
/// When a stop was asked for, after what was made is left for the next run; and when `work` or reading or writing fails.
pub(in crate::stages) fn rewrite<S: Merge + Serialize + DeserializeOwned>(
    ctx: &mut StageCtx<'_>,
    reader: &DatasetReader,
    work: impl Fn(RowBatch) -> Result<(RowBatch, S), StageError> + Sync,
) -> Result<S, StageError> {
    let batches = reader.batches();
    let (note, _) = make(ctx, reader.meta(), &reader.ends(), |at| {
        let (split, index) = batches[at];
        work(reader.read(split, index)?)
    })?;
    Ok(note)
}

/// Looks at every batch of a dataset.
///
/// # Errors
/// When a stop was asked for, and when `look` or reading fails.
pub(in crate::stages) fn survey<S: Merge>(
    ctx: &StageCtx<'_>,
    reader: &DatasetReader,
    look: impl Fn(&RowBatch) -> Result<S, StageError> + Sync,
) -> Result<S, StageError> {
    let batches = reader.batches();
    let mut all = S::default();
    for some in batches.chunks(at_a_time()) {
        ctx.check_cancelled()?;
        let notes: Vec<_> = some.par_iter().map(|&(split, index)| look(&reader.read(split, index)?)).collect();
        for note in notes {
            all.merge(note?);
        }
    }
    Ok(all)
}

/// Makes the batches of a dataset, appends each to its split, and writes the dataset, with its rows by split as metrics: gates and
/// comparisons of runs see what a data stage did. Returns all notes, and what the dataset says of itself.
///
/// There are as many batches as `ends`, which says how many rows of the input are done when each is: what progress shows.
///
/// What `work` gives may depend on its number and on nothing that other calls of it did, since these may not take place.
///
/// # Errors
/// When a stop was asked for, after what was made is left for the next run; and when `work` or writing fails.
pub(in crate::stages) fn make<S: Merge + Serialize + DeserializeOwned>(
    ctx: &mut StageCtx<'_>,
    meta: &Meta,
    ends: &[u64],
    work: impl Fn(usize) -> Result<(RowBatch, S), StageError> + Sync,
) -> Result<(S, Meta), StageError> {
    let count = ends.len();
    let mut made = Made::<S>::begin(ctx, meta, count);
    if made.done > 0 {
        ctx.sink.note(format!("goes on behind part {} of {count}", made.done));
    }
    let begun = made.done;
    let (send, receive) = mpsc::sync_channel::<Vec<(RowBatch, S)>>(1);
    let ctx_ref: &StageCtx<'_> = ctx;
    let (cancel, sink) = (ctx_ref.cancel, ctx_ref.sink);
    // What is made waits for nothing but its turn: while some batches are written, the next ones are made.
    let made = std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for some in receive {
                for (batch, note) in some {
                    made.add(&batch, note)?;
                    let (done, total) = (ends[made.done - 1], ends[count - 1]);
                    sink.progress(Progress { done, total, unit: "row", message: batch.split().name().to_owned() });
                    made.leave_if_due(sink, cancel.is_cancelled());
                    if cancel.is_cancelled() {
                        return Err(StageError::msg("stopped"));
                    }
                }
            }
            // Whoever makes the batches may have seen before that it is to stop, and sent no more.
            if cancel.is_cancelled() && made.done < made.count {
                made.leave_if_due(sink, true);
            }
            Ok(made)
        });
        let mut worked = Ok(());
        for first in (begun..count).step_by(at_a_time()) {
            let some = (first..count.min(first + at_a_time())).into_par_iter().map(&work).collect::<Result<Vec<_>, _>>();
            match ctx_ref.check_cancelled().and(some) {
                // The writer is gone only when it failed, and says why: what would be made now could not be written.
                Ok(some) => {
                    if send.send(some).is_err() {
                        break;
                    }
                }
                Err(error) => {
                    worked = Err(error);
                    break;
                }
            }
        }
        drop(send);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and_then(|made| worked.map(|()| made))
    })?;
    ctx.check_cancelled()?;
    let meta = made.writer.finish()?;
    // What is left shares its files with what is made, which would be copied to have files of its own.
    if let Some(to) = made.to.filter(|_| made.kept > 0) {
        files::remove_others(to.dir, |_| false)?;
    }
    for (split, &rows) in &meta.rows {
        ctx.metric(format!("rows.{}", split.name()), rows as f64, Unit::Count, Better::Neither);
    }
    Ok((made.note, meta))
}

fn at_a_time() -> usize {
    EACH * rayon::current_num_threads()
}

/// What is made so far.
struct Made<'a, S> {
    to: Option<Partial<'a>>,
    writer: DatasetWriter,
    note: S,
    done: usize,
    count: usize,
    /// How many parts are left for the next run.
    kept: usize,
    /// When they were left, and how long that took.
    last: (Instant, Duration),
}

/// What `so-far.json` says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SoFar<S> {
    /// Parts in all, so that nothing is taken from a program that cuts them otherwise.
    count: usize,
    done: usize,
    name: String,
    pause: Pause,
    note: S,
}

impl<'a, S: Merge + Serialize + DeserializeOwned> Made<'a, S> {
    fn begin(ctx: &StageCtx<'a>, meta: &Meta, count: usize) -> Self {
        let new = || DatasetWriter::create(ctx.output, meta.clone());
        let mut made = Self {
            to: ctx.partial,
            writer: new(),
            note: S::default(),
            done: 0,
            count,
            kept: 0,
            last: (Instant::now(), Duration::ZERO),
        };
        if let Some(so_far) = made.found() {
            if let Some(to) = made.to
                && made.writer.resume(to.dir, &so_far.name, &so_far.pause).is_ok()
            {
                (made.note, made.done, made.kept) = (so_far.note, so_far.done, so_far.done);
            } else {
                made.writer = new();
            }
        }
        made
    }

    /// What an earlier run left, if it is whole.
    fn found(&self) -> Option<SoFar<S>> {
        let bytes = files::read(&self.to?.dir.join("so-far.json")).ok()?;
        let (digest, json) = bytes.split_at_checked(Digest::of(b"").to_string().len())?;
        let is_whole = digest == Digest::of(json).to_string().as_bytes();
        let so_far: SoFar<S> = is_whole.then(|| serde_json::from_slice(json).ok())??;
        (so_far.count == self.count && so_far.done <= self.count).then_some(so_far)
    }

    fn add(&mut self, batch: &RowBatch, note: S) -> Result<(), StageError> {
        self.writer.write(batch)?;
        self.note.merge(note);
        self.done += 1;
        Ok(())
    }

    fn leave_if_due(&mut self, sink: &dyn StageSink, is_last: bool) {
        let Some(to) = self.to else { return };
        let (when, took) = self.last;
        let is_due = match to.every {
            Every::Never => false,
            Every::Steps(parts) => is_last || self.done >= self.kept + parts,
            Every::Time(time) => is_last || when.elapsed() >= time.max(took * SHARE),
        };
        if is_due
            && self.done > self.kept
            && let Err(error) = self.leave(to)
        {
            sink.note(format!("what is done so far is not kept, and the stage goes on: {error}"));
        }
    }

    fn leave(&mut self, to: Partial<'_>) -> Result<(), StageError> {
        let began = Instant::now();
        files::create_dir(to.dir)?;
        let name = format!("part-{:08}", self.done);
        let pause = self.writer.pause(to.dir, &name)?;
        let so_far = SoFar { count: self.count, done: self.done, name: name.clone(), pause, note: &self.note };
        let json = serde_json::to_vec(&so_far).map_err(|error| StageError::msg(error.to_string()))?;
        let bytes = [Digest::of(&json).to_string().as_bytes(), &json].concat();
        files::write_atomic(&to.dir.join("so-far.json"), &bytes)?;
        files::remove_others(to.dir, |file| file == "so-far.json" || file.starts_with(&name))?;
        (self.kept, self.last) = (self.done, (Instant::now(), began.elapsed()));
        Ok(())
    }
}
