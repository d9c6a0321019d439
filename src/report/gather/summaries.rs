//! Summaries of the same texts by several methods, and the texts that are shown.

use super::{
    answers::{Answers, Summary},
    sources::{Sources, Summaries},
};
use crate::{
    base::units,
    report::{
        model::{Difference, Evidence, Example, ExampleText, SummaryLine, SummaryTable},
        words,
    },
    stage::Record,
};

/// The measures, in the order of a table's columns.
const MEASURES: [&str; 4] = ["rouge1", "rouge2", "rouge_l", "rouge_lsum"];

/// The first sentences, which every method is compared with.
const LEAD: &str = "lead";

/// What chooses sentences by the reference itself: a bound, and no method.
const ORACLE: &str = "oracle";

/// Where the examples lie among all texts, ordered by how much the subject gains over the first sentences. Ranks and not
/// texts are chosen, so that nobody picks what looks good.
const PLACES: [(&str, f64); 3] = [("the lower quartile", 0.25), ("the median", 0.5), ("the upper quartile", 0.75)];

/// A table a dataset, in the order of the run.
pub(super) fn tables(sources: &Sources<'_>, answers: &Answers) -> Vec<SummaryTable> {
    let mut data: Vec<&str> = Vec::new();
    for of in &sources.summaries {
        if !data.contains(&of.data.as_str()) {
            data.push(&of.data);
        }
    }
    let of = |data: &str| sources.summaries.iter().filter(|of| of.data == data).collect::<Vec<_>>();
    data.into_iter().filter_map(|data| table(data, &of(data), answers)).collect()
}

fn table(data: &str, methods: &[&Summaries<'_>], answers: &Answers) -> Option<SummaryTable> {
    let names = names(methods);
    let mut lines: Vec<SummaryLine> = methods.iter().zip(names).map(|(of, name)| line(of, name)).collect();
    lines.retain(|line| !line.measures.is_empty());
    let score = |line: &SummaryLine| line.measures.first().map_or(f64::NEG_INFINITY, |(metric, _)| metric.value);
    // Equals stay in the order of the recipe.
    lines.sort_by(|a, b| score(b).total_cmp(&score(a)));
    let subject = lines.iter().find(|line| line.method != LEAD && line.method != ORACLE).or(lines.first())?;
    let rows = methods.iter().find_map(|of| of.record.metric("rows")).filter(|rows| rows.value.is_finite());
    Some(SummaryTable {
        data: data.to_owned(),
        rows: rows.map(|rows| rows.value.max(0.0) as u64),
        lead: lead_of(subject, &lines).map(|line| line.name.clone()),
        examples: examples(subject, &lines, answers),
        subject: Some(subject.name.clone()),
        lines,
    })
}

/// `The summaries of lex_rank have a ROUGE-1 of 32.7 %, 8.9 points less than the first sentences, on standards test (149
/// texts).`
pub(super) fn headline(table: &SummaryTable) -> Option<String> {
    let line = table.lines.iter().find(|line| Some(&line.name) == table.subject.as_ref())?;
    let (metric, versus) = line.measures.first()?;
    let (measure, value) = (words::metric_name(&metric.name), words::value(metric.unit, metric.value));
    let beside = versus.map_or_else(String::new, |versus| match (versus.is_significant(), versus.value < 0.0) {
        (Some(false), _) => ", no significant difference from the first sentences,".to_owned(),
        (_, is_less) => {
            let way = if is_less { "less" } else { "more" };
            format!(", {} {way} than the first sentences,", words::amount(metric.unit, versus.value))
        }
    });
    let texts = table.rows.map_or_else(String::new, |rows| format!(" ({} texts)", units::thousands(rows)));
    let on = if table.data.is_empty() { String::new() } else { format!(" on {}", table.data) };
    Some(format!("The summaries of {} have a {measure} of {value}{beside}{on}{texts}.", line.name))
}

/// What sets stages apart: their cells, or names where they have none, if these differ, else their whole names.
fn names(methods: &[&Summaries<'_>]) -> Vec<String> {
    let short = |of: &&Summaries<'_>| of.stage.split_once('@').map_or(of.stage, |(_, cell)| cell).to_owned();
    let names: Vec<String> = methods.iter().map(short).collect();
    let differ = (1..names.len()).all(|at| !names[..at].contains(&names[at]));
    if differ { names } else { methods.iter().map(|of| of.stage.to_owned()).collect() }
}

/// The first sentences that a method was compared with: those of the same length, which have the score that it says.
fn lead_of<'a>(subject: &SummaryLine, lines: &'a [SummaryLine]) -> Option<&'a SummaryLine> {
    let score = |line: &SummaryLine| line.measures.first().map(|(metric, _)| metric.value);
    let said = subject.measures.first().and_then(|(metric, versus)| Some(metric.value - versus.as_ref()?.value));
    let said = said.or_else(|| score(subject))?;
    let mut leads = lines.iter().filter(|line| line.method == LEAD);
    leads.find(|line| score(line).is_some_and(|score| (score - said).abs() < 1e-9))
}

