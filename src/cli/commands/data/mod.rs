//! `data head|stats|diff`: looks at rows.

mod diff;
mod head;
mod stats;
mod target;

use crate::cli::{
    App,
    args::{Data, DataCommand},
    error::CliError,
    exit::Exit,
};

pub(in crate::cli) fn run(app: &App, args: &Data) -> Result<Exit, CliError> {
    match &args.command {
        DataCommand::Head(args) => head::run(app, args),
        DataCommand::Stats(args) => stats::run(app, args),
        DataCommand::Diff(args) => diff::run(app, args),
    }
}

/// A text in one line of at most so many characters.
fn one_line(text: &str, width: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        // A long text need not be read to its end to be cut.
        if line.len() > 4 * width {
            break;
        }
    }
    if line.chars().count() <= width {
        return line;
    }
    line.chars().take(width.saturating_sub(1)).collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_line() {
        assert_eq!(one_line(" a\n\tb\0c ", 20), "a b c");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line(&"né ".repeat(100_000), 6), "né né…");
        assert_eq!(one_line("", 6), "");
    }
}
