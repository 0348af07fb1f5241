//! One piece of work so many times, for a program that counts instructions.
//!
//! ```text
//! scripts/suites/instructions
//! ```
//!
//! Given a name and a number it does that work as often as the number says and tells nothing but
//! whether it came out as it should; given neither it does each once. What is done before is the
//! same for every number, so the difference between two runs is the work alone.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use std::error::Error;
use std::hint::black_box;

use amaretti::ident::UserId;
use amaretti::revocations::{Fact, Revocations};
use amaretti::time::Timestamp;
use amaretti::token::{
    Facts, Grant, Keys, Kind, MAX_CHARS, Occasion, Presented, Purpose, Refusal, Scratch,
};
use sha2::block_api::compress256;
use support::sessions::{END, Pool};

/// What is counted, and what comes of it.
const WORKS: [(&str, Come); 13] = [
    ("compression", Come::Well),
    ("verify", Come::Well),
    ("verify-known", Come::Well),
    ("verify-spared", Come::Well),
    ("mint", Come::Well),
    ("expired", Come::Badly),
    ("forged", Come::Badly),
    ("garbage", Come::Badly),
    ("foreign", Come::Badly),
    ("long", Come::Well),
    ("long-expired", Come::Badly),
    ("long-forged", Come::Badly),
    ("long-garbage", Come::Badly),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Come {
    Well,
    Badly,
}

struct Bench {
    pool: Pool,
    /// A device was logged out long before the session began.
    known: Revocations,
    /// The session itself changed the password.
    spared: Revocations,
    now: Timestamp,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let asked = arguments.next().filter(|name| WORKS.iter().any(|(work, _)| work == name));
    let times = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    if asked.is_none() {
        println!("sha2: {}", backend());
    }
    let bench = Bench::new()?;
    for (work, comes) in WORKS {
        if asked.as_ref().is_none_or(|name| *name == work) {
            let text = bench.text(work)?;
            for _ in 0..times {
                if bench.does(work, black_box(&text)) != (comes == Come::Well) {
                    return Err(format!("{work} did not come out as it should").into());
                }
            }
        }
    }
    Ok(())
}

/// What runs the block function here: `sha2` asks the processor the same.
fn backend() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sha") {
        return "SHA extensions";
    }
    "portable"
}

impl Bench {
    fn new() -> Result<Self, Box<dyn Error>> {
        let (pool, known, spared) =
            (Pool::new(20)?, Revocations::default(), Revocations::default());
        let session = pool.sessions.first().ok_or("no session")?;
        let (user, beginning) = (session.user.as_str(), session.id.beginning());
        let from = beginning.minus(1 << 30);
        known.append(&Fact::Device { user: user.into(), device: "OLD".into(), from });
        let (from, exempt) = (beginning.plus(1), Some(session.id));
        spared.append(&Fact::User { user: user.into(), from, exempt });
        Ok(Self { pool, known, spared, now: Timestamp::from_millis(END - 1) })
    }

    /// What a work reads.
    fn text(&self, work: &str) -> Result<String, Box<dyn Error>> {
        let session = self.pool.sessions.first().ok_or("no session")?;
        let long = format!("label = {}", "x".repeat(40));
        let carried = vec![long.as_str(); if work.starts_with("long") { 25 } else { 0 }];
        let expired = work.ends_with("expired");
        let expires_at = if expired { self.now } else { Timestamp::from_millis(END) };
        let grant = Grant { expires_at: Some(expires_at), ..session.grant(&carried)? };
        let subkey = self.pool.keys.find(session.key, Kind::Access)?;
        let mut text = grant.mint(subkey)?.reveal().to_owned();
        if work.ends_with("forged") {
            let last = if text.ends_with('A') { "E" } else { "A" };
            text.replace_range(text.len() - 1.., last);
        }
        if work.ends_with("garbage") {
            text = format!("mma_{}", "Q7_z".repeat(if work == "garbage" { 47 } else { 511 }));
        }
        if work == "foreign" {
            text = "x".repeat(MAX_CHARS);
        }
        Ok(text)
    }

    /// Whether it came out well.
    #[inline(never)]
    fn does(&self, work: &str, text: &str) -> bool {
        match work {
            "compression" => {
                let mut state = black_box([7; 8]);
                compress256(&mut state, black_box(&[[9; 64]]));
                black_box(state) != [0; 8]
            }
            "mint" => self
                .pool
                .sessions
                .first()
                .is_some_and(|session| self.pool.mint(session, &[]).map(black_box).is_ok()),
            "verify-known" => self.judge_by(&self.known, text).is_ok(),
            "verify-spared" => self.judge_by(&self.spared, text).is_ok(),
            _ => self.judge(text).is_ok(),
        }
    }

    fn judge(&self, text: &str) -> Result<(), Refusal> {
        let mut scratch = Scratch::new();
        let occasion = Occasion::new(Purpose::Request, self.now);
        let authentic = Presented::read(text, &mut scratch)?.authenticate(&self.pool.keys)?;
        let bearer = authentic.clear(&amaretti::token::NoFacts, &occasion)?;
        black_box::<(UserId<'_>, _)>((bearer.user_id(), bearer.device_id()));
        Ok(())
    }

    fn judge_by(&self, facts: &Revocations, text: &str) -> Result<(), Refusal> {
        let mut scratch = Scratch::new();
        let occasion = Occasion::new(Purpose::Request, self.now);
        let presented = Presented::read(text, &mut scratch)?;
        let bearer = facts.admit(presented, &self.pool.keys, &occasion)?;
        black_box::<(UserId<'_>, _)>((bearer.user_id(), bearer.device_id()));
        Ok(())
    }
}
