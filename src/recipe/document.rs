//! The parts of a recipe as they are written: known keys, legal names, nothing evaluated yet.

use super::{
    diagnostic::Diagnostic,
    fields::{Fields, check_name, wrong_type},
};
use crate::base::{
    node::{Key, Node, NodeValue},
    span::Span,
};

/// The version of the recipe language that this program reads.
pub(super) const VERSION: i64 = 1;

/// The keys of a recipe.
pub(super) const KEYS: [&str; 9] = ["lmpipe", "name", "about", "vars", "seed", "devices", "inputs", "stages", "gates"];

/// The keys of a stage.
pub(super) const STAGE_KEYS: [&str; 9] = ["uses", "in", "with", "matrix", "device", "if", "needs", "seeds", "about"];

/// A recipe as written.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) name: Option<Node>,
    pub(super) about: Option<Node>,
    pub(super) seed: Option<Node>,
    pub(super) vars: Vec<(Key, Node)>,
    pub(super) devices: Vec<(Key, Node)>,
    pub(super) inputs: Vec<(Key, Node)>,
    pub(super) stages: Vec<WrittenStage>,
    pub(super) gates: Vec<Node>,
}

/// A stage as written.
#[derive(Debug)]
pub(super) struct WrittenStage {
    /// Its name.
    pub(super) key: Key,
    pub(super) uses: Option<Node>,
    pub(super) wires: Option<(Key, Node)>,
    pub(super) with: Option<(Key, Node)>,
    pub(super) matrix: Option<Node>,
    pub(super) device: Option<Node>,
    pub(super) condition: Option<Node>,
    pub(super) needs: Option<Node>,
    pub(super) seeds: Option<(Key, Node)>,
    pub(super) about: Option<Node>,
}

/// Takes a recipe apart; none if it is no recipe at all.
pub(super) fn read(root: &Node, faults: &mut Vec<Diagnostic>) -> Option<Document> {
    let NodeValue::Map(entries) = &root.value else {
        faults.push(wrong_type(root, "a recipe is a map with the keys `lmpipe`, `name` and `stages`"));
        return None;
    };
    if !check_version(root, faults) {
        // A recipe of another version has other keys; what else could be said of it would be noise.
        return None;
    }
    let fields = Fields::of(root, "the recipe", &KEYS, faults)?;
    // What is missing is told at the first line: it is nowhere.
    let top = entries.first().map_or(root.span, |(key, _)| key.span);
    let name = fields.required("name", top, "give the recipe a name: `name: mobile-bert`", faults);
    let stages = fields.required("stages", top, "a recipe has at least one stage", faults);
    let own = |name: &str| fields.get(name).map(|(_, node)| node.clone());
    let mut document = Document {
        name: name.map(|(_, node)| node.clone()),
        about: own("about"),
        seed: own("seed"),
        vars: named_entries(&fields, "vars", faults),
        devices: named_entries(&fields, "devices", faults),
        inputs: named_entries(&fields, "inputs", faults),
        stages: Vec::new(),
        gates: Vec::new(),
    };
    if let Some((_, gates)) = fields.get("gates") {
        match &gates.value {
            NodeValue::List(items) => document.gates.clone_from(items),
            _ => faults.push(
                wrong_type(gates, "`gates` is a list").help("begin each gate with `- `: `- {metric: …, max: …}`"),
            ),
        }
    }
    if let Some((key, stages)) = stages {
        match &stages.value {
            NodeValue::Map(entries) if entries.is_empty() => faults
                .push(Diagnostic::error("recipe::missing-key", key.span, "the recipe has no stages").label("empty")),
            NodeValue::Map(entries) => document.stages = entries.iter().map(|entry| stage(entry, faults)).collect(),
            NodeValue::List(_) => faults.push(
                wrong_type(stages, "`stages` is a map from names to stages")
                    .help("give each stage a name: `clean: {uses: normalize, in: reviews}`"),
            ),
            _ => faults.push(wrong_type(stages, "`stages` is a map from names to stages")),
        }
    }
    for key in document.inputs.iter().map(|(key, _)| key) {
        check_name(key, "an input", faults);
    }
    for stage in &document.stages {
        if let Some((input, _)) = document.inputs.iter().find(|(key, _)| key.name == stage.key.name) {
            faults.push(
                Diagnostic::error(
                    "recipe::name-clash",
                    stage.key.span,
                    format!("`{}` is the name of an input already", stage.key.name),
                )
                .label("the same name")
                .related(input.span, "the input")
                .help("stages and inputs share their names, since both can stand after `in:`"),
            );
        }
    }
    Some(document)
}

