//! `compare_scores`: the scores of a model beside those of a baseline, on the same rows.

use std::{collections::BTreeMap, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evaluate::{PREDICTIONS, write_scores};
use crate::{
    base::plural,
    data,
    eval::{self, Counts, METRICS},
    stage::{ArtifactKind, Better, Faults, Metric, Port, Stage, StageCtx, StageError, Unit},
};

/// Parameters of `compare_scores`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The folder of the scores that are compared with, where none are wired to `baseline`: what `evaluate` made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    baseline: Option<String>,
}

/// The stage.
pub(super) struct CompareScores;

impl Stage for CompareScores {
    const KIND: &'static str = "compare_scores";
    const VERSION: u32 = 1;
    const ABOUT: &'static str =
        "compares the answers of two evaluations row by row: differences with paired intervals, McNemar's test";
    const INPUTS: &'static [Port] = &[Port::scores("scores"), Port::scores("baseline").optional()];
    const OUTPUT: ArtifactKind = ArtifactKind::Scores;
    type Params = Params;

    fn check_wires(params: &Params, wired: &[&str], faults: &mut Faults) {
        super::one_baseline(params.baseline.as_deref(), wired, faults);
    }

    fn files(params: &Params) -> Vec<(String, String)> {
        super::baseline_file(params.baseline.as_deref())
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let baseline = read(&super::baseline_dir(ctx, params.baseline.as_deref())?)?;
        let scores = ctx.input("scores")?.clone();
        let own = read(&scores.dir)?;
        let rows = Rows::paired(&own, &baseline)?;
        let n_labels = rows.labels.len();
        let (counts, before) = (rows.counts(&rows.own), rows.counts(&rows.baseline));
        for metric in METRICS {
            let difference = (metric.score)(&counts) - (metric.score)(&before);
            let [low, high] =
                eval::bootstrap_difference(metric, &rows.truth, (&rows.own, &rows.baseline), n_labels, ctx.seed);
            let unit = if metric.is_share { Unit::Share } else { Unit::Number };
            let found = Metric::new(format!("{}_vs_baseline", metric.name), difference, unit, Better::Higher);
            ctx.record.metrics.push(found.with_interval(low, high));
        }
        let right = |row: usize| (rows.own[row] == rows.truth[row], rows.baseline[row] == rows.truth[row]);
        let count = |wanted| (0..rows.truth.len()).filter(|row| right(*row) == wanted).count() as u64;
        let (gained, lost) = (count((true, false)), count((false, true)));
        ctx.metric("gained", gained as f64, Unit::Count, Better::Higher);
        ctx.metric("lost", lost as f64, Unit::Count, Better::Lower);
        ctx.metric("mcnemar_p", eval::mcnemar(gained, lost), Unit::Number, Better::Neither);
        ctx.metric("rows", rows.truth.len() as f64, Unit::Count, Better::Neither);
        ctx.record.fact("interval", "95 % percentile bootstrap of the difference, 2000 resamples of the rows in pairs");
        ctx.record.fact("p", "exact two-sided McNemar test of the rows that one of them has right");
        write_scores(ctx)
    }
}

/// True and predicted label by id, in the order of the rows.
fn read(dir: &Path) -> Result<Vec<[String; 3]>, StageError> {
    let path = dir.join(PREDICTIONS);
    if !path.is_file() {
        return Err(StageError::msg(format!("`{}` holds no answers: they are made by `evaluate`", dir.display())));
    }
    let [ids, labels, predicted] = data::read_texts(&path, ["id", "label", "predicted"])?;
    Ok(ids.into_iter().zip(labels).zip(predicted).map(|((id, label), predicted)| [id, label, predicted]).collect())
}

/// The same rows, answered twice.
struct Rows {
    labels: Vec<String>,
    truth: Vec<u32>,
    own: Vec<u32>,
    baseline: Vec<u32>,
}

