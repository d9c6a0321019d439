//! The tracing subscriber and `LMPIPE_LOG`: for debugging, never the program's own talk.

use std::{collections::BTreeMap, io};

use tracing_subscriber::EnvFilter;

use super::{error::CliError, output::Output};

/// Sends traces to standard error. `LMPIPE_LOG` (`debug`, `lmpipe::engine=trace`) wins over `-v`.
///
/// # Errors
/// When `LMPIPE_LOG` is not a filter.
pub(super) fn start(output: &Output, env: &BTreeMap<String, String>) -> Result<(), CliError> {
    let default = match output.verbose {
        0 => "warn",
        1 => "lmpipe=info,warn",
        2 => "lmpipe=debug,info",
        _ => "lmpipe=trace,debug",
    };
    let chosen = env.get("LMPIPE_LOG").filter(|filter| !filter.trim().is_empty());
    let filter = EnvFilter::try_new(chosen.map_or(default, String::as_str)).map_err(|error| {
        CliError::usage(format!("`LMPIPE_LOG` is not a filter: {error}"))
            .hint("write a level (`debug`) or levels by module (`lmpipe::engine=trace,warn`)")
    })?;
    // A second call (tests of the library) keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(output.talk.0)
        .with_target(output.verbose > 1)
        .try_init();
    Ok(())
}
