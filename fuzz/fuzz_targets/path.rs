//! Fuzzes what `fuzz/src/path.rs` promises.

#![no_main]

#[path = "../src/path.rs"]
mod path;

libfuzzer_sys::fuzz_target!(|data: &[u8]| path::run(data));
