//! What a run came to: the figures that the tables, the JSON and the picture show.
//!
//! The fields are the JSON, which `docs/performance.md` describes: a change of their names or of
//! what they mean is another `format`. This file refuses to know how it was measured.

use serde::Serialize;

use super::contest::{Measured, Rates};
use super::machine::Machine;
use super::spread::{Percentiles, Spread, rounded};
use super::work::{Contestant, Known};

/// One run on one machine.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) format: u8,
    pub(super) version: String,
    pub(super) measured_at: String,
    pub(super) machine: Machine,
    pub(super) seconds: u64,
    pub(super) rounds: usize,
    pub(super) throughput: Vec<Throughput>,
    pub(super) latency: Latency,
    pub(super) revocations: Vec<Set>,
}

/// One kind of work by so many threads together.
#[derive(Serialize)]
pub(super) struct Throughput {
    /// `floor`, `verify` or `mint`.
    pub(super) work: &'static str,
    pub(super) threads: usize,
    pub(super) per_second: Spread,
    /// How many times as much as by one thread.
    pub(super) against_one_thread: f64,
    /// How many times as long as the floor takes on as many threads.
    pub(super) against_floor: f64,
}

/// Nanoseconds of single pieces of work, the clock's own median taken off.
#[derive(Serialize)]
pub(super) struct Latency {
    pub(super) samples: usize,
    pub(super) timer: u32,
    pub(super) verify: Percentiles,
    pub(super) mint: Percentiles,
}

/// Verifying, one thread, with facts about so many users.
#[derive(Serialize)]
pub(super) struct Set {
    pub(super) users: usize,
    pub(super) nanoseconds: Spread,
    /// The share by which the median is longer than with facts about nobody.
    pub(super) on_top: f64,
    /// Memory, where the system tells.
    pub(super) bytes: Option<u64>,
    /// What it took to add one fact, on average.
    pub(super) append_nanoseconds: u64,
}

/// When and where it was measured, and for how long.
pub(super) struct Circumstances {
    pub(super) version: String,
    pub(super) measured_at: String,
    pub(super) machine: Machine,
    pub(super) seconds: u64,
}

impl Report {
    pub(super) fn of(measured: Measured, sets: &[Known], here: Circumstances) -> Self {
        let Circumstances { version, measured_at, machine, seconds } = here;
        let Measured { rates, singles, rounds } = measured;
        let timer = Percentiles::of(singles.timer).p50;
        let latency = Latency {
            samples: singles.verify.len(),
            timer,
            verify: Percentiles::of(singles.verify).without(timer),
            mint: Percentiles::of(singles.mint).without(timer),
        };
        let rates: Vec<_> = rates.into_iter().map(Rate::of).collect();
        let (throughput, revocations) = (throughput(&rates), revocations(&rates, sets));
        Self {
            format: 1,
            version,
            measured_at,
            machine,
            seconds,
            rounds,
            throughput,
            latency,
            revocations,
        }
    }

    /// Nanoseconds of the floor on one thread.
    pub(super) fn floor(&self) -> f64 {
        let mut rows = self.throughput.iter().filter(|row| row.work == "floor");
        rows.next().map_or(0.0, |row| row.per_second.nanoseconds_each().median)
    }
}

struct Rate {
    contestant: Contestant,
    threads: usize,
    per_second: Spread,
}

impl Rate {
    fn of(rates: Rates) -> Self {
        let Rates { contestant, threads, per_second } = rates;
        Self { contestant, threads, per_second: Spread::of(per_second) }
    }
}

fn throughput(rates: &[Rate]) -> Vec<Throughput> {
    let of = |contestant, threads| {
        let mut found = rates.iter().filter(|r| r.contestant == contestant && r.threads == threads);
        found.next().map_or(0.0, |rate| rate.per_second.median)
    };
    let works =
        [(Contestant::Floor, "floor"), (Contestant::Verify, "verify"), (Contestant::Mint, "mint")];
    let rows = works.into_iter().flat_map(|(contestant, work)| {
        rates.iter().filter(move |rate| rate.contestant == contestant).map(move |r| (work, r))
    });
    let row = |(work, rate): (_, &Rate)| Throughput {
        work,
        threads: rate.threads,
        per_second: rate.per_second.rounded(0),
        against_one_thread: ratio(rate.per_second.median, of(rate.contestant, 1)),
        against_floor: ratio(of(Contestant::Floor, rate.threads), rate.per_second.median),
    };
    rows.map(row).collect()
}

fn revocations(rates: &[Rate], sets: &[Known]) -> Vec<Set> {
    let spread = |set| {
        let mut found = rates.iter().filter(|rate| rate.contestant == Contestant::Knowing(set));
        found.next().map(|rate| rate.per_second.nanoseconds_each())
    };
    let nothing = spread(0).map_or(0.0, |spread| spread.median);
    let row = |(set, known): (usize, &Known)| {
        let nanoseconds = spread(set)?;
        Some(Set {
            users: known.users,
            nanoseconds: nanoseconds.rounded(1),
            on_top: rounded(ratio(nanoseconds.median, nothing) - 1.0, 3),
            bytes: known.bytes,
            append_nanoseconds: known.append_nanoseconds,
        })
    };
    sets.iter().enumerate().filter_map(row).collect()
}

