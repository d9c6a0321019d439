//! A baseline: the numbers of a run as they are committed, to compare later runs with.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    clock,
    error::RunError,
    record::RunRecord,
    store::{read_json, write_json},
};
use crate::{
    base::{digest::Digest, fs as files},
    stage::{Metric, Reference, Unit},
};

const VERSION: u32 = 1;

/// The numbers of a run, and where they are from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The version of this file.
    version: u32,
    /// The recipe's `name`.
    pub recipe: String,
    /// The run.
    pub run: String,
    /// When it was saved, RFC 3339.
    pub saved: String,
    /// The version of lmpipe that ran it.
    pub tool_version: String,
    /// The machine.
    pub host: Value,
    /// Every metric by its full name, in the order of the recipe.
    pub metrics: Vec<Metric>,
    /// What its stages made, by their names and the digests of the content.
    pub artifacts: Vec<(String, Digest)>,
}

impl Baseline {
    /// The numbers of a run.
    #[must_use]
    pub fn of(run: &RunRecord) -> Self {
        let metrics = run.nodes.iter().flat_map(|node| {
            let named = |metric: &Metric| Metric { name: format!("{}.{}", node.name, metric.name), ..metric.clone() };
            node.record.metrics.iter().map(named).collect::<Vec<_>>()
        });
        let artifacts = run.nodes.iter().filter_map(|node| Some((node.name.clone(), node.digest?)));
        Self {
            version: VERSION,
            recipe: run.name.clone(),
            run: run.id.clone(),
            saved: clock::now(),
            tool_version: run.tool_version.clone(),
            host: run.host.clone(),
            metrics: metrics.collect(),
            artifacts: artifacts.collect(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no baseline of this version.
    pub fn load(path: &Path) -> Result<Self, RunError> {
        read_json(path, VERSION.into())
    }

    /// Writes a file, and the folder that it is in.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), RunError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            files::create_dir(folder)?;
        }
        write_json(path, self)
    }

    /// What it has of a metric, for a run on a machine. What was measured on another machine is not compared.
    #[must_use]
    pub fn reference(&self, metric: &str, host: &Value) -> Reference {
        let Some(found) = self.metrics.iter().find(|found| found.name == metric) else {
            return Reference::Missing(format!("the baseline has no metric `{metric}`: save it again"));
        };
        let is_measured = found.interval.is_some() && found.unit != Unit::Share;
        if is_measured && *host != self.host {
            return Reference::Nothing(
                "not judged: the baseline was measured on another machine; save one of this machine".to_owned(),
            );
        }
        Reference::Metric(found.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stage::Better;

    #[test]
    fn what_was_measured_elsewhere_is_not_compared() {
        let metrics = vec![
            Metric::new("s.accuracy", 0.8, Unit::Share, Better::Higher).with_interval(0.7, 0.9),
            Metric::new("b.p50_ms", 2.0, Unit::Milliseconds, Better::Lower).with_interval(1.9, 2.1),
            Metric::new("b.size_bytes", 7.0, Unit::Bytes, Better::Lower),
        ];
        let baseline = Baseline {
            version: VERSION,
            recipe: "r".into(),
            run: "r-1".into(),
            saved: clock::now(),
            tool_version: "0".into(),
            host: json!({"cpu": "toy"}),
            metrics,
            artifacts: vec![("a".into(), Digest::of(b"a"))],
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("baselines/r.json");
        baseline.save(&path).unwrap();
        let read = Baseline::load(&path).unwrap();
        assert_eq!(read, baseline);
        let is_compared = |metric: &str, cpu: &str| match read.reference(metric, &json!({"cpu": cpu})) {
            Reference::Metric(found) => found.name == metric,
            Reference::Nothing(_) | Reference::Paired(..) => false,
            Reference::Missing(why) => panic!("{why}"),
        };
        assert!(["s.accuracy", "b.p50_ms", "b.size_bytes"].iter().all(|metric| is_compared(metric, "toy")));
        assert!(is_compared("s.accuracy", "other") && is_compared("b.size_bytes", "other"));
        assert!(!is_compared("b.p50_ms", "other"));
        assert!(matches!(read.reference("b.p90_ms", &Value::Null), Reference::Missing(_)));
        files::write_atomic(&path, b"{\"version\": 9}").unwrap();
        assert!(Baseline::load(&path).unwrap_err().to_string().contains("version 9"));
    }
}
