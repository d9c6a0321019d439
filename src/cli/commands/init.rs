//! `init [DIR]`: a commented starter recipe, a little data, and the schema for editors.

use std::path::{Component, Path, PathBuf};

use crate::{
    base::{fs, plural},
    cli::{App, args, error::CliError, exit::Exit},
};

const RECIPE: &str = include_str!("../starter/recipe.yaml");
const REVIEWS: &str = include_str!("../starter/reviews.csv");

pub(in crate::cli) fn run(app: &App, args: &args::Init) -> Result<Exit, CliError> {
    let files = [
        ("recipe.yaml", RECIPE.to_owned()),
        ("reviews.csv", REVIEWS.to_owned()),
        ("lmpipe.schema.json", super::schema::text(app.registry)),
    ];
    // All or nothing: what is there is looked at before anything is written.
    let taken: Vec<String> = files
        .iter()
        .map(|(name, _)| place(&args.dir, name))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !taken.is_empty() {
        let verb = if taken.len() == 1 { "exists" } else { "exist" };
        return Err(CliError::usage(format!("{} already {verb}; nothing was written", plural::list(&taken)))
            .hint("name another folder: `lmpipe init DIR`"));
    }
    fs::create_dir(&args.dir)?;
    for (name, text) in &files {
        let path = place(&args.dir, name);
        fs::write_atomic(&path, text.as_bytes())?;
        app.output.say(format!("{} {}", app.output.talk.good("wrote"), path.display()));
    }
    let recipe = place(&args.dir, "recipe.yaml");
    app.output.say(format!("next: `lmpipe plan {0}`, then `lmpipe run {0}`", recipe.display()));
    Ok(Exit::Done)
}

/// Where a file goes, without a `./` in front.
fn place(dir: &Path, name: &str) -> PathBuf {
    dir.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>().join(name)
}
