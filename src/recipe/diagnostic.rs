//! `Diagnostic`: one thing that is wrong with a recipe, and where; `Diagnostics`: all of them.

use serde_json::{Value, json};

use crate::base::{
    plural,
    span::{SourceFile, Span},
};

/// One thing that is wrong, or worth a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it stops the recipe.
    pub severity: Severity,
    /// A stable name for the kind of problem: `recipe::unknown-stage`.
    pub code: &'static str,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// Where, in bytes of the recipe; `None` for what is not written in it (`--set`, a file that is not there).
    pub span: Option<Span>,
    /// What the marked part is, in a few words.
    pub label: String,
    /// Other parts that have to do with it.
    pub related: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing runs.
    Error,
    /// Worth a look.
    Warning,
}

impl Diagnostic {
    /// An error at a place.
    #[must_use]
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span: Some(span),
            label: String::new(),
            related: Vec::new(),
            help: None,
        }
    }

    /// An error of something that is not written in the recipe.
    #[must_use]
    pub fn error_outside(code: &'static str, message: impl Into<String>) -> Self {
        Self { span: None, ..Self::error(code, Span::default(), message) }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// Says what the marked part is.
    #[must_use]
    pub fn label(self, text: impl Into<String>) -> Self {
        Self { label: text.into(), ..self }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(self, text: impl Into<String>) -> Self {
        Self { help: Some(text.into()), ..self }
    }

    /// Says what to do, where that is known.
    #[must_use]
    pub fn maybe_help(self, text: Option<String>) -> Self {
        Self { help: text.or(self.help), ..self }
    }

    /// Marks another part.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push((span, text.into()));
        self
    }
}

/// Everything that is wrong with a recipe, in the order of the file.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Diagnostics {
    /// The recipe's text.
    pub source_file: SourceFile,
    /// What is wrong.
    pub items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The diagnostics of a file: sorted by place, each told once.
    #[must_use]
    pub fn new(source_file: SourceFile, mut items: Vec<Diagnostic>) -> Self {
        items.sort_by(|a, b| (a.span, a.severity, a.code, &a.message).cmp(&(b.span, b.severity, b.code, &b.message)));
        // A stage with a matrix is checked cell by cell; what is wrong in all of them is wrong once.
        items.dedup_by(|a, b| a.span == b.span && a.code == b.code && a.message == b.message);
        Self { source_file, items }
    }

    /// Whether anything stops the recipe.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The count line: `3 errors and 1 warning in recipes/x.yaml`.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |severity| self.items.iter().filter(|item| item.severity == severity).count();
        let parts: Vec<_> = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, noun)| plural::count(n, noun))
            .collect();
        let parts = if parts.is_empty() { "no errors".to_owned() } else { parts.join(" and ") };
        format!("{parts} in {}", self.source_file.name)
    }

    /// All of it as JSON: lines and columns from 1, columns in characters, offsets in bytes.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let place = |span: Span| {
            let (line, column) = self.source_file.line_col(span.start);
            let (end_line, end_column) = self.source_file.line_col(span.end);
            json!({
                "line": line, "column": column, "end_line": end_line, "end_column": end_column,
                "offset": span.start, "length": span.end - span.start,
            })
        };
        self.items
            .iter()
            .map(|item| {
                json!({
                    "severity": match item.severity { Severity::Error => "error", Severity::Warning => "warning" },
                    "code": item.code,
                    "message": item.message,
                    "file": self.source_file.name,
                    "place": item.span.map(place),
                    "label": item.label,
                    "related": item.related.iter().map(|(span, text)| json!({"place": place(*span), "label": text})).collect::<Vec<_>>(),
                    "help": item.help,
                })
            })
            .collect()
    }

    /// All of it for people: each with `file:line:col`, the line itself, what is marked, and help; then the count.
    #[must_use]
    pub fn render(&self, width: usize, color: bool) -> String {
        super::render::graphical(self, width, color)
    }
}
