//! `in` and `needs` to edges between steps, each of the right kind.

use super::{
    diagnostic::Diagnostic,
    draft::{Draft, DraftStep, Found, Target},
    fields::wrong_type,
};
use crate::{
    base::{
        node::{Node, NodeValue},
        plural,
        span::Span,
        suggest,
    },
    stage::{Port, StageSpec},
};

/// What was found to be wired to a port.
struct Wiring {
    targets: Vec<Target>,
    /// Whether something was named, if only something wrong: the port is then not called unwired.
    named: bool,
    /// Something named that an `if` left out.
    left_out: Option<(String, Span)>,
}

/// Wires every step.
pub(super) fn connect(draft: &mut Draft, faults: &mut Vec<Diagnostic>) {
    for index in 0..draft.steps.len() {
        let step = &draft.steps[index];
        let wires = match (step.spec, &step.wires_written) {
            (Some(spec), Ok(_)) => step_wires(draft, step, spec, faults),
            // Of a stage of unknown kind the ports are unknown, but names can still be wrong.
            (None, Ok(Some((_, node)))) => {
                for name in all_names(node) {
                    find(draft, step, name, faults);
                }
                Vec::new()
            }
            _ => Vec::new(),
        };
        let needs = needs(draft, step, faults);
        let step = &mut draft.steps[index];
        (step.wires, step.needs) = (wires, needs);
    }
}

