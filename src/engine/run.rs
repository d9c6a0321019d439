//! Drives a plan through the scheduler: what is cached is taken, what is not runs, and what happens is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Settings, TOOL_VERSION,
    cache::{self, Lookup, Trust, Wiring},
    clock,
    devices::{self, Assignment},
    error::RunError,
    event::{EventSink, RunEvent},
    journal::Journal,
    record::{self, NodeRecord, RunRecord},
    scheduler::{Job, Scheduler, State},
    store::{Claim, LastKey, Lock, Object, Store, Taken},
    worker::{Ending, News, Shop, Work},
};
use crate::{
    base::{canonical, digest::Digest},
    plan::{Key, NodeId, Plan},
    stage::{Artifact, Cancel, Lease, Record, RunNode, RunStatus, RunView},
};

/// How often what another process holds is asked for again.
const POLL: Duration = Duration::from_millis(200);

/// Runs a plan to its end, or until it is stopped, and keeps what became of it in the store.
///
/// A stage that fails takes along what needs it and nothing else; its error is in the record. When `cancel` is set,
/// nothing new starts, running stages end at their next check, and the record says so.
///
/// # Errors
/// When nothing could run: a device is not there, or the store is locked, damaged or cannot be written to.
pub fn run(
    plan: &Plan,
    settings: &Settings,
    cancel: &Cancel,
    sinks: &mut [&mut dyn EventSink],
) -> Result<RunRecord, RunError> {
    let began = Instant::now();
    let assignment = devices::assign(plan, settings.available, settings.cores)?;
    let store = Store::open(&settings.store)?;
    let Some(_lock) = join(&store, cancel, sinks)? else { return Err(RunError::Stopped) };
    let started = clock::now();
    let folder = store.begin_run(&plan.name, &started)?;
    folder.write("recipe.json", &plan.resolved)?;
    folder.write("plan.json", &describe(plan, &assignment.leases))?;
    let news = Broadcast { journal: Journal::create(folder.file("events.jsonl"))?, sinks };

    let wiring = Wiring::of(plan);
    let mut run = Run::new(Shop { plan, settings, store: &store, cancel }, &assignment, &wiring, news);
    for event in &assignment.fallbacks {
        run.news.tell(event);
    }
    run.drive();

    let seconds = began.elapsed().as_secs_f64();
    let Run { scheduler, mut news, nodes, .. } = run;
    let open = |id| matches!(scheduler.state(id), State::Waiting | State::Ready | State::Stopped);
    let record = RunRecord {
        version: RunRecord::VERSION,
        id: folder.id.clone(),
        name: plan.name.clone(),
        about: plan.about.clone(),
        recipe: plan.recipe.display().to_string(),
        command: settings.command.clone(),
        sets: settings.sets.clone(),
        tool_version: TOOL_VERSION.to_owned(),
        host: settings.host.clone(),
        started,
        seconds,
        cancelled: (0..plan.nodes.len()).any(open),
        verdicts: record::judge(plan, &nodes),
        nodes,
    };
    news.tell(&RunEvent::Ended {
        seconds,
        ran: record.count(RunStatus::Ran),
        cached: record.count(RunStatus::Cached),
        failed: record.count(RunStatus::Failed),
    });
    news.journal.close()?;
    folder.end(&record)?;
    Ok(record)
}

