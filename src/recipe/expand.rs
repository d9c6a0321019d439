//! `matrix` and `seeds` to cells: one written stage becomes one step or a family of them.

use super::{
    Env,
    device::{Device, Devices},
    diagnostic::Diagnostic,
    document::WrittenStage,
    draft::{Draft, DraftStep, Family},
    fields::wrong_type,
    template::{Frame, Templates},
};
use crate::{
    base::{
        node::{Node, NodeValue},
        span::Span,
        suggest,
    },
    stage::{Registry, StageSpec},
};

/// How many cells one stage may have.
const MAX_CELLS: usize = 1_000;
/// How many steps a recipe may have in all.
const MAX_STEPS: usize = 10_000;

/// What every stage is expanded with.
pub(super) struct Expander<'a> {
    pub(super) registry: &'static Registry,
    pub(super) templates: &'a Templates<'a>,
    pub(super) devices: &'a Devices,
    /// The recipe's seed.
    pub(super) seed: u64,
}

/// A value on every axis.
type Point = Vec<(String, Node)>;

/// The values of every axis.
type Axes = Vec<(String, Vec<Node>)>;

/// A cell: the end of its name, its place on the axes, its seed.
struct Cell {
    name: String,
    /// The end of its name without its seed, where the stage has `seeds`.
    family: Option<String>,
    frame: Frame,
    seed: u64,
}