fn line(of: &Summaries<'_>, name: String) -> SummaryLine {
    let finite = |record: &Record, name: &str| record.metric(name).filter(|metric| metric.value.is_finite()).cloned();
    let measures = MEASURES.iter().filter_map(|measure| {
        let versus = finite(of.record, &format!("{measure}_vs_{LEAD}")).map(|metric| Difference {
            value: metric.value,
            interval: metric.interval,
            evidence: Evidence::Paired,
        });
        Some((finite(of.record, measure)?, versus))
    });
    let method = of.record.facts.iter().find(|(fact, _)| fact == "model").map(|(_, text)| text.clone());
    SummaryLine {
        stage: of.stage.to_owned(),
        method: method.unwrap_or_else(|| name.clone()),
        name,
        measures: measures.collect(),
        words: finite(of.record, "words"),
    }
}

/// The texts at fixed ranks of the subject's gain over the first sentences; of the lead alone, of its score.
fn examples(subject: &SummaryLine, lines: &[SummaryLine], answers: &Answers) -> Vec<Example> {
    let Some(summaries) = answers.summaries.get(&subject.stage) else { return Vec::new() };
    let is_lead = subject.method == LEAD;
    let rank_by = |of: &Summary| if is_lead { of.score } else { of.score - of.lead_score };
    let mut order: Vec<&Summary> = summaries.iter().collect();
    order.sort_by(|a, b| rank_by(a).total_cmp(&rank_by(b)).then_with(|| a.id.cmp(&b.id)));
    let mut examples: Vec<Example> = Vec::new();
    for (place, share) in PLACES {
        let at = (share * (order.len().max(1) - 1) as f64).round() as usize;
        let Some(chosen) = order.get(at).filter(|of| examples.iter().all(|known| known.id != of.id)) else { continue };
        examples.push(example(chosen, place, subject, lines, answers));
    }
    examples
}

fn example(
    of: &Summary,
    place: &'static str,
    subject: &SummaryLine,
    lines: &[SummaryLine],
    answers: &Answers,
) -> Example {
    let lead = lead_of(subject, lines);
    let name = lead.map_or(LEAD, |line| line.name.as_str()).to_owned();
    let mut texts = vec![ExampleText { name, text: of.lead.clone(), score: of.lead_score, gain: None }];
    let is_lead = |line: &&SummaryLine| lead.is_some_and(|lead| lead.stage == line.stage);
    let others = lines.iter().filter(|line| line.stage != subject.stage);
    for line in std::iter::once(subject).chain(others).filter(|line| !is_lead(line)) {
        let summaries = answers.summaries.get(&line.stage).map_or(&[][..], Vec::as_slice);
        if let Some(own) = summaries.iter().find(|own| own.id == of.id) {
            let gain = (line.method != LEAD).then_some(own.score - own.lead_score);
            texts.push(ExampleText { name: line.name.clone(), text: own.text.clone(), score: own.score, gain });
        }
    }
    Example { id: of.id.clone(), place, reference: of.reference.clone(), texts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn methods_stand_beside_the_first_sentences() {
        let table = fixture::longdoc().summaries.remove(0);
        let names: Vec<_> = table.lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["oracle", "lead", "lex_rank", "random"]);
        assert_eq!(
            (table.data.as_str(), table.rows, table.subject.as_deref()),
            ("body test", Some(149), Some("lex_rank"))
        );
        assert_eq!(
            headline(&table).unwrap(),
            "The summaries of lex_rank have a ROUGE-1 of 32.73 %, 8.9 points less than the first sentences, on body test \
             (149 texts)."
        );
    }

    #[test]
    fn examples_are_chosen_by_rank() {
        let table = fixture::longdoc().summaries.remove(0);
        let chosen: Vec<_> =
            table.examples.iter().map(|of| (of.place, of.id.as_str(), of.texts[1].gain.unwrap())).collect();
        // Of nine gains, 0.02 apart, those with two, four and six below them.
        let places: Vec<_> = chosen.iter().map(|(place, id, _)| (*place, *id)).collect();
        assert_eq!(
            places,
            [("the lower quartile", "rfc6708"), ("the median", "rfc6707"), ("the upper quartile", "rfc6706")]
        );
        assert!((chosen[1].2 - chosen[0].2 - 0.04).abs() < 1e-12 && (chosen[2].2 - chosen[1].2 - 0.04).abs() < 1e-12);
        let names: Vec<_> = table.examples[0].texts.iter().map(|text| text.name.as_str()).collect();
        assert_eq!(names, ["lead", "lex_rank", "oracle", "random"]);
    }
}
