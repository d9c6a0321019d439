//! See `lmpipe_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmpipe_fuzz::config(data));
