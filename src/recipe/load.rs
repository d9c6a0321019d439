//! From a file to a checked recipe, or everything that is wrong with it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    Env, Recipe, Step,
    checks::{self, Subject},
    device::Devices,
    diagnostic::{Diagnostic, Diagnostics},
    document::{self, Document},
    draft::{Draft, DraftStep, Family},
    expand::{self, Expander, text},
    fields::{is_name, wrong_type},
    gates,
    template::{Frame, Templates},
    vars, wires, yaml,
};
use crate::{
    base::{
        node::{Key, Node, NodeValue},
        span::{SourceFile, Span},
        suggest,
    },
    stage::{Fault, Gate, Port, Registry, StageSpec},
};

/// The seed of a recipe that gives none.
pub(super) const DEFAULT_SEED: u64 = 42;

/// Loads a recipe and checks everything that can be checked before it runs.
///
/// `sets` are variables of the command line (`--set epochs=1`), whose values are YAML; `env` is the environment.
///
/// # Errors
/// Everything that is wrong, with its place.
pub fn load(
    path: &Path,
    sets: &[(String, String)],
    env: &BTreeMap<String, String>,
    registry: &'static Registry,
) -> Result<Recipe, Diagnostics> {
    let name = path.display().to_string();
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(fault) => return Err(Diagnostics::new(SourceFile { name, text: String::new() }, vec![*fault])),
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            // The replacement character stands where the first wrong byte was.
            let fault = Diagnostic::error(
                "recipe::encoding",
                Span::new(at, at + '\u{fffd}'.len_utf8()),
                "the recipe is not UTF-8",
            )
            .label("not UTF-8 from here")
            .help("save it as UTF-8");
            return Err(Diagnostics::new(SourceFile { name, text }, vec![fault]));
        }
    };
    if let Some(line) = text.lines().position(|line| line.len() > MAX_LINE_BYTES) {
        let told = format!(
            "line {} of `{name}` is longer than {MAX_LINE_BYTES} bytes, which no line of a recipe is",
            line + 1
        );
        let fault = Diagnostic::error_outside("recipe::limit", told).help("break it; texts go into files");
        return Err(Diagnostics::new(SourceFile { name, text: String::new() }, vec![fault]));
    }
    let source_file = SourceFile { name, text };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut faults = Vec::new();
    let checked = check(&source_file.text, dir, sets, env, registry, &mut faults);
    let diagnostics = Diagnostics::new(source_file.clone(), faults);
    match checked {
        Some(checked) if !diagnostics.has_errors() => Ok(checked.recipe(path, dir, source_file, diagnostics)),
        _ => Err(diagnostics),
    }
}

/// What can be shown with its faults marked.
const MAX_LINE_BYTES: usize = 10_000;

fn read(path: &Path) -> Result<Vec<u8>, Box<Diagnostic>> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path".to_owned(),
            _ if path.is_dir() => "name a file in it".to_owned(),
            _ => "check that it can be read".to_owned(),
        };
        let message = format!("cannot read `{shown}`: {error}");
        Box::new(Diagnostic::error_outside("recipe::unreadable", message).help(help))
    };
    let mut bytes = Vec::new();
    let limit = yaml::MAX_FILE_BYTES as u64;
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() > yaml::MAX_FILE_BYTES {
        let text = format!("`{shown}` is larger than {} MiB, which no recipe is", yaml::MAX_FILE_BYTES >> 20);
        return Err(Diagnostic::error_outside("recipe::limit", text).into());
    }
    Ok(bytes)
}

/// What checking gives; it is a recipe if nothing was wrong.
struct Checked {
    name: String,
    about: String,
    seed: u64,
    draft: Draft,
    gates: Vec<Gate>,
    resolved: Value,
}

