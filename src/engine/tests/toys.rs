//! Toy stages and plans made of them.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Barrier, Mutex},
    thread,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    base::{device::DeviceId, every::Every, fs as files, node::Node, span::Span},
    engine::{EventSink, Forecast, RunError, RunEvent, RunRecord, Settings, forecast, run},
    plan::{DeviceRequest, NodeId, Plan, PlanNode},
    stage::{ArtifactKind, Better, Cancel, Port, Progress, RunStatus, Stage, StageCtx, StageError, StageSpec, Unit},
};

/// What the toy stages of one test did, and what they wait for.
pub(super) struct Probe {
    /// The names of the stages that ran, in order.
    pub(super) ran: Mutex<Vec<String>>,
    /// How many run now, and how many did at most; of those that count themselves.
    pub(super) at_once: Mutex<(usize, usize)>,
    pub(super) barrier: Barrier,
    pub(super) cancel: Cancel,
}

/// Stages are functions, so a test reaches its own through a name in the parameters.
static PROBES: Mutex<BTreeMap<String, Arc<Probe>>> = Mutex::new(BTreeMap::new());

fn probe(name: &str) -> Arc<Probe> {
    let new = || Probe {
        ran: Mutex::default(),
        at_once: Mutex::default(),
        barrier: Barrier::new(2),
        cancel: Cancel::default(),
    };
    let mut probes = PROBES.lock().unwrap();
    Arc::clone(probes.entry(name.to_owned()).or_insert_with(|| Arc::new(new())))
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    probe: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    act: Act,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    /// Writes its text and those of its inputs.
    #[default]
    Write,
    /// Writes the same whatever its text and inputs.
    Forget,
    /// Writes a half, then fails.
    Fail,
    /// Writes a half, then panics.
    Panic,
    /// Writes a half, asks for a stop, and stops when it is asked to.
    Stop,
    /// Asks for a stop, but ends its work.
    StopLate,
    /// Waits until another stage does the same.
    Meet,
    /// Counts how many do the same at the same time.
    Count,
    /// Writes a half and hangs, in the process that is to be killed; writes elsewhere.
    Hang,
    /// Measures what is no number.
    Nonsense,
}

fn act(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
    let probe = probe(&params.probe);
    probe.ran.lock().unwrap().push(ctx.name.to_owned());
    let mut text = format!("{}\n", params.text);
    for (_, artifacts) in ctx.inputs {
        for artifact in artifacts {
            text += &files::read_text(&artifact.dir.join("out.txt"))?;
        }
    }
    let out = ctx.output.join("out.txt");
    let half = || files::write_atomic(&out, b"half");
    match params.act {
        Act::Write => {}
        Act::Hang => {
            if std::env::var_os(super::killing::STORE).is_some() {
                half()?;
                loop {
                    thread::park();
                }
            }
        }
        Act::Forget => "always the same\n".clone_into(&mut text),
        Act::Fail => {
            half()?;
            return Err(StageError::msg("it does not work"));
        }
        Act::Panic => {
            half()?;
            panic!("row {} is missing", 3);
        }
        Act::Stop => {
            half()?;
            probe.cancel.cancel();
            loop {
                ctx.check_cancelled()?;
                thread::yield_now();
            }
        }
        Act::StopLate => probe.cancel.cancel(),
        Act::Meet => {
            probe.barrier.wait();
        }
        Act::Count => {
            let mut at_once = probe.at_once.lock().unwrap();
            at_once.0 += 1;
            at_once.1 = at_once.1.max(at_once.0);
            drop(at_once);
            // Long enough for others to begin, if they may.
            thread::sleep(Duration::from_millis(30));
            probe.at_once.lock().unwrap().0 -= 1;
        }
        Act::Nonsense => ctx.metric("loss", f64::NAN, Unit::Number, Better::Lower),
    }
    ctx.sink.progress(Progress { done: 1, total: 1, unit: "row", message: String::new() });
    ctx.sink.note(format!("{} threads", rayon::current_num_threads()));
    ctx.metric("length", text.len() as f64, Unit::Count, Better::Lower);
    Ok(files::write_atomic(&out, text.as_bytes())?)
}

macro_rules! toys {
    ($($Toy:ident $kind:literal $output:ident { $($more:tt)* })*) => {
        $(pub(super) struct $Toy;
        impl Stage for $Toy {
            const KIND: &'static str = $kind;
            const VERSION: u32 = 1;
            const ABOUT: &'static str = "a toy";
            const INPUTS: &'static [Port] = &[Port::dataset("data").optional().many()];
            const OUTPUT: ArtifactKind = ArtifactKind::$output;
            $($more)*
            type Params = Params;
            fn identity(params: &Params) -> Value {
                json!({"text": params.text, "act": params.act})
            }
            fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
                act(params, ctx)
            }
        })*
    };
}

toys! {
    Toy "toy" Dataset {}
    ToyModel "toy-model" Model { const COMPUTES: bool = true; }
    ToyBench "toy-bench" Scores { const MEASURES: bool = true; }
}

