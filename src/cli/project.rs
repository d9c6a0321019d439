//! Where things are: the project of a recipe, its store, its reports.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::{args::StoreArgs, error::CliError};
use crate::base::suggest;

/// What marks the top folder of a project.
const MARKS: [&str; 7] = [".lmpipe", ".git", ".hg", "Cargo.toml", "pyproject.toml", "package.json", "go.mod"];

/// The folder that holds the store and the reports of a recipe.
pub(super) struct Project {
    pub(super) root: PathBuf,
}

impl Project {
    /// The project of a recipe: the nearest folder above it that holds a store or looks like the top of something; the
    /// recipe's own folder when there is none.
    pub(super) fn of_recipe(recipe: &Path) -> Self {
        let absolute = recipe.canonicalize().unwrap_or_else(|_| recipe.to_owned());
        Self::of_folder(absolute.parent().unwrap_or(Path::new(".")))
    }

    /// The project that the command was started in.
    pub(super) fn here() -> Self {
        Self::of_folder(&env::current_dir().unwrap_or_else(|_| PathBuf::from(".")))
    }

    fn of_folder(folder: &Path) -> Self {
        let marked = |folder: &&Path| MARKS.iter().any(|mark| folder.join(mark).exists());
        Self { root: folder.ancestors().find(marked).unwrap_or(folder).to_owned() }
    }

    /// The store: the one that was asked for, or the project's own.
    pub(super) fn store(&self, args: &StoreArgs) -> PathBuf {
        args.store.clone().unwrap_or_else(|| self.root.join(".lmpipe"))
    }

    /// Where the reports of a recipe go.
    pub(super) fn reports(&self, asked: Option<&Path>, recipe_name: &str) -> PathBuf {
        asked.map_or_else(|| self.root.join("reports").join(as_file_name(recipe_name)), Path::to_owned)
    }
}

/// Whether what was named is a recipe file, and not a run.
pub(super) fn names_recipe(named: &Path) -> bool {
    named.extension().is_some_and(|ext| ext == "yaml" || ext == "yml") || named.exists()
}

/// A recipe's name as that of a file.
pub(super) fn as_file_name(recipe_name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.@ ".contains(c) { c } else { '-' };
    let name: String = recipe_name.chars().map(safe).collect();
    // A name of dots alone would lead out of its folder.
    if name.trim_matches(['.', ' ']).is_empty() { "recipe".to_owned() } else { name }
}

/// A path as short as it can be said from where the command was started.
pub(super) fn short(path: &Path) -> String {
    let here = env::current_dir().ok();
    let relative = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    match relative {
        Some(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
        Some(relative) => relative.display().to_string(),
        None => path.display().to_string(),
    }
}

/// Makes sure that there is a recipe of that name.
///
/// # Errors
/// When there is none, or a folder, with the recipes that may have been meant.
pub(super) fn check_recipe(path: &Path) -> Result<(), CliError> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let recipes = recipes_in(path);
            let error = CliError::usage(format!("`{shown}` is a folder, not a recipe"));
            Err(match recipes.as_slice() {
                [] => error.hint(format!("it holds no recipe; `lmpipe init {shown}` writes one")),
                [only] => error.hint(format!("did you mean `{}`?", path.join(only).display())),
                many => error.hint(format!("it holds {}", crate::base::plural::list(many))),
            })
        }
        // A pipe (`<(generate)`) is a recipe too.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let recipes = recipes_in(folder);
            let near = suggest::nearest(&name, recipes.iter().map(String::as_str));
            let hint = near.map(|near| {
                // As the user would write it: `recipes/x.yaml`, not `./recipes/x.yaml`.
                format!("did you mean `{}`?", path.with_file_name(near).display())
            });
            Err(CliError::usage(format!("there is no file `{shown}`")).maybe_hint(hint))
        }
        Err(error) => Err(CliError::usage(format!("cannot read `{shown}`: {error}"))),
    }
}

fn recipes_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().extension().is_some_and(|ext| ext == "yaml" || ext == "yml"))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs::{create_dir, write_atomic};

    #[test]
    fn the_nearest_mark_wins() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        create_dir(&root.join("a/recipes")).unwrap();
        write_atomic(&root.join("a/recipes/r.yaml"), b"").unwrap();
        let found = || Project::of_recipe(&root.join("a/recipes/r.yaml")).root;
        create_dir(&root.join(".git")).unwrap();
        assert_eq!(found(), root);
        create_dir(&root.join("a/.lmpipe")).unwrap();
        assert_eq!(found(), root.join("a"));
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_reports() {
        let project = Project { root: "/p".into() };
        assert_eq!(project.reports(None, "../x"), Path::new("/p/reports/..-x"));
        assert_eq!(project.reports(None, ".."), Path::new("/p/reports/recipe"));
        assert_eq!(project.reports(Some(Path::new("out")), "x"), Path::new("out"));
    }
}
