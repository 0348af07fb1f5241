//! From the text of a token to its bearer: how long it takes, against the alternatives.
//!
//! ```text
//! taskset -c 2 cargo bench --no-default-features --bench verify
//! ```
//!
//! The unit is the bare block function of SHA-256: a default access token costs ten of them, one
//! after the other, and no verifier of this chain gets far below.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;

use amaretti::revocations::{Fact, Revocations};
use amaretti::time::{Clock, CoarseClock, Timestamp};
use amaretti::token::{MAX_CHARS, NoFacts, Scratch};
use sha2::block_api::compress256;
use support::hmac_chain::HmacChain;
use support::json_web_token::JsonWebTokens;
use support::sessions::{APPENDED, Pool};
use support::{Contestant, Effort, Figures, interleave, print};

/// Compressions of a token with a user, a device and nothing appended.
const COMPRESSIONS: f64 = 10.0;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let effort = Effort::asked_for();
    let table = measure(effort)?;
    let [compression, ours, .., jwt] = table;
    let chain = compression.median * COMPRESSIONS;
    print(effort, &table, &[("x chain", chain), ("x ours", ours.median)]);

    let characters = ours.characters.unwrap_or(usize::MAX);
    let allocations = ours.allocations;
    let mut met = goal("allocations", &allocations.to_string(), "0", allocations == 0);
    met &= goal("characters", &characters.to_string(), "at most 200", characters <= 200);
    if effort.in_earnest {
        let over = ours.median / chain;
        goal("times ten compressions", &format!("{over:.2}"), "at most 1.35", over <= 1.35);
        let faster = jwt.median / ours.median;
        goal("times as fast as JWT", &format!("{faster:.2}"), "at least 4", faster >= 4.0);
    }
    // Times depend on the machine and on its neighbours; the other two do not.
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn goal(what: &str, is: &str, bound: &str, met: bool) -> bool {
    println!("{}  {what}: {is} (goal: {bound})", if met { "pass" } else { "FAIL" });
    met
}

fn measure(effort: Effort) -> Result<[Figures; 9], Box<dyn Error>> {
    let pool = &Pool::new(effort.sessions)?;
    let clock = &CoarseClock::default();
    let [none, one, four] = [0, 1, 4].map(|n| pool.tokens(APPENDED.get(..n).unwrap_or_default()));
    let (none, one, four) = (&none?, &one?, &four?);
    let (empty, known) = (&Revocations::default(), &known(pool, effort.sessions * 10));
    let hmac = &HmacChain::new(&pool.secrets);
    if pool.sessions.iter().zip(none).any(|(s, ours)| hmac.mint(s).as_ref() != Some(ours)) {
        return Err("the hmac crate signs otherwise".into());
    }
    let jwt = &JsonWebTokens::new(&pool.secrets);
    let jwts: Option<Vec<_>> = pool.sessions.iter().map(|s| jwt.mint(s)).collect();
    let jwts = &jwts.ok_or("a JSON web token cannot be minted")?;

    let fresh = |text: &str| pool.admits(clock, &NoFacts, &mut Scratch::new(), text);
    let knowing = |facts| move |text: &str| pool.admits(clock, facts, &mut Scratch::new(), text);
    let (mut state, mut reused) = ([0x6a09_e667; 8], Scratch::new());
    let compression = |block: &[u8; 64]| {
        compress256(&mut state, &[*block]);
        true
    };
    let rows = [
        Contestant::over("sha2 compress256, one block", &[[0x36; 64]], compression),
        Contestant::reading("ours", none, fresh),
        Contestant::reading("ours, scratch used again", none, |text| {
            pool.admits(clock, &NoFacts, &mut reused, text)
        }),
        Contestant::reading("ours, 1 caveat appended", one, fresh),
        Contestant::reading("ours, 4 caveats appended", four, fresh),
        Contestant::reading("ours, nothing known of anybody", none, knowing(empty)),
        Contestant::reading("ours, facts known of 10 x as many users", none, knowing(known)),
        Contestant::reading("hmac crate", none, |text| {
            hmac.verify(text, &mut [0; MAX_CHARS], clock.now()).map(black_box).is_some()
        }),
        Contestant::reading("jsonwebtoken HS256", jwts, |text| {
            jwt.verify(text).map(black_box).is_some()
        }),
    ];
    Ok(interleave(effort, rows)?)
}

/// Facts on so many users, those of the pool among them: each has ended a device's sessions that
/// began before the one measured.
fn known(pool: &Pool, users: usize) -> Revocations {
    let facts = Revocations::default();
    let strangers = (0..users - pool.sessions.len()).map(|n| format!("@stranger{n}:example.com"));
    for user in pool.sessions.iter().map(|session| session.user.clone()).chain(strangers) {
        let from = Timestamp::from_millis(1_600_000_000_000);
        facts.append(&Fact::Device { user: user.into(), device: "OLD".into(), from });
    }
    facts
}
