//! The second run executes nothing, a change runs exactly what depends on it, and damage is never served.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::json;

use super::toys::{Act, Show, Toy, ToyBench, World, statuses};
use crate::{
    base::{digest, digest::Digest, fs as files},
    engine::{ForecastState, RunEvent, Store, read_journal},
    plan::NodeId,
    stage::{Bound, Gate, RunStatus, Severity},
};

/// a → b → d, a → c → d, e alone
fn diamond(name: &str) -> World {
    let mut world = World::new(name);
    let a = world.add::<Toy>("a", Act::Write, &[]);
    let b = world.add::<Toy>("b", Act::Write, &[a]);
    let c = world.add::<Toy>("c", Act::Write, &[a]);
    world.add::<Toy>("d", Act::Write, &[b, c]);
    world.add::<Toy>("e", Act::Write, &[]);
    world
}

fn contents(root: &Path) -> BTreeMap<String, Digest> {
    let files = digest::files_below(root).unwrap();
    files.into_iter().map(|file| (file.display().to_string(), Digest::of_file(&root.join(&file)).unwrap())).collect()
}

#[test]
fn the_second_run_executes_nothing() {
    let mut world = diamond("second-run");
    let first = world.run();
    assert_eq!(statuses(&first), "RRRRR");
    assert_eq!(world.take_ran(), ["a", "b", "c", "d", "e"]);
    let store = Store::read(&world.settings.store).unwrap();
    let objects = contents(&world.path("objects"));
    assert_eq!(
        files::read_text(&store.object_dir(first.nodes[3].digest.unwrap()).join("out.txt")).unwrap(),
        "d\nb\na\nc\na\n"
    );

    let second = world.run();
    assert_eq!(statuses(&second), "CCCCC");
    assert_eq!(world.take_ran(), [""; 0]);
    assert_eq!(contents(&world.path("objects")), objects);
    assert!(!world.events.0.iter().any(|event| matches!(event, RunEvent::Started { .. })));
    for (first, second) in first.nodes.iter().zip(&second.nodes) {
        assert_eq!(
            (first.fingerprint, first.digest, &first.record),
            (second.fingerprint, second.digest, &second.record)
        );
    }
    assert_eq!(store.verify().unwrap(), []);
    let size = store.size().unwrap();
    assert_eq!((size.objects, size.actions, size.runs), (5, 5, 2));
    let mut made: Vec<_> = first.nodes.iter().filter_map(|node| node.digest).collect();
    made.sort_unstable();
    assert_eq!(store.objects().unwrap(), made);

    world.settings.force = true;
    assert_eq!(world.ran(), ["a", "b", "c", "d", "e"]);
    assert_eq!(contents(&world.path("objects")), objects, "the same work gives the same bytes");
}

