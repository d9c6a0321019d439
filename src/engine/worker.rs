//! Runs one stage on a thread of its own: gives it a folder and threads, catches its panic, times it, stores what it made.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Mutex, PoisonError, mpsc::Sender},
    time::{Duration, Instant},
};

use super::{
    Settings,
    store::{Action, Claim, LastKey, Object, Origin, Parent, Store},
};
use crate::{
    base::{abridge::abridged, digest::Digest, guard, plural},
    plan::{Key, NodeId, Plan},
    stage::{Artifact, Cancel, Lease, Partial, Progress, Record, RunView, StageCtx, StageError, StageSink},
};

/// Telling how far a stage is more often than an eye can follow only costs time.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// The stack of a stage's threads: recursion over a deep graph of tensors needs more than the usual 2 MiB.
const STACK_BYTES: usize = 16 << 20;

/// A stage to run, with everything that was known when it became ready.
pub(super) struct Work {
    pub(super) node: NodeId,
    pub(super) key: Key,
    pub(super) lease: Lease,
    pub(super) inputs: Vec<(&'static str, Vec<Artifact>)>,
    pub(super) view: Option<RunView>,
    /// What it made before, where that is to be compared.
    pub(super) made: Option<Digest>,
    /// Held until what was made is in the store.
    pub(super) claim: Claim,
}

/// What a worker tells the one who started it.
pub(super) enum News {
    Progress(NodeId, Progress),
    Note(NodeId, String),
    Ended(NodeId, Ending),
}

/// How a stage ended.
pub(super) enum Ending {
    /// Its output is in the store.
    Made { object: Box<Object>, seconds: f64 },
    /// Its output was in the shared store, and is in this one now; it ran for so long when it was made.
    Taken { object: Box<Object>, seconds: f64 },
    /// It failed; nothing of it is left.
    Failed { error: String, seconds: f64 },
    /// It was asked to stop and did; nothing of it is left.
    Stopped { seconds: f64 },
}

/// What all workers of a run share.
#[derive(Clone, Copy)]
pub(super) struct Shop<'a> {
    pub(super) plan: &'a Plan,
    pub(super) settings: &'a Settings,
    pub(super) store: &'a Store,
    pub(super) cancel: &'a Cancel,
}

