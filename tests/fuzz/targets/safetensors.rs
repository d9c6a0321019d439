//! The weights of a model; what can be loaded is looked at, too.
#![no_main]

use candle_core::Device;
use libfuzzer_sys::fuzz_target;
use lmpipe::model::{Model, inspect};

fuzz_target!(|data: &[u8]| {
    let folder = lmpipe_fuzz::model("model.safetensors", data, "config.json");
    let _ = Model::load(folder.path(), &Device::Cpu);
    let _ = inspect(folder.path());
});
