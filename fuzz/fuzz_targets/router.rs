//! Fuzzes what `fuzz/src/router.rs` promises.

#![no_main]

#[path = "../src/router.rs"]
mod router;

libfuzzer_sys::fuzz_target!(|data: &[u8]| router::run(data));
