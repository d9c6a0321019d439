//! Who runs beside whom, and with how many threads.

use super::toys::{Act, Toy, ToyModel, World, statuses};
use crate::engine::RunEvent;

#[test]
fn independent_stages_run_side_by_side() {
    let mut world = World::new("meet");
    // Each waits for the other to have begun: one after the other would never end.
    world.add::<Toy>("a", Act::Meet, &[]);
    world.add::<Toy>("b", Act::Meet, &[]);
    assert_eq!(statuses(&world.run()), "RR");
}

fn most_at_once(world: &mut World) -> usize {
    let run = world.run();
    assert!(run.nodes.iter().all(|node| node.error.is_none()));
    world.probe.at_once.lock().unwrap().1
}

#[test]
fn no_more_stages_than_cores() {
    let mut world = World::new("cores");
    for i in 0..6 {
        world.add::<Toy>(&format!("n{i}"), Act::Count, &[]);
    }
    world.settings.cores = 2;
    assert_eq!(most_at_once(&mut world), 2);
}

#[test]
fn an_exclusive_stage_runs_alone() {
    let mut world = World::new("exclusive");
    for i in 0..6 {
        let node = world.add::<Toy>(&format!("n{i}"), Act::Count, &[]);
        world.plan.nodes[node].device.exclusive = true;
    }
    assert_eq!(most_at_once(&mut world), 1);
}

#[test]
fn one_stage_that_trains_at_a_time() {
    let mut world = World::new("heavy");
    for i in 0..3 {
        let node = world.add::<ToyModel>(&format!("n{i}"), Act::Count, &[]);
        world.plan.nodes[node].device.threads = None;
    }
    assert_eq!(most_at_once(&mut world), 1);
}

#[test]
fn a_stage_gets_the_threads_it_asks_for() {
    let mut world = World::new("threads");
    for (name, threads) in [("a", Some(1)), ("b", None), ("c", Some(3)), ("d", Some(99))] {
        let node = world.add::<Toy>(name, Act::Write, &[]);
        world.plan.nodes[node].device.threads = threads;
    }
    world.run();
    for (name, expected) in [("a", 1), ("b", 4), ("c", 3), ("d", 4)] {
        let note = |event: &RunEvent| matches!(event, RunEvent::Note { name: of, text, .. } if of == name && *text == format!("{expected} threads"));
        let started = |event: &RunEvent| matches!(event, RunEvent::Started { name: of, threads, .. } if of == name && *threads == expected);
        assert!(world.events.0.iter().any(note) && world.events.0.iter().any(started), "{name}");
    }
}

#[test]
fn the_same_work_is_done_once() {
    let mut world = World::new("twins");
    for name in ["a", "b"] {
        let node = world.add::<Toy>(name, Act::Write, &[]);
        world.set_text(node, "the same");
    }
    let run = world.run();
    assert_eq!(statuses(&run), "RC");
    assert_eq!(world.take_ran(), ["a"]);
    assert_eq!(run.nodes[0].digest, run.nodes[1].digest);
}