#[test]
fn another_store_gets_the_same_bytes() {
    let (mut one, mut other) = (diamond("same-bytes"), diamond("same-bytes"));
    other.settings.cores = 1;
    let (first, second) = (one.run(), other.run());
    let ids = |run: &crate::engine::RunRecord| {
        run.nodes.iter().map(|node| (node.fingerprint, node.digest)).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(contents(&one.path("objects")), contents(&other.path("objects")));
}

#[test]
fn a_change_runs_what_depends_on_it() {
    let mut world = diamond("change");
    world.ran();
    world.set_text(1, "B");
    let forecast = world.forecast();
    assert_eq!(forecast[1].state, ForecastState::WillRun { reason: "parameter `text` changed: \"b\" → \"B\"".into() });
    assert_eq!(forecast[3].state, ForecastState::Unknown { reason: "depends on `b`, which will run".into() });
    assert_eq!(forecast[1].previous_key.as_ref().unwrap()["params"]["text"], "b");
    assert!(forecast[3].key.is_none() && forecast[3].previous_key.is_some());
    assert!([0, 2, 4].iter().all(|node| forecast[*node].is_cached()));
    // A stage that waits for another and changed itself says so; it is not only a victim.
    world.set_text(3, "D");
    let told = "parameter `text` changed: \"d\" → \"D\"; depends on `b`, which will run";
    assert_eq!(world.forecast()[3].state, ForecastState::WillRun { reason: told.into() });
    world.set_text(3, "d");
    assert_eq!(world.ran(), ["b", "d"]);
    assert!(world.forecast().iter().all(crate::engine::Forecast::is_cached));
    // What was made before is still there.
    world.set_text(1, "b");
    assert!(world.forecast()[1].is_cached());
    assert_eq!(world.ran(), [""; 0]);
}

#[test]
fn a_forecast_of_nothing_makes_nothing() {
    let world = diamond("forecast");
    let forecast = world.forecast();
    assert_eq!(forecast[0].reason(), Some("never made"));
    assert_eq!(forecast[3].reason(), Some("depends on `a`, which will run"));
    assert!(!world.settings.store.exists());
}

#[test]
fn what_comes_out_as_before_stops_a_change() {
    let mut world = diamond("cutoff");
    world.set_act(1, Act::Forget);
    world.ran();
    world.set_text(1, "B");
    assert_eq!(world.ran(), ["b"], "its output is the same, so `d` is cached");
}

#[test]
fn names_and_order_do_not_matter() {
    let mut world = diamond("names");
    world.ran();
    for node in &mut world.plan.nodes {
        node.name += "-renamed";
        node.about = "something else".into();
    }
    // `e` first, and `c` before `b`.
    let order = [4, 0, 2, 1, 3];
    let mut nodes: Vec<_> = std::mem::take(&mut world.plan.nodes).into_iter().map(Some).collect();
    world.plan.nodes = order.iter().map(|old| nodes[*old].take().unwrap()).collect();
    for node in &mut world.plan.nodes {
        let moved = |old: &NodeId| order.iter().position(|at| at == old).unwrap();
        node.inputs.iter_mut().flat_map(|(_, from)| from).for_each(|id| *id = moved(id));
    }
    assert_eq!(world.ran(), [""; 0]);
}

#[test]
fn what_is_damaged_is_made_again() {
    let mut world = diamond("damage");
    let run = world.run();
    world.take_ran();
    let store = Store::open(&world.settings.store).unwrap();
    let [digest, fingerprint] = [run.nodes[1].digest.unwrap(), run.nodes[1].fingerprint.unwrap()];
    let object = store.object_dir(digest);
    let name = fingerprint.to_string();
    let action = world.path("actions").join(&name[..2]).join(format!("{name}.json"));
    let truncate = |path: &Path| {
        let bytes = files::read(path).unwrap();
        files::write_atomic(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let cases: [(&str, &dyn Fn(), &str); 6] = [
        ("object gone", &|| fs::remove_dir_all(&object).unwrap(), "its output is gone from the store"),
        ("file gone", &|| fs::remove_file(object.join("out.txt")).unwrap(), "its output in the store is damaged"),
        ("file cut", &|| truncate(&object.join("out.txt")), "its output in the store is damaged"),
        ("provenance cut", &|| truncate(&object.join("lmpipe.json")), "its output in the store is damaged"),
        ("action gone", &|| fs::remove_file(&action).unwrap(), "its record is gone from the store"),
        ("action cut", &|| truncate(&action), "its record in the store is damaged"),
    ];
    let whole = contents(&world.path("objects"));
    for (what, damage, reason) in cases {
        damage();
        let forecast = world.forecast();
        assert!(forecast[1].reason().unwrap().starts_with(reason), "{what}: {:?}", forecast[1]);
        assert_eq!(world.ran(), ["b"], "{what}");
        assert_eq!(contents(&world.path("objects")), whole, "{what}");
        assert_eq!(store.verify().unwrap(), [], "{what}");
    }
}

#[test]
fn what_a_killed_run_leaves_is_cleared() {
    let mut world = diamond("killed");
    world.run();
    world.take_ran();
    // Killed while `b` was made, before its action was written, in the middle of an event.
    let half = world.path("tmp/stage-half");
    files::create_dir(&half).unwrap();
    files::write_atomic(&half.join("out.txt"), b"half").unwrap();
    let run = world.path("runs/20200101-000000-000-killed");
    files::create_dir(&run).unwrap();
    files::write_atomic(&run.join("events.jsonl"), b"{\"version\":1,\"ti").unwrap();
    assert!(read_journal(&run.join("events.jsonl")).unwrap().is_empty());
    assert_eq!(world.ran(), [""; 0]);
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0);
    let store = Store::read(&world.settings.store).unwrap();
    assert!(store.runs().unwrap()[0].record.is_none());
}

#[test]
fn measurements_belong_to_a_machine() {
    let mut world = World::new("host");
    let a = world.add::<Toy>("a", Act::Write, &[]);
    world.add::<ToyBench>("speed", Act::Write, &[a]);
    world.ran();
    world.settings.host = json!({"cpu": "another"});
    assert_eq!(world.forecast()[1].reason(), Some("it was measured on another machine"));
    assert_eq!(world.ran(), ["speed"]);
}

#[test]
fn a_report_waits_for_the_whole_run_and_shows_no_old_one() {
    let mut world = World::new("report");
    let a = world.add::<Toy>("a", Act::Write, &[]);
    // It takes from `a` alone, and comes before `b` in the plan.
    let report = world.add::<Show>("report", Act::Write, &[a]);
    let b = world.add::<Toy>("b", Act::Write, &[]);
    let run = world.run();
    let read = |run: &crate::engine::RunRecord| {
        let store = Store::read(&world.settings.store).unwrap();
        files::read_text(&store.object_dir(run.nodes[report].digest.unwrap()).join("out.txt")).unwrap()
    };
    assert_eq!(read(&run), "a Ran 2\nreport Waiting 0\nb Ran 2\n");
    assert!(world.forecast().iter().all(crate::engine::Forecast::is_cached));
    assert_eq!(world.take_ran(), ["a", "b", "report"]);
    world.set_text(b, "longer");
    assert_eq!(world.forecast()[report].reason(), Some("depends on `b`, which will run"));
    let run = world.run();
    assert_eq!(world.take_ran(), ["b", "report"]);
    let store = Store::read(&world.settings.store).unwrap();
    let text = files::read_text(&store.object_dir(run.nodes[report].digest.unwrap()).join("out.txt")).unwrap();
    assert_eq!(text, "a Cached 2\nreport Waiting 0\nb Ran 7\n");
    // A stage that failed does not keep the report back; it is shown.
    world.set_act(b, Act::Fail);
    let run = world.run();
    assert_eq!(statuses(&run), "CRF");
    let text = files::read_text(&store.object_dir(run.nodes[report].digest.unwrap()).join("out.txt")).unwrap();
    assert_eq!(text, "a Cached 2\nreport Waiting 0\nb Failed 0\n");
}

#[test]
fn a_run_can_be_read_back() {
    let mut world = diamond("read-back");
    let gate = |metric: &str, bound| Gate {
        metric: metric.into(),
        versus: None,
        bound,
        severity: Severity::Error,
        paired: false,
    };
    world.plan.gates = vec![
        gate("d.length", Bound::Max(10.0.into())),
        gate("d.length", Bound::Max(9.0.into())),
        gate("x.y", Bound::Min(0.0.into())),
    ];
    let run = world.run();
    assert_eq!(run.verdicts.iter().map(|verdict| verdict.passed).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(run.find_metric("d.length").unwrap().value, 10.0);
    let store = Store::read(&world.settings.store).unwrap();
    assert_eq!(store.latest_run("read-back").unwrap().unwrap().id, run.id);
    assert_eq!(store.latest_run("back").unwrap(), None);
    let kept = store.run(&run.id).unwrap();
    assert_eq!((kept.verdicts, kept.nodes.len(), kept.cancelled), (run.verdicts, 5, false));
    let folder = world.path("runs").join(&run.id);
    let events = read_journal(&folder.join("events.jsonl")).unwrap();
    let count = |what: &str| events.iter().filter(|entry| entry.event == what).count();
    assert_eq!((count("started"), count("finished"), count("note"), count("ended")), (5, 5, 5, 1));
    assert_eq!(events.last().unwrap().event, "ended");
    let json =
        |name: &str| serde_json::from_str::<serde_json::Value>(&files::read_text(&folder.join(name)).unwrap()).unwrap();
    assert_eq!(json("metrics.json")["metrics"]["d.length"], json!({"value": 10.0, "unit": "count", "better": "lower"}));
    assert_eq!(json("recipe.json"), world.plan.resolved);
    assert_eq!(json("plan.json")["nodes"][3]["inputs"], json!({"data": ["b", "c"]}));
    let second = world.run();
    assert_eq!(store.latest_run("read-back").unwrap().unwrap().id, second.id);
    assert_eq!(store.runs().unwrap().len(), 2);
    assert_eq!(second.count(RunStatus::Cached), 5);
}
