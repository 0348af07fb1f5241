//! `amaretti bench`: how fast this machine verifies and mints, beside what no verifier gets below.
//!
//! It makes a key and tokens of its own and forgets them; it opens no database and listens nowhere.

mod canvas;
mod contest;
mod drawing;
mod machine;
mod pool;
mod report;
mod spread;
mod tables;
mod work;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Done, Trouble, say};
use crate::keyring::Keyring;
use crate::random::random;
use crate::revocations::Revocations;
use crate::time::{Clock, SystemClock};
use crate::token::Key;
use crate::verifier::Verifier;
use contest::measure;
use machine::Machine;
use pool::Pool;
use report::{Circumstances, Report};
use work::{Field, Known};

/// Memory that one user of whom something is known may take while the set is made.
const BYTES_A_USER: u64 = 120;

/// Memory of everything else.
const BYTES_BESIDE: u64 = 256 << 20;

#[derive(Args)]
#[command(
    after_help = "It needs no configuration, no keys and no database, and leaves nothing behind but the files that
are asked for. Figures mean most on a machine that does nothing else.

Examples:
  amaretti bench
  amaretti bench --svg bench.svg --json bench.json
  amaretti bench --revocations 10000000            takes half a minute more, and 1 GB of memory"
)]
pub(super) struct Bench {
    /// How long to measure, once tokens and facts are made
    #[arg(long, value_name = "SECONDS", default_value_t = 40, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Up to how many threads at a time [default: as many as the machine has processors]
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u16).range(1..=512))]
    threads: Option<u16>,
    /// How many users the largest set of facts is about
    #[arg(long, value_name = "USERS", default_value_t = 1_000_000, value_parser = value_parser!(u32).range(1000..=100_000_000))]
    revocations: u32,
    /// Write a picture to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Bench {
    pub(super) fn run(self) -> Done {
        let (machine, clock) = (Machine::here(), SystemClock::default());
        let largest = usize::try_from(self.revocations)?;
        has_room(largest)?;
        for file in self.svg.iter().chain(&self.json) {
            can_be_made(file)?;
        }
        // Of so many users that what is known of one is gone from the caches before its next turn.
        let (users, key) = (largest.clamp(1000, 400_000), Key::from_bytes(&random()?)?);
        let pool = Pool::new(users, &key, clock.now())?;
        let sets = sets(&pool, &key, &sizes(largest))?;
        let field = Field { pool: &pool, sets: &sets, ring: ring(&key)? };
        let most = self.threads.map_or(machine.processors, usize::from);
        let measured = self.measured(&field, &counts(most))?;
        let report = Report::of(
            measured,
            &sets,
            Circumstances {
                version: version(),
                measured_at: clock.now().to_utc(),
                machine,
                seconds: self.seconds,
            },
        );
        let said = say(&tables::tables(&report))?;
        if let Some(file) = &self.svg {
            write(file, &drawing::draw(&report))?;
        }
        if let Some(file) = &self.json {
            write(file, &(serde_json::to_string_pretty(&report)? + "\n"))?;
        }
        Ok(said)
    }

    fn measured(&self, field: &Field<'_>, counts: &[usize]) -> Result<contest::Measured, Trouble> {
        let budget = Duration::from_secs(self.seconds);
        let bar = bar(budget.as_millis(), "{bar:40} {eta} left  {msg}")?;
        let measured = measure(field, counts, budget, |elapsed, rate| {
            bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            bar.set_message(format!("{} million tokens a second", tables::short(rate / 1e6)));
        });
        bar.finish_and_clear();
        measured
    }
}

fn ring(key: &Key) -> Result<Keyring, Trouble> {
    let mut ring = Keyring::default();
    ring.hold(key)?;
    ring.mint_with(key.id())?;
    Ok(ring)
}

fn bar(length: u128, template: &str) -> Result<ProgressBar, Trouble> {
    let style = ProgressStyle::with_template(template)?;
    Ok(ProgressBar::new(u64::try_from(length)?).with_style(style))
}

/// A verifier without facts, and those that know facts about ever more users.
fn sets(pool: &Pool, key: &Key, sizes: &[usize]) -> Result<Vec<Known>, Trouble> {
    let bar = bar(sizes.iter().sum::<usize>() as u128, "{bar:40} {pos} of {len} facts made")?;
    let nothing = Known {
        users: 0,
        verifier: Verifier::new(ring(key)?, Revocations::default())?,
        bytes: None,
        append_nanoseconds: 0,
    };
    let mut made = vec![nothing];
    for &users in sizes {
        let before = bar.position();
        let (resident, began) = (machine::resident(), Instant::now());
        let facts = pool.facts(users, |done| bar.set_position(before + done as u64));
        let taken = began.elapsed().as_nanos() / users.max(1) as u128;
        let bytes = machine::resident().zip(resident).map(|(now, then)| now.saturating_sub(then));
        let append_nanoseconds = u64::try_from(taken)?;
        let verifier = Verifier::new(ring(key)?, facts)?;
        made.push(Known { users, verifier, bytes, append_nanoseconds });
        bar.set_position(before + users as u64);
    }
    bar.finish_and_clear();
    Ok(made)
}

/// The largest, a tenth and a hundredth of it, as far as a hundred thousand users.
fn sizes(largest: usize) -> Vec<usize> {
    let smaller = [largest / 100, largest / 10];
    smaller.into_iter().filter(|size| *size >= 100_000).chain([largest]).collect()
}

/// 1, 2, 4 and so on, and the most.
fn counts(most: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1), |count| Some(count * 2));
    doubled.take_while(|count| *count < most).chain([most]).collect()
}

fn version() -> String {
    let build = if cfg!(debug_assertions) { " (a debug build, which is slow)" } else { "" };
    format!("{}{build}", env!("CARGO_PKG_VERSION"))
}

/// Told before a minute has passed.
fn has_room(users: usize) -> Result<(), Trouble> {
    let wanted = users as u64 * BYTES_A_USER + BYTES_BESIDE;
    match machine::available() {
        Some(there) if there < wanted => Err(Trouble::new(format!(
            "facts about {users} users want {} of memory and {} can be had: name fewer by --revocations",
            tables::memory(wanted),
            tables::memory(there)
        ))),
        _ => Ok(()),
    }
}

/// Likewise. Nothing is made yet: whoever stops this on the way finds no file.
fn can_be_made(file: &Path) -> Result<(), Trouble> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let why = if !folder.is_dir() {
        format!("there is no folder {}", folder.display())
    } else if file.is_dir() {
        "it is a folder".to_owned()
    } else {
        return Ok(());
    };
    Err(Trouble::new(format!("{}: {why}", file.display())))
}

fn write(file: &Path, text: &str) -> Result<(), Trouble> {
    fs::write(file, text).map_err(|error| Trouble::new(format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_doubled_up_to_what_the_machine_has() {
        assert_eq!(counts(1), [1]);
        assert_eq!(counts(2), [1, 2]);
        assert_eq!(counts(6), [1, 2, 4, 6]);
    }

    #[test]
    fn sets_grow_tenfold_and_none_is_too_small_to_matter() {
        assert_eq!(sizes(10_000_000), [100_000, 1_000_000, 10_000_000]);
        assert_eq!(sizes(1_000_000), [100_000, 1_000_000]);
        assert_eq!(sizes(1000), [1000]);
    }
}
