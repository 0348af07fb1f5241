//! Replays the seeds of every fuzzer, so that what one has found stays found without a fuzzer.
//!
//! It runs the very functions that `fuzz/fuzz_targets` run, and refuses to know what they promise.
#![cfg(test)]

#[path = "../fuzz/src/attenuate.rs"]
mod attenuate;
#[path = "../fuzz/src/caveat.rs"]
mod caveat;
#[cfg(feature = "server")]
#[path = "../fuzz/src/config.rs"]
mod config;
#[path = "../fuzz/src/path.rs"]
mod path;
#[cfg(feature = "server")]
#[path = "../fuzz/src/router.rs"]
mod router;
#[path = "../fuzz/src/wire.rs"]
mod wire;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Every file in a folder below `fuzz/`, or every folder, in the order of names.
fn entries(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let listed = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    listed.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Runs a fuzzer's function on each of its seeds and names those it panics on.
fn replay(target: &str, run: fn(&[u8])) {
    let seeds = entries(&format!("corpus/{target}"));
    assert!(!seeds.is_empty(), "no seeds for {target}");

    let panics = |seed: &&PathBuf| {
        let data = fs::read(seed).unwrap();
        catch_unwind(|| run(&data)).is_err()
    };
    let found: Vec<_> = seeds.iter().filter(panics).collect();

    assert!(found.is_empty(), "{target} panics on {found:#?}");
}

#[test]
fn every_seed_for_narrowing_keeps_its_promise() {
    replay("attenuate", attenuate::run);
}

#[test]
fn every_seed_for_caveats_keeps_its_promise() {
    replay("caveat", caveat::run);
}

#[test]
#[cfg(feature = "server")]
fn every_seed_for_configuration_files_keeps_its_promise() {
    replay("config", config::run);
}

#[test]
fn every_seed_for_request_lines_keeps_its_promise() {
    replay("path", path::run);
}

#[test]
#[cfg(feature = "server")]
fn every_seed_for_a_running_node_keeps_its_promise() {
    replay("router", router::run);
}

#[test]
fn every_seed_for_tokens_keeps_its_promise() {
    replay("wire", wire::run);
}

#[test]
fn every_fuzzer_has_seeds_and_all_seeds_a_fuzzer() {
    let names = |folder: &str| -> Vec<_> {
        let name = |path: PathBuf| path.file_stem().unwrap().to_owned();
        entries(folder).into_iter().map(name).collect()
    };

    assert_eq!(names("corpus"), names("fuzz_targets"));
    assert_eq!(names("corpus"), ["attenuate", "caveat", "config", "path", "router", "wire"]);
}