/// Takes part in the store, as soon as who tidies it is done; nothing when a stop is asked for before.
fn join(store: &Store, cancel: &Cancel, sinks: &mut [&mut dyn EventSink]) -> Result<Option<Lock>, RunError> {
    let mut is_told = false;
    loop {
        match store.join() {
            Ok(lock) => return Ok(Some(lock)),
            Err(error @ RunError::Locked { .. }) => {
                if !std::mem::replace(&mut is_told, true) {
                    let text = format!("waiting: {error}");
                    for sink in sinks.iter_mut() {
                        sink.event(&RunEvent::Waiting { text: text.clone() });
                    }
                }
            }
            Err(error) => return Err(error),
        }
        if cancel.is_cancelled() {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// The journal and everybody else who listens.
struct Broadcast<'a, 'b> {
    journal: Journal,
    sinks: &'a mut [&'b mut dyn EventSink],
}

impl Broadcast<'_, '_> {
    fn tell(&mut self, event: &RunEvent) {
        self.journal.event(event);
        for sink in self.sinks.iter_mut() {
            sink.event(event);
        }
    }
}

struct Run<'a, 'b> {
    shop: Shop<'a>,
    leases: &'a [Lease],
    wiring: &'a Wiring,
    news: Broadcast<'a, 'b>,
    scheduler: Scheduler,
    nodes: Vec<NodeRecord>,
    objects: Vec<Option<Object>>,
    /// The keys of ready nodes that are not cached and wait for a lease.
    waiting: BTreeMap<NodeId, Key>,
    running: BTreeMap<NodeId, Key>,
    /// Nodes that are cached and run again to be compared, and what they made.
    verified: BTreeMap<NodeId, Digest>,
    /// Nodes that could start, but for what another process holds.
    held_back: BTreeSet<NodeId>,
}

impl<'a, 'b> Run<'a, 'b> {
    fn new(shop: Shop<'a>, assignment: &'a Assignment, wiring: &'a Wiring, news: Broadcast<'a, 'b>) -> Self {
        let Assignment { leases, heavy, .. } = assignment;
        let jobs = (0..shop.plan.nodes.len()).map(|id| Job {
            needs: wiring.needs[id].clone(),
            after: wiring.shown[id].clone(),
            lease: leases[id],
            heavy: heavy[id],
        });
        Self {
            scheduler: Scheduler::new(jobs.collect(), shop.settings.cores),
            nodes: (0..shop.plan.nodes.len()).map(|id| waiting(shop.plan, id, leases[id])).collect(),
            objects: vec![None; shop.plan.nodes.len()],
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            verified: BTreeMap::new(),
            held_back: BTreeSet::new(),
            shop,
            leases,
            wiring,
            news,
        }
    }

    fn drive(&mut self) {
        let shop = self.shop;
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let start = |work: Work, sender: Sender<News>| {
                let thread = thread::Builder::new().name("stage".to_owned());
                thread.spawn_scoped(scope, move || shop.work(work, &sender)).map(|_| ())
            };
            loop {
                while !shop.cancel.is_cancelled() && self.advance(&start, &sender) {}
                let waits = !self.held_back.is_empty() && !shop.cancel.is_cancelled();
                if self.scheduler.is_idle() && !waits {
                    break;
                }
                // The sender above lives, so there is always somebody to hear from.
                let news = if waits { receiver.recv_timeout(POLL).ok() } else { receiver.recv().ok() };
                if let Some(news) = news {
                    self.hear(news);
                }
            }
        });
    }

    /// Goes once through the ready nodes; tells whether that made others ready.
    fn advance(&mut self, start: &impl Fn(Work, Sender<News>) -> std::io::Result<()>, sender: &Sender<News>) -> bool {
        let mut moved = false;
        for id in self.scheduler.ready() {
            if !self.waiting.contains_key(&id) {
                let key = self.key(id);
                if !self.shop.settings.force && self.take_cached(id, &key) {
                    moved = true;
                    continue;
                }
                self.waiting.insert(id, key);
            }
            let key = &self.waiting[&id];
            // Two stages with one key make the same thing: the second waits, and finds it in the store.
            if self.running.values().any(|other| other == key) || !self.scheduler.may_start(id) {
                continue;
            }
            let key = key.clone();
            let claim = match self.claim(id, &key) {
                Ok(Some(claim)) => claim,
                Ok(None) => continue,
                Err(error) => {
                    self.waiting.remove(&id);
                    self.fail(id, error.to_string(), 0.0);
                    moved = true;
                    continue;
                }
            };
            self.waiting.remove(&id);
            // Whoever made it meanwhile has noted it before letting go.
            if !self.shop.settings.force && self.take_cached(id, &key) {
                moved = true;
                continue;
            }
            self.scheduler.start(id);
            self.running.insert(id, key.clone());
            let (name, lease) = (self.nodes[id].name.clone(), self.leases[id]);
            self.news.tell(&RunEvent::Started {
                node: id,
                name,
                kind: self.nodes[id].kind.clone(),
                device: lease.device.to_string(),
                threads: lease.threads,
            });
            let work = Work {
                node: id,
                key,
                lease,
                inputs: self.inputs(id),
                view: self.view(id),
                claim,
                made: self.verified.get(&id).copied(),
            };
            if let Err(error) = start(work, sender.clone()) {
                self.fail(id, format!("cannot start a thread: {error}"), 0.0);
                moved = true;
            }
        }
        moved
    }

    /// Takes a node for this process; nothing while another has it, which is told once.
    fn claim(&mut self, id: NodeId, key: &Key) -> Result<Option<Claim>, RunError> {
        let process = |pid: Option<u32>| pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
        let text = match self.shop.store.claim(key.fingerprint(), self.leases[id].exclusive)? {
            Ok(claim) => {
                self.held_back.remove(&id);
                return Ok(Some(claim));
            }
            Err(Taken::Stage(pid)) => format!("waits for another run{}, which makes the same", process(pid)),
            Err(Taken::Machine(pid)) => format!("waits until it does not disturb another run{}", process(pid)),
        };
        if self.held_back.insert(id) {
            let name = self.nodes[id].name.clone();
            self.news.tell(&RunEvent::Note { node: id, name, text });
        }
        Ok(None)
    }

    /// The key of a ready node; noted in its record.
    fn key(&mut self, id: NodeId) -> Key {
        let digest_of = |id: NodeId| self.nodes[id].digest;
        let shown = &self.wiring.shown[id];
        let key = cache::key(self.shop.plan, id, shown, digest_of, self.leases[id], self.shop.settings);
        self.nodes[id].fingerprint = Some(key.fingerprint());
        self.nodes[id].key = key.0.clone();
        key
    }

    fn take_cached(&mut self, id: NodeId, key: &Key) -> bool {
        let Shop { plan, store, .. } = self.shop;
        let name = self.nodes[id].name.clone();
        match cache::look_up(store, &plan.name, &name, key, Trust::Content) {
            Lookup::Missing(_) => false,
            Lookup::Cached(found) => {
                let (action, object) = *found;
                if self.shop.settings.verify.contains(&name) {
                    self.verified.insert(id, action.digest);
                    return false;
                }
                // What it was made from is only of use to say what changed; a run does not fail for it.
                if let Err(error) = store.put_last_key(&plan.name, &LastKey::new(&name, key.0.clone(), action.digest)) {
                    self.news.tell(&RunEvent::Note { node: id, name, text: error.to_string() });
                }
                store.touch(action.fingerprint);
                self.nodes[id].device = action.device;
                self.finish(id, RunStatus::Cached, object, action.seconds);
                true
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Progress(node, progress) => {
                let name = self.nodes[node].name.clone();
                self.news.tell(&RunEvent::Progress { node, name, progress });
            }
            News::Note(node, text) => {
                let name = self.nodes[node].name.clone();
                self.news.tell(&RunEvent::Note { node, name, text });
            }
            News::Ended(id, ending) => {
                let key = self.running.remove(&id);
                // Who waited with the same key looks into the store again.
                self.waiting.retain(|_, other| Some(&*other) != key.as_ref());
                match ending {
                    Ending::Made { object, seconds } => self.finish(id, RunStatus::Ran, *object, seconds),
                    Ending::Taken { object, seconds } => self.finish(id, RunStatus::Cached, *object, seconds),
                    Ending::Failed { error, seconds } => self.fail(id, error, seconds),
                    Ending::Stopped { seconds } => self.stop(id, seconds),
                }
            }
        }
    }

    fn finish(&mut self, id: NodeId, status: RunStatus, object: Object, seconds: f64) {
        self.scheduler.done(id);
        let node = &mut self.nodes[id];
        let (digest, record) = (object.manifest.digest, object.record.clone());
        (node.status, node.seconds, node.digest, node.record) = (status, seconds, Some(digest), record.clone());
        self.objects[id] = Some(object);
        let name = node.name.clone();
        self.news.tell(&RunEvent::Finished { node: id, name, status, seconds, digest, record });
    }

    fn fail(&mut self, id: NodeId, error: String, seconds: f64) {
        let lost = self.scheduler.fail(id);
        let node = &mut self.nodes[id];
        (node.status, node.seconds, node.error) = (RunStatus::Failed, seconds, Some(error.clone()));
        let because = format!("`{}` failed", node.name);
        let name = node.name.clone();
        self.news.tell(&RunEvent::Failed { node: id, name, error });
        for id in lost {
            let node = &mut self.nodes[id];
            (node.status, node.error) = (RunStatus::Skipped, Some(because.clone()));
            let event = RunEvent::Skipped { node: id, name: node.name.clone(), because: because.clone() };
            self.news.tell(&event);
        }
    }

    fn stop(&mut self, id: NodeId, seconds: f64) {
        self.scheduler.stop(id);
        let node = &mut self.nodes[id];
        (node.seconds, node.error) = (seconds, Some("interrupted".to_owned()));
        let event = RunEvent::Skipped { node: id, name: node.name.clone(), because: "interrupted".to_owned() };
        self.news.tell(&event);
    }

    fn inputs(&self, id: NodeId) -> Vec<(&'static str, Vec<Artifact>)> {
        let ports = &self.shop.plan.nodes[id].inputs;
        ports.iter().map(|(port, from)| (*port, from.iter().map(|id| self.artifact(*id)).collect())).collect()
    }

    fn artifact(&self, id: NodeId) -> Artifact {
        let node = &self.shop.plan.nodes[id];
        let object = self.objects[id].as_ref().expect("a node runs when its inputs are done");
        let names = |from: &[NodeId]| from.iter().map(|id| self.nodes[*id].name.clone()).collect();
        Artifact {
            name: node.name.clone(),
            stage: node.spec.kind.to_owned(),
            kind: node.spec.output,
            dir: object.dir.clone(),
            digest: object.manifest.digest,
            inputs: node.inputs.iter().map(|(port, from)| ((*port).to_owned(), names(from))).collect(),
            record: object.record.clone(),
        }
    }

    /// What a node that shows the run sees of it.
    fn view(&self, id: NodeId) -> Option<RunView> {
        let plan = self.shop.plan;
        plan.nodes[id].spec.sees_run.then(|| RunView {
            name: plan.name.clone(),
            about: plan.about.clone(),
            command: self.shop.settings.command.clone(),
            gates: plan.gates.clone(),
            references: plan.references.clone(),
            nodes: self.nodes.iter().map(seen).collect(),
        })
    }
}

fn seen(node: &NodeRecord) -> RunNode {
    RunNode {
        name: node.name.clone(),
        family: node.family.clone(),
        kind: node.kind.clone(),
        about: node.about.clone(),
        inputs: node.inputs.clone(),
        status: node.status,
        seconds: node.seconds,
        device: node.device.clone(),
        settings: settings(&node.key),
        record: node.record.clone(),
    }
}

/// The digest of a key without what the node took.
fn settings(key: &Value) -> Option<Digest> {
    let mut rest = key.as_object()?.clone();
    rest.remove("inputs");
    Some(canonical::digest(&Value::Object(rest)))
}

/// The record of a node of which nothing is known yet.
fn waiting(plan: &Plan, id: NodeId, lease: Lease) -> NodeRecord {
    let node = &plan.nodes[id];
    let inputs = node.inputs.iter().flat_map(|(_, from)| from).map(|id| plan.nodes[*id].name.clone());
    NodeRecord {
        name: node.name.clone(),
        family: node.family.clone(),
        kind: node.spec.kind.to_owned(),
        about: node.about.clone(),
        inputs: inputs.collect(),
        status: RunStatus::Waiting,
        seconds: 0.0,
        device: lease.device.to_string(),
        fingerprint: None,
        digest: None,
        key: Value::Null,
        error: None,
        record: Record::default(),
    }
}

/// The plan as JSON, kept with the run.
fn describe(plan: &Plan, leases: &[Lease]) -> Value {
    let names = |from: &[NodeId]| from.iter().map(|id| plan.nodes[*id].name.as_str()).collect::<Vec<_>>();
    let node = |(id, lease): (NodeId, &Lease)| {
        let node = &plan.nodes[id];
        let inputs: BTreeMap<_, _> = node.inputs.iter().map(|(port, from)| (*port, names(from))).collect();
        json!({
            "name": node.name, "about": node.about, "kind": node.spec.kind, "stage_version": node.spec.version,
            "output": node.spec.output, "params": node.params, "inputs": inputs, "needs": names(&node.needs),
            "seed": node.seed, "device": lease.device, "threads": lease.threads, "exclusive": lease.exclusive,
            "env": node.env, "files": node.files,
        })
    };
    let nodes: Vec<_> = leases.iter().enumerate().map(node).collect();
    json!({"version": 1, "name": plan.name, "about": plan.about, "nodes": nodes, "gates": plan.gates})
}
