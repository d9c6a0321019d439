//! See `lmpipe_fuzz::wheel`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmpipe_fuzz::wheel(data));
