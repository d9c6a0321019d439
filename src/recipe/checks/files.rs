//! Files and folders that parameters name.

use super::{Diagnostic, Subject};
use crate::base::{inputs, suggest};

/// Tells those that are not there.
pub(super) fn check(subject: &Subject<'_>, faults: &mut Vec<Diagnostic>) {
    for step in &subject.draft.steps {
        for (parameter, written) in &step.files {
            let path = subject.dir.join(written);
            let is_pattern = inputs::is_pattern(written) && !path.exists();
            if path.exists() || is_pattern && inputs::files_of(&path).is_ok() {
                continue;
            }
            let span = match &step.with {
                Some((place, node)) => {
                    Some(node.place_of(parameter)).filter(|span| *span != node.span).unwrap_or(*place)
                }
                None => step.span,
            };
            let folder = path.parent().filter(|folder| folder.is_dir());
            let neighbours: Vec<String> = folder
                .and_then(|folder| std::fs::read_dir(folder).ok())
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect();
            let mut neighbours: Vec<_> = neighbours.iter().map(String::as_str).collect();
            neighbours.sort_unstable();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let help = match (folder, suggest::nearest(name, neighbours.iter().copied())) {
                (Some(_), Some(near)) => format!("did you mean `{near}`? paths start from the recipe's folder"),
                (Some(_), None) => "paths start from the recipe's folder".to_owned(),
                (None, _) => "there is no such folder either; paths start from the recipe's folder".to_owned(),
            };
            let missing = if is_pattern { "no file fits the pattern" } else { "there is no file" };
            faults.push(
                Diagnostic::error("recipe::missing-file", span, format!("{missing} `{}`", path.display()))
                    .label("missing file")
                    .help(help),
            );
        }
    }
}