impl Expander<'_> {
    /// Adds a stage's cells to the draft.
    pub(super) fn stage(&self, written: &WrittenStage, draft: &mut Draft, faults: &mut Vec<Diagnostic>) {
        let base = &written.key.name;
        let spec = written.uses.as_ref().and_then(|uses| self.kind(uses, faults));
        let mut axes_env = Env::new();
        let cells = self.cells(written, &mut axes_env, faults);
        let mut family = Family { members: Vec::new(), broken: cells.is_none(), is_input: false };
        for cell in cells.unwrap_or_default() {
            if draft.steps.len() >= MAX_STEPS {
                let message = format!("with the cells of `{base}` the recipe has more than {MAX_STEPS} steps");
                faults.push(Diagnostic::error("recipe::limit", written.key.span, message).label("too many cells"));
                family.broken = true;
                break;
            }
            let named = |cell: &str| if cell.is_empty() { base.clone() } else { format!("{base}@{cell}") };
            let (name, of_seeds) = (named(&cell.name), cell.family.as_deref().map(named));
            let condition = written.condition.as_ref().map(|node| self.templates.holds(node, &cell.frame, faults));
            if condition == Some(Some(false)) {
                draft.left_out.insert(name);
                continue;
            }
            family.members.push(draft.steps.len());
            draft.steps.push(self.step(written, (name, of_seeds), spec, &cell, &axes_env, faults));
        }
        // A name clash has been told; the input keeps the name.
        draft.families.entry(base.clone()).or_insert(family);
    }

    fn step(
        &self,
        written: &WrittenStage,
        (name, family): (String, Option<String>),
        spec: Option<&'static StageSpec>,
        cell: &Cell,
        axes_env: &Env,
        faults: &mut Vec<Diagnostic>,
    ) -> DraftStep {
        let mut unrecorded = Env::new();
        let mut env = axes_env.clone();
        let mut resolve = |node: &Node, used: &mut Env| self.templates.resolve(node, &cell.frame, used, faults);
        let with = match &written.with {
            Some((key, node)) => resolve(node, &mut env).map(|node| (key.span, node)),
            None => Some((written.key.span, Node::empty_map(written.key.span))),
        };
        let wires_written = match &written.wires {
            Some((key, node)) => match resolve(node, &mut unrecorded) {
                Some(node) => Ok(Some((key.clone(), node))),
                None => Err(()),
            },
            None => Ok(None),
        };
        let needs_written = written.needs.as_ref().and_then(|node| resolve(node, &mut unrecorded));
        let device = written.device.as_ref().and_then(|node| resolve(node, &mut unrecorded));
        let about = written.about.as_ref().and_then(|node| resolve(node, &mut unrecorded));
        let device = match device {
            Some(node) => self.devices.request(&node, faults).unwrap_or_default(),
            None => Device::default(),
        };
        DraftStep {
            name,
            family,
            about: about.map(|node| text(&node, "`about`", faults)).unwrap_or_default(),
            span: written.key.span,
            spec,
            with,
            params: None,
            wires_written,
            wires: Vec::new(),
            needs_written,
            needs: Vec::new(),
            seed: cell.seed,
            device,
            env,
            files: Vec::new(),
        }
    }

    fn kind(&self, uses: &Node, faults: &mut Vec<Diagnostic>) -> Option<&'static StageSpec> {
        let frame = Frame { matrix: None, seed: Some(self.seed) };
        let node = self.templates.resolve(uses, &frame, &mut Env::new(), faults)?;
        let Some(kind) = node.as_str() else {
            faults.push(wrong_type(&node, "`uses` is the name of a stage kind"));
            return None;
        };
        match self.registry.get(kind) {
            Some(spec) if spec.source => {
                faults.push(
                    Diagnostic::error("recipe::unknown-stage", node.span, format!("`{kind}` is an input, not a stage"))
                        .label("an input")
                        .help(format!("put it under `inputs:`: `name: {{{kind}: …}}`")),
                );
                None
            }
            Some(spec) => Some(spec),
            None => {
                faults.push(
                    Diagnostic::error("recipe::unknown-stage", node.span, format!("no stage is called `{kind}`"))
                        .label("unknown stage")
                        .maybe_help(suggest::help(kind, &self.registry.kinds())),
                );
                None
            }
        }
    }

    /// The cells of a stage; one without a name if it has neither matrix nor seeds, none if those are wrong.
    fn cells(&self, written: &WrittenStage, env: &mut Env, faults: &mut Vec<Diagnostic>) -> Option<Vec<Cell>> {
        let frame = Frame { matrix: None, seed: Some(self.seed) };
        let axes = written.matrix.as_ref().map(|matrix| self.axes(matrix, &frame, env, faults));
        let seeds = written.seeds.as_ref().map(|(_, node)| {
            let node = self.templates.resolve(node, &frame, &mut Env::new(), faults)?;
            self.seeds(&node, faults)
        });
        // Both have told their faults before either ends this.
        let axes = match axes {
            Some(axes) => Some(axes?),
            None => None,
        };
        let seeds = match seeds {
            Some(seeds) => Some(seeds?),
            None => None,
        };
        let n_cells = axes
            .iter()
            .flatten()
            .map(|(_, values)| values.len())
            .chain(seeds.iter().map(Vec::len))
            .fold(1_usize, usize::saturating_mul);
        if n_cells > MAX_CELLS {
            let span = written.matrix.as_ref().map_or(written.key.span, |node| node.span);
            faults.push(
                Diagnostic::error(
                    "recipe::limit",
                    span,
                    format!("this makes {n_cells} cells; a stage may have {MAX_CELLS}"),
                )
                .label("too many cells"),
            );
            return None;
        }
        let mut points: Vec<(Vec<String>, Point)> = vec![(Vec::new(), Vec::new())];
        for (axis, values) in axes.iter().flatten() {
            points = points
                .iter()
                .flat_map(|(parts, point)| {
                    values.iter().enumerate().map(move |(index, value)| {
                        let mut parts = parts.clone();
                        parts.push(part_name(axis, index, value));
                        let mut point = point.clone();
                        point.push((axis.clone(), value.clone()));
                        (parts, point)
                    })
                })
                .collect();
        }
        let has_matrix = axes.is_some();
        let mut cells = Vec::new();
        for (parts, point) in points {
            let matrix = has_matrix.then_some(point);
            match &seeds {
                None => cells.push(Cell {
                    name: parts.join("-"),
                    family: None,
                    frame: Frame { matrix, seed: Some(self.seed) },
                    seed: self.seed,
                }),
                Some(seeds) => cells.extend(seeds.iter().map(|seed| {
                    let mut parts = parts.clone();
                    let family = Some(parts.join("-"));
                    parts.push(format!("s{seed}"));
                    Cell {
                        name: parts.join("-"),
                        family,
                        frame: Frame { matrix: matrix.clone(), seed: Some(*seed) },
                        seed: *seed,
                    }
                })),
            }
        }
        let mut names: Vec<_> = cells.iter().map(|cell| cell.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.array_windows().find_map(|[a, b]| (a == b).then_some(a)) {
            let span = written.matrix.as_ref().or(written.seeds.as_ref().map(|(_, node)| node));
            let message = format!("two cells of `{}` are called `{}`", written.key.name, twice);
            faults.push(
                Diagnostic::error("recipe::matrix", span.map_or(written.key.span, |node| node.span), message)
                    .label("the same cell twice")
                    .help("give every value once"),
            );
            return None;
        }
        Some(cells)
    }

    fn axes(&self, matrix: &Node, frame: &Frame, env: &mut Env, faults: &mut Vec<Diagnostic>) -> Option<Axes> {
        let resolved = self.templates.resolve(matrix, frame, env, faults)?;
        let NodeValue::Map(entries) = &resolved.value else {
            faults.push(
                wrong_type(&resolved, "`matrix` is a map from axes to lists")
                    .help("name the axis: `matrix: {model: [teacher, student]}`"),
            );
            return None;
        };
        let fault = |span: Span, message: String| Diagnostic::error("recipe::matrix", span, message).label("no cells");
        if entries.is_empty() {
            faults.push(fault(resolved.span, "the matrix has no axes".into()));
            return None;
        }
        let before = faults.len();
        let mut axes = Vec::new();
        for (axis, values) in entries {
            let legal = axis.name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && axis.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !legal {
                faults.push(
                    Diagnostic::error(
                        "recipe::illegal-name",
                        axis.span,
                        format!("an axis cannot be called `{}`", axis.name),
                    )
                    .label("not a name")
                    .help("axes are made of letters, digits and `_`, and begin with a letter"),
                );
            }
            match &values.value {
                NodeValue::List(items) if items.is_empty() => {
                    faults.push(fault(values.span, format!("the axis `{}` has no values", axis.name)));
                }
                NodeValue::List(items) => axes.push((axis.name.clone(), items.clone())),
                _ => faults.push(wrong_type(values, &format!("the axis `{}` is a list of values", axis.name))),
            }
        }
        (faults.len() == before).then_some(axes)
    }

    /// `seeds: 3` makes three, counted up from the recipe's; a list is taken as it is.
    fn seeds(&self, node: &Node, faults: &mut Vec<Diagnostic>) -> Option<Vec<u64>> {
        match &node.value {
            NodeValue::Int(n @ 1..=1_000) => (0..*n).map(|i| self.seed.checked_add(i.unsigned_abs())).collect(),
            NodeValue::List(items) if !items.is_empty() => {
                let seeds: Vec<_> = items.iter().map(|item| seed(item, faults)).collect();
                seeds.into_iter().collect()
            }
            _ => {
                faults.push(wrong_type(node, "`seeds` is how many there are (1 to 1000), or a list of them"));
                None
            }
        }
    }
}

