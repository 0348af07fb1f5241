//! Freshness: how old what a node knows is, and whether its clock can be trusted.
//!
//! Ages are measured by a clock that nobody sets. This file refuses to know how the feed is read.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::pulse::Skew;
use super::{Failure, Service};
use crate::time::Timestamp;

/// How old what a node knows may be when it mints.
const MINTING: Duration = Duration::from_secs(10);

/// The facts are older than the node may judge by.
const STALE: u8 = 1;
/// The facts are older than the node may mint by.
const LAGGING: u8 = 2;
/// The clock is further off the database's than is allowed.
const CLOCK_OFF: u8 = 4;

const NEVER: i64 = i64::MIN;

/// How fresh what this node knows is. Written by the follower, read by everybody without a lock.
pub(super) struct Freshness {
    start: Instant,
    /// Everything committed up to so many milliseconds after `start` has been heard.
    heard: AtomicI64,
    /// How far this node's clock runs ahead of the database's, in milliseconds.
    ahead: AtomicI64,
    sequence: AtomicI64,
    trouble: AtomicU8,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            heard: AtomicI64::new(NEVER),
            ahead: AtomicI64::new(0),
            sequence: AtomicI64::new(0),
            trouble: AtomicU8::new(0),
        }
    }
}

impl Freshness {
    /// Everything committed `age` ago has been heard by now.
    pub(super) fn heard(&self, age: Duration) {
        let at = millis(self.start.elapsed()).saturating_sub(millis(age));
        self.heard.fetch_max(at, Relaxed);
    }

    /// How old what is known is; `None` before the feed has been read once.
    pub(super) fn age(&self) -> Option<Duration> {
        let heard = Some(self.heard.load(Relaxed)).filter(|heard| *heard != NEVER)?;
        let age = millis(self.start.elapsed()).saturating_sub(heard);
        Some(Duration::from_millis(u64::try_from(age).unwrap_or_default()))
    }

    /// Judges the age anew; gives whether the node has become stale, or fresh again, by that.
    pub(super) fn judge(&self, max_staleness: Duration) -> Option<bool> {
        let age = self.age().unwrap_or(Duration::MAX);
        let was = self.is(STALE);
        self.set(STALE, age > max_staleness);
        self.set(LAGGING, age > MINTING.min(max_staleness));
        Some(age > max_staleness).filter(|stale| *stale != was)
    }

    /// Takes in how far the clock runs ahead, as a beat found it, and how far it may.
    pub(super) fn compare(&self, skew: Skew, max: u64) {
        self.ahead.store(skew.ahead, Relaxed);
        self.set(CLOCK_OFF, skew.ahead.unsigned_abs().saturating_sub(skew.doubt) > max);
    }

    pub(super) fn stand_at(&self, sequence: i64) {
        self.sequence.store(sequence, Relaxed);
    }

    #[inline]
    pub(super) fn untroubled(&self) -> bool {
        self.trouble.load(Relaxed) & (STALE | CLOCK_OFF) == 0
    }

    pub(super) fn is_stale(&self) -> bool {
        self.is(STALE)
    }

    fn is(&self, bit: u8) -> bool {
        self.trouble.load(Relaxed) & bit != 0
    }

    fn set(&self, bit: u8, on: bool) {
        if on {
            self.trouble.fetch_or(bit, Relaxed);
        } else {
            self.trouble.fetch_and(!bit, Relaxed);
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Service {
    /// How old what this node knows is, measured by beats; `None` before it has read the feed.
    #[must_use]
    pub fn feed_age(&self) -> Option<Duration> {
        self.freshness.age()
    }

    /// The number of the last entry of the feed that was heard here; 0 before any.
    #[must_use]
    pub fn feed_sequence(&self) -> i64 {
        self.freshness.sequence.load(Relaxed)
    }

    /// How far this node's clock runs ahead of the database's, in milliseconds; negative behind it.
    #[must_use]
    pub fn clock_ahead(&self) -> i64 {
        self.freshness.ahead.load(Relaxed)
    }

    /// The present instant by the clock of the database, as well as it was last compared: what one
    /// node writes and another compares goes by it.
    pub(super) fn store_now(&self) -> Timestamp {
        let (now, ahead) = (self.now(), self.clock_ahead());
        if ahead > 0 { now.minus(ahead.unsigned_abs()) } else { now.plus(ahead.unsigned_abs()) }
    }

    /// Whether what is known is fresh enough to mint by.
    pub(super) fn may_mint(&self) -> Result<(), Failure> {
        if self.freshness.is(STALE | LAGGING) { Err(Failure::Stale) } else { Ok(()) }
    }

    /// Why this node's clock cannot be trusted, if it cannot.
    pub(super) fn trusts_clock(&self) -> Result<(), Failure> {
        if self.freshness.is(CLOCK_OFF) {
            return Err(Failure::ClockOff(self.clock_ahead()));
        }
        Ok(())
    }

    /// Whether tokens can be verified here: there are keys, the facts are fresh enough and so is
    /// the clock.
    ///
    /// # Errors
    /// What is missing.
    pub fn can_verify(&self) -> Result<(), Failure> {
        if self.freshness.is_stale() {
            return Err(Failure::Stale);
        }
        self.trusts_clock()?;
        if self.ring().ids().is_empty() { Err(Failure::NoKey) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_counts_as_off_beyond_all_doubt_alone() {
        let freshness = Freshness::default();

        freshness.compare(Skew { ahead: -30_500, doubt: 500 }, 30_000);
        assert!(freshness.untroubled());
        freshness.compare(Skew { ahead: -30_501, doubt: 500 }, 30_000);
        assert!(!freshness.untroubled());
        freshness.compare(Skew { ahead: 30_000, doubt: 0 }, 30_000);
        assert!(freshness.untroubled());
    }

    #[test]
    fn what_has_never_been_heard_is_stale() {
        let freshness = Freshness::default();

        assert_eq!(freshness.judge(Duration::MAX - Duration::from_millis(1)), Some(true));
        freshness.heard(Duration::from_secs(20));
        assert_eq!(freshness.judge(Duration::from_secs(60)), Some(false));
        assert!(freshness.is(LAGGING), "twenty seconds are too old to mint by");
    }

    #[test]
    fn hearing_of_the_past_makes_nothing_older() {
        let freshness = Freshness::default();
        freshness.heard(Duration::ZERO);

        freshness.heard(Duration::from_secs(50));

        assert!(freshness.age().unwrap() < Duration::from_secs(50));
    }
}
