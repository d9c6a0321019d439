//! The finding in one plain sentence.

use super::{attention, summaries};
use crate::{
    base::{plural, units},
    report::{
        model::{Difference, ModelLine, Report},
        words,
    },
    stage::{Better, Metric, RunStatus},
};

/// `The int8 model is 5.2× smaller and 3.9× faster than teacher on one thread of AMD EPYC, and lost 1.4 points of accuracy
/// on movie-reviews test (1,081 rows).`
pub(super) fn of(report: &Report) -> String {
    let model = |name: &Option<String>| name.as_deref().and_then(|name| report.model(name));
    match (model(&report.subject), model(&report.baseline)) {
        (Some(subject), Some(baseline)) if subject.name != baseline.name => versus(report, subject, baseline),
        (Some(subject), _) | (None, Some(subject)) => alone(report, subject),
        (None, None) => {
            let found = report.summaries.first().and_then(summaries::headline);
            found
                .or_else(|| report.attention.first().and_then(attention::headline))
                .unwrap_or_else(|| without_models(report))
        }
    }
}

fn versus(report: &Report, subject: &ModelLine, baseline: &ModelLine) -> String {
    let costs = costs(subject, baseline, report);
    let quality = subject.difference.and_then(|difference| Some((difference, subject.quality.as_ref()?)));
    let name = &subject.name;
    match (costs.is_empty(), quality) {
        (false, Some((difference, metric))) => {
            format!("The {name} model is {costs}, {}.", quality_clause(report, &difference, metric))
        }
        (false, None) => format!("The {name} model is {costs}."),
        (true, Some((difference, metric))) => {
            let clause = quality_clause(report, &difference, metric);
            let clause = match clause.strip_prefix("and ") {
                Some(clause) => clause.to_owned(),
                None => clause.replacen("with ", "shows ", 1),
            };
            format!("Against {}, the {name} model {clause}.", baseline.name)
        }
        (true, None) => alone(report, subject),
    }
}

/// `5.2× smaller and 3.9× faster than teacher on one thread of AMD EPYC`.
fn costs(subject: &ModelLine, baseline: &ModelLine, report: &Report) -> String {
    let size = subject.size.as_ref().and_then(|size| size.gain).map(|gain| (gain, words::SMALLER));
    let speed = subject.latency.as_ref().and_then(|latency| latency.gain).map(|gain| (gain, words::FASTER));
    let said: Vec<_> = [size, speed]
        .into_iter()
        .flatten()
        .map(|(gain, comparative)| (words::is_better(gain), words::gain_plainly(gain, comparative)))
        .collect();
    let text = match said.as_slice() {
        [] => return String::new(),
        [(_, only)] => only.clone(),
        [(a, first), (b, second), ..] => format!("{first} {} {second}", if a == b { "and" } else { "but" }),
    };
    let place = speed.and_then(|_| place(report)).map_or_else(String::new, |place| format!(" on {place}"));
    format!("{text} than {}{place}", baseline.name)
}

/// `and lost 1.4 points of accuracy on movie-reviews test (1,081 rows)`.
fn quality_clause(report: &Report, difference: &Difference, metric: &Metric) -> String {
    let (what, on) = (words_of(&metric.name), data(report));
    let amount = words::amount(metric.unit, difference.value);
    let signed = words::signed(metric.unit, difference.value);
    match difference.is_significant() {
        Some(false) => format!("with no significant difference in {what} ({signed}){on}"),
        _ if signed.starts_with('±') => format!("with the same {what}{on}"),
        _ if metric.better == Better::Higher && metric.unit == crate::stage::Unit::Share => {
            let verb = if difference.value < 0.0 { "lost" } else { "gained" };
            format!("and {verb} {amount} of {what}{on}")
        }
        _ => {
            let way = if difference.value < 0.0 { "lower" } else { "higher" };
            format!("and has a {what} {amount} {way}{on}")
        }
    }
}

/// One model has no one to be compared with.
fn alone(report: &Report, subject: &ModelLine) -> String {
    let mut parts = Vec::new();
    if let Some(metric) = &subject.quality {
        let what = words_of(&metric.name);
        parts.push(format!("reaches {} {what}{}", words::value(metric.unit, metric.value), data(report)));
    }
    if let (Some(latency), Some(speed)) = (&subject.latency, &report.speed) {
        let time = words::value(latency.metric.unit, latency.metric.value);
        let what = format!("{} of {} tokens", rows(speed.batch), speed.length);
        let place = place(report).map_or_else(String::new, |place| format!(" on {place}"));
        parts.push(format!("takes {time} for {what}{place}"));
    }
    if let Some(size) = &subject.size {
        parts.push(format!("takes {} on disk", words::value(size.metric.unit, size.metric.value)));
    }
    if parts.is_empty() {
        without_models(report)
    } else {
        format!("The {} model {}.", subject.name, words::join(&parts))
    }
}

