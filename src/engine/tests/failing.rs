//! Failures, panics and stops: what goes on, what does not, and that nothing half-made is left.

use std::fs;

use super::toys::{Act, Show, Toy, World, statuses};
use crate::{
    base::device::DeviceId,
    engine::{RunError, RunEvent, Store},
    stage::Cancel,
};

/// a → b → c, and d → e beside them
fn two_rows(name: &str, b: Act) -> World {
    let mut world = World::new(name);
    let a = world.add::<Toy>("a", Act::Write, &[]);
    let b = world.add::<Toy>("b", b, &[a]);
    world.add::<Toy>("c", Act::Write, &[b]);
    let d = world.add::<Toy>("d", Act::Write, &[]);
    world.add::<Toy>("e", Act::Write, &[d]);
    world
}

fn nothing_half_made(world: &World) {
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0);
    assert_eq!(Store::read(&world.settings.store).unwrap().verify().unwrap(), []);
}

#[test]
fn a_failure_dooms_what_needs_it_and_is_not_cached() {
    for (what, act, expected) in [
        ("fail", Act::Fail, "it does not work"),
        ("panic", Act::Panic, "internal error: row 3 is missing"),
        ("nonsense", Act::Nonsense, "its metric `loss` is NaN, which is no number"),
    ] {
        let mut world = two_rows(what, act);
        let run = world.run();
        assert_eq!(statuses(&run), "RFsRR", "{what}");
        assert_eq!(run.nodes[1].error.as_deref(), Some(expected));
        assert_eq!(run.nodes[2].error.as_deref(), Some("`b` failed"));
        assert_eq!(run.failed().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["b"]);
        assert!(!run.cancelled);
        let told = |event: &RunEvent| matches!(event, RunEvent::Failed { node: 1, error, .. } if error == expected);
        assert!(world.events.0.iter().any(told), "{what}");
        let skipped = RunEvent::Skipped { node: 2, name: "c".into(), because: "`b` failed".into() };
        assert!(world.events.0.contains(&skipped), "{what}");
        nothing_half_made(&world);
        world.take_ran();
        // It is tried again, and what is mended goes on.
        assert_eq!(world.ran(), ["b"], "{what}");
        world.set_act(1, Act::Write);
        assert_eq!(world.ran(), ["b", "c"], "{what}");
    }
}

#[test]
fn what_is_needed_only_for_its_order_dooms_too() {
    let mut world = World::new("needs");
    let a = world.add::<Toy>("a", Act::Fail, &[]);
    let b = world.add::<Toy>("b", Act::Write, &[]);
    world.plan.nodes[b].needs = vec![a];
    assert_eq!(statuses(&world.run()), "Fs");
}

#[test]
fn a_report_is_made_of_a_run_with_a_failure() {
    let mut world = World::new("failure-report");
    let a = world.add::<Toy>("a", Act::Write, &[]);
    let b = world.add::<Toy>("b", Act::Fail, &[]);
    let report = world.add::<Show>("report", Act::Write, &[a]);
    world.plan.nodes[report].needs = vec![b];
    assert_eq!(statuses(&world.run()), "RFR");
    // But not without what it is made from.
    world.set_act(a, Act::Fail);
    assert_eq!(statuses(&world.run()), "FFs");
}

#[test]
fn a_stop_leaves_no_half_output() {
    let mut world = two_rows("stop", Act::Stop);
    world.settings.cores = 1;
    let run = world.run();
    assert!(run.cancelled);
    assert_eq!(&statuses(&run)[..3], "Rww");
    assert_eq!(run.nodes[1].error.as_deref(), Some("interrupted"));
    nothing_half_made(&world);
    assert!(Store::read(&world.settings.store).unwrap().latest_run("stop").unwrap().unwrap().cancelled);
    assert!(matches!(world.events.0.last(), Some(RunEvent::Ended { .. })));
    // Nothing starts while the stop is on.
    world.take_ran();
    assert_eq!(world.ran(), [""; 0]);
    // The next run goes on where this one ended.
    let mut next = two_rows("after-stop", Act::Write);
    next.settings.store = world.settings.store.clone();
    let ran = next.ran();
    assert!(ran.contains(&"b".to_owned()) && !ran.contains(&"a".to_owned()), "{ran:?}");
}

#[test]
fn work_that_ends_in_spite_of_a_stop_is_kept() {
    let mut world = two_rows("stop-late", Act::StopLate);
    let run = world.run();
    assert!(run.cancelled);
    assert_eq!(&statuses(&run)[..3], "RRw");
    nothing_half_made(&world);
}

#[test]
fn a_run_waits_while_a_store_is_tidied() {
    let mut world = two_rows("locked", Act::Write);
    let store = Store::open(&world.settings.store).unwrap();
    let lock = store.lock().unwrap();
    assert_eq!(world.forecast().len(), 5, "looking is free");
    let cancel = world.probe.cancel.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        cancel.cancel();
    });
    assert!(matches!(world.try_run(), Err(RunError::Stopped)));
    stopper.join().unwrap();
    let told = |event: &RunEvent| matches!(event, RunEvent::Waiting { text } if text.contains("is in use by another run (process "));
    assert!(world.events.0.iter().any(told), "{:?}", world.events.0);
    drop(lock);
    let mut again = two_rows("locked-again", Act::Write);
    again.settings.store.clone_from(&world.settings.store);
    again.run();
}

#[test]
fn a_device_that_is_not_there_is_told_before_anything_runs() {
    let mut world = two_rows("device", Act::Write);
    for node in [1, 2] {
        world.plan.nodes[node].device.candidates = vec![DeviceId::Cuda(0), DeviceId::Cpu];
    }
    let run = world.run();
    assert_eq!(statuses(&run), "RRRRR");
    assert_eq!(run.nodes[1].device, "cpu");
    let why = "`cuda:0` needs a build with `--features cuda`".to_owned();
    let fallback = RunEvent::DeviceFallback { name: "b".into(), wanted: "cuda:0".into(), got: "cpu".into(), why };
    let told: Vec<_> = world.events.0.iter().filter(|event| matches!(event, RunEvent::DeviceFallback { .. })).collect();
    assert_eq!(told, [&fallback]);

    world.take_ran();
    world.plan.nodes[2].device.candidates = vec![DeviceId::Cuda(0), DeviceId::Metal(0)];
    world.set_text(0, "changed");
    let error = world.try_run().unwrap_err();
    assert!(!error.is_store());
    assert_eq!(
        error.to_string(),
        "no device for `c`: `cuda:0` needs a build with `--features cuda`; `metal:0` needs a build with `--features metal`"
    );
    assert_eq!(world.take_ran(), [""; 0]);
}

#[test]
fn a_stop_before_the_start_runs_nothing() {
    let mut world = two_rows("stop-early", Act::Write);
    world.probe.cancel.cancel();
    let run = world.run();
    assert!(run.cancelled);
    assert_eq!(statuses(&run), "wwwww");
    assert!(!Cancel::default().is_cancelled());
}
