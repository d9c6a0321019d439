//! `run`: from a recipe to a finished run, its reports and its verdict.

use std::{
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{load, report, summary::summary};
use crate::{
    base::suggest,
    cli::{
        App,
        args::{self, RunFormat},
        error::CliError,
        exit::Exit,
        output::say_always,
        progress::{Bars, JsonLines, Lines},
        project::short,
    },
    engine::{self, EventSink, RunRecord, Settings, Shared, Store},
    plan::Plan,
    stage::{Cancel, RunStatus, Verdict},
};

pub(in crate::cli) fn run(app: &App, args: &args::Run) -> Result<Exit, CliError> {
    let shared = args.shared_store.as_deref().map(Shared::open).transpose()?.map(Arc::new);
    let loaded = load::load_sharing(app, &args.recipe, &args.store, shared.as_deref())?;
    check_verified(&args.verify, &loaded.plan)?;
    let settings = Settings {
        shared,
        force: args.force,
        checkpoints: args.checkpoint_every,
        verify: args.verify.clone(),
        ..load::settings(app, &loaded, &args.recipe, &args.store)
    };
    let cancel = Cancel::default();
    let record = {
        let mut news = News::new(app, args.format, &loaded.plan);
        stop_on_signal(cancel.clone(), news.writer());
        engine::run(&loaded.plan, &settings, &cancel, &mut news.sinks())?
    };
    let reports = report::export(
        app,
        &Store::read(&settings.store)?,
        &record,
        &loaded.project.reports(args.reports.as_deref(), &record.name),
    )?;
    tell(app, args, &record, &reports);
    Ok(verdict(&record))
}

/// Refuses names of stages that there are not, and of stages whose output is of its moment.
fn check_verified(names: &[String], plan: &Plan) -> Result<(), CliError> {
    for name in names {
        let Some(node) = plan.nodes.iter().find(|node| node.name == *name) else {
            let known: Vec<&str> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
            let error = CliError::usage(format!("the recipe has no stage `{name}`"));
            return Err(error.maybe_hint(suggest::help(name, &known)));
        };
        if node.spec.measures || node.spec.sees_run {
            return Err(CliError::usage(format!(
                "`{name}` cannot be verified: what a `{}` stage makes is of the moment it ran",
                node.spec.kind
            )));
        }
    }
    Ok(())
}

/// Where news of the run go: to people on standard error, to programs on standard output.
pub(super) struct News {
    sinks: Vec<Box<dyn EventSink>>,
    bars: Option<indicatif::MultiProgress>,
}

impl News {
    pub(super) fn new(app: &App, format: RunFormat, plan: &Plan) -> Self {
        let output = &app.output;
        let mut news = Self { sinks: Vec::new(), bars: None };
        if format == RunFormat::Json {
            news.sinks.push(Box::new(JsonLines::new(output.clone())));
        }
        // Bars amid JSON on one screen would be a mess.
        let on_one_screen = format == RunFormat::Json && output.data_terminal;
        if output.quiet || on_one_screen {
            return news;
        }
        if output.talk_terminal {
            let stages = plan.nodes.iter().map(|node| (node.name.as_str(), node.spec.kind));
            let bars = Bars::new(stages, output.talk);
            news.bars = Some(bars.writer());
            news.sinks.push(Box::new(bars));
        } else {
            news.sinks.push(Box::new(Lines::default()));
        }
        news
    }

    /// All of them, as the engine takes them.
    pub(super) fn sinks(&mut self) -> Vec<&mut dyn EventSink> {
        let mut sinks: Vec<&mut dyn EventSink> = Vec::new();
        for sink in &mut self.sinks {
            sinks.push(&mut **sink);
        }
        sinks
    }

    /// Says a line without disturbing what is drawn; for the thread that hears signals.
    pub(super) fn writer(&self) -> impl Fn(&str) + Send + 'static {
        let bars = self.bars.clone();
        move |line| match &bars {
            Some(bars) => drop(bars.println(line)),
            None => say_always(line),
        }
    }
}

/// The first signal asks the run to stop, the second ends the program; what is in the store stays whole either way.
pub(super) fn stop_on_signal(cancel: Cancel, say: impl Fn(&str) + Send + 'static) {
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::SeqCst) {
            #[expect(clippy::exit, reason = "the user asks for the second time; threads are still at work")]
            process::exit(Exit::Interrupted.code().into());
        }
        cancel.cancel();
        say("stopping after the current step, press Ctrl-C again to abort");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("signals are not handled: {error}");
    }
}

fn tell(app: &App, args: &args::Run, record: &RunRecord, reports: &[PathBuf]) {
    let output = &app.output;
    let style = output.talk;
    output.say(format!("\n{}", summary(record, app.registry, style)));
    if !reports.is_empty() {
        output.say("");
    }
    for path in reports {
        output.say(format!("{}  {}", style.strong("report"), style.accent(&short(path))));
    }
    for node in record.failed() {
        let why = node.error.as_deref().unwrap_or("unknown");
        // As every system that has such an error words it, or numbers it.
        let is_full = ["No space left", "not enough space", "(os error 28)"].iter().any(|text| why.contains(text));
        let hint = is_full.then_some("`lmpipe cache gc --max-size SIZE` makes room in the store");
        output.complain(&format!("stage `{}` failed: {why}", node.name), hint);
    }
    if record.cancelled {
        // Elsewhere than in this store, nothing is there to go on from.
        let places = [("--store", args.store.store.as_deref()), ("--reports", args.reports.as_deref())];
        let mut again = vec![record.command.clone()];
        for (flag, path) in places.into_iter().filter_map(|(flag, path)| Some((flag, path?))) {
            again.extend([flag.to_owned(), load::quoted(&path.display().to_string())]);
        }
        let again = again.join(" ");
        output.complain("interrupted", Some(&format!("`{again}` goes on from here")));
    } else if record.failed().next().is_some() {
        let done = record.count(RunStatus::Ran) + record.count(RunStatus::Cached);
        if done > 0 {
            output.say(format!("  {} what is done is kept; the next run goes on from there", style.accent("hint:")));
        }
    } else if output.quiet || args.format == RunFormat::Json {
        // The summary may not have been seen.
        for verdict in record.verdicts.iter().filter(|verdict| verdict.fails()) {
            output.complain(&format!("gate failed: {}: {}", verdict.gate.metric, verdict.text), None);
        }
    }
}

fn verdict(record: &RunRecord) -> Exit {
    if record.cancelled {
        Exit::Interrupted
    } else if record.failed().next().is_some() {
        Exit::Failed
    } else if record.verdicts.iter().any(Verdict::fails) {
        Exit::Gate
    } else {
        Exit::Done
    }
}
