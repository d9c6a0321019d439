//! A recipe: read, checked, planned; its diagnostics are drawn.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use lmpipe::{plan::Plan, recipe, stages::REGISTRY};
use lmpipe_fuzz::{folder, write};

fuzz_target!(|data: &[u8]| {
    let folder = folder();
    write(folder.path(), "reviews.csv", b"text,label\na,b\n");
    let path = write(folder.path(), "recipe.yaml", data);
    match recipe::load(&path, &[], &BTreeMap::new(), &REGISTRY) {
        Ok(recipe) => drop(Plan::new(&recipe, &REGISTRY)),
        Err(diagnostics) => drop(diagnostics.render(80, true)),
    }
});
