//! See `lmpipe_fuzz::rows`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmpipe_fuzz::rows(data));
