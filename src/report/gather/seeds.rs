//! Models that were trained over seeds: means of their scores, and whether they differ by more than seeds do.

use super::sources::Sources;
use crate::{
    report::model::{Difference, Evidence, SeedLine},
    stage::{self, Family, Metric, RunStatus, RunView, Seeded, Spread},
};

/// The stages of a run that are run over seeds, together.
pub(super) fn families(run: &RunView) -> Vec<Family> {
    let done = run.nodes.iter().filter(|node| matches!(node.status, RunStatus::Ran | RunStatus::Cached));
    stage::over_seeds(done.map(|node| Seeded {
        name: &node.name,
        family: node.family.as_deref(),
        inputs: &node.inputs,
        record: &node.record,
    }))
}

/// A line a family of evaluations, beside the first of them, or the one of the baseline.
pub(super) fn lines(
    run: &RunView,
    sources: &Sources<'_>,
    families: &[Family],
    metric: &str,
    baseline: Option<&str>,
) -> Vec<SeedLine> {
    let model = |stage: &str| sources.evaluations.iter().find(|of| of.stage == stage).map(|of| of.model.as_str());
    let scored: Vec<&Family> = families
        .iter()
        .filter(|family| family.members.iter().all(|stage| model(stage).is_some()) && of(family, metric).is_some())
        .collect();
    let is_baseline =
        |family: &&&Family| baseline.is_some() && family.members.iter().any(|stage| model(stage) == baseline);
    let Some(reference) = scored.iter().find(is_baseline).or(scored.first()).copied() else { return Vec::new() };
    let line = |family: &&Family| SeedLine {
        stage: family.name.clone(),
        n_seeds: family.members.len(),
        metric: of(family, metric).cloned().expect("it was looked for"),
        versus: (family.name != reference.name).then(|| reference.name.clone()),
        difference: (family.name != reference.name).then(|| difference(run, family, reference, metric)).flatten(),
    };
    scored.iter().map(line).collect()
}

fn of<'a>(family: &'a Family, metric: &str) -> Option<&'a Metric> {
    family.metrics.iter().find(|found| found.name == metric)
}

/// The mean over seeds of the difference within a seed, with the interval of Student's t: what is easy for a seed is so for both.
fn difference(run: &RunView, family: &Family, reference: &Family, metric: &str) -> Option<Difference> {
    let value =
        |stage: &str| run.nodes.iter().find(|node| node.name == stage)?.record.metric(metric).map(|it| it.value);
    let seed = |family: &Family, stage: &str| {
        stage.rsplit(['@', '-']).next().map(str::to_owned).filter(|_| stage != family.name)
    };
    let differences: Vec<f64> = family
        .members
        .iter()
        .filter_map(|own| {
            let other = reference.members.iter().find(|other| seed(reference, other) == seed(family, own))?;
            Some(value(own)? - value(other)?)
        })
        .collect();
    let Spread { mean, interval, .. } = Spread::of(&differences)?;
    Some(Difference { value: mean, interval: Some(interval), evidence: Evidence::Paired })
}

#[cfg(test)]
mod tests {
    use crate::{
        report::{Answers, Options, Report, fixture, words},
        stage::{Better, Metric, RunNode, RunStatus, RunView, Unit},
    };

    fn scored(model: &str, seed: u64, accuracy: f64) -> [RunNode; 2] {
        let family = |node: RunNode, family: &str| RunNode { family: Some(family.to_owned()), ..node };
        let made = fixture::node(&format!("{model}@s{seed}"), "finetune", &["data"], RunStatus::Ran, 1.0);
        let name = format!("scores@{model}-s{seed}");
        let mut scores = fixture::node(&name, "evaluate", &[made.name.as_str(), "data"], RunStatus::Ran, 1.0);
        scores.record.metrics.push(Metric::new("accuracy", accuracy, Unit::Share, Better::Higher));
        [family(made, model), family(scores, &format!("scores@{model}"))]
    }

    fn report(models: &[(&str, [f64; 3])]) -> Report {
        let seeds = |(model, accuracies): &(&str, [f64; 3])| {
            accuracies.iter().zip(1..).flat_map(|(accuracy, seed)| scored(model, seed, *accuracy)).collect::<Vec<_>>()
        };
        let nodes = models.iter().flat_map(seeds).collect();
        let run = RunView { nodes, ..fixture::run() };
        Report::gather(&run, &[], &Answers::default(), &Options::default())
    }

    #[test]
    fn what_differs_less_than_seeds_is_no_improvement() {
        let report =
            report(&[("plain", [0.80, 0.84, 0.82]), ("better", [0.83, 0.872, 0.851]), ("luckier", [0.83, 0.82, 0.83])]);
        let told: Vec<_> = report.seeds.iter().map(|line| (line.stage.as_str(), words::seeds_apart(line))).collect();
        assert_eq!(report.seeds[0].difference, None);
        assert_eq!(words::over_seeds(&report.seeds[0]), "82.00 % ± 2.00 points (77.0–87.0), 3 seeds");
        // Each seed is better by about as much, though the seeds lie further apart than that.
        assert_eq!(told[1], ("scores@better", "+3.1 points (+2.9 to +3.3)".to_owned()));
        assert_eq!(told[2], ("scores@luckier", "no more than seeds differ (−5.6 to +6.9)".to_owned()));
        assert!(
            report.metrics.iter().any(|metric| metric.name == "scores@better.accuracy" && metric.deviation.is_some())
        );
    }

    #[test]
    fn one_seed_is_no_family() {
        assert!(report(&[]).seeds.is_empty());
    }
}
