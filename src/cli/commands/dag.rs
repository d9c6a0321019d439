//! `dag`: the graph of a recipe's stages.

use super::load::load;
use crate::{
    cli::{
        App,
        args::{self, DagFormat, StoreArgs},
        error::CliError,
        exit::Exit,
    },
    plan::explain,
};

pub(in crate::cli) fn run(app: &App, args: &args::Dag) -> Result<Exit, CliError> {
    let plan = load(app, &args.recipe, &StoreArgs::default())?.plan;
    app.output.line(match args.format {
        DagFormat::Text => explain::text(&plan),
        DagFormat::Dot => explain::dot(&plan),
        DagFormat::Mermaid => explain::mermaid(&plan),
    })?;
    Ok(Exit::Done)
}
