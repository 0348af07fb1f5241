//! How much each further core adds: verifications by one verifier that all threads share.
//!
//! ```text
//! cargo bench --no-default-features --bench threads
//! ```
//!
//! The threads share ring, facts and clock, as the requests of a node do. It wants a machine that
//! does nothing else.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use std::error::Error;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use amaretti::revocations::{Fact, Revocations};
use amaretti::token::Scratch;
use amaretti::verifier::Verifier;
use support::Effort;
use support::sessions::Pool;

fn main() -> Result<(), Box<dyn Error>> {
    let effort = Effort::asked_for();
    let (rounds, slice) = if effort.in_earnest { (21, 200) } else { (1, 1) };
    let slice = Duration::from_millis(slice);
    let pool = Pool::new(effort.sessions)?;
    let tokens = pool.tokens(&[])?;
    let facts = Revocations::default();
    for session in &pool.sessions {
        let (user, from) = (session.user.as_str().into(), session.id.beginning().minus(1 << 30));
        facts.append(&Fact::Device { user, device: "OLD".into(), from });
    }
    let verifier = Verifier::new(pool.keys, facts)?;
    let cores = thread::available_parallelism()?.get();
    let counts: Vec<_> = (1..=cores).collect();
    let mut rates = vec![Vec::new(); cores];
    for _ in 0..rounds {
        for (count, rates) in counts.iter().zip(&mut rates) {
            rates.push(rate(&verifier, &tokens, *count, slice));
        }
    }
    let medians = rates.into_iter().map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
    });
    let medians: Vec<_> = medians.collect();
    let one = medians.first().copied().unwrap_or(f64::NAN);
    println!("{:<10}{:>16}{:>24}", "threads", "million/s", "each against the first");
    for (count, rate) in counts.iter().zip(&medians) {
        println!("{count:<10}{:>16.2}{:>24.2}", rate / 1e6, rate / one / *count as f64);
    }
    Ok(())
}

/// Verifications a second by so many threads together. They are counted from the second half-slice
/// on: the system takes a while to give each thread a core of its own.
fn rate(verifier: &Verifier<Revocations>, tokens: &[String], count: usize, slice: Duration) -> f64 {
    let start = &Barrier::new(count + 1);
    let [counted, over] = &[AtomicBool::new(false), AtomicBool::new(false)];
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|thread| {
                scope.spawn(move || {
                    // Each reads the tokens from another place on.
                    let skipped = thread * tokens.len() / count;
                    let mut mine = tokens.iter().cycle().skip(skipped);
                    start.wait();
                    let mut done = 0_u64;
                    while !over.load(Relaxed) {
                        let counts = u64::from(counted.load(Relaxed));
                        for text in mine.by_ref().take(64) {
                            let (mut scratch, occasion) = (Scratch::new(), verifier.occasion());
                            let admitted = verifier.admit(text, &mut scratch, &occasion);
                            done += counts * u64::from(admitted.is_ok());
                        }
                    }
                    done
                })
            })
            .collect();
        start.wait();
        thread::sleep(slice / 2);
        counted.store(true, Relaxed);
        let began = Instant::now();
        thread::sleep(slice);
        over.store(true, Relaxed);
        let taken = began.elapsed();
        let done: u64 = threads.into_iter().filter_map(|thread| thread.join().ok()).sum();
        done as f64 / taken.as_secs_f64()
    })
}
