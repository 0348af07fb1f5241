//! What it costs to know something: of nobody, and of up to ten million users.
//!
//! ```text
//! taskset -c 1 cargo bench --no-default-features --bench revocations
//! ```
//!
//! Every verification is of another user, four hundred thousand of them in turn, so that what is
//! known of one has left the caches when it is asked for again. Of each user a device was logged out
//! before the session began; of every second stranger beside them, after all sessions had begun.
//! Memory is what the process has from the system.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use amaretti::revocations::{Fact, Revocations};
use amaretti::time::{CoarseClock, Timestamp};
use amaretti::token::{NoFacts, Presented, Scratch};
use support::sessions::{Pool, bearer};
use support::{Contestant, Effort, Figures, interleave, print};

/// When the devices were logged out: before every session that is measured.
const LOGGED_OUT: u64 = 1_600_000_000_000;

/// When devices of strangers were: after every session had begun.
const LATER: u64 = 1_750_000_000_000;

/// How many users something is known of.
const SIZES: [usize; 3] = [100_000, 2_000_000, 10_000_000];

fn main() -> Result<(), Box<dyn Error>> {
    let effort = Effort::asked_for().over(400_000);
    let pool = &Pool::new(effort.sessions)?;
    let sizes = SIZES.map(|size| if effort.in_earnest { size } else { size / 10_000 });
    let sets = sizes.map(|size| {
        println!();
        built(pool, size)
    });
    let spared = &Pool::behind(2 * pool.sessions.len(), effort.sessions)?;
    for session in &spared.sessions {
        let (user, from) = (session.user.as_str().into(), session.id.beginning().plus(1 << 36));
        sets[2].append(&Fact::User { user, from, exempt: Some(session.id) });
    }
    let again = &Pool::behind(4 * pool.sessions.len(), effort.sessions)?;
    for session in &again.sessions {
        let (user, device) = (session.user.as_str().into(), session.device.as_str().into());
        sets[2].append(&Fact::Device { user, device, from: session.id.beginning() });
    }
    println!();
    let table = measure(effort, [pool, spared, again], &sets)?;
    let [_, nothing, ..] = table;
    print(effort, &table, &[("x nothing", nothing.median)]);
    Ok(())
}

fn measure(
    effort: Effort,
    [pool, spared, again]: [&Pool; 3],
    [small, middle, large]: &[Revocations; 3],
) -> Result<[Figures; 9], Box<dyn Error>> {
    let clock = &CoarseClock::default();
    let strangers = &Pool::behind(pool.sessions.len(), effort.sessions)?.tokens(&[])?;
    let tokens = &pool.tokens(&[])?;
    let (spared, again) = (&spared.tokens(&[])?, &again.tokens(&[])?);
    let empty = &Revocations::default();
    let ahead = |facts| move |text: &str| admits(pool, clock, facts, text);
    let plain = |text: &str| pool.admits(clock, large, &mut Scratch::new(), text);
    let rows = [
        Contestant::reading("no set of facts", tokens, |text| {
            pool.admits(clock, &NoFacts, &mut Scratch::new(), text)
        }),
        Contestant::reading("nothing known of anybody", tokens, ahead(empty)),
        Contestant::reading("facts about 100,000 users", tokens, ahead(small)),
        Contestant::reading("facts about 2,000,000 users", tokens, ahead(middle)),
        Contestant::reading("facts about 10,000,000 users", tokens, ahead(large)),
        Contestant::reading("the same, nothing known of this one", strangers, ahead(large)),
        Contestant::reading("the same, its device ended as it began", again, ahead(large)),
        Contestant::reading("the same, spared by a password change", spared, ahead(large)),
        Contestant::reading("10,000,000, memory not asked for ahead", tokens, plain),
    ];
    Ok(interleave(effort, rows)?)
}

/// As a node does it: the memory of the facts is asked for while the chain is computed.
#[inline]
fn admits(pool: &Pool, clock: &CoarseClock, facts: &Revocations, text: &str) -> bool {
    let mut scratch = Scratch::new();
    let Ok(presented) = Presented::read(text, &mut scratch) else { return false };
    let facts = facts.ahead(&presented);
    bearer(presented.authenticate_while(&pool.keys, || facts.nearer()), &facts, clock)
}

/// Facts about so many users, those of the pool spread among them; tells what that costs.
fn built(pool: &Pool, size: usize) -> Revocations {
    let (facts, before) = (Revocations::default(), resident());
    let every = (size / pool.sessions.len()).max(1);
    let start = Instant::now();
    for number in 0..size {
        let known = pool.sessions.get(number / every).filter(|_| number % every == 0);
        let at = if known.is_none() && number % 2 == 1 { LATER } else { LOGGED_OUT };
        let user = known.map_or_else(|| stranger(number), |session| session.user.clone());
        facts.append(&logged_out(user, at));
    }
    let taken = start.elapsed();
    let each = taken.as_secs_f64() * 1e6 / size as f64;
    println!("{size} users: built in {:.1} s, {each:.2} us a fact", taken.as_secs_f64());
    if let (Some(before), Some(after)) = (before, resident()) {
        let each = (after.saturating_sub(before)) as f64 / size as f64;
        println!("{size} users: {} MiB, {each:.1} bytes a user", (after - before.min(after)) >> 20);
    }
    append_more(&facts, size);
    facts
}

/// Appends facts about users of whom something is known, one by one, far from one another.
fn append_more(facts: &Revocations, size: usize) {
    let numbers = (1..=size).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size);
    let mut taken: Vec<_> = numbers
        .take(200_000)
        .map(|number| {
            let fact = logged_out(stranger(number), LATER + 1);
            let start = Instant::now();
            facts.append(black_box(&fact));
            start.elapsed()
        })
        .collect();
    taken.sort();
    let at = |share: f64| {
        let place = (taken.len() as f64 * share) as usize;
        taken.get(place.min(taken.len() - 1)).map_or(f64::NAN, |taken| taken.as_secs_f64() * 1e6)
    };
    let [half, most, nearly_all, all] = [0.5, 0.99, 0.999, 1.0].map(at);
    println!(
        "{size} users: one more append takes {half:.1} us at p50, {most:.1} at p99, \
         {nearly_all:.1} at p99.9, {all:.1} at most"
    );
}

fn stranger(number: usize) -> String {
    format!("@s{number:06x}:example.com")
}

fn logged_out(user: String, at: u64) -> Fact {
    let from = Timestamp::from_millis(at);
    Fact::Device { user: user.into(), device: "ABCDEFGHIJ".into(), from }
}

/// Bytes of memory that the process has, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib << 10)
}
