//! The stage reference as Markdown, committed as `docs/stages.md`.

use super::{Parameter, Shape, StageDoc};
use crate::stage::{Port, Registry, StageSpec};

const HEAD: &str = "# Stages

<!-- Written by `lmpipe stages --markdown`; a test compares. -->

What may stand after `uses:`. A port with `…` takes many; one with `?` may be left out.

| stage | in | out | |
|---|---|---|---|";

/// The whole reference.
pub(in crate::cli) fn markdown(registry: &Registry) -> String {
    let mut lines = vec![HEAD.to_owned()];
    for spec in registry.0.iter().filter(|spec| !spec.source) {
        let kind = spec.kind;
        lines.push(format!("| [`{kind}`](#{kind}) | {} | {} | {} |", ports(spec), spec.output, cell(spec.about)));
    }
    lines.push("\nWhat may stand under `inputs:`.\n\n| input | out | |\n|---|---|---|".to_owned());
    for spec in registry.0.iter().filter(|spec| spec.source) {
        let kind = spec.kind;
        lines.push(format!("| [`{kind}`](#{kind}) | {} | {} |", spec.output, cell(spec.about)));
    }
    for spec in registry.0 {
        stage(&StageDoc::of(spec), &mut lines);
    }
    lines.push(String::new());
    lines.join("\n")
}

fn stage(doc: &StageDoc, lines: &mut Vec<String>) {
    lines.push(format!("\n## {}\n\n{}.\n", doc.spec.kind, capital(doc.spec.about)));
    if doc.parameters.is_empty() {
        lines.push("No parameters.".to_owned());
    } else {
        table(&doc.parameters, lines);
    }
    for definition in &doc.definitions {
        let colon = if definition.doc.is_empty() { "" } else { ": " };
        lines.push(format!("\n**`{}`**{colon}{}\n", definition.name, definition.doc));
        match &definition.shape {
            Shape::Map(fields) => table(fields, lines),
            Shape::Words(words) => lines.push(words.clone()),
            Shape::Choices(choices) => {
                for choice in choices {
                    lines.push(format!("- {}{}", choice.form, after_dash(&choice.doc)));
                    for field in &choice.fields {
                        let presence = match presence(field).as_str() {
                            "" => String::new(),
                            "required" => ", required".to_owned(),
                            default => format!(", default {default}"),
                        };
                        lines.push(format!("  - `{}`: {}{presence}{}", field.name, field.kind, after_dash(&field.doc)));
                    }
                }
            }
        }
    }
}

fn table(fields: &[Parameter], lines: &mut Vec<String>) {
    lines.push("| key | value | default | |\n|---|---|---|---|".to_owned());
    for field in fields {
        let presence = presence(field);
        lines.push(format!(
            "| `{}` | {} | {} | {} |",
            field.name,
            cell(&field.kind),
            cell(&presence),
            cell(&field.doc)
        ));
    }
}

fn presence(field: &Parameter) -> String {
    match &field.default {
        Some(default) => format!("`{default}`"),
        None if field.required => "required".to_owned(),
        None => String::new(),
    }
}

fn ports(spec: &StageSpec) -> String {
    let name = |port: &Port| {
        format!("`{}`{}{}", port.name, if port.many { "…" } else { "" }, if port.optional { "?" } else { "" })
    };
    spec.inputs.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn after_dash(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" – {}", text.replace('\n', "\n  ")) }
}

/// Text that may stand in a cell of a table: without blocks of code.
fn cell(text: &str) -> String {
    text.split("\n\n").filter(|part| !part.starts_with("```")).collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
