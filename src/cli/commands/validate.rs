//! `validate`: every problem of recipes, without running anything.

use serde_json::json;

use crate::{
    base::plural,
    cli::{
        App,
        args::{self, RecipeArgs, StoreArgs, TextFormat},
        error::CliError,
        exit::Exit,
    },
};

pub(in crate::cli) fn run(app: &App, args: &args::Validate) -> Result<Exit, CliError> {
    let mut end = Exit::Done;
    let mut shown = Vec::new();
    // All recipes are looked at, whatever is wrong with the first.
    for path in &args.recipes {
        let recipe = RecipeArgs { recipe: path.clone(), sets: args.sets.clone(), baseline: None };
        let loaded = super::load::load(app, &recipe, &StoreArgs::default());
        if let Err(error) = &loaded {
            end = error.exit();
        }
        match (args.format, loaded) {
            (TextFormat::Json, loaded) => {
                let problems = loaded.err().map_or_else(|| json!([]), |error| error.to_json());
                shown.push(json!({"recipe": path, "valid": problems == json!([]), "problems": problems}));
            }
            (TextFormat::Text, Ok(loaded)) => {
                let count = |source: bool, noun: &str| {
                    plural::count(loaded.plan.nodes.iter().filter(|node| node.spec.source == source).count(), noun)
                };
                let gates = plural::count(loaded.plan.gates.len(), "gate");
                let (inputs, stages) = (count(true, "input"), count(false, "stage"));
                let good = app.output.talk.good("✓");
                app.output.say(format!("{good} {}: {inputs}, {stages}, {gates}", path.display()));
            }
            (TextFormat::Text, Err(error)) => drop(error.report(&app.output)),
        }
    }
    if args.format == TextFormat::Json {
        app.output.line(format!("{:#}", json!(shown)))?;
    }
    Ok(end)
}
