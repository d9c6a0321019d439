//! Diagnostics as a person reads them: the line, the marked part, the help.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::base::span::Span;

/// Every diagnostic as a graphical report, and the count.
pub(super) fn graphical(diagnostics: &Diagnostics, width: usize, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        // Below 40 columns the frame alone would not fit.
        .with_width(width.max(40))
        .with_context_lines(1)
        .with_links(false);
    let file = &diagnostics.source_file;
    let source = NamedSource::new(&file.name, file.text.clone());
    let mut out = String::new();
    for item in &diagnostics.items {
        let report = Report { item, text: &file.text, source: &source };
        if handler.render_report(&mut out, &report).is_err() {
            out.push_str(&item.message);
        }
        out.push('\n');
    }
    out.push_str(&diagnostics.summary());
    out.push('\n');
    out
}

/// A diagnostic with its text, as miette wants it.
struct Report<'a> {
    item: &'a Diagnostic,
    text: &'a str,
    source: &'a NamedSource<String>,
}

impl Report<'_> {
    fn labeled(&self, span: Span, text: &str, primary: bool) -> LabeledSpan {
        let shown = first_line(self.text, span);
        let label = Some(text.to_owned()).filter(|text| !text.is_empty());
        let range = (shown.start, shown.end - shown.start);
        if primary {
            LabeledSpan::new_primary_with_span(label, range)
        } else {
            LabeledSpan::new_with_span(label, range)
        }
    }
}

/// The part of a span on its first line: a map of forty lines is marked by its head.
fn first_line(text: &str, span: Span) -> Span {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (floor(span.start), floor(span.end));
    let length = text.get(start..end).and_then(|part| part.find('\n')).unwrap_or(end.saturating_sub(start));
    Span::new(start, start + length)
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.item.message)
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.item.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.item.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.item.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.item.span.map(|_| self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let primary = self.labeled(self.item.span?, &self.item.label, true);
        let related = self.item.related.iter().map(|(span, text)| self.labeled(*span, text, false));
        Some(Box::new(std::iter::once(primary).chain(related)))
    }
}