fn ratio(value: f64, unit: f64) -> f64 {
    if unit > 0.0 { rounded(value / unit, 3) } else { 0.0 }
}

/// A report with figures of its own choosing, for what shows one.
#[cfg(test)]
pub(super) fn sample() -> Report {
    let spread = |median: f64| Spread { median, least: median * 0.9, most: median * 1.05 };
    let works = [("floor", 2.7e6), ("verify", 2.1e6), ("mint", 1.9e6)];
    let rows = works.into_iter().flat_map(|one| [1, 2].map(|threads| (one, threads)));
    let row = |((work, one), threads)| Throughput {
        work,
        threads,
        per_second: spread(one * threads as f64),
        against_one_thread: threads as f64,
        against_floor: ratio(2.7e6, one),
    };
    let single = |p50| Percentiles { p50, p90: p50 + 9, p99: 700, p99_9: 2_345, max: 987_654 };
    let set = |users: usize, median: f64, on_top, bytes| Set {
        users,
        nanoseconds: spread(median),
        on_top,
        bytes,
        append_nanoseconds: if users > 0 { 1_234 } else { 0 },
    };
    let mib = |n: u64| Some(n << 20);
    Report {
        format: 1,
        version: "0.1.0".to_owned(),
        measured_at: "2026-11-28 07:00:00Z".to_owned(),
        machine: Machine {
            processor: "Acme \"Fast & <small>\" \u{1b}X".to_owned(),
            processors: 2,
            sha_extensions: true,
        },
        seconds: 40,
        rounds: 400,
        throughput: rows.map(row).collect(),
        latency: Latency { samples: 200_000, timer: 21, verify: single(470), mint: single(510) },
        revocations: vec![
            set(0, 480.0, 0.0, None),
            set(100_000, 485.0, 0.01, mib(5)),
            set(1_000_000, 530.0, 0.104, mib(60)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::contest::Singles;
    use crate::keyring::Keyring;
    use crate::revocations::Revocations;
    use crate::token::Key;
    use crate::verifier::Verifier;

    fn measured() -> (Measured, [Known; 2]) {
        let rates = |contestant, threads, per_second| Rates {
            contestant,
            threads,
            per_second: vec![per_second; 3],
        };
        let rates = vec![
            rates(Contestant::Knowing(0), 1, 2e6),
            rates(Contestant::Knowing(1), 1, 1.6e6),
            rates(Contestant::Floor, 1, 2.6e6),
            rates(Contestant::Verify, 1, 2e6),
            rates(Contestant::Floor, 2, 5e6),
            rates(Contestant::Verify, 2, 3.8e6),
        ];
        let singles = Singles { timer: vec![20; 9], verify: vec![500; 9], mint: vec![10; 9] };
        let known = |users| {
            let key = Key::from_bytes(&core::array::from_fn(|i| i as u8 ^ 0x80)).unwrap();
            let mut ring = Keyring::default();
            ring.hold(&key).unwrap();
            let verifier = Verifier::new(ring, Revocations::default()).unwrap();
            Known { users, verifier, bytes: None, append_nanoseconds: 0 }
        };
        (Measured { rates, singles, rounds: 3 }, [known(0), known(1000)])
    }

    fn report() -> Report {
        let (measured, sets) = measured();
        let machine = Machine { processor: "x".into(), processors: 2, sha_extensions: false };
        let (version, measured_at) = ("0".to_owned(), "then".to_owned());
        Report::of(measured, &sets, Circumstances { version, measured_at, machine, seconds: 1 })
    }

    #[test]
    fn each_number_of_threads_is_held_against_one_thread_and_against_its_own_floor() {
        let rows = report().throughput;
        let two = rows.iter().find(|row| row.work == "verify" && row.threads == 2).unwrap();

        assert_eq!((two.against_one_thread, two.against_floor), (1.9, 1.316));
    }

    #[test]
    fn what_is_known_costs_what_it_takes_longer_than_knowing_nothing() {
        let sets = report().revocations;

        assert_eq!((sets[0].on_top, sets[1].on_top), (0.0, 0.25));
        assert_eq!(sets[1].nanoseconds.median, 625.0);
    }

    #[test]
    fn the_cost_of_the_clock_is_told_and_taken_off() {
        let latency = report().latency;

        assert_eq!((latency.timer, latency.verify.p50, latency.mint.p50), (20, 480, 0));
    }

    #[test]
    fn the_json_has_the_shape_that_is_documented() {
        let json = serde_json::to_value(sample()).unwrap();
        let keys = |value: &serde_json::Value| {
            let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys.join(" ")
        };

        assert_eq!(
            keys(&json),
            "format latency machine measured_at revocations rounds seconds throughput version"
        );
        assert_eq!(keys(&json["machine"]), "processor processors sha_extensions");
        let row = &json["throughput"][0];
        assert_eq!(keys(row), "against_floor against_one_thread per_second threads work");
        assert_eq!(keys(&row["per_second"]), "least median most");
        assert_eq!(keys(&json["latency"]), "mint samples timer verify");
        assert_eq!(keys(&json["latency"]["verify"]), "max p50 p90 p99 p99_9");
        let set = &json["revocations"][0];
        assert_eq!(keys(set), "append_nanoseconds bytes nanoseconds on_top users");
        assert_eq!(json["format"], 1);
    }
}
