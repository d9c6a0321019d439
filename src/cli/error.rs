//! `CliError`: every layer's error on its way out, with its exit code and its hint.

use std::io;

use serde_json::{Value, json};

use super::{
    exit::Exit,
    output::{Output, say_always},
};
use crate::{base::fs::PathError, engine::RunError, recipe::Diagnostics};

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub(super) struct CliError {
    what: What,
    hint: Option<String>,
}

#[derive(Debug)]
enum What {
    /// Something in words.
    Message(Exit, String),
    /// Everything that is wrong with a recipe.
    Recipe(Box<Diagnostics>),
    /// Standard output could not be written.
    Output(io::Error),
}

impl CliError {
    /// The command line, or a file that it names, is wrong.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::with(Exit::Usage, message)
    }

    /// Something could not be done.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::with(Exit::Failed, message)
    }

    /// An error with an exit code of its own.
    pub(super) fn with(exit: Exit, message: impl Into<String>) -> Self {
        Self { what: What::Message(exit, message.into()), hint: None }
    }

    /// Adds what to do about it.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds what to do about it, where that is known.
    pub(super) fn maybe_hint(self, hint: Option<String>) -> Self {
        Self { hint: hint.or(self.hint), ..self }
    }

    /// What is wrong, for programs: the diagnostics of a recipe, or one message.
    pub(super) fn to_json(&self) -> Value {
        match &self.what {
            What::Recipe(diagnostics) => diagnostics.to_json(),
            What::Message(_, message) => json!([{"severity": "error", "message": message, "help": self.hint}]),
            What::Output(error) => json!([{"severity": "error", "message": error.to_string()}]),
        }
    }

    /// How the program ends.
    pub(super) fn exit(&self) -> Exit {
        match &self.what {
            What::Message(exit, _) => *exit,
            What::Recipe(_) => Exit::Usage,
            // `lmpipe stages | head` is no failure.
            What::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            What::Output(_) => Exit::Failed,
        }
    }

    /// Tells the user, and says how the program ends.
    pub(super) fn report(&self, output: &Output) -> Exit {
        match &self.what {
            What::Message(_, message) => output.complain(message, self.hint.as_deref()),
            What::Recipe(diagnostics) => say_always(diagnostics.render(output.width, output.talk.0).trim_end()),
            What::Output(_) if self.exit() == Exit::Done => {}
            What::Output(error) => output.complain(&format!("cannot write to standard output: {error}"), None),
        }
        self.exit()
    }
}

impl From<io::Error> for CliError {
    /// Files are read and written through `base::fs`, so a bare I/O error is one of standard output.
    fn from(error: io::Error) -> Self {
        Self { what: What::Output(error), hint: None }
    }
}

impl From<PathError> for CliError {
    fn from(error: PathError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<Diagnostics> for CliError {
    fn from(diagnostics: Diagnostics) -> Self {
        Self { what: What::Recipe(Box::new(diagnostics)), hint: None }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        let exit = match error {
            RunError::Stopped => Exit::Interrupted,
            RunError::Device(_) => Exit::Usage,
            _ => Exit::Store,
        };
        Self::with(exit, error.to_string())
    }
}