fn step_wires(
    draft: &Draft,
    step: &DraftStep,
    spec: &'static StageSpec,
    faults: &mut Vec<Diagnostic>,
) -> Vec<(&'static Port, Vec<Target>)> {
    let mut wired: Vec<(&'static Port, Vec<&Node>)> = spec.inputs.iter().map(|port| (port, Vec::new())).collect();
    let ports: Vec<_> = spec.inputs.iter().map(|port| port.name).collect();
    let written = step.wires_written.as_ref().ok().and_then(Option::as_ref);
    let mut understood = true;
    if let Some((key, node)) = written {
        if spec.inputs.is_empty() {
            faults.push(
                Diagnostic::error("recipe::unknown-port", key.span, format!("`{}` takes nothing", spec.kind))
                    .label("not taken"),
            );
            return Vec::new();
        }
        if let NodeValue::Map(entries) = &node.value {
            for (key, node) in entries {
                if let Some((_, names)) = wired.iter_mut().find(|(port, _)| port.name == key.name) {
                    names.extend(one_or_many(node));
                    continue;
                }
                understood = false;
                let message = format!("`{}` has no port `{}`", spec.kind, key.name);
                faults.push(
                    Diagnostic::error("recipe::unknown-port", key.span, message)
                        .label("unknown port")
                        .maybe_help(suggest::help(&key.name, &ports)),
                );
                for name in one_or_many(node) {
                    find(draft, step, name, faults);
                }
            }
        } else if let Some(bare) = spec.bare_port() {
            for (port, names) in &mut wired {
                if port.name == bare.name {
                    names.extend(one_or_many(node));
                }
            }
        } else {
            let message = format!("`{}` takes {}: which is this?", spec.kind, plural::list(&ports));
            let example: Vec<_> = ports.iter().map(|port| format!("{port}: …")).collect();
            faults.push(
                Diagnostic::error("recipe::unknown-port", node.span, message)
                    .label("which port?")
                    .help(format!("name the ports: `in: {{{}}}`", example.join(", "))),
            );
            for name in one_or_many(node) {
                find(draft, step, name, faults);
            }
            return Vec::new();
        }
    }
    let mut wires = Vec::new();
    for (port, names) in wired {
        let wiring = port_wires(draft, step, port, &names, faults);
        let place = written.map_or(step.span, |(key, _)| key.span);
        match wiring.left_out {
            Some((name, span)) if wiring.targets.is_empty() && !port.optional => faults.push(
                Diagnostic::error(
                    "recipe::left-out",
                    span,
                    format!("`{name}` is left out by its `if`, but `{}` needs it", step.name),
                )
                .label("left out")
                .help(format!("give `{}` the same `if`, or wire something else", base_name(&step.name))),
            ),
            None if !wiring.named && !port.optional && understood => {
                let count = if port.many { "one or more" } else { "a" };
                let thing = if port.many && port.kind.to_string() != "scores" {
                    format!("{count} {}s", port.kind)
                } else {
                    format!("{count} {}", port.kind)
                };
                faults.push(
                    Diagnostic::error(
                        "recipe::unwired-port",
                        place,
                        format!("`{}` needs {thing} at its port `{}`", step.name, port.name),
                    )
                    .label(format!("without `{}`", port.name))
                    .help(unwired_help(draft, spec, port)),
                );
            }
            _ => {}
        }
        wires.push((port, wiring.targets));
    }
    wires
}

fn port_wires(
    draft: &Draft,
    step: &DraftStep,
    port: &'static Port,
    names: &[&Node],
    faults: &mut Vec<Diagnostic>,
) -> Wiring {
    let mut wiring = Wiring { targets: Vec::new(), named: !names.is_empty(), left_out: None };
    let mut n_left_out = 0;
    if !port.many && names.len() > 1 {
        faults.push(
            Diagnostic::error(
                "recipe::too-many-wires",
                names[1].span,
                format!("the port `{}` of `{}` takes one {}, not {}", port.name, step.name, port.kind, names.len()),
            )
            .label("one too many")
            .related(names[0].span, "the first")
            .help("make it a stage of its own, or one cell of a `matrix` each"),
        );
    }
    let taken = if port.many { names.len() } else { names.len().min(1) };
    for (position, name) in names.iter().enumerate() {
        let found = find(draft, step, name, faults);
        let written = name.as_str().unwrap_or_default();
        if position >= taken {
            continue;
        }
        match found {
            Found::Steps(members) => {
                let members = draft.of_same_seed(members, step);
                if !port.many && members.len() > 1 {
                    let cells = draft.names_of(&members);
                    faults.push(
                        Diagnostic::error(
                            "recipe::too-many-wires",
                            name.span,
                            format!(
                                "the port `{}` of `{}` takes one {}, but `{written}` is {}",
                                port.name,
                                step.name,
                                port.kind,
                                plural::count(members.len(), "cell")
                            ),
                        )
                        .label("a family")
                        .help(match draft.one_family(&members) {
                            Some(_) => format!(
                                "give `{}` the same `seeds`, and each takes the cell of its own; or name one of {}",
                                base_name(&step.name),
                                plural::list(&cells)
                            ),
                            None => format!("name one of {}", plural::list(&cells)),
                        }),
                    );
                    continue;
                }
                for member in members {
                    let target = &draft.steps[member];
                    if let Some(kind) = target.output().filter(|kind| *kind != port.kind) {
                        faults.push(wrong_kind(draft, step, port, name, &kind.to_string()));
                        break;
                    }
                    if wiring.targets.iter().any(|earlier| earlier.step == Some(member)) {
                        faults.push(
                            Diagnostic::error(
                                "recipe::too-many-wires",
                                name.span,
                                format!("`{}` is wired to `{}` twice", target.name, port.name),
                            )
                            .label("again"),
                        );
                        break;
                    }
                    wiring.targets.push(Target { step: Some(member) });
                }
            }
            Found::Broken => wiring.targets.push(Target { step: None }),
            Found::LeftOut => {
                n_left_out += 1;
                wiring.left_out = Some((written.to_owned(), name.span));
            }
            Found::Nothing => {}
        }
    }
    // With others beside it, what is left out is not missed.
    if n_left_out < names.len() {
        wiring.left_out = None;
    }
    wiring
}

fn wrong_kind(draft: &Draft, step: &DraftStep, port: &Port, name: &Node, found: &str) -> Diagnostic {
    let written = name.as_str().unwrap_or_default();
    let fitting: Vec<_> = draft
        .steps
        .iter()
        .filter(|other| other.output() == Some(port.kind) && other.name != step.name)
        .map(|other| other.name.as_str())
        .collect();
    let message = format!(
        "`{written}` makes {}, but the port `{}` of `{}` takes {}",
        article(found),
        port.name,
        step.name,
        article(&port.kind.to_string())
    );
    let help = (!fitting.is_empty()).then(|| {
        let shown: Vec<_> = fitting.iter().take(6).collect();
        format!(
            "{} {} made by {}",
            article(&port.kind.to_string()),
            if port.kind.to_string() == "scores" { "are" } else { "is" },
            plural::list(&shown)
        )
    });
    Diagnostic::error("recipe::wrong-kind", name.span, message)
        .label(format!("{found}, not {}", port.kind))
        .maybe_help(help)
}

fn article(kind: &str) -> String {
    if kind == "scores" { kind.to_owned() } else { format!("a {kind}") }
}

fn unwired_help(draft: &Draft, spec: &StageSpec, port: &Port) -> String {
    let fitting = draft.steps.iter().find(|other| other.output() == Some(port.kind)).map_or("…", |other| &other.name);
    if spec.bare_port().is_some_and(|bare| bare.name == port.name) {
        format!("wire it: `in: {fitting}`")
    } else {
        format!("wire it: `in: {{{}: {fitting}}}`", port.name)
    }
}

fn needs(draft: &Draft, step: &DraftStep, faults: &mut Vec<Diagnostic>) -> Vec<usize> {
    let Some(node) = &step.needs_written else { return Vec::new() };
    let mut needs = Vec::new();
    for name in one_or_many(node) {
        if let Found::Steps(members) = find(draft, step, name, faults) {
            needs.extend(members);
        }
    }
    needs.sort_unstable();
    needs.dedup();
    needs
}

/// What a name leads to; an unknown one is told.
fn find(draft: &Draft, step: &DraftStep, node: &Node, faults: &mut Vec<Diagnostic>) -> Found {
    let Some(name) = node.as_str() else {
        faults.push(wrong_type(node, "expected the name of a stage or an input"));
        return Found::Broken;
    };
    let found = draft.find(name);
    if matches!(found, Found::Nothing) {
        let cell_of = name.split_once('@').and_then(|(base, _)| Some((base, draft.families.get(base)?)));
        let fault = if let Some((base, family)) = cell_of {
            let cells = draft.names_of(&family.members);
            let help = match cells.as_slice() {
                [only] if !only.contains('@') => Some(format!("`{base}` has no matrix: write `{base}`")),
                cells => suggest::help(name, cells),
            };
            Diagnostic::error("recipe::unknown-name", node.span, format!("`{base}` has no such cell as `{name}`"))
                .label("unknown cell")
                .maybe_help(help)
        } else {
            let names: Vec<_> =
                draft.names().into_iter().filter(|other| base_name(other) != base_name(&step.name)).collect();
            Diagnostic::error("recipe::unknown-name", node.span, format!("no stage or input is called `{name}`"))
                .label("unknown name")
                .maybe_help(suggest::help(name, &names))
        };
        faults.push(fault);
        return Found::Broken;
    }
    found
}

fn one_or_many(node: &Node) -> Vec<&Node> {
    match &node.value {
        NodeValue::List(items) => items.iter().collect(),
        NodeValue::Null => Vec::new(),
        _ => vec![node],
    }
}

fn all_names(node: &Node) -> Vec<&Node> {
    match &node.value {
        NodeValue::Map(entries) => entries.iter().flat_map(|(_, node)| one_or_many(node)).collect(),
        _ => one_or_many(node),
    }
}

/// The stage of a cell: `scores` of `scores@int8`.
pub(super) fn base_name(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}