fn without_models(report: &Report) -> String {
    let failed = report.stages.iter().filter(|stage| stage.status == RunStatus::Failed).count();
    let done = report.stages.iter().filter(|stage| matches!(stage.status, RunStatus::Ran | RunStatus::Cached)).count();
    match (done, failed) {
        (0, 0) => "Nothing has run yet.".to_owned(),
        (_, 0) => format!("{} done; no model was scored.", plural::count(done, "stage")),
        _ => format!("{} done, {failed} failed; no model was scored.", plural::count(done, "stage")),
    }
}

/// `one thread of AMD EPYC`.
fn place(report: &Report) -> Option<String> {
    let speed = report.speed.as_ref()?;
    let threads = speed.threads.as_deref().map(|threads| match threads {
        "1" => "one thread".to_owned(),
        many => format!("{many} threads"),
    });
    match (threads, speed.machine.as_deref()) {
        (Some(threads), Some(machine)) => Some(format!("{threads} of {machine}")),
        (Some(threads), None) => Some(threads),
        (None, machine) => machine.map(str::to_owned),
    }
}

/// ` on movie-reviews test (1,081 rows)`.
fn data(report: &Report) -> String {
    let Some(basis) = &report.quality else { return String::new() };
    let name: Vec<_> = [basis.dataset.as_deref(), basis.split.as_deref()].into_iter().flatten().collect();
    match (name.is_empty(), basis.rows) {
        (true, None) => String::new(),
        (true, Some(count)) => format!(" on {}", rows(count)),
        (false, None) => format!(" on {}", name.join(" ")),
        (false, Some(count)) => format!(" on {} ({})", name.join(" "), rows(count)),
    }
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{} rows", units::thousands(count)) }
}

/// `macro_f1` reads as `macro F1`.
fn words_of(metric: &str) -> String {
    metric.replace('_', " ").replace(" f1", " F1")
}

#[cfg(test)]
mod tests {
    use crate::report::Answers;
    use crate::{
        report::{
            fixture,
            model::{Gain, Options, Report},
        },
        stage::RunView,
    };

    fn report() -> Report {
        Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default())
    }

    fn headline(change: impl FnOnce(&mut Report)) -> String {
        let mut report = report();
        change(&mut report);
        super::of(&report)
    }

    fn subject(report: &mut Report) -> &mut crate::report::model::ModelLine {
        report.models.iter_mut().find(|model| model.name == "int8").unwrap()
    }

    #[test]
    fn a_finding_is_one_sentence() {
        assert_eq!(
            headline(|_| ()),
            "The int8 model is 5.3× smaller and 3.9× faster than teacher on one thread of AMD EPYC 9R14, and lost 1.7 \
             points of accuracy on movie-reviews test (1,081 rows)."
        );
    }

    #[test]
    fn it_never_hides_what_did_not_work() {
        let text = headline(|report| {
            subject(report).latency.as_mut().unwrap().gain = Some(Gain { factor: 1.03, interval: Some([0.98, 1.08]) });
            subject(report).difference.as_mut().unwrap().interval = Some([-0.03, 0.001]);
        });
        assert!(text.contains("5.3× smaller but no faster than teacher"), "{text}");
        assert!(text.contains("with no significant difference in accuracy (−1.7 points)"), "{text}");
        let text = headline(|report| {
            subject(report).latency.as_mut().unwrap().gain = Some(Gain { factor: 0.5, interval: None });
        });
        assert!(text.contains("5.3× smaller but 2.0× slower than teacher"), "{text}");
    }

    #[test]
    fn what_is_missing_is_left_out() {
        let without_bench = headline(|report| {
            report.speed = None;
            for model in &mut report.models {
                (model.latency, model.size) = (None, None);
            }
        });
        assert_eq!(
            without_bench,
            "Against teacher, the int8 model lost 1.7 points of accuracy on movie-reviews test (1,081 rows)."
        );
        let without_scores = headline(|report| report.models.iter_mut().for_each(|model| model.difference = None));
        assert_eq!(
            without_scores,
            "The int8 model is 5.3× smaller and 3.9× faster than teacher on one thread of AMD EPYC 9R14."
        );
        let nothing = Report::gather(&RunView::default(), &[], &Answers::default(), &Options::default());
        assert_eq!(nothing.headline, "Nothing has run yet.");
    }
}
