//! Measures all contestants in turn, in short slices: whatever else the machine does then falls on
//! all of them alike, so ratios hold where absolute figures do not.
//!
//! It refuses to know what the measurements come to and how they are shown.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::Trouble;
use super::work::{Contestant, Field};

/// How long one contestant works before it is the next one's turn: so short that whoever else wants
/// the processor spoils few of the slices.
pub(super) const SLICE: Duration = Duration::from_millis(2);

/// What the contestant before left in the caches is pushed out by as many pieces of work.
const WARMING: usize = 256;

/// Between two looks at whether the slice is over.
const STRIDE: usize = 16;

/// How many pieces of work are timed one by one in a round.
const SINGLE: usize = 200;

/// The fewest rounds that a median is taken of.
const ROUNDS: usize = 3;

/// What was measured of one contestant on so many threads: a second's worth, slice by slice.
pub(super) struct Rates {
    pub(super) contestant: Contestant,
    pub(super) threads: usize,
    pub(super) per_second: Vec<f64>,
}

/// Nanoseconds of single pieces of work.
#[derive(Default)]
pub(super) struct Singles {
    pub(super) timer: Vec<u32>,
    pub(super) verify: Vec<u32>,
    pub(super) mint: Vec<u32>,
}

/// All that was measured.
pub(super) struct Measured {
    pub(super) rates: Vec<Rates>,
    pub(super) singles: Singles,
    pub(super) rounds: usize,
}

/// Rounds of all contestants until the time is over; `heard` is told how far it is and how many
/// tokens a second were verified just now.
pub(super) fn measure(
    field: &Field<'_>,
    counts: &[usize],
    budget: Duration,
    mut heard: impl FnMut(Duration, f64),
) -> Result<Measured, Trouble> {
    let mut rates = entries(field, counts);
    let (mut singles, began) = (Singles::default(), Instant::now());
    let mut rounds = 0;
    while rounds < ROUNDS || began.elapsed() < budget {
        let mut latest = 0.0;
        for entry in &mut rates {
            let rate = field.rate(entry.contestant, entry.threads, rounds)?;
            entry.per_second.push(rate);
            if entry.contestant == Contestant::Verify {
                latest = rate;
            }
        }
        field.time_singles(&mut singles, rounds)?;
        rounds += 1;
        heard(began.elapsed(), latest);
    }
    Ok(Measured { rates, singles, rounds })
}

fn entries(field: &Field<'_>, counts: &[usize]) -> Vec<Rates> {
    let all = [Contestant::Floor, Contestant::Verify, Contestant::Mint];
    let by_threads = counts.iter().flat_map(|&threads| all.map(|one| (one, threads)));
    let by_facts = (0..field.sets.len()).map(|set| (Contestant::Knowing(set), 1));
    let entry = |(contestant, threads)| Rates { contestant, threads, per_second: Vec::new() };
    by_facts.chain(by_threads).map(entry).collect()
}

/// Pieces of work a second that so many threads do together in one slice; `None` if one came out
/// badly. Each thread's work is made on the thread, from its number.
///
/// It counts from when all of them are at work, and until one instant for all: whoever is not given
/// a processor meanwhile has done nothing meanwhile.
pub(super) fn rate<W: FnMut() -> bool>(
    threads: usize,
    work: impl Fn(usize) -> W + Sync,
) -> Option<f64> {
    let (ready, over, work) = (&AtomicUsize::new(0), &AtomicBool::new(false), &work);
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn(move || {
                    let mut work = work(number);
                    let mut well = (0..WARMING).all(|_| work());
                    ready.fetch_add(1, Relaxed);
                    well &= until(|| ready.load(Relaxed) >= threads, &mut work).is_some();
                    let began = Instant::now();
                    let done = until(|| over.load(Relaxed), &mut work);
                    done.filter(|_| well).map(|done| (began, done))
                })
            })
            .collect();
        while ready.load(Relaxed) < threads {
            thread::sleep(SLICE / 20);
        }
        thread::sleep(SLICE);
        let ended = Instant::now();
        over.store(true, Relaxed);
        let parts = all.into_iter().map(|one| one.join().ok().flatten());
        let parts = parts.collect::<Option<Vec<_>>>()?;
        let began = parts.iter().map(|(began, _)| *began).min()?;
        let taken = ended.saturating_duration_since(began).as_secs_f64();
        let done = parts.iter().map(|(_, done)| done).sum::<u64>() as f64;
        Some(if taken > 0.0 { done / taken } else { 0.0 })
    })
}

/// How often the work was done until it is over; `None` if it came out badly.
fn until(is_over: impl Fn() -> bool, work: &mut impl FnMut() -> bool) -> Option<u64> {
    let (mut well, mut done) = (true, 0);
    while !is_over() {
        for _ in 0..STRIDE {
            well &= work();
        }
        done += STRIDE as u64;
    }
    well.then_some(done)
}

/// Times pieces of work one by one, the reading of the clock included; `None` if one came out badly.
pub(super) fn single(mut work: impl FnMut() -> bool, into: &mut Vec<u32>) -> Option<()> {
    let mut well = (0..WARMING).all(|_| work());
    for _ in 0..SINGLE {
        let began = Instant::now();
        well &= black_box(work());
        let taken = began.elapsed();
        into.push(u32::try_from(taken.as_nanos()).unwrap_or(u32::MAX));
    }
    well.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_comes_out_badly_once_is_worth_no_figure() {
        assert_eq!(rate(2, |_| || false), None);

        let mut done = 0;
        let mut tires = || {
            done += 1;
            done != WARMING + 7
        };
        assert_eq!(single(&mut tires, &mut Vec::new()), None);
    }

    #[test]
    fn every_thread_does_its_own_work_and_counts() {
        let seen: Vec<_> = (0..3).map(|_| AtomicBool::new(false)).collect();
        let rate = rate(3, |number| {
            seen[number].store(true, Relaxed);
            || true
        });

        assert!(rate.is_some_and(|rate| rate > 0.0));
        assert!(seen.iter().all(|seen| seen.load(Relaxed)));
    }
}
