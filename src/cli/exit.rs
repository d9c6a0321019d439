//! The documented exit codes, one constant each.

use std::process::ExitCode;

/// How the program ends, for scripts and CI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Done = 0,
    /// A stage failed, or something else could not be done.
    Failed = 1,
    /// The recipe or the command line is wrong; nothing ran.
    Usage = 2,
    /// The run is complete, but a gate is not kept.
    Gate = 3,
    /// `plan --check` found something to run.
    Work = 4,
    /// The store is damaged, or another run holds it.
    Store = 5,
    /// Stopped by the user; the next run goes on from there.
    Interrupted = 130,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table that `--help` shows.
pub(super) const HELP: &str = "\
Exit codes:
  0    done
  1    a stage failed
  2    the recipe or the command line is wrong
  3    a gate failed
  4    `plan --check` found something to run
  5    the store is damaged or locked
  130  interrupted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_code() {
        let all = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Gate, Exit::Work, Exit::Store, Exit::Interrupted];
        let listed: Vec<u8> =
            HELP.lines().skip(1).map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
        assert_eq!(listed, all.map(Exit::code));
    }
}