/// Writes what it sees of the run.
pub(super) struct Show;

impl Stage for Show {
    const KIND: &'static str = "show";
    const VERSION: u32 = 1;
    const ABOUT: &'static str = "a toy report";
    const INPUTS: &'static [Port] = &[Port::dataset("data").optional().many()];
    const OUTPUT: ArtifactKind = ArtifactKind::Report;
    const SEES_RUN: bool = true;
    type Params = Params;

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        probe(&params.probe).ran.lock().unwrap().push(ctx.name.to_owned());
        let view = ctx.run.expect("it sees the run");
        let line = |node: &crate::stage::RunNode| {
            let length = node.record.metric("length").map_or(0.0, |metric| metric.value);
            format!("{} {:?} {length}\n", node.name, node.status)
        };
        let text: String = view.nodes.iter().map(line).collect();
        Ok(files::write_atomic(&ctx.output.join("out.txt"), text.as_bytes())?)
    }
}

/// A plan, a store, and what happens.
pub(super) struct World {
    _dir: TempDir,
    pub(super) plan: Plan,
    pub(super) settings: Settings,
    pub(super) probe: Arc<Probe>,
    pub(super) events: Recorder,
    name: String,
}

#[derive(Default)]
pub(super) struct Recorder(pub(super) Vec<RunEvent>);

impl EventSink for Recorder {
    fn event(&mut self, event: &RunEvent) {
        self.0.push(event.clone());
    }
}

impl World {
    /// An empty plan; the name belongs to one test.
    pub(super) fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan {
            name: name.to_owned(),
            about: "a test".to_owned(),
            recipe: PathBuf::from("toy.yaml"),
            resolved: json!({"lmpipe": 1}),
            nodes: Vec::new(),
            gates: Vec::new(),
            references: BTreeMap::new(),
        };
        let settings = Settings {
            store: dir.path().join(".lmpipe"),
            shared: None,
            program: PathBuf::from("lmpipe"),
            command: "lmpipe run toy.yaml".to_owned(),
            sets: Vec::new(),
            available: |device| match device {
                DeviceId::Cpu => Ok(()),
                other => Err(format!("`{other}` needs a build with `--features {}`", other.kind())),
            },
            cores: 4,
            host: json!({"cpu": "toy"}),
            kernels: "toy".to_owned(),
            force: false,
            verify: Vec::new(),
            checkpoints: Every::default(),
            base_dir: dir.path().to_owned(),
        };
        Self { _dir: dir, plan, settings, probe: probe(name), events: Recorder::default(), name: name.to_owned() }
    }

    /// Adds a node that takes from others.
    pub(super) fn add<S: Stage>(&mut self, name: &str, what: Act, from: &[NodeId]) -> NodeId {
        let spec: &'static StageSpec = Box::leak(Box::new(StageSpec::of::<S>()));
        let written = json!({"probe": self.name, "text": name, "act": what});
        let params = (spec.check)(&Node::from_json(&written, Span::default())).unwrap();
        let device = DeviceRequest { candidates: vec![DeviceId::Cpu], threads: Some(1), exclusive: false };
        self.plan.nodes.push(PlanNode {
            name: name.to_owned(),
            family: None,
            about: String::new(),
            spec,
            params,
            inputs: vec![("data", from.to_vec())],
            needs: Vec::new(),
            seed: 42,
            device,
            env: BTreeMap::new(),
            files: BTreeMap::new(),
        });
        self.plan.nodes.len() - 1
    }

    pub(super) fn set_text(&mut self, node: NodeId, text: &str) {
        self.plan.nodes[node].params["text"] = text.into();
    }

    pub(super) fn set_act(&mut self, node: NodeId, what: Act) {
        self.plan.nodes[node].params["act"] = json!(what);
    }

    pub(super) fn try_run(&mut self) -> Result<RunRecord, RunError> {
        self.events.0.clear();
        run(&self.plan, &self.settings, &self.probe.cancel, &mut [&mut self.events])
    }

    pub(super) fn run(&mut self) -> RunRecord {
        self.try_run().unwrap()
    }

    /// Runs, and tells which stages did.
    pub(super) fn ran(&mut self) -> Vec<String> {
        self.run();
        self.take_ran()
    }

    /// The stages that ran since this was asked last, sorted.
    pub(super) fn take_ran(&self) -> Vec<String> {
        let mut ran = std::mem::take(&mut *self.probe.ran.lock().unwrap());
        ran.sort();
        ran
    }

    pub(super) fn forecast(&self) -> Vec<Forecast> {
        forecast(&self.plan, &self.settings).unwrap()
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.settings.store.join(path)
    }
}

/// The statuses of a run, one letter a node.
pub(super) fn statuses(run: &RunRecord) -> String {
    let letter = |status| match status {
        RunStatus::Waiting => 'w',
        RunStatus::Ran => 'R',
        RunStatus::Cached => 'C',
        RunStatus::Failed => 'F',
        RunStatus::Skipped => 's',
    };
    run.nodes.iter().map(|node| letter(node.status)).collect()
}
