//! Fuzzes what `fuzz/src/attenuate.rs` promises.

#![no_main]

#[path = "../src/attenuate.rs"]
mod attenuate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| attenuate::run(data));
