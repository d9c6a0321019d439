//! See `lmpipe_fuzz::recipe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmpipe_fuzz::recipe(data));
