//! The work that is measured: a token verified, a token minted, and what neither can do without.
//!
//! It refuses to know for how long and how often.

use std::hint::black_box;

use sha2::block_api::compress256;

use super::Trouble;
use super::contest::{Singles, rate, single};
use super::pool::{Pool, Session};
use crate::keyring::Keyring;
use crate::revocations::Revocations;
use crate::token::{Kind, Scratch};
use crate::verifier::Verifier;

/// Compressions of a token with a user, a device and nothing appended, one after the other.
const COMPRESSIONS: usize = 10;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contestant {
    /// The chain of SHA-256 alone.
    Floor,
    /// From text to bearer, by a verifier that knows nothing of anybody.
    Verify,
    /// From grant to text.
    Mint,
    /// The same, by the set of facts with this number.
    Knowing(usize),
}

/// A verifier that knows something of so many users.
pub(super) struct Known {
    pub(super) users: usize,
    pub(super) verifier: Verifier<Revocations>,
    /// Memory that they take, where the system tells.
    pub(super) bytes: Option<u64>,
    /// What it took to add one, on average.
    pub(super) append_nanoseconds: u64,
}

/// All that takes part, and what it works with.
pub(super) struct Field<'a> {
    pub(super) pool: &'a Pool,
    /// The first of them knows nothing of anybody.
    pub(super) sets: &'a [Known],
    /// What mints.
    pub(super) ring: Keyring,
}

impl<'a> Field<'a> {
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
                rate(threads, |thread| self.verify(0, Walk::over(few, thread, threads)))
            }
            Contestant::Mint => {
                rate(threads, |thread| self.mint(Walk::over(sessions, thread, threads)))
            }
            Contestant::Knowing(set) => {
                // About where the slice before left off.
                let walk = || Walk::over(all, round % LAPS, LAPS);
                rate(threads, |_| self.verify(set, walk()))
            }
        };
        rate.ok_or_else(badly)
    }

    /// Times single verifications and mints, and the clock alone.
    pub(super) fn time_singles(&self, into: &mut Singles, round: usize) -> Result<(), Trouble> {
        let at = round % LAPS;
        let verify = self.verify(0, Walk::over(self.pool.few(), at, LAPS));
        let mint = self.mint(Walk::over(&self.pool.sessions, at, LAPS));
        let timed = single(|| true, &mut into.timer)
            .and_then(|()| single(verify, &mut into.verify))
            .and_then(|()| single(mint, &mut into.mint));
        timed.ok_or_else(badly)
    }

    fn verify(&self, set: usize, mut texts: Walk<'a, Box<str>>) -> impl FnMut() -> bool {
        let verifier = self.sets.get(set).map(|known| &known.verifier);
        move || verifier.zip(texts.next()).is_some_and(|(verifier, text)| admits(verifier, text))
    }

    fn mint(&self, mut sessions: Walk<'a, Session>) -> impl FnMut() -> bool {
        move || {
            let minted = sessions.next().zip(self.ring.minting(Kind::Access));
            minted.is_some_and(|(session, subkey)| session.mint(subkey).map(black_box).is_ok())
        }
    }
}

/// From text to bearer, the clock read.
#[inline]
fn admits(verifier: &Verifier<Revocations>, text: &str) -> bool {
    let (mut scratch, occasion) = (Scratch::new(), verifier.occasion());
    verifier.admit(text, &mut scratch, &occasion).is_ok_and(|bearer| {
        black_box((bearer.user_id(), bearer.device_id(), bearer.session()));
        true
    })
}

/// In how many slices all tokens have been walked over, about: each begins at another place.
const LAPS: usize = 128;

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