fn check_version(root: &Node, faults: &mut Vec<Diagnostic>) -> bool {
    let top = root.entries().first().map_or(root.span, |(key, _)| key.span);
    match root.get("lmpipe").map(|node| (node.span, &node.value)) {
        Some((_, NodeValue::Int(VERSION))) => true,
        Some((span, NodeValue::Int(other))) => {
            let help = if *other > VERSION {
                format!("this program reads version {VERSION}; the recipe needs a newer one")
            } else {
                format!("the first version is {VERSION}")
            };
            faults.push(
                Diagnostic::error(
                    "recipe::version",
                    span,
                    format!("version {other} of the recipe language is unknown"),
                )
                .label("unknown version")
                .help(help),
            );
            false
        }
        Some((span, NodeValue::Null)) => {
            faults.push(missing_version(span));
            true
        }
        Some((span, _)) => {
            faults.push(
                Diagnostic::error("recipe::version", span, "`lmpipe` is the version of the recipe language, a number")
                    .label("not a version")
                    .help(format!("write `lmpipe: {VERSION}`")),
            );
            true
        }
        None => {
            faults.push(missing_version(top));
            true
        }
    }
}

fn missing_version(span: Span) -> Diagnostic {
    Diagnostic::error("recipe::missing-key", span, "`lmpipe`, the version of the recipe language, is missing")
        .label("without `lmpipe`")
        .help(format!("begin the recipe with `lmpipe: {VERSION}`"))
}

fn named_entries(fields: &Fields<'_>, name: &str, faults: &mut Vec<Diagnostic>) -> Vec<(Key, Node)> {
    let Some((_, node)) = fields.get(name) else { return Vec::new() };
    if !matches!(node.value, NodeValue::Map(_)) {
        faults.push(wrong_type(node, &format!("`{name}` is a map from names to values")));
    }
    node.entries().to_vec()
}

fn stage((key, node): &(Key, Node), faults: &mut Vec<Diagnostic>) -> WrittenStage {
    check_name(key, "a stage", faults);
    let mut stage = WrittenStage {
        key: key.clone(),
        uses: None,
        wires: None,
        with: None,
        matrix: None,
        device: None,
        condition: None,
        needs: None,
        seeds: None,
        about: None,
    };
    if node.value == NodeValue::Null {
        faults.push(
            Diagnostic::error("recipe::missing-key", key.span, format!("stage `{}` is empty", key.name))
                .label("nothing below it")
                .help("say what it does: `uses: normalize`"),
        );
        return stage;
    }
    let of = format!("stage `{}`", key.name);
    let Some(fields) = Fields::of(node, of, &STAGE_KEYS, faults) else { return stage };
    let own = |name: &str| fields.get(name).map(|(_, node)| node.clone());
    let uses = fields.required("uses", key.span, "say what it does: `uses: normalize`", faults);
    stage.uses = uses.map(|(_, node)| node.clone());
    stage.wires = fields.get("in").cloned();
    stage.with = fields.get("with").cloned();
    stage.matrix = own("matrix");
    stage.device = own("device");
    stage.condition = own("if");
    stage.needs = own("needs");
    stage.seeds = fields.get("seeds").cloned();
    stage.about = own("about");
    stage
}