fn check(
    text_of_recipe: &str,
    dir: &Path,
    sets: &[(String, String)],
    env: &Env,
    registry: &'static Registry,
    faults: &mut Vec<Diagnostic>,
) -> Option<Checked> {
    let Some(root) = yaml::parse(text_of_recipe, faults).filter(|root| root.value != NodeValue::Null) else {
        if faults.is_empty() {
            faults.push(
                Diagnostic::error("recipe::empty", Span::default(), "the recipe is empty")
                    .label("nothing here")
                    .help("`lmpipe init` writes one to begin with"),
            );
        }
        return None;
    };
    let document = document::read(&root, faults)?;
    let mut templates = Templates::new(text_of_recipe, env);
    vars::define(&mut templates, &document.vars, sets, faults);

    let resolve = |node: &Node, frame: &Frame, faults: &mut Vec<Diagnostic>| {
        templates.resolve(node, frame, &mut Env::new(), faults)
    };
    let outside = Frame::default();
    let seed = match &document.seed {
        Some(node) => {
            resolve(node, &outside, faults).and_then(|node| expand::seed(&node, faults)).unwrap_or(DEFAULT_SEED)
        }
        None => DEFAULT_SEED,
    };
    let frame = Frame { matrix: None, seed: Some(seed) };
    let name = document.name.as_ref().and_then(|node| resolve(node, &frame, faults));
    let name = name.map(|node| recipe_name(&node, faults)).unwrap_or_default();
    let about = document.about.as_ref().and_then(|node| resolve(node, &frame, faults));
    let about = about.map(|node| text(&node, "`about`", faults)).unwrap_or_default();
    let entries: Vec<_> =
        document.devices.iter().map(|(key, node)| (key.clone(), resolve(node, &frame, faults))).collect();
    let devices = Devices::read(&entries, faults);

    let mut draft = Draft::default();
    for (key, node) in &document.inputs {
        input(key, node, &frame, &templates, registry, &mut draft, faults);
    }
    let expander = Expander { registry, templates: &templates, devices: &devices, seed };
    for stage in &document.stages {
        expander.stage(stage, &mut draft, faults);
    }
    for step in &mut draft.steps {
        check_params(step, faults);
    }
    wires::connect(&mut draft, faults);
    for step in &draft.steps {
        check_wires(step, faults);
    }
    let gate_nodes: Vec<_> =
        document.gates.iter().filter_map(|node| templates.resolve(node, &frame, &mut Env::new(), faults)).collect();
    let gates = gates::read(&gate_nodes, &draft, faults);
    checks::run(&Subject { document: &document, draft: &draft, templates: &templates, dir }, faults);
    let resolved = resolved(&document, &templates, &name, &about, seed, &entries, &draft, &gate_nodes);
    Some(Checked { name, about, seed, draft, gates, resolved })
}

fn recipe_name(node: &Node, faults: &mut Vec<Diagnostic>) -> String {
    let name = text(node, "`name`", faults);
    if node.as_str().is_some() && !is_name(&name) {
        faults.push(
            Diagnostic::error("recipe::illegal-name", node.span, format!("a recipe cannot be called `{name}`"))
                .label("not a name")
                .help(
                    "reports land in a folder of this name: use letters, digits, `_` and `-`; sentences go to `about`",
                ),
        );
    }
    name
}

/// Adds an input to the draft: the key that is a source's kind says what it is.
fn input(
    key: &Key,
    node: &Node,
    frame: &Frame,
    templates: &Templates<'_>,
    registry: &'static Registry,
    draft: &mut Draft,
    faults: &mut Vec<Diagnostic>,
) {
    let sources: Vec<_> = registry.0.iter().filter(|spec| spec.source).collect();
    let kinds: Vec<_> = sources.iter().map(|spec| spec.kind).collect();
    let either = kinds.iter().map(|kind| format!("`{kind}:`")).collect::<Vec<_>>().join(" or ");
    let mut spec = None;
    if let NodeValue::Map(entries) = &node.value {
        let given: Vec<_> = sources
            .iter()
            .filter_map(|spec| Some((*spec, entries.iter().find(|(key, _)| key.name == spec.kind)?)))
            .collect();
        match given.as_slice() {
            [(only, _)] => spec = Some(*only),
            [] => {
                let near = entries
                    .iter()
                    .find_map(|(key, _)| Some((key.span, suggest::nearest(&key.name, kinds.iter().copied())?)));
                let (span, help) = match near {
                    Some((span, near)) => (span, format!("did you mean `{near}`?")),
                    None => (key.span, format!("begin it with {either}")),
                };
                faults.push(
                    Diagnostic::error(
                        "recipe::input",
                        span,
                        format!("the input `{}` has neither {}", key.name, either.replace(" or ", " nor ")),
                    )
                    .label("an input of no kind")
                    .help(help),
                );
            }
            [(_, (first, _)), (_, (second, _)), ..] => faults.push(
                Diagnostic::error(
                    "recipe::input",
                    second.span,
                    format!("the input `{}` is one thing, not both", key.name),
                )
                .label("another kind")
                .related(first.span, "the first")
                .help("make two inputs"),
            ),
        }
    } else {
        faults.push(wrong_type(node, &format!("an input is a map with {either}")));
    }
    let mut env = Env::new();
    let with = spec.and_then(|_| templates.resolve(node, frame, &mut env, faults)).map(|node| (key.span, node));
    let family = Family { members: vec![draft.steps.len()], broken: false, is_input: true };
    draft.families.insert(key.name.clone(), family);
    draft.steps.push(DraftStep {
        family: None,
        name: key.name.clone(),
        about: String::new(),
        span: key.span,
        spec,
        with,
        params: None,
        wires_written: Ok(None),
        wires: Vec::new(),
        needs_written: None,
        needs: Vec::new(),
        seed: frame.seed.unwrap_or(DEFAULT_SEED),
        device: super::Device::default(),
        env,
        files: Vec::new(),
    });
}

fn check_params(step: &mut DraftStep, faults: &mut Vec<Diagnostic>) {
    let (Some(spec), Some((place, node))) = (step.spec, &step.with) else { return };
    match (spec.check)(node) {
        Ok(params) => {
            step.files = (spec.files)(&params);
            step.params = Some(params);
        }
        Err(found) => faults.extend(found.into_iter().map(|fault| parameter_fault(fault, spec, *place, node))),
    }
}

