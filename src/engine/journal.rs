//! The run's events on disk: one line of JSON an event, written as they happen.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    clock,
    error::RunError,
    event::{EventSink, RunEvent},
};
use crate::base::fs::{self as files, AtPath, PathError};

/// The version of a line.
const VERSION: u64 = 1;

/// `events.jsonl` of a run that is under way.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// The first failure to write; a sink has nobody to tell it to at the time.
    failed: Option<PathError>,
}

/// A line of a journal that was read back.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// When it happened, RFC 3339.
    pub time: String,
    /// What: `started`, `finished`, ….
    pub event: String,
    /// The whole line.
    pub line: Value,
}

impl Journal {
    pub(super) fn create(path: PathBuf) -> Result<Self, RunError> {
        let file = File::create(&path).at("cannot write", &path)?;
        Ok(Self { path, file, failed: None })
    }

    /// Ends the journal.
    pub(super) fn close(self) -> Result<(), RunError> {
        match self.failed {
            Some(error) => Err(error.into()),
            None => Ok(self.file.sync_all().at("cannot sync", &self.path)?),
        }
    }
}

impl EventSink for Journal {
    fn event(&mut self, event: &RunEvent) {
        // How far a stage was is of no use afterwards.
        if matches!(event, RunEvent::Progress { .. }) || self.failed.is_some() {
            return;
        }
        let written = self.file.write_all(event_line(event).as_bytes());
        self.failed = written.at("cannot write", &self.path).err();
    }
}

/// An event as a line of JSON with its version and the time, ended by a line feed; what the journal holds, and what a
/// program that watches a run is told.
#[must_use]
pub fn event_line(event: &RunEvent) -> String {
    let mut line = Map::from_iter([("version".to_owned(), VERSION.into()), ("time".to_owned(), clock::now().into())]);
    let event = serde_json::to_value(event).expect("an event is plain data");
    line.extend(event.as_object().expect("an event has a tag").clone());
    let mut text = Value::Object(line).to_string();
    text.push('\n');
    text
}

/// Reads a journal. A last line that was cut off by a kill is left out.
///
/// # Errors
/// When the file cannot be read, or a whole line is not an event of this version.
pub fn read_journal(path: &Path) -> Result<Vec<JournalEntry>, RunError> {
    let text = files::read_text(path)?;
    let mut entries = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let Some(line) = line.strip_suffix('\n') else { break };
        let fault =
            |why: String| RunError::Unreadable { path: path.to_owned(), why: format!("line {}: {why}", index + 1) };
        let line: Value = serde_json::from_str(line).map_err(|error| fault(error.to_string()))?;
        if line["version"] != VERSION {
            return Err(fault(format!("it has version {}, and this lmpipe reads version {VERSION}", line["version"])));
        }
        let text = |key: &str| line[key].as_str().map(str::to_owned).ok_or_else(|| fault(format!("it has no `{key}`")));
        entries.push(JournalEntry { time: text("time")?, event: text("event")?, line });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Progress;

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut journal = Journal::create(path.clone()).unwrap();
        let progress = Progress { done: 1, total: 2, unit: "row", message: "half".into() };
        let progress = RunEvent::Progress { node: 0, name: "a".into(), progress };
        assert!(event_line(&progress).ends_with(
            r#""event":"progress","node":0,"name":"a","progress":{"done":1,"total":2,"unit":"row","message":"half"}}
"#
        ));
        journal.event(&RunEvent::Note { node: 0, name: "a".into(), text: "two\nlines".into() });
        journal.event(&progress);
        journal.event(&RunEvent::Ended { seconds: 1.5, ran: 1, cached: 0, failed: 0 });
        journal.close().unwrap();
        let entries = read_journal(&path).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.event.as_str()).collect::<Vec<_>>(), ["note", "ended"]);
        assert_eq!(entries[0].line["text"], "two\nlines");

        // A kill in the middle of a line.
        let whole = files::read_text(&path).unwrap();
        files::write_atomic(&path, &whole.as_bytes()[..whole.len() - 5]).unwrap();
        assert_eq!(read_journal(&path).unwrap().len(), 1);
        files::write_atomic(&path, whole.replace("\"version\":1", "\"version\":9").as_bytes()).unwrap();
        let error = read_journal(&path).unwrap_err().to_string();
        assert!(error.ends_with("line 1: it has version 9, and this lmpipe reads version 1"), "{error}");
    }
}
