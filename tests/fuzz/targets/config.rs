//! The `config.json` of a model beside weights that are well; what can be loaded answers.
#![no_main]

use candle_core::Device;
use libfuzzer_sys::fuzz_target;
use lmpipe::{
    model::{Model, Packed},
    runtime::Executor,
};

fuzz_target!(|data: &[u8]| {
    let folder = lmpipe_fuzz::model("config.json", data, "model.safetensors");
    if let Ok(executor) = Model::load(folder.path(), &Device::Cpu).and_then(Executor::new) {
        let _ = executor.answers(Packed::new(&[2, 7, 3], &[0, 0, 0], &[0, 3]));
    }
});
