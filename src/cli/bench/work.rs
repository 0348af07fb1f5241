//! The work that is measured: what a node does with a token, what it does for one, and what neither
//! can do without.
//!
//! It refuses to know for how long and how often.

use std::hint::black_box;

use arc_swap::ArcSwap;
use sha2::block_api::compress256;

use super::Trouble;
use super::contest::{Singles, rate, single};
use super::pool::{Pool, Session};
use crate::keyring::Keyring;
use crate::revocations::Revocations;
use crate::time::{Clock, SystemClock};
use crate::token::{Kind, Occasion, Presented, Purpose, Scratch};

/// Compressions of a token with a user, a device and nothing appended, one after the other.
const COMPRESSIONS: usize = 10;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contestant {
    /// The chain of SHA-256 alone.
    Floor,
    /// From text to bearer, by a node that knows nothing against anybody.
    Verify,
    /// From grant to text.
    Mint,
    /// From text to bearer, by the set of facts with this number.
    Knowing(usize),
}

/// Facts about so many users.
pub(super) struct Known {
    pub(super) users: usize,
    pub(super) facts: Revocations,
    /// Memory that they take, where the system tells.
    pub(super) bytes: Option<u64>,
    /// What it took to add one, on average.
    pub(super) append_nanoseconds: u64,
}

/// All that takes part, and what it works with.
pub(super) struct Field<'a> {
    pool: &'a Pool,
    pub(super) sets: &'a [Known],
    ring: ArcSwap<Keyring>,
    clock: SystemClock,
    nothing: Revocations,
}

impl<'a> Field<'a> {
    /// Judges by a ring that may be replaced at any time, as that of a node.
    pub(super) fn new(pool: &'a Pool, sets: &'a [Known], ring: Keyring) -> Self {
        let ring = ArcSwap::from_pointee(ring);
        let (clock, nothing) = (SystemClock::default(), Revocations::default());
        Self { pool, sets, ring, clock, nothing }
    }

    /// Pieces of work a second, in one slice on so many threads.
    pub(super) fn rate(
        &self,
        contestant: Contestant,
        threads: usize,
        round: usize,
    ) -> Result<f64, Trouble> {
        let (sessions, few, all) = (&self.pool.sessions, self.pool.few(), self.pool.all());
        let rate = match contestant {
            Contestant::Floor => rate(threads, |_| floor()),
            Contestant::Verify => {
                rate(threads, |thread| self.verify(&self.nothing, Walk::over(few, thread, threads)))
            }
            Contestant::Mint => {
                rate(threads, |thread| self.mint(Walk::over(sessions, thread, threads)))
            }
            Contestant::Knowing(set) => {
                let facts = self.sets.get(set).map_or(&self.nothing, |known| &known.facts);
                // Each slice goes on about where the one before left off.
                let walk = || Walk::over(all, round % LAPS, LAPS);
                rate(threads, |_| self.verify(facts, walk()))
            }
        };
        rate.ok_or_else(badly)
    }

    /// Times single verifications and mints, and the clock alone.
    pub(super) fn time_singles(&self, into: &mut Singles, round: usize) -> Result<(), Trouble> {
        let at = round % LAPS;
        let verify = self.verify(&self.nothing, Walk::over(self.pool.few(), at, LAPS));
        let mint = self.mint(Walk::over(&self.pool.sessions, at, LAPS));
        let timed = single(|| true, &mut into.timer)
            .and_then(|()| single(verify, &mut into.verify))
            .and_then(|()| single(mint, &mut into.mint));
        timed.ok_or_else(badly)
    }

    fn verify(
        &self,
        facts: &'a Revocations,
        mut texts: Walk<'a, Box<str>>,
    ) -> impl FnMut() -> bool {
        move || texts.next().is_some_and(|text| self.admits(facts, text))
    }

    /// As a node does it: the memory of the facts is asked for while the chain is computed.
    #[inline]
    fn admits(&self, facts: &Revocations, text: &str) -> bool {
        let (mut scratch, occasion) =
            (Scratch::new(), Occasion::new(Purpose::Request, self.clock.now()));
        let Ok(presented) = Presented::read(text, &mut scratch) else { return false };
        let ahead = facts.ahead(&presented);
        let authentic = presented.authenticate_while(&**self.ring.load(), || ahead.nearer());
        authentic.and_then(|authentic| authentic.clear(&ahead, &occasion)).is_ok_and(|bearer| {
            black_box((bearer.user_id(), bearer.device_id(), bearer.session()));
            true
        })
    }

    fn mint(&self, mut sessions: Walk<'a, Session>) -> impl FnMut() -> bool {
        move || {
            let (ring, session) = (self.ring.load(), sessions.next());
            let minted = session.zip(ring.minting(Kind::Access));
            minted.is_some_and(|(session, subkey)| session.mint(subkey).map(black_box).is_ok())
        }
    }
}

/// In how many slices a walk over all tokens is begun at another place.
const LAPS: usize = 16;

/// Ten compressions, each of what the one before left.
fn floor() -> impl FnMut() -> bool {
    let (mut state, block) = ([0x6a09_e667; 8], [0x36; 64]);
    move || {
        for _ in 0..COMPRESSIONS {
            compress256(&mut state, &[*black_box(&block)]);
        }
        true
    }
}

fn badly() -> Trouble {
    Trouble::new(
        "a token is not minted, or one that was minted here is refused: this build is broken",
    )
}

/// Goes round in a pool, for ever.
struct Walk<'a, T> {
    pool: &'a [T],
    at: usize,
}

impl<'a, T> Walk<'a, T> {
    /// Begins behind `part` of so many equal parts.
    fn over(pool: &'a [T], part: usize, parts: usize) -> Self {
        Self { pool, at: pool.len() * part / parts.max(1) }
    }

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        let one = self.pool.get(self.at);
        self.at = if self.at + 1 < self.pool.len() { self.at + 1 } else { 0 };
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_comes_by_everything_and_begins_again() {
        let mut walk = Walk::over(&[10, 20, 30, 40], 1, 2);
        let seen: Vec<_> = (0..5).filter_map(|_| walk.next().copied()).collect();

        assert_eq!(seen, [30, 40, 10, 20, 30]);
    }
}
