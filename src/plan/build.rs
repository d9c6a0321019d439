//! A checked recipe to a plan: files are digested, steps brought into order, reports put last.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{DeviceRequest, Plan, PlanNode, graph};
use crate::{
    base::{digest::Digest, inputs},
    recipe::{Diagnostic, Diagnostics, Recipe, Step},
    stage::Registry,
};

impl Plan {
    /// The plan of a recipe.
    ///
    /// # Errors
    /// When a file that the recipe names cannot be read; a file that is missing was told when the recipe was loaded.
    pub fn new(recipe: &Recipe, registry: &'static Registry) -> Result<Self, Diagnostics> {
        debug_assert!(
            recipe.steps.iter().all(|step| registry.get(step.spec.kind).is_some()),
            "a recipe is planned with the registry that it was loaded with"
        );
        let files = digest_files(recipe)?;
        let before = with_reports_last(recipe);
        let order = graph::order(&before);
        let mut places = vec![0; recipe.steps.len()];
        for (place, step) in order.iter().enumerate() {
            places[*step] = place;
        }
        let nodes = order.iter().map(|at| {
            let step = &recipe.steps[*at];
            let wired: BTreeSet<usize> = step.wires.iter().flat_map(|(_, steps)| steps).copied().collect();
            let mut needs: Vec<_> =
                before[*at].iter().filter(|step| !wired.contains(step)).map(|step| places[*step]).collect();
            needs.sort_unstable();
            needs.dedup();
            PlanNode {
                name: step.name.clone(),
                family: step.family.clone(),
                about: step.about.clone(),
                spec: step.spec,
                params: step.params.clone(),
                inputs: step
                    .wires
                    .iter()
                    .map(|(port, steps)| (*port, steps.iter().map(|step| places[*step]).collect()))
                    .collect(),
                needs,
                seed: step.seed,
                device: DeviceRequest {
                    candidates: step.device.candidates.clone(),
                    threads: step.device.threads,
                    exclusive: step.device.exclusive,
                },
                env: step.env.clone(),
                files: files[*at].clone(),
            }
        });
        Ok(Self {
            name: recipe.name.clone(),
            about: recipe.about.clone(),
            recipe: recipe.path.clone(),
            resolved: recipe.resolved.clone(),
            nodes: nodes.collect(),
            gates: recipe.gates.clone(),
            references: BTreeMap::new(),
        })
    }
}

/// What each step waits for. One that shows the run waits for everything that does not itself wait for such a step:
/// the stages that gates are about, and all the others.
fn with_reports_last(recipe: &Recipe) -> Vec<Vec<usize>> {
    let mut before: Vec<Vec<usize>> = recipe
        .steps
        .iter()
        .map(|step| step.wires.iter().flat_map(|(_, steps)| steps).chain(&step.needs).copied().collect())
        .collect();
    let reports: Vec<_> = (0..before.len()).filter(|step| recipe.steps[*step].spec.sees_run).collect();
    let not_shown = graph::descendants(&before, reports.iter().copied());
    for report in reports {
        before[report].extend((0..recipe.steps.len()).filter(|step| !not_shown.contains(step)));
    }
    before
}

fn digest_files(recipe: &Recipe) -> Result<Vec<BTreeMap<String, Digest>>, Diagnostics> {
    // Several inputs may name one file.
    let mut known: BTreeMap<PathBuf, Digest> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut all = Vec::new();
    for step in &recipe.steps {
        let mut files = BTreeMap::new();
        for (parameter, written) in &step.files {
            let path = recipe.dir.join(written);
            let digest = match known.get(&path) {
                Some(digest) => Ok(*digest),
                None => inputs::digest_of(&path),
            };
            match digest {
                Ok(digest) => {
                    known.insert(path, digest);
                    files.insert(parameter.clone(), digest);
                }
                Err(error) => faults.push(unreadable(step, &path, &error)),
            }
        }
        all.push(files);
    }
    if faults.is_empty() { Ok(all) } else { Err(Diagnostics::new(recipe.source_file.clone(), faults)) }
}

fn unreadable(step: &Step, path: &Path, error: &std::io::Error) -> Diagnostic {
    let message = format!("cannot read `{}`, which `{}` names: {error}", path.display(), step.name);
    Diagnostic::error("recipe::unreadable", step.span, message).label("names it")
}
