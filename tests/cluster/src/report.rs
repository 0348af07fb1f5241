//! What a run has to say at its end.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::drawing::draw;
use crate::facts::Cost;
use crate::latency::quantile;
use crate::machine::processor;
use crate::reads::BOUND;
use crate::world::World;

/// The goal for the 99th percentile, in milliseconds.
const GOAL: f64 = 100.0;
/// Where the figures are kept.
const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/figures");

/// What was measured in one run.
pub(crate) struct Figures {
    /// The idle share of the machine while latency was measured, in percent.
    pub(crate) idle: f64,
    pub(crate) cost: Option<Cost>,
    pub(crate) capacity: Vec<(String, f64)>,
}

/// Tells of the latency, and holds it to the bound.
pub(crate) fn latency(world: &World, figures: &Figures) {
    let sorted = world.latencies.sorted();
    if sorted.is_empty() {
        return;
    }
    println!(
        "\nfrom the acknowledged logout to its refusal on every other node, in ms, {} samples \
         of {} logouts:",
        sorted.len(),
        world.options.logouts
    );
    let bins = world.latencies.histogram();
    let most = bins.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    for (label, count) in bins {
        println!("  {label:>9}  {count:>7}  {}", "#".repeat(count * 50 / most));
    }
    let [p50, p90, p99, p999, max] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|p| quantile(&sorted, p));
    println!("  p50 {p50:.1}, p90 {p90:.1}, p99 {p99:.1}, p99.9 {p999:.1}, max {max:.1}");
    let met = if p99 < GOAL { "met" } else { "MISSED" };
    println!("  goal p99 < {GOAL} ms: {met}; {:.0} % of the machine was idle", figures.idle);
    let sentence = "a logout is known everywhere within the bound";
    world.tally.holds(sentence, max < BOUND.as_secs_f64() * 1000.0, || format!("{max:.0} ms"));
}

/// Tells what many facts cost.
pub(crate) fn cost(cost: &Cost) {
    println!("\n{} facts:", cost.facts);
    println!("  start of a node with few {:?}, with them {:?}", cost.start_empty, cost.start);
    println!("  start from its snapshot {:?}", cost.start_again);
    println!("  memory {:.0} bytes a fact", cost.bytes_each);
    let cases = [("a day", (cost.ns_empty, cost.ns_full)), ("a second", cost.recent)];
    for (age, (empty, full)) in cases {
        let more = 100.0 * (full / empty - 1.0);
        println!(
            "  a verification {full:.0} ns, with nothing known {empty:.0}: {more:+.1} % (goal 20 %), \
             of sessions begun {age} after the ends that are known"
        );
    }
}

/// Keeps the figures and the drawing in the tree.
pub(crate) fn keep(world: &World, figures: &Figures) -> Result<(), String> {
    let date = Command::new("date").arg("-I").output().map_err(|error| error.to_string())?;
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    let words: Vec<_> = std::env::args().skip(2).collect();
    let command = format!("scripts/suites/cluster {}", words.join(" "));
    let sorted = world.latencies.sorted();
    let quantiles = [0.5, 0.9, 0.99, 0.999, 1.0].map(|part| quantile(&sorted, part));
    let bins: Vec<Value> = world.latencies.histogram().iter().map(|bin| json!(bin)).collect();
    let faults: Vec<Value> = world.tally.group("fault").iter().map(|fault| json!(fault)).collect();
    let told = json!({
        "command": command, "date": date, "processor": processor(),
        "logouts": world.options.logouts, "samples": sorted.len(),
        "milliseconds": {"p50": quantiles[0], "p90": quantiles[1], "p99": quantiles[2],
            "p99.9": quantiles[3], "max": quantiles[4]},
        "bins": bins, "idle_percent": figures.idle, "faults": faults,
        "violations": world.tally.violations(),
        "capacity": figures.capacity.iter().map(|one| json!(one)).collect::<Vec<_>>(),
    });
    let folder = Path::new(FIGURES);
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))
    };
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let text = serde_json::to_string_pretty(&told).map_err(|error| error.to_string())?;
    write("revocation-latency.json", text + "\n")?;
    let caption = format!(
        "{command}, {date}, {}; \
         {:.0} % idle",
        processor(),
        figures.idle
    );
    write("revocation-latency.svg", draw(&world.latencies, &caption))
}
