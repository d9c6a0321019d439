//! `index.html`: one self-contained page, read without scripts.

mod view;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, value::Serde};

use super::Renderer;
use crate::report::{error::ReportError, model::Report};

/// Renders `index.html`.
pub(super) struct Html;

impl Renderer for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn file_name(&self) -> &'static str {
        "index.html"
    }

    fn render(&self, report: &Report) -> Result<String, ReportError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let syntax = minijinja::syntax::SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        environment.set_syntax(syntax);
        environment.add_template("page.html", include_str!("../templates/page.html"))?;
        environment.add_template("style.css", include_str!("../templates/style.css"))?;
        let page = Value::from(Serde(&view::Page::of(report)));
        Ok(environment.get_template("page.html")?.render(page)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Answers;
    use crate::report::{fixture, model::Options};
    use crate::stage::RunView;

    fn page(report: &Report) -> String {
        Html.render(report).unwrap()
    }

    /// The names of the open elements after each tag of a page; panics where a tag closes another than the last opened.
    fn assert_balanced(page: &str) {
        const VOID: [&str; 6] = ["meta", "br", "hr", "link", "img", "input"];
        let mut open: Vec<&str> = Vec::new();
        let mut rest = page.strip_prefix("<!doctype html>").expect("a document type");
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            let end = rest.find('>').expect("a tag ends");
            let tag = &rest[..end];
            rest = &rest[end + 1..];
            assert!(!tag.contains('<'), "a tag within a tag: {tag}");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "`</{name}>` closes another element");
                continue;
            }
            let name = tag.split([' ', '\n']).next().unwrap();
            assert!(tag.matches('"').count().is_multiple_of(2), "quotes of {tag}");
            if !tag.ends_with('/') && !VOID.contains(&name) {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "never closed: {open:?}");
    }

    #[test]
    fn the_page_is_well_formed_and_alone() {
        let report = Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default());
        let page = page(&report);
        assert_balanced(&page);
        for reference in ["http://", "https://", "<link", "@import", "<img", "<script", "url("] {
            let found = page.replace("http://www.w3.org/2000/svg", "").contains(reference);
            assert!(!found, "the page refers to something outside: {reference}");
        }
        for part in [
            "name=\"viewport\"",
            "prefers-color-scheme: dark",
            "@media print",
            "1 of 3 gates failed",
            "The int8 model is 5.3× smaller and 3.9× faster than teacher",
            "<del>quiet</del>",
            "lmpipe run recipes&#x2f;mobile.yaml --set epochs=3",
            "avx512-vnni",
            "12 of 36 heads were removed",
            "scores@int8.accuracy_vs_teacher",
        ] {
            assert!(page.contains(part), "the page lacks {part}");
        }
        let plots = page.matches("<svg").count();
        assert_eq!(plots, 6, "two fronts, the steps, two curves, the graph");
    }

    #[test]
    fn hostile_texts_stay_text() {
        let report = Report::gather(&fixture::hostile_run(), &[], &Answers::default(), &Options::default());
        let page = page(&report);
        assert_balanced(&page);
        assert!(!page.contains("<script") && !page.contains("alert('x')"), "a text became markup");
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn hostile_summaries_stay_text() {
        let evil = "</p></article><script>alert('x')</script>\"&<b> says when a receiver sends them";
        let mut report = fixture::longdoc();
        for table in &mut report.summaries {
            table.data = evil.into();
            table.subject = Some(evil.into());
            table.lines.iter_mut().for_each(|line| (line.name, line.method) = (evil.into(), evil.into()));
            for example in &mut table.examples {
                (example.id, example.reference) = (evil.into(), evil.into());
                example.texts.iter_mut().for_each(|text| (text.name, text.text) = (evil.into(), evil.into()));
            }
        }
        for line in report.lengths.iter_mut().flat_map(|table| &mut table.lines) {
            line.name = evil.into();
            line.points.iter_mut().for_each(|point| point.model = evil.into());
        }
        report.confusions.iter_mut().for_each(|of| of.confusion.labels.fill(evil.into()));
        let page = page(&report);
        assert_balanced(&page);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "a text became markup");
    }

    #[test]
    fn an_empty_run_is_a_page_as_well() {
        let page = page(&Report::gather(&RunView::default(), &[], &Answers::default(), &Options::default()));
        assert_balanced(&page);
        assert!(page.contains("Nothing has run yet."));
    }

    /// Writes the page of the fixture where a person can look at it.
    #[test]
    #[ignore = "writes a page to look at: `LMPIPE_LOOK` names the file"]
    fn look() {
        let path = option_env!("LMPIPE_LOOK").unwrap_or("/tmp/report.html");
        let report = Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default());
        let look = |report: &Report, path: &str| {
            crate::base::fs::write_atomic(std::path::Path::new(path), page(report).as_bytes()).unwrap();
        };
        look(&report, path);
        look(&fixture::looked_at(), &path.replace(".html", "-data.html"));
        look(&fixture::longdoc(), &path.replace(".html", "-longdoc.html"));
    }

    #[test]
    fn long_documents_are_shown() {
        let page = page(&fixture::longdoc());
        assert_balanced(&page);
        for part in [
            "<h2>Quality against length</h2>",
            "<h2>Summaries</h2>",
            "ROUGE-Lsum",
            "The lower quartile <span class=\"note\">rfc67",
            "<mark>This document specifies the encoding of measurement results</mark>",
            "more words</summary>",
            "Each sees 256 to either side; the first sees, and is seen by, all.",
            "<desc>",
            "title=\"10 of 13 `audio and video transport` called `audio and video transport`\"",
        ] {
            assert!(page.contains(part), "the page lacks {part}");
        }
        let plots = page.matches("<svg").count();
        assert_eq!(
            plots, 13,
            "accuracy, F1 and time by length, two of summaries, five patterns, two of the lab, the graph"
        );
        insta::assert_snapshot!(between(&page, "<section id=\"summaries\">", "<section id=\"attention\">"));
    }

    #[test]
    fn what_is_in_the_data_is_shown() {
        let report = fixture::looked_at();
        let page = page(&report);
        assert_balanced(&page);
        assert!(!page.contains("words of a row</figcaption>"), "no histogram is a curve of training");
        assert_eq!(
            page.split("<section id=\"datasets\">")
                .nth(1)
                .unwrap()
                .split("</section>")
                .next()
                .unwrap()
                .matches("<svg")
                .count(),
            5
        );
        insta::assert_snapshot!(between(&page, "<section id=\"datasets\">", "<section id=\"data\">"));
    }

    #[test]
    fn hostile_data_stays_text() {
        let evil = "</p></table><script>alert('x')</script>\"&<b>";
        let mut report = fixture::looked_at();
        for profile in &mut report.data {
            (profile.stage, profile.data, profile.before) = (evil.into(), evil.into(), Some(evil.into()));
            profile.notes.push(evil.into());
            for split in &mut profile.splits {
                split.name = evil.into();
                split.now.frequent.push(evil.into());
                split.now.labels.push((evil.into(), 3));
                split.now.languages.push((evil.into(), 3));
            }
        }
        let page = page(&report);
        assert_balanced(&page);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "a text became markup");
    }

    /// The part of a page from one text to another, without its plots.
    fn between(page: &str, from: &str, to: &str) -> String {
        let part = page.split(from).nth(1).unwrap().split(to).next().unwrap();
        let plots = part.split("<svg").map(|piece| piece.split_once("</svg>").map_or(piece, |(_, rest)| rest));
        plots.collect::<Vec<_>>().join("(a plot)")
    }
}
