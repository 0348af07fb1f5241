//! Fuzzes what `fuzz/src/caveat.rs` promises.

#![no_main]

#[path = "../src/caveat.rs"]
mod caveat;

libfuzzer_sys::fuzz_target!(|data: &[u8]| caveat::run(data));
