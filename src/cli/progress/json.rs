//! Every event as a JSON line on standard output.

use crate::{
    cli::output::Output,
    engine::{EventSink, RunEvent, event_line},
};

/// Streams events; stops when nobody reads any more.
pub(in crate::cli) struct JsonLines {
    output: Output,
    broken: bool,
}

impl JsonLines {
    pub(in crate::cli) fn new(output: Output) -> Self {
        Self { output, broken: false }
    }
}

impl EventSink for JsonLines {
    fn event(&mut self, event: &RunEvent) {
        // The run goes on without its reader: its results are in the store.
        self.broken = self.broken || self.output.data(event_line(event)).is_err();
    }
}
