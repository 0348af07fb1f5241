//! Measures contestants against each other: all in one run, in turn, in short slices.
//!
//! Whatever else the machine does then falls on all of them alike, so ratios hold where absolute
//! times do not. Run on one core, away from the one that takes the interrupts:
//!
//! ```text
//! taskset -c 2 cargo bench --no-default-features --bench verify
//! ```

pub(crate) mod allocations;
pub(crate) mod hmac_chain;
pub(crate) mod json_web_token;
pub(crate) mod sessions;

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Whether the figures mean something.
    pub(crate) in_earnest: bool,
    /// Distinct sessions that are cycled through.
    pub(crate) sessions: usize,
    rounds: usize,
    slice: Duration,
}

impl Effort {
    /// All of it under `cargo bench`, one short round under anything else.
    pub(crate) fn asked_for() -> Self {
        let has = |flag| std::env::args().any(|arg| arg == flag);
        if has("--bench") && !has("--test") { Self::full() } else { Self::short() }
    }

    /// All of it, in slices so short that whoever else wants the processor spoils few of them.
    pub(crate) fn full() -> Self {
        let slice = Duration::from_millis(2);
        Self { in_earnest: true, sessions: 10_000, rounds: 401, slice }
    }

    /// One short round: enough to see that everything works.
    pub(crate) fn short() -> Self {
        let slice = Duration::from_micros(200);
        Self { in_earnest: false, sessions: 50, rounds: 1, slice }
    }

    /// The same over another number of sessions, if it is in earnest.
    pub(crate) fn over(self, sessions: usize) -> Self {
        if self.in_earnest { Self { sessions, ..self } } else { self }
    }
}

/// Something whose speed is measured.
pub(crate) struct Contestant<'a> {
    name: &'static str,
    /// Length of one of its tokens, if it has any.
    characters: Option<usize>,
    /// Does its work so many times, and says how often it came out well.
    work: Box<dyn FnMut(u64) -> u64 + 'a>,
}

impl<'a> Contestant<'a> {
    /// Works through a pool of inputs, in order and over again.
    pub(crate) fn over<T: 'a>(
        name: &'static str,
        pool: &'a [T],
        mut work: impl FnMut(&T) -> bool + 'a,
    ) -> Self {
        let mut inputs = pool.iter().cycle();
        let work = move |times| {
            let some = inputs.by_ref().take(usize::try_from(times).unwrap_or_default());
            some.fold(0, |well, input| well + u64::from(work(black_box(input))))
        };
        Self { name, characters: None, work: Box::new(work) }
    }

    /// Reads tokens, in order and over again.
    pub(crate) fn reading(
        name: &'static str,
        tokens: &'a [String],
        mut read: impl FnMut(&str) -> bool + 'a,
    ) -> Self {
        let characters = tokens.iter().map(String::len).max();
        Self { characters, ..Self::over(name, tokens, move |token| read(token)) }
    }
}

/// What came out for one contestant.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    /// Nanoseconds for one piece of work.
    pub(crate) median: f64,
    pub(crate) min: f64,
    max: f64,
    /// Allocations for one piece of work.
    pub(crate) allocations: u64,
    /// Characters of one token.
    pub(crate) characters: Option<usize>,
}

/// Calls every contestant in turn, round by round.
///
/// # Errors
/// Names a contestant whose work does not come out well: its time would mean nothing.
pub(crate) fn interleave<const N: usize>(
    effort: Effort,
    contestants: [Contestant<'_>; N],
) -> Result<[Figures; N], String> {
    let figures = interleave_all(effort, Vec::from(contestants))?;
    figures.try_into().map_err(|_| "a contestant was lost".to_owned())
}

/// Likewise for as many as there are.
///
/// # Errors
/// As [`interleave`].
pub(crate) fn interleave_all(
    effort: Effort,
    mut contestants: Vec<Contestant<'_>>,
) -> Result<Vec<Figures>, String> {
    let mut samples = vec![Vec::with_capacity(effort.rounds); contestants.len()];
    let batches: Vec<_> = contestants.iter_mut().map(|one| batch(one, effort.slice)).collect();
    for _ in 0..effort.rounds {
        let each = contestants.iter_mut().zip(&batches).zip(&mut samples);
        for ((one, &batch), samples) in each {
            // What the contestant before left in the caches is pushed out first.
            sample(one, batch / 4 + 1)?;
            samples.push(sample(one, batch)?);
        }
    }
    Ok(contestants.into_iter().zip(samples).map(|(one, samples)| figures(one, samples)).collect())
}

/// How often the work fits a slice.
fn batch(one: &mut Contestant<'_>, slice: Duration) -> u64 {
    let mut times = 1;
    loop {
        let start = Instant::now();
        black_box((one.work)(times));
        let taken = start.elapsed();
        if taken * 2 >= slice {
            let fits = slice.as_secs_f64() / taken.as_secs_f64() * times as f64;
            return (fits as u64).max(1);
        }
        times *= 2;
    }
}

/// Nanoseconds for one piece of work, over `times` of them.
fn sample(one: &mut Contestant<'_>, times: u64) -> Result<f64, String> {
    let start = Instant::now();
    let well = black_box((one.work)(black_box(times)));
    let taken = start.elapsed();
    if well == times {
        Ok(taken.as_secs_f64() * 1e9 / times as f64)
    } else {
        Err(format!("{}: {} of {times} failed", one.name, times - well))
    }
}

fn figures(mut one: Contestant<'_>, mut samples: Vec<f64>) -> Figures {
    samples.sort_by(f64::total_cmp);
    let at = |place: usize| samples.get(place).copied().unwrap_or(f64::NAN);
    let before = allocations::counted();
    black_box((one.work)(100));
    Figures {
        name: one.name,
        median: at(samples.len() / 2),
        min: at(0),
        max: at(samples.len().saturating_sub(1)),
        allocations: (allocations::counted() - before).div_ceil(100),
        characters: one.characters,
    }
}

/// Prints the figures; each column of `ratios` divides by a time of its own.
pub(crate) fn print(effort: Effort, table: &[Figures], ratios: &[(&str, f64)]) {
    if !effort.in_earnest {
        println!("one short round: the times mean nothing; `cargo bench` measures them");
    }
    let mut head = format!("{:<42}{:>9}{:>17}", "", "ns median", "min-max");
    head.extend(ratios.iter().map(|(name, _)| format!("{name:>11}")));
    println!("{head}{:>8}{:>7}", "allocs", "chars");
    for row in table {
        let range = format!("{:.1}-{:.1}", row.min, row.max);
        let mut line = format!("{:<42}{:>9.1}{range:>17}", row.name, row.median);
        line.extend(ratios.iter().map(|(_, unit)| format!("{:>11.2}", row.median / unit)));
        let characters = row.characters.map(|n| n.to_string()).unwrap_or_default();
        println!("{line}{:>8}{characters:>7}", row.allocations);
    }
}

/// The figures as JSON, one object a row.
pub(crate) fn json(table: &[Figures]) -> String {
    let row = |row: &Figures| {
        let characters = row.characters.map_or_else(|| "null".to_owned(), |n| n.to_string());
        format!(
            r#"  {{"name":"{}","ns":{:.1},"min":{:.1},"max":{:.1},"allocations":{},"characters":{characters}}}"#,
            row.name, row.median, row.min, row.max, row.allocations
        )
    };
    format!("[\n{}\n]", table.iter().map(row).collect::<Vec<_>>().join(",\n"))
}
