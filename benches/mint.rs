//! From a session to the text of its token: how long it takes, against the alternatives.
//!
//! ```text
//! taskset -c 2 cargo bench --no-default-features --bench mint
//! ```
//!
//! Minting costs the chain of verifying, one more compression for the route, and the allocation of
//! the text. The unit is our own verification, measured in the same run.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use std::error::Error;
use std::hint::black_box;

use amaretti::time::{Clock, CoarseClock};
use amaretti::token::{MAX_CHARS, NoFacts, Scratch};
use support::hmac_chain::HmacChain;
use support::json_web_token::JsonWebTokens;
use support::sessions::{APPENDED, Pool, Session};
use support::{Contestant, Effort, interleave, print};

fn main() -> Result<(), Box<dyn Error>> {
    let effort = Effort::asked_for();
    let pool = &Pool::new(effort.sessions)?;
    let clock = &CoarseClock::default();
    let hmac = &HmacChain::new(&pool.secrets);
    let jwt = &JsonWebTokens::new(&pool.secrets);
    let ours = &pool.tokens(&[])?;
    let jwts = &pool.sessions.iter().filter_map(|session| jwt.mint(session)).collect::<Vec<_>>();

    let mint = |count: usize| {
        let carried = APPENDED.get(..count).unwrap_or_default();
        move |session: &Session| pool.mint(session, carried).map(black_box).is_ok()
    };
    let table = interleave(
        effort,
        [
            Contestant::reading("ours, verify", ours, |text: &str| {
                pool.admits(clock, &NoFacts, &mut Scratch::new(), text)
            }),
            Contestant::over("ours, mint", &pool.sessions, mint(0)),
            Contestant::over("ours, mint, 1 caveat carried", &pool.sessions, mint(1)),
            Contestant::over("ours, mint, 4 caveats carried", &pool.sessions, mint(4)),
            Contestant::reading("hmac crate, verify", ours, |text: &str| {
                hmac.verify(text, &mut [0; MAX_CHARS], clock.now()).map(black_box).is_some()
            }),
            Contestant::over("hmac crate, mint", &pool.sessions, |session| {
                hmac.mint(session).map(black_box).is_some()
            }),
            Contestant::reading("jsonwebtoken HS256, verify", jwts, |text: &str| {
                jwt.verify(text).map(black_box).is_some()
            }),
            Contestant::over("jsonwebtoken HS256, mint", &pool.sessions, |session| {
                jwt.mint(session).map(black_box).is_some()
            }),
        ],
    )?;
    let [verify, ..] = table;
    print(effort, &table, &[("x verify", verify.median)]);
    Ok(())
}
