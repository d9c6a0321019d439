//! Bars on a terminal: one line a running stage, and a line that stays for each that ended.

use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{remaining, seconds};
use crate::{
    base::units,
    cli::{headline, output::Style},
    engine::{EventSink, RunEvent},
    stage::{Progress, RunStatus},
};

/// Draws on standard error.
pub(in crate::cli) struct Bars {
    multi: MultiProgress,
    /// The line at the bottom: how many stages are through.
    overall: ProgressBar,
    running: BTreeMap<String, Running>,
    style: Style,
    name_width: usize,
    kind_width: usize,
}

struct Running {
    bar: ProgressBar,
    kind: String,
    unit: &'static str,
    counts: bool,
    since: Instant,
}

impl Bars {
    /// `stages` are the names and kinds of all stages, to align what is drawn.
    pub(in crate::cli) fn new<'a>(stages: impl IntoIterator<Item = (&'a str, &'a str)>, style: Style) -> Self {
        let (mut count, mut name_width, mut kind_width) = (0, 0, 0);
        for (name, kind) in stages {
            count += 1;
            name_width = name_width.max(name.chars().count());
            kind_width = kind_width.max(kind.chars().count());
        }
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let overall = multi.add(ProgressBar::new(count));
        overall.set_style(overall_style());
        overall.enable_steady_tick(Duration::from_millis(250));
        Self { multi, overall, running: BTreeMap::new(), style, name_width: name_width.min(28), kind_width }
    }

    /// A handle to write lines above the bars with.
    pub(in crate::cli) fn writer(&self) -> MultiProgress {
        self.multi.clone()
    }

    fn end(&mut self, name: &str) -> Option<Running> {
        self.overall.inc(1);
        let running = self.running.remove(name)?;
        running.bar.finish_and_clear();
        self.multi.remove(&running.bar);
        Some(running)
    }

    fn write(&self, line: &str) {
        // There is nobody left to tell when standard error is gone.
        let _ = self.multi.println(line);
    }

    fn columns(&self, name: &str, kind: &str) -> String {
        let (names, kinds) = (self.name_width, self.kind_width);
        format!("{}  {}", format_args!("{name:names$}"), self.style.faint(&format!("{kind:kinds$}")))
    }
}

impl EventSink for Bars {
    fn event(&mut self, event: &RunEvent) {
        let style = self.style;
        match event {
            RunEvent::Started { name, kind, .. } => {
                let bar = self.multi.insert_before(&self.overall, ProgressBar::new_spinner());
                bar.set_style(spinner_style());
                bar.set_prefix(self.columns(name, kind));
                bar.enable_steady_tick(Duration::from_millis(120));
                let running = Running { bar, kind: kind.clone(), unit: "", counts: false, since: Instant::now() };
                self.running.insert(name.clone(), running);
            }
            RunEvent::Progress { name, progress, .. } => {
                if let Some(running) = self.running.get_mut(name) {
                    running.show(progress);
                }
            }
            RunEvent::Waiting { text } => self.write(&format!("  {text}")),
            RunEvent::Note { name, text, .. } => {
                self.write(&format!("  {}  {text}", style.faint(&format!("{name:0$}", self.name_width))));
            }
            // The summary lists what was cached; a line for each would push everything else off the screen.
            RunEvent::Finished { status: RunStatus::Cached, .. } => self.overall.inc(1),
            RunEvent::Finished { name, seconds: took, record, .. } => {
                let kind = self.end(name).map(|running| running.kind).unwrap_or_default();
                self.write(&format!(
                    "{} {}  {:>9}  {}",
                    style.good("✓"),
                    self.columns(name, &kind),
                    seconds(*took),
                    headline::line(record)
                ));
            }
            // Why is told at the end, where it is seen.
            RunEvent::Failed { name, .. } => {
                let kind = self.end(name).map(|running| running.kind).unwrap_or_default();
                self.write(&format!("{} {}  {}", style.bad("✗"), self.columns(name, &kind), style.bad("failed")));
            }
            RunEvent::Skipped { name, because, .. } => {
                self.end(name);
                self.write(&format!("{} {name:1$}  skipped, {because}", style.faint("–"), self.name_width));
            }
            RunEvent::DeviceFallback { name, got, why, .. } => {
                self.write(&format!("{} {name:1$}  runs on {got}: {why}", style.warning("!"), self.name_width));
            }
            RunEvent::Ended { .. } => self.overall.finish_and_clear(),
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // Also when the run ends early: nothing half-drawn stays on the screen.
        self.overall.finish_and_clear();
        let _ = self.multi.clear();
    }
}

impl Running {
    fn show(&mut self, progress: &Progress) {
        let Progress { done, total, unit, message } = progress;
        if self.unit != *unit {
            (self.unit, self.since) = (unit, Instant::now());
        }
        let counts = *total > 0;
        if counts != self.counts {
            self.counts = counts;
            self.bar.set_style(if counts { bar_style() } else { spinner_style() });
        }
        let mut words = Vec::new();
        if counts {
            self.bar.set_length(*total);
            self.bar.set_position(*done);
        } else if *done > 0 {
            words.push(format!("{} {unit}s", units::thousands(*done)));
        }
        // First, because a narrow terminal cuts the end.
        words.extend(
            remaining(self.since.elapsed(), *done, *total).map(|rest| format!("{} left", units::duration(rest))),
        );
        words.extend(Some(message.clone()).filter(|message| !message.is_empty()));
        self.bar.set_message(words.join(" · "));
    }
}

const TICKS: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ";

fn spinner_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.cyan} {prefix}  {elapsed_short:>9}  {wide_msg}")
        .expect("the template is well formed")
        .with_key("elapsed_short", elapsed)
        .tick_chars(TICKS)
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.cyan} {prefix}  {bar:14.cyan/dim} {percent:>3} %  {wide_msg}")
        .expect("the template is well formed")
        .progress_chars("━╸─")
        .tick_chars(TICKS)
}

fn overall_style() -> ProgressStyle {
    ProgressStyle::with_template("  {pos} of {len} stages · {elapsed_short}")
        .expect("the template is well formed")
        .with_key("elapsed_short", elapsed)
}

fn elapsed(state: &ProgressState, out: &mut dyn Write) {
    // Whole seconds: a clock that shows tenths only flickers.
    let _ = out.write_str(&match state.elapsed().as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => units::duration(Duration::from_secs(seconds)),
    });
}
