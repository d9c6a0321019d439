//! Plain lines, for logs: start, notes, a progress line now and then, the end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{remaining, seconds};
use crate::{
    base::{plural, units},
    cli::{headline, output::say_always},
    engine::{EventSink, RunEvent},
    stage::{Progress, RunStatus},
};

/// How long a stage keeps silent between two progress lines.
const PAUSE: Duration = Duration::from_secs(10);

/// Writes one line an event to standard error.
#[derive(Default)]
pub(in crate::cli) struct Lines {
    running: BTreeMap<String, Running>,
}

struct Running {
    /// When the current unit of progress (`row`, then `step`) began.
    since: Instant,
    unit: &'static str,
    last_line: Instant,
}

impl EventSink for Lines {
    fn event(&mut self, event: &RunEvent) {
        if let Some(line) = self.line(event, Instant::now()) {
            say_always(line);
        }
    }
}

impl Lines {
    fn line(&mut self, event: &RunEvent, now: Instant) -> Option<String> {
        Some(match event {
            RunEvent::Started { name, kind, device, threads, .. } => {
                self.running.insert(name.clone(), Running { since: now, unit: "", last_line: now });
                format!("{name}: started ({kind}, {device}, {})", plural::count(*threads, "thread"))
            }
            RunEvent::Progress { name, progress, .. } => {
                let running = self.running.get_mut(name)?;
                if running.unit != progress.unit {
                    (running.since, running.unit) = (now, progress.unit);
                }
                if now.duration_since(running.last_line) < PAUSE {
                    return None;
                }
                running.last_line = now;
                format!("{name}: {}", progress_words(progress, now.duration_since(running.since)))
            }
            RunEvent::Waiting { text } => text.clone(),
            RunEvent::Note { name, text, .. } => format!("{name}: {text}"),
            RunEvent::Finished { name, status: RunStatus::Cached, .. } => format!("{name}: cached"),
            RunEvent::Finished { name, seconds: took, record, .. } => {
                self.running.remove(name);
                let headline = headline::line(record);
                let dot = if headline.is_empty() { "" } else { " · " };
                format!("{name}: done in {}{dot}{headline}", seconds(*took))
            }
            RunEvent::Failed { name, error, .. } => {
                self.running.remove(name);
                format!("{name}: failed: {error}")
            }
            RunEvent::Skipped { name, because, .. } => format!("{name}: skipped, {because}"),
            RunEvent::DeviceFallback { name, got, why, .. } => format!("{name}: runs on {got}: {why}"),
            RunEvent::Ended { .. } => return None,
        })
    }
}

fn progress_words(progress: &Progress, elapsed: Duration) -> String {
    let Progress { done, total, unit, message } = progress;
    let mut words = Vec::new();
    if *total > 0 {
        let percent = done.saturating_mul(100) / total;
        words.push(format!("{} of {} {percent} %", units::thousands(*done), plural_of(*total, unit)));
    } else if *done > 0 {
        words.push(plural_of(*done, unit));
    }
    if !message.is_empty() {
        words.push(message.clone());
    }
    if let Some(rest) = remaining(elapsed, *done, *total) {
        words.push(format!("{} left", units::duration(rest)));
    }
    words.join(" · ")
}

fn plural_of(n: u64, unit: &str) -> String {
    let noun = plural::count(n as usize, unit);
    noun.split_once(' ').map_or(noun.clone(), |(_, noun)| format!("{} {noun}", units::thousands(n)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Record;

    #[test]
    fn progress_is_told_now_and_then() {
        let mut lines = Lines::default();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let progress = |done| RunEvent::Progress {
            node: 0,
            name: "teacher".into(),
            progress: Progress { done, total: 2000, unit: "step", message: "loss 0.3".into() },
        };
        let started = RunEvent::Started {
            node: 0,
            name: "teacher".into(),
            kind: "finetune".into(),
            device: "cpu".into(),
            threads: 1,
        };
        let told: Vec<_> = [
            lines.line(&started, at(0)),
            lines.line(&progress(0), at(0)),
            lines.line(&progress(400), at(9)),
            lines.line(&progress(500), at(20)),
            lines.line(&progress(600), at(21)),
        ]
        .into_iter()
        .flatten()
        .collect();
        assert_eq!(
            told,
            [
                "teacher: started (finetune, cpu, 1 thread)",
                "teacher: 500 of 2,000 steps 25 % · loss 0.3 · 1 m 00 s left",
            ]
        );
        let finished = RunEvent::Finished {
            node: 0,
            name: "teacher".into(),
            status: RunStatus::Ran,
            seconds: 80.0,
            digest: crate::base::digest::Digest::of(b""),
            record: Record::default(),
        };
        assert_eq!(lines.line(&finished, at(80)).unwrap(), "teacher: done in 1 m 20 s");
    }
}
