//! Color, width, quiet or verbose; what goes to stdout (data) and to stderr (talk).

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
};

use super::args::{ColorWhen, Global};
use crate::base::abridge::abridged;

/// The widest that text for people gets.
const MAX_WIDTH: usize = 100;

/// Where output goes and how it looks.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) quiet: bool,
    pub(super) verbose: u8,
    /// Whether standard output is a terminal.
    pub(super) data_terminal: bool,
    /// Whether standard error is a terminal that can redraw lines.
    pub(super) talk_terminal: bool,
    /// The style of standard output.
    pub(super) data: Style,
    /// The style of standard error.
    pub(super) talk: Style,
    /// Columns.
    pub(super) width: usize,
}

impl Output {
    pub(super) fn new(global: &Global, env: &BTreeMap<String, String>) -> Self {
        let set = |name: &str| env.get(name).is_some_and(|value| !value.is_empty());
        let (data_terminal, talk_terminal) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let dumb = env.get("TERM").is_some_and(|term| term == "dumb");
        let color = |terminal: bool| match global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto if set("NO_COLOR") => false,
            ColorWhen::Auto => (terminal && !dumb) || set("CLICOLOR_FORCE"),
        };
        let columns = env.get("COLUMNS").and_then(|columns| columns.parse::<usize>().ok());
        Self {
            quiet: global.quiet,
            verbose: global.verbose,
            data_terminal,
            talk_terminal: talk_terminal && !dumb,
            data: Style(color(data_terminal)),
            talk: Style(color(talk_terminal)),
            width: columns.unwrap_or(MAX_WIDTH).clamp(40, MAX_WIDTH),
        }
    }

    /// Writes data to standard output, as it is.
    #[expect(clippy::unused_self, reason = "what is written goes through the one who knows where output goes")]
    pub(super) fn data(&self, text: impl AsRef<[u8]>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_ref())?;
        out.flush()
    }

    /// Writes data to standard output, and ends the line.
    pub(super) fn line(&self, text: impl AsRef<str>) -> io::Result<()> {
        self.data(format!("{}\n", text.as_ref().trim_end_matches('\n')))
    }

    /// Says something on standard error, unless quiet.
    pub(super) fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            say_always(text);
        }
    }

    /// Says what went wrong, even when quiet.
    pub(super) fn complain(&self, message: &str, hint: Option<&str>) {
        say_always(format!("{} {}", self.talk.error("error:"), abridged(message)));
        if let Some(hint) = hint {
            say_always(format!("  {} {hint}", self.talk.accent("hint:")));
        }
    }
}

/// Says something on standard error. There is nobody left to tell when that fails.
pub(super) fn say_always(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// Whether to color, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style(pub(super) bool);

impl Style {
    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn error(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(super) fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(super) fn accent(self, text: &str) -> String {
        self.paint("36", text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_obeys_option_then_environment() {
        let style = |color, env: &[(&str, &str)]| {
            let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Output::new(&Global { color, quiet: false, verbose: 0 }, &env).data.0
        };
        assert!(style(ColorWhen::Always, &[("NO_COLOR", "1")]));
        assert!(!style(ColorWhen::Never, &[("CLICOLOR_FORCE", "1")]));
        assert!(!style(ColorWhen::Auto, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
        assert!(style(ColorWhen::Auto, &[("CLICOLOR_FORCE", "1")]));
    }
}
