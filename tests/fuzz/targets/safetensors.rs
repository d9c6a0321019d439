//! See `lmpipe_fuzz::safetensors`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmpipe_fuzz::safetensors(data));
