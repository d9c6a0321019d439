//! Stages that a recipe runs over seeds, together: means, deviations, intervals.

use std::collections::BTreeMap;

use super::{Metric, Record};

/// The two-sided 97.5 % quantiles of Student's t distribution with 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// A stage as it counts here.
#[derive(Clone, Copy, Debug)]
pub struct Seeded<'a> {
    /// Its name with its cell: `scores@int8-s42`.
    pub name: &'a str,
    /// Its name without its seed, where it is run over seeds.
    pub family: Option<&'a str>,
    /// The names of the stages that it takes from.
    pub inputs: &'a [String],
    /// What it left behind.
    pub record: &'a Record,
}

/// The same stage with several seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name without the seed: `scores@int8`.
    pub name: String,
    /// The full names, in the order of the recipe.
    pub members: Vec<String>,
    /// The metrics that all of them have: means, with deviations and intervals.
    pub metrics: Vec<Metric>,
}

/// Mean, deviation and 95 % interval of numbers that one seed each gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of a seed (n − 1).
    pub deviation: f64,
    /// The interval of the mean by Student's t distribution, `mean ± t · deviation / √n`.
    pub interval: [f64; 2],
}

impl Spread {
    /// That of two numbers or more; nothing of fewer.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)?;
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / freedom as f64).sqrt();
        // Beyond 30 degrees of freedom the normal distribution is near enough: 1.96 beside 2.04.
        let half = STUDENT.get(freedom - 1).copied().unwrap_or(1.960) * deviation / n.sqrt();
        Some(Self { mean, deviation, interval: [mean - half, mean + half] })
    }
}

/// The families of stages that are run over two seeds or more.
#[must_use]
pub fn over_seeds<'a>(stages: impl IntoIterator<Item = Seeded<'a>>) -> Vec<Family> {
    let stages: Vec<_> = stages.into_iter().collect();
    let families: BTreeMap<&str, &str> = stages.iter().filter_map(|stage| Some((stage.name, stage.family?))).collect();
    let mut names: Vec<&str> = Vec::new();
    for family in stages.iter().filter_map(|stage| stage.family) {
        if !names.contains(&family) {
            names.push(family);
        }
    }
    let family = |name: &&str| {
        let members: Vec<_> = stages.iter().filter(|stage| stage.family == Some(name)).collect();
        let of_seeds: Vec<_> = members.iter().map(|stage| metrics(stage, &families)).collect();
        let (first, others) = of_seeds.split_first()?;
        let metrics = first.iter().filter_map(|metric| {
            let same = |others: &Vec<Metric>| others.iter().find(|other| other.name == metric.name).map(|it| it.value);
            let mut values = vec![metric.value];
            for other in others {
                values.push(same(other)?);
            }
            let Spread { mean, deviation, interval: [low, high] } = Spread::of(&values)?;
            let mean = Metric { value: mean, deviation: Some(deviation), interval: None, ..metric.clone() };
            Some(mean.with_interval(low, high))
        });
        let metrics: Vec<_> = metrics.collect();
        let members = members.iter().map(|stage| stage.name.to_owned()).collect();
        (!others.is_empty()).then(|| Family { name: (*name).to_owned(), members, metrics })
    };
    names.iter().filter_map(family).collect()
}

/// A stage's metrics, without the seeds in their names: `int8@s42.size_bytes` of `speed@s42` is `int8.size_bytes` of `speed`.
fn metrics(stage: &Seeded<'_>, families: &BTreeMap<&str, &str>) -> Vec<Metric> {
    let renamed = |metric: &Metric| {
        let about = stage.inputs.iter().find_map(|input| {
            let rest = metric.name.strip_prefix(input.as_str()).filter(|rest| rest.starts_with('.'))?;
            Some(format!("{}{rest}", families.get(input.as_str())?))
        });
        Metric { name: about.unwrap_or_else(|| metric.name.clone()), ..metric.clone() }
    };
    stage.record.metrics.iter().map(renamed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Better, Unit};

    #[test]
    fn spreads_are_those_of_numpy_and_scipy() {
        // numpy: mean, std(ddof=1); scipy.stats.t.interval(0.95, 2, mean, sem).
        let spread = Spread::of(&[0.841, 0.846, 0.838]).unwrap();
        assert!((spread.mean - 0.841_666_666_7).abs() < 1e-9 && (spread.deviation - 0.004_041_451_9).abs() < 1e-9);
        assert!((spread.interval[0] - 0.831_627).abs() < 1e-5 && (spread.interval[1] - 0.851_706).abs() < 1e-5);
        assert_eq!(Spread::of(&[1.0]), None);
        assert_eq!(Spread::of(&[2.0; 40]).unwrap().interval, [2.0, 2.0]);
    }

    #[test]
    fn stages_over_seeds_are_taken_together() {
        let record = |metrics: &[(&str, f64)]| Record {
            metrics: metrics
                .iter()
                .map(|(name, value)| Metric::new(*name, *value, Unit::Share, Better::Higher))
                .collect(),
            ..Record::default()
        };
        let [first, second] = [("int8@s1.size", 4.0), ("int8@s2.size", 6.0)]
            .map(|(name, size)| record(&[(name, size), ("accuracy", size / 10.0)]));
        let (alone, model) = (record(&[("accuracy", 0.1)]), Record::default());
        let inputs = [vec!["int8@s1".to_owned()], vec!["int8@s2".to_owned()]];
        let stage = |name, family, inputs, record| Seeded { name, family, inputs, record };
        let found = over_seeds([
            stage("int8@s1", Some("int8"), &[], &model),
            stage("int8@s2", Some("int8"), &[], &model),
            stage("speed@s1", Some("speed"), &inputs[0], &first),
            stage("speed@s2", Some("speed"), &inputs[1], &second),
            stage("scores", None, &[], &alone),
            stage("once@s1", Some("once"), &[], &alone),
        ]);
        let names: Vec<_> = found.iter().map(|family| family.name.as_str()).collect();
        assert_eq!(names, ["int8", "speed"]);
        assert_eq!(found[1].members, ["speed@s1", "speed@s2"]);
        let [size, accuracy] = &found[1].metrics[..] else { panic!("two metrics") };
        assert_eq!((size.name.as_str(), size.value), ("int8.size", 5.0));
        assert!((accuracy.value - 0.5).abs() < 1e-12 && accuracy.interval.unwrap()[1] > 1.0, "{accuracy:?}");
        assert!((accuracy.deviation.unwrap() - 0.141_421_356).abs() < 1e-6);
    }
}
