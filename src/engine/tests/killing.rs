//! A run that is killed, in a process of its own.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::toys::{Act, Toy, World, statuses};
use crate::{
    base::{digest, fs as files},
    engine::{RunError, Store, read_journal},
};

/// Says, in the process that is to be killed, where its store is.
pub(super) const STORE: &str = "LMPIPE_TEST_KILLED_STORE";

fn world() -> World {
    let mut world = World::new("killed-process");
    let a = world.add::<Toy>("a", Act::Write, &[]);
    let b = world.add::<Toy>("b", Act::Hang, &[a]);
    world.add::<Toy>("c", Act::Write, &[b]);
    world
}

#[test]
#[ignore = "the process that the next test kills"]
fn victim() {
    if let Some(store) = env::var_os(STORE) {
        let mut world = world();
        world.settings.store = PathBuf::from(store);
        world.run();
    }
}

#[test]
fn a_killed_run_is_taken_up_where_it_was() {
    let mut world = world();
    let store = Store::open(&world.settings.store).unwrap();
    let module = module_path!().split_once("::").unwrap().1;
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", &format!("{module}::victim")])
        .env(STORE, &world.settings.store)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let half_made = || {
        let tmp = world.path("tmp");
        let is_half = |file: &PathBuf| files::read(&tmp.join(file)).is_ok_and(|text| text == b"half");
        digest::files_below(&tmp).is_ok_and(|files| files.iter().any(is_half))
    };
    while !half_made() {
        assert_eq!(process.try_wait().unwrap(), None, "it ended by itself");
        thread::sleep(Duration::from_millis(2));
    }
    let error = store.lock().unwrap_err();
    assert!(matches!(error, RunError::Locked { pid: Some(pid), .. } if pid == process.id()), "{error}");
    process.kill().unwrap();
    process.wait().unwrap();

    let killed = &store.runs().unwrap()[0];
    assert!(killed.record.is_none());
    let events = read_journal(&killed.path.join("events.jsonl")).unwrap();
    let events: Vec<_> =
        events.iter().map(|entry| (entry.event.as_str(), entry.line["name"].as_str().unwrap())).collect();
    assert_eq!(events[events.len() - 1], ("started", "b"));

    let run = world.run();
    assert_eq!(statuses(&run), "CRR");
    assert!(digest::files_below(&world.path("tmp")).unwrap().is_empty());
    assert_eq!(store.verify().unwrap(), []);
}