/// Parameters against ports; a stage with another fault in its wires has been told enough.
fn check_wires(step: &DraftStep, faults: &mut Vec<Diagnostic>) {
    let (Some(spec), Some((place, node)), Some(params)) = (step.spec, &step.with, &step.params) else { return };
    let is_wired =
        |port: &Port| step.wires.iter().any(|(wired, targets)| wired.name == port.name && !targets.is_empty());
    if spec.inputs.iter().any(|port| !port.optional && !is_wired(port)) {
        return;
    }
    let wired: Vec<_> = spec.inputs.iter().filter(|port| is_wired(port)).map(|port| port.name).collect();
    let found = (spec.check_wires)(params, &wired, node);
    faults.extend(found.into_iter().map(|fault| parameter_fault(fault, spec, *place, node)));
}

/// A fault of a parameter of a stage; `place` is that of the whole, which is written as `node`.
fn parameter_fault(fault: Fault, spec: &StageSpec, place: Span, node: &Node) -> Diagnostic {
    // What is wrong with the whole (something is missing) is told at its key: a map begins at its first entry.
    let span = if fault.span == node.span || fault.span == Span::default() { place } else { fault.span };
    Diagnostic::error("recipe::parameter", span, fault.message)
        .label(format!("parameter of `{}`", spec.kind))
        .maybe_help(fault.help)
}

/// The recipe as it was understood, for the record of a run.
#[expect(clippy::too_many_arguments, reason = "the parts of a recipe")]
fn resolved(
    document: &Document,
    templates: &Templates<'_>,
    name: &str,
    about: &str,
    seed: u64,
    devices: &[(Key, Option<Node>)],
    draft: &Draft,
    gates: &[Node],
) -> Value {
    let vars: serde_json::Map<String, Value> = document
        .vars
        .iter()
        .filter_map(|(key, _)| Some((key.name.clone(), templates.variables.get(&key.name)?.value.as_ref()?.to_json())))
        .collect();
    let devices: serde_json::Map<String, Value> =
        devices.iter().filter_map(|(key, node)| Some((key.name.clone(), node.as_ref()?.to_json()))).collect();
    let (mut inputs, mut stages) = (serde_json::Map::new(), serde_json::Map::new());
    for step in &draft.steps {
        let params = step.params.clone().unwrap_or_default();
        if draft.families.get(&step.name).is_some_and(|family| family.is_input) {
            inputs.insert(step.name.clone(), params);
            continue;
        }
        let wires: serde_json::Map<String, Value> = step
            .wires
            .iter()
            .filter(|(_, targets)| !targets.is_empty())
            .map(|(port, targets)| {
                let steps: Vec<_> = targets.iter().filter_map(|target| target.step).collect();
                let names = draft.names_of(&steps);
                let value = if port.many { json!(names) } else { json!(names.first()) };
                (port.name.to_owned(), value)
            })
            .collect();
        let candidates: Vec<_> = step.device.candidates.iter().map(ToString::to_string).collect();
        let mut stage = json!({
            "uses": step.spec.map(|spec| spec.kind),
            "in": wires,
            "with": params,
            "device": {"device": candidates, "threads": step.device.threads, "exclusive": step.device.exclusive},
            "seed": step.seed,
        });
        if !step.needs.is_empty() {
            stage["needs"] = json!(draft.names_of(&step.needs));
        }
        if !step.about.is_empty() {
            stage["about"] = json!(step.about);
        }
        stages.insert(step.name.clone(), stage);
    }
    json!({
        "lmpipe": document::VERSION, "name": name, "about": about, "vars": vars, "seed": seed, "devices": devices,
        "inputs": inputs, "stages": stages, "gates": gates.iter().map(Node::to_json).collect::<Vec<_>>(),
    })
}

impl Checked {
    fn recipe(self, path: &Path, dir: &Path, source_file: SourceFile, warnings: Diagnostics) -> Recipe {
        let steps = self.draft.steps.into_iter().map(|step| {
            let wires = step
                .wires
                .iter()
                .map(|(port, targets)| (port.name, targets.iter().filter_map(|target| target.step).collect()));
            Step {
                wires: wires.collect(),
                name: step.name,
                family: step.family,
                about: step.about,
                span: step.span,
                spec: step.spec.expect("a recipe without errors has kinds"),
                params: step.params.expect("a recipe without errors has parameters"),
                needs: step.needs,
                seed: step.seed,
                device: step.device,
                env: step.env,
                files: step.files,
            }
        });
        Recipe {
            name: self.name,
            about: self.about,
            path: path.to_owned(),
            dir: PathBuf::from(dir),
            source_file,
            seed: self.seed,
            resolved: self.resolved,
            steps: steps.collect(),
            gates: self.gates,
            warnings,
        }
    }
}