impl Rows {
    fn paired(own: &[[String; 3]], baseline: &[[String; 3]]) -> Result<Self, StageError> {
        let other = |what: String| {
            Err(StageError::msg(format!("these are not the same rows ({what}), so nothing can be compared: save the baseline again")))
        };
        let before: BTreeMap<&str, &[String; 3]> = baseline.iter().map(|row| (row[0].as_str(), row)).collect();
        if own.len() != baseline.len() || before.len() != baseline.len() {
            return other(format!("{} beside {}", plural::count(own.len(), "row"), before.len()));
        }
        let mut labels: Vec<String> = own.iter().chain(baseline).flat_map(|row| row[1..].to_vec()).collect();
        labels.sort();
        labels.dedup();
        let mut rows = Self { labels, truth: Vec::new(), own: Vec::new(), baseline: Vec::new() };
        for [id, label, predicted] in own {
            match before.get(id.as_str()) {
                Some([_, known, said]) if known == label => {
                    for (column, name) in [(0, label), (1, predicted), (2, said)] {
                        let place = rows.labels.binary_search(name).unwrap_or_default() as u32;
                        [&mut rows.truth, &mut rows.own, &mut rows.baseline][column].push(place);
                    }
                }
                Some([_, known, _]) => return other(format!("`{id}` was `{known}` and is `{label}`")),
                None => return other(format!("there was no `{id}`")),
            }
        }
        Ok(rows)
    }

    fn counts(&self, predicted: &[u32]) -> Counts {
        Counts::of(&self.truth, predicted, self.labels.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::evaluate::rig::Rig,
        *,
    };
    use crate::data::Column;

    /// Answers to 40 rows, every `wrong`th of which is wrong.
    fn answers(rig: &Rig, name: &str, wrong: usize) -> (u32, Vec<bool>) {
        let right: Vec<bool> = (0..40).map(|row| row % wrong != 0).collect();
        let texts = |text: &dyn Fn(usize) -> String| Column::Texts((0..40).map(text).collect());
        let label = |row: usize, right: bool| ["good", "bad"][usize::from(row.is_multiple_of(3) == right)].to_owned();
        let columns = vec![
            ("id", texts(&|row| row.to_string())),
            ("label", texts(&|row| label(row, true))),
            ("predicted", texts(&|row| label(row, right[row]))),
        ];
        std::fs::create_dir(rig.path(name)).unwrap();
        data::write_table(&rig.path(name).join(PREDICTIONS), columns).unwrap();
        (right.iter().filter(|right| **right).count() as u32, right)
    }

    #[test]
    fn scores_beside_themselves_and_others() {
        let rig = Rig::new();
        let ((before, was_right), (after, is_right)) = (answers(&rig, "before", 4), answers(&rig, "after", 3));
        let both: &[(&str, &[&str])] = &[("scores", &["after"]), ("baseline", &["before"])];
        let record = rig.run::<CompareScores>(&json!({}), both, "compared").unwrap();
        let value = |record: &crate::stage::Record, name: &str| record.metric(name).unwrap().value;
        let expected = (f64::from(after) - f64::from(before)) / 40.0;
        let accuracy = record.metric("accuracy_vs_baseline").unwrap();
        assert!((accuracy.value - expected).abs() < 1e-12 && expected < 0.0);
        let [low, high] = accuracy.interval.unwrap();
        assert!(low < expected && expected < high, "{low} {high}");
        let count = |own: bool| was_right.iter().zip(&is_right).filter(|&(was, is)| was != is && *is == own).count();
        assert_eq!((value(&record, "gained"), value(&record, "lost")), (count(true) as f64, count(false) as f64));
        assert!((value(&record, "mcnemar_p") - eval::mcnemar(count(true) as u64, count(false) as u64)).abs() < 1e-12);
        for metric in METRICS {
            assert!(record.metric(&format!("{}_vs_baseline", metric.name)).is_some(), "{}", metric.name);
        }
        let path = json!({"baseline": rig.path("after").display().to_string()});
        let same = rig.run::<CompareScores>(&path, &[("scores", &["after"])], "same").unwrap();
        assert_eq!((value(&same, "accuracy_vs_baseline"), value(&same, "mcnemar_p")), (0.0, 1.0));
        assert_eq!(same.metric("accuracy_vs_baseline").unwrap().interval, Some([0.0, 0.0]));
    }

    #[test]
    fn other_rows_are_not_compared() {
        let row = |id: &str, label: &str| [id.to_owned(), label.to_owned(), "a".to_owned()];
        let error = |own: &[[String; 3]], before: &[[String; 3]]| Rows::paired(own, before).err().unwrap().to_string();
        let rows = [row("1", "a"), row("2", "b")];
        assert!(Rows::paired(&rows, &[row("2", "b"), row("1", "a")]).is_ok(), "in any order");
        assert!(error(&rows, &rows[..1]).contains("2 rows beside 1"));
        assert!(error(&rows, &[row("1", "a"), row("3", "b")]).contains("there was no `2`"));
        assert!(error(&rows, &[row("1", "b"), row("2", "b")]).contains("`1` was `b` and is `a`"));
        assert!(error(&rows, &[row("1", "a"), row("1", "a")]).contains("2 rows beside 1"));
    }
}
