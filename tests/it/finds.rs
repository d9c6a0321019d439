//! What fuzzing once found, read again: each input ends well or with an error.

#[path = "../fuzz/targets/lib.rs"]
#[expect(
    unreachable_pub,
    clippy::disallowed_methods,
    reason = "a crate of its own where it is fuzzed, which writes what nobody keeps"
)]
mod targets;

use std::fs;

use crate::support::root;

#[test]
fn what_was_found_stays_found() {
    for (target, run) in targets::TARGETS {
        let folder = root().join("tests/fuzz/finds").join(target);
        let Ok(finds) = fs::read_dir(&folder) else { continue };
        for find in finds {
            let path = find.unwrap().path();
            println!("{}", path.display());
            run(&fs::read(&path).unwrap());
        }
    }
}