impl Shop<'_> {
    /// Runs a stage and tells how it ended, whatever happens.
    pub(super) fn work(self, work: Work, news: &Sender<News>) {
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.make(&work, news, began)));
        let seconds = began.elapsed().as_secs_f64();
        let ending = match outcome {
            Ok(Ok((object, None))) => Ending::Made { object: Box::new(object), seconds },
            Ok(Ok((object, Some(seconds)))) => Ending::Taken { object: Box::new(object), seconds },
            // A stage that is asked to stop may fail in any way on its way out.
            Ok(Err(_)) | Err(_) if self.cancel.is_cancelled() => Ending::Stopped { seconds },
            Ok(Err(error)) => Ending::Failed { error: abridged(&error.to_string()).into_owned(), seconds },
            Err(panic) => {
                Ending::Failed { error: format!("internal error: {}", guard::message(panic.as_ref())), seconds }
            }
        };
        let node = work.node;
        // Before anybody hears of it: who waits for it is not to find it taken.
        drop(work.claim);
        // Nobody listens any more when the run itself panicked.
        let _ = news.send(News::Ended(node, ending));
    }

    /// What a stage made and, where another machine had made it, how long it had run there.
    fn make(self, work: &Work, news: &Sender<News>, began: Instant) -> Result<(Object, Option<f64>), StageError> {
        let node = &self.plan.nodes[work.node];
        let told = |text: String| drop(news.send(News::Note(work.node, text)));
        let shared = self.settings.shared.as_deref().filter(|_| work.made.is_none());
        let wanted = shared.filter(|_| !self.settings.force);
        let pulled = wanted.and_then(|shared| shared.attempt(told, |it| it.pull(self.store, work.key.fingerprint())));
        if let Some((action, object)) = pulled.flatten() {
            let last = LastKey::new(&node.name, work.key.0.clone(), action.digest);
            self.store.put_last_key(&self.plan.name, &last)?;
            self.store.remove_partial(action.fingerprint)?;
            told("taken from the shared store".to_owned());
            return Ok((object, Some(action.seconds)));
        }
        let scratch = self.store.scratch()?;
        let record = self.run_stage(work, scratch.path(), news)?;
        check(&record)?;
        if let Some(made) = work.made {
            let same = self.store.compare(scratch.path(), &record, made)?;
            let text = format!("made again: {}, the same bytes", plural::count(same, "file"));
            let _ = news.send(News::Note(work.node, text));
            return Ok((self.store.object(made)?, None));
        }
        let parents = parents(&work.inputs);
        let fingerprint = work.key.fingerprint();
        let origin = Origin { kind: node.spec.output, stage: node.spec.kind, name: &node.name, fingerprint, parents };
        let digest = self.store.put(scratch, &record, origin)?;
        let object = self.store.object(digest)?;
        let seconds = began.elapsed().as_secs_f64();
        self.store.put_last_key(&self.plan.name, &LastKey::new(&node.name, work.key.0.clone(), digest))?;
        // Last: from here on the stage is cached.
        let device = work.lease.device.to_string();
        let action = Action::new(&node.name, node.spec.output, work.key.0.clone(), digest, seconds, device);
        self.store.put_action(&action)?;
        self.store.remove_partial(fingerprint)?;
        if let Some(shared) = shared {
            shared.attempt(told, |it| it.push(self.store, &action));
        }
        Ok((object, None))
    }

    fn run_stage(self, work: &Work, output: &Path, news: &Sender<News>) -> Result<Record, StageError> {
        let node = &self.plan.nodes[work.node];
        let partial = self.store.partial_dir(work.key.fingerprint());
        if self.settings.force {
            self.store.remove_partial(work.key.fingerprint())?;
        }
        let sink = Reporter { node: work.node, news: news.clone(), last: Mutex::new(None) };
        let mut ctx = StageCtx {
            name: &node.name,
            inputs: &work.inputs,
            output,
            // Who is compared is to make everything itself.
            partial: work.made.is_none().then_some(Partial { dir: &partial, every: self.settings.checkpoints }),
            lease: work.lease,
            seed: node.seed,
            base_dir: &self.settings.base_dir,
            program: &self.settings.program,
            cancel: self.cancel,
            sink: &sink,
            run: work.view.as_ref(),
            record: Record::default(),
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(work.lease.threads)
            .thread_name(|index| format!("stage-{index}"))
            .stack_size(STACK_BYTES)
            .build()?;
        pool.install(|| (node.spec.run)(&node.params, &mut ctx))?;
        Ok(ctx.record)
    }
}

/// Refuses numbers that JSON cannot hold: they would be lost on the way through the store.
fn check(record: &Record) -> Result<(), StageError> {
    for metric in &record.metrics {
        let numbers = [Some(metric.value), metric.interval.map(|i| i[0]), metric.interval.map(|i| i[1])];
        if let Some(bad) = numbers.into_iter().flatten().find(|number| !number.is_finite()) {
            return Err(StageError::msg(format!("its metric `{}` is {bad}, which is no number", metric.name)));
        }
    }
    for curve in &record.curves {
        if let Some([x, y]) = curve.points.iter().find(|point| point.iter().any(|number| !number.is_finite())) {
            let (name, axis) = (&curve.name, &curve.x);
            return Err(StageError::msg(format!("its curve `{name}` is {y} at {axis} {x}, which is no number")));
        }
    }
    Ok(())
}

fn parents(inputs: &[(&'static str, Vec<Artifact>)]) -> Vec<Parent> {
    let of_port = |(port, artifacts): &(&'static str, Vec<Artifact>)| {
        let parent = |artifact: &Artifact| Parent {
            port: (*port).to_owned(),
            name: artifact.name.clone(),
            digest: artifact.digest,
        };
        artifacts.iter().map(parent).collect::<Vec<_>>()
    };
    inputs.iter().flat_map(of_port).collect()
}

/// Passes on what a stage says.
struct Reporter {
    node: NodeId,
    news: Sender<News>,
    last: Mutex<Option<Instant>>,
}

impl StageSink for Reporter {
    fn progress(&self, progress: Progress) {
        let now = Instant::now();
        let is_end = progress.total > 0 && progress.done >= progress.total;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if is_end || last.is_none_or(|last| now.duration_since(last) >= PROGRESS_EVERY) {
            *last = Some(now);
            let _ = self.news.send(News::Progress(self.node, progress));
        }
    }

    fn note(&self, text: String) {
        let _ = self.news.send(News::Note(self.node, text));
    }
}
