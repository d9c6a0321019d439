//! `schema`: the recipe's JSON Schema, for editors.

use crate::{
    cli::{App, error::CliError, exit::Exit},
    recipe,
    stage::Registry,
};

pub(in crate::cli) fn run(app: &App) -> Result<Exit, CliError> {
    app.output.data(text(app.registry))?;
    Ok(Exit::Done)
}

/// The schema as it is committed: two spaces deep, one final line feed.
pub(in crate::cli) fn text(registry: &Registry) -> String {
    format!("{:#}\n", recipe::schema(registry))
}