/// A seed: a whole number that is not negative.
pub(super) fn seed(node: &Node, faults: &mut Vec<Diagnostic>) -> Option<u64> {
    let seed = match node.value {
        NodeValue::Int(seed) => u64::try_from(seed).ok(),
        _ => None,
    };
    if seed.is_none() {
        faults.push(wrong_type(node, "a seed is a whole number that is not negative"));
    }
    seed
}

/// A text; empty, and a fault, for any other value.
pub(super) fn text(node: &Node, what: &str, faults: &mut Vec<Diagnostic>) -> String {
    if node.as_str().is_none() {
        faults.push(wrong_type(node, &format!("{what} is a text")));
    }
    node.as_str().unwrap_or_default().to_owned()
}

/// The part of a cell's name that a value gives. Dots would read as the end of the stage in a metric's name.
fn part_name(axis: &str, index: usize, value: &Node) -> String {
    let written = match &value.value {
        NodeValue::String(text) => text.clone(),
        NodeValue::Null => "none".into(),
        NodeValue::Bool(value) => value.to_string(),
        NodeValue::Int(value) => value.to_string(),
        NodeValue::Float(value) => value.to_string(),
        NodeValue::List(_) | NodeValue::Map(_) => format!("{axis}{}", index + 1),
    };
    let part: String = written
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || c == '-' || c == '_' => c,
            '.' => '_',
            _ => '-',
        })
        .take(60)
        .collect();
    if part.is_empty() { format!("{axis}{}", index + 1) } else { part }
}
