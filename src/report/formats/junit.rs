//! `junit.xml`: a test case a gate, for whatever shows test results.

use std::fmt::Write as _;

use super::Renderer;
use crate::report::{
    error::ReportError,
    model::{GateState, Report},
};

/// Renders `junit.xml`.
pub(super) struct Junit;

impl Renderer for Junit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn file_name(&self) -> &'static str {
        "junit.xml"
    }

    fn render(&self, report: &Report) -> Result<String, ReportError> {
        let count = |state| report.gates.iter().filter(|gate| gate.state == state).count();
        let counts = format!(
            r#"tests="{}" failures="{}" errors="0" skipped="{}""#,
            report.gates.len(),
            count(GateState::Failed),
            count(GateState::Unknown) + count(GateState::Unjudged)
        );
        let recipe = escape(&report.recipe);
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(out, r#"<testsuites name="lmpipe {recipe}" {counts}>"#);
        let _ = writeln!(out, r#"  <testsuite name="gates" {counts}>"#);
        for gate in &report.gates {
            let (name, found) = (escape(&gate.text), escape(&gate.verdict.text));
            let class = format!("{recipe}.gates");
            let warning = if gate.state == GateState::Warned { "warning: " } else { "" };
            let _ = match gate.state {
                GateState::Passed | GateState::Warned => writeln!(
                    out,
                    "    <testcase classname=\"{class}\" name=\"{name}\">\n      <system-out>{warning}{found}</system-out>\n    \
                     </testcase>"
                ),
                GateState::Failed => writeln!(
                    out,
                    "    <testcase classname=\"{class}\" name=\"{name}\">\n      <failure type=\"gate\" \
                     message=\"{found}\">{name}: {found}</failure>\n    </testcase>"
                ),
                GateState::Unknown | GateState::Unjudged => writeln!(
                    out,
                    "    <testcase classname=\"{class}\" name=\"{name}\">\n      <skipped message=\"{found}\"/>\n    \
                     </testcase>"
                ),
            };
        }
        out.push_str("  </testsuite>\n</testsuites>\n");
        Ok(out)
    }
}

/// Escapes for text and attributes. XML 1.0 has no way to write most control characters, so they become `U+FFFD`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\r' | '\t' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Answers;
    use crate::{
        report::{fixture, model::Options},
        stage::{Bound, Gate, RunStatus, Severity},
    };

    #[test]
    fn the_mobile_recipe() {
        let mut run = fixture::run();
        run.nodes.push(fixture::node("later", "bench", &["int8"], RunStatus::Waiting, 0.0));
        run.gates.push(Gate {
            metric: "later.int8.size_bytes".into(),
            versus: None,
            bound: Bound::Max(1.0.into()),
            severity: Severity::Error,
            paired: false,
        });
        let report = Report::gather(&run, &fixture::scores(), &Answers::default(), &Options::default());
        insta::assert_snapshot!(Junit.render(&report).unwrap());
    }

    #[test]
    fn hostile_names_are_escaped() {
        let report = Report::gather(&fixture::hostile_run(), &[], &Answers::default(), &Options::default());
        let text = Junit.render(&report).unwrap();
        assert!(!text.contains("<script") && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains("&lt;script&gt;"), "{text}");
    }
}
