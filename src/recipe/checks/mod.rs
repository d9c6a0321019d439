//! The checks over all steps at once; a new one is a file and a line here.

mod cycles;
mod files;
mod unused;

use super::{
    diagnostic::{Diagnostic, Severity},
    document::Document,
    draft::Draft,
    template::Templates,
};

/// What a check sees.
pub(super) struct Subject<'a> {
    pub(super) document: &'a Document,
    pub(super) draft: &'a Draft,
    pub(super) templates: &'a Templates<'a>,
    /// The folder that paths start from.
    pub(super) dir: &'a std::path::Path,
}

/// A check: what is wrong goes to the list.
type Check = fn(&Subject<'_>, &mut Vec<Diagnostic>);

/// All of them, in the order in which they run.
const ALL: &[Check] = &[cycles::check, files::check];

/// The checks of a recipe that is right: while a name is misspelt, what it should name only seems unused.
const OF_THE_RIGHT: &[Check] = &[unused::check];

/// Runs every check.
pub(super) fn run(subject: &Subject<'_>, faults: &mut Vec<Diagnostic>) {
    for check in ALL {
        check(subject, faults);
    }
    if faults.iter().all(|fault| fault.severity == Severity::Warning) {
        for check in OF_THE_RIGHT {
            check(subject, faults);
        }
    }
}
