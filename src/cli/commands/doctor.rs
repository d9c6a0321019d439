//! `doctor`: what this machine offers, and what is missing.

use std::{path::Path, process};

use serde_json::{Value, json};

use crate::{
    base::{device::DeviceId, units},
    cli::{
        App,
        args::{self, TextFormat},
        error::CliError,
        exit::Exit,
        machine::Machine,
        project::{Project, short},
        table::Table,
    },
    engine::Store,
    model,
};

/// How much something that was looked at matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is there, or simply a fact.
    Good,
    /// It is not there, and some recipes need it.
    Missing,
    /// It is broken, and nothing works until it is mended.
    Broken,
}

struct Finding {
    name: &'static str,
    state: State,
    text: String,
}

pub(in crate::cli) fn run(app: &App, args: &args::Doctor) -> Result<Exit, CliError> {
    let findings = examine(app, args);
    let broken = findings.iter().any(|finding| finding.state == State::Broken);
    match args.format {
        TextFormat::Json => app.output.line(format!("{:#}", to_json(&findings)))?,
        TextFormat::Text => {
            let style = app.output.data;
            let mut table = Table::new(&[]);
            for Finding { name, state, text } in &findings {
                let mark = match state {
                    State::Good => style.good("✓"),
                    State::Missing => style.faint("–"),
                    State::Broken => style.bad("✗"),
                };
                table.row([mark, style.strong(name), text.clone()]);
            }
            app.output.line(table.lines().join("\n"))?;
        }
    }
    Ok(if broken { Exit::Failed } else { Exit::Done })
}

fn examine(app: &App, args: &args::Doctor) -> Vec<Finding> {
    let machine = Machine::detect();
    let good = |name, text: String| Finding { name, state: State::Good, text };
    let mut features = Vec::new();
    for (name, present) in [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))] {
        if present {
            features.push(name);
        }
    }
    let features =
        if features.is_empty() { "no optional features".into() } else { format!("features {}", features.join(", ")) };
    let mut findings = vec![
        good("lmpipe", format!("{} ({features})", env!("CARGO_PKG_VERSION"))),
        good("system", format!("{}, {}", machine.system, machine.architecture)),
        good("processor", machine.cpu.clone()),
        good("cores", machine.cores.to_string()),
        good("memory", units::bytes(machine.memory_bytes)),
        good("instructions", machine.instructions.join(" ")),
        good("int8 kernel", model::int8_kernel().to_owned()),
        good("device", "cpu".into()),
    ];
    for device in [DeviceId::Cuda(0), DeviceId::Metal(0)] {
        findings.push(match model::available(device) {
            Ok(()) => good("device", device.to_string()),
            Err(why) => {
                let text = if why.contains(&device.to_string()) { why } else { format!("{device}: {why}") };
                Finding { name: "device", state: State::Missing, text }
            }
        });
    }
    findings.push(pip());
    findings.push(hub(app));
    findings.push(store(args));
    let temp = std::env::temp_dir();
    findings.push(match writable(&temp) {
        Ok(()) => good("temporary files", temp.display().to_string()),
        Err(why) => {
            Finding { name: "temporary files", state: State::Broken, text: format!("`{}`: {why}", temp.display()) }
        }
    });
    findings
}

fn pip() -> Finding {
    let name = "pip";
    // In the order in which a `pip://` source tries them.
    let pips: [&[&str]; 4] = [&["python3", "-m", "pip"], &["pip3"], &["pip"], &["python", "-m", "pip"]];
    for pip in pips {
        let found =
            process::Command::new(pip[0]).args(&pip[1..]).arg("--version").stdin(process::Stdio::null()).output();
        if let Ok(found) = found
            && found.status.success()
        {
            let text = String::from_utf8_lossy(&found.stdout);
            // `pip 25.1 from /usr/lib/… (python 3.12)`
            let version = text.split(" from ").next().unwrap_or_default().trim();
            return Finding {
                name,
                state: State::Good,
                text: format!("{version} (`{}`), for `pip://` sources", pip.join(" ")),
            };
        }
    }
    Finding { name, state: State::Missing, text: "not found; `pip://` sources need it".into() }
}

fn hub(app: &App) -> Finding {
    let value = |name: &str| app.env.get(name).filter(|value| !value.is_empty());
    let home = value("HF_HOME").cloned().unwrap_or_else(|| {
        let home = value("HOME").or_else(|| value("USERPROFILE")).map_or("~", String::as_str);
        Path::new(home).join(".cache/huggingface").display().to_string()
    });
    let mut text = format!("cache `{home}`");
    if let Some(endpoint) = value("HF_ENDPOINT") {
        text = format!("{text}, endpoint `{endpoint}`");
    }
    text += if value("HF_TOKEN").is_some() { ", with a token" } else { ", without a token" };
    if value("HF_HUB_OFFLINE").is_some_and(|offline| offline != "0") {
        text += ", offline";
    }
    Finding { name: "hub", state: State::Good, text: format!("{text}, for `hf://` sources") }
}

fn store(args: &args::Doctor) -> Finding {
    let name = "store";
    let path = Project::here().store(&args.store);
    if !path.exists() {
        return Finding { name, state: State::Missing, text: format!("`{}` is made by the first run", short(&path)) };
    }
    let looked = Store::read(&path).and_then(|store| store.size());
    match (looked, writable(&path)) {
        (Ok(size), Ok(())) => {
            let text = format!("`{}`, {} in {} objects", short(&path), units::bytes(size.total_bytes), size.objects);
            Finding { name, state: State::Good, text }
        }
        (Err(error), _) => Finding { name, state: State::Broken, text: error.to_string() },
        (Ok(_), Err(why)) => Finding { name, state: State::Broken, text: format!("`{}`: {why}", short(&path)) },
    }
}

fn writable(folder: &Path) -> Result<(), String> {
    tempfile::tempfile_in(folder).map(drop).map_err(|error| format!("cannot be written to: {error}"))
}

fn to_json(findings: &[Finding]) -> Value {
    let state = |state| match state {
        State::Good => "good",
        State::Missing => "missing",
        State::Broken => "broken",
    };
    findings.iter().map(|f| json!({"name": f.name, "state": state(f.state), "text": f.text})).collect()
}
