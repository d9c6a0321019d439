//! The stage reference for a terminal.

use super::{Parameter, Shape, StageDoc};
use crate::{
    cli::{output::Style, table::Table},
    stage::{Port, Registry, StageSpec},
};

/// All kinds, one a line: what may stand under `stages:`, then what may stand under `inputs:`.
pub(in crate::cli) fn list(registry: &Registry, style: Style) -> String {
    let mut table = Table::new(&[]);
    for spec in registry.0.iter().filter(|spec| !spec.source) {
        table.row([style.accent(spec.kind), takes(spec), style.faint("→"), spec.output.to_string(), spec.about.into()]);
    }
    let mut lines = table.lines();
    let mut sources = Table::new(&[]);
    for spec in registry.0.iter().filter(|spec| spec.source) {
        sources.row([style.accent(spec.kind), spec.about.into()]);
    }
    if !sources.is_empty() {
        lines.push(String::new());
        lines.push(style.strong("inputs"));
        lines.extend(sources.lines());
    }
    lines.push(String::new());
    lines.push(style.faint("`lmpipe stages KIND` explains one kind"));
    lines.join("\n")
}

/// Everything about one kind.
pub(in crate::cli) fn text(doc: &StageDoc, style: Style, width: usize) -> String {
    let spec = doc.spec;
    let mut lines = vec![format!("{}  {}", style.strong(&style.accent(spec.kind)), spec.about), String::new()];
    for port in spec.inputs {
        lines.push(format!("  in    {}  {}", style.accent(port.name), port_words(port)));
    }
    lines.push(format!("  out   {}", spec.output));
    section("with", "", &doc.parameters, style, width, &mut lines);
    for definition in &doc.definitions {
        match &definition.shape {
            Shape::Map(fields) => section(&definition.name, &definition.doc, fields, style, width, &mut lines),
            Shape::Words(words) => {
                section(&definition.name, &definition.doc, &[], style, width, &mut lines);
                lines.push(format!("  {words}"));
            }
            Shape::Choices(choices) => {
                section(&definition.name, &definition.doc, &[], style, width, &mut lines);
                for choice in choices {
                    lines.push(format!("  {}", style.accent(&choice.form.replace('`', ""))));
                    lines.extend(wrap(&choice.doc, 6, width));
                    parameters(&choice.fields, 6, style, width, &mut lines);
                }
            }
        }
    }
    lines.join("\n")
}

fn section(name: &str, doc: &str, fields: &[Parameter], style: Style, width: usize, lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.push(style.strong(name));
    lines.extend(wrap(doc, 2, width));
    parameters(fields, 2, style, width, lines);
}

fn parameters(fields: &[Parameter], indent: usize, style: Style, width: usize, lines: &mut Vec<String>) {
    for field in fields {
        let presence = match &field.default {
            Some(default) => format!(", default `{default}`"),
            None if field.required => ", required".into(),
            None => String::new(),
        };
        let margin = " ".repeat(indent);
        lines.push(format!(
            "{margin}{}  {}",
            style.accent(&field.name),
            style.faint(&format!("{}{presence}", field.kind))
        ));
        lines.extend(wrap(&field.doc, indent + 4, width));
    }
}

fn takes(spec: &StageSpec) -> String {
    let ports: Vec<String> = spec.inputs.iter().map(port_name).collect();
    ports.join(", ")
}

fn port_name(port: &Port) -> String {
    format!("{}{}{}", port.name, if port.many { "…" } else { "" }, if port.optional { "?" } else { "" })
}

fn port_words(port: &Port) -> String {
    let number = if port.many { "one or more: " } else { "" };
    let optional = if port.optional { ", may be left out" } else { "" };
    format!("{number}{}{optional}", port.kind)
}

/// Words in lines of at most `width` columns, each moved to the right.
fn wrap(text: &str, indent: usize, width: usize) -> Vec<String> {
    let margin = " ".repeat(indent);
    let mut lines: Vec<String> = Vec::new();
    for (number, part) in text.split("```").enumerate() {
        // A block of code, behind the name of its language.
        if number % 2 == 1 {
            let code = part.trim_end().lines().skip(1);
            lines.extend(code.map(|line| if line.is_empty() { String::new() } else { format!("{margin}  {line}") }));
            continue;
        }
        let mut is_new = true;
        for word in part.split_whitespace() {
            match lines.last_mut() {
                Some(line) if !is_new && line.chars().count() + 1 + word.chars().count() <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(format!("{margin}{word}")),
            }
            is_new = false;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_filled() {
        assert_eq!(wrap("one two three four", 2, 9), ["  one two", "  three", "  four"]);
        assert!(wrap("", 2, 9).is_empty());
        let code = "one\n\n```text\na  long line of code\n\nb\n```\n\ntwo";
        assert_eq!(wrap(code, 2, 9), ["  one", "    a  long line of code", "", "    b", "  two"]);
    }
}
