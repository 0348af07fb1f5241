//! Instants and clocks.
//!
//! Time is a number that is passed in; [`SystemClock`] and [`CoarseClock`] alone ask the operating
//! system. This file refuses to know what anybody does with an instant.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// An instant in milliseconds since 1970 UTC, below 2^48 (the year 10889), so that it fits the six
/// bytes a token has for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The greatest instant a token can carry.
    pub const MAX: Self = Self((1 << 48) - 1);
    /// 1970-01-01, the least one.
    pub const ZERO: Self = Self(0);

    /// The instant `ms` milliseconds after 1970 UTC; what lies past [`Self::MAX`] becomes it.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        if ms > Self::MAX.0 { Self::MAX } else { Self(ms) }
    }

    /// Milliseconds since 1970 UTC.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// This instant and `ms` milliseconds more, held at [`Self::MAX`].
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self::from_millis(self.0.saturating_add(ms))
    }

    /// This instant less `ms` milliseconds, held at 1970.
    #[must_use]
    pub const fn minus(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Six bytes, big-endian, as they stand in a token.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// Reads what [`Self::to_bytes`] wrote.
    #[must_use]
    pub const fn from_bytes([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

#[cfg(feature = "server")]
impl Timestamp {
    /// The instant as people read it, UTC, to the second.
    #[must_use]
    pub fn to_utc(self) -> String {
        let ns = i128::from(self.0) * 1_000_000;
        let format =
            ::time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let told = ::time::OffsetDateTime::from_unix_timestamp_nanos(ns).ok();
        told.and_then(|told| told.format(&format).ok()).unwrap_or_else(|| format!("{} ms", self.0))
    }
}

/// Something that tells the time.
pub trait Clock: Send + Sync {
    /// The present instant; never below one that was told before.
    fn now(&self) -> Timestamp;
}

/// The operating system's wall clock, held so that it never runs backwards.
///
/// A clock that is set back stands still until it has caught up: an expired token does not live
/// again because somebody corrected the time.
#[derive(Debug, Default)]
pub struct SystemClock {
    greatest: AtomicU64,
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Timestamp {
        held(&self.greatest, since_1970(SystemTime::now()))
    }
}

/// The same clock as of the system's last tick: at most ten milliseconds behind [`SystemClock`], and
/// told in a fifth of the time. For whoever only compares: a token lives so much longer.
///
/// It is `CLOCK_REALTIME_COARSE` of clock_gettime(2) on Linux, and [`SystemClock`] elsewhere.
#[derive(Debug, Default)]
pub struct CoarseClock {
    greatest: AtomicU64,
}

impl Clock for CoarseClock {
    #[inline]
    fn now(&self) -> Timestamp {
        held(&self.greatest, last_tick())
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn last_tick() -> u64 {
    let tick = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let (seconds, ns) = (u64::try_from(tick.tv_sec), u64::try_from(tick.tv_nsec));
    seconds.unwrap_or_default() * 1000 + ns.unwrap_or_default() / 1_000_000
}

#[cfg(not(target_os = "linux"))]
fn last_tick() -> u64 {
    since_1970(SystemTime::now())
}

#[inline]
fn since_1970(time: SystemTime) -> u64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Never less than what was told before.
#[inline]
fn held(greatest: &AtomicU64, told: u64) -> Timestamp {
    if told == greatest.load(Relaxed) {
        return Timestamp::from_millis(told);
    }
    // Written at most once a millisecond, so cores that only read do not fight over the line.
    Timestamp::from_millis(greatest.fetch_max(told, Relaxed).max(told))
}

/// A clock that stands where it was put: for tests and simulations.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now: AtomicU64::new(now.millis()) }
    }

    /// Moves the clock forward by `ms` milliseconds.
    pub fn advance(&self, ms: u64) {
        self.now.fetch_add(ms, Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bytes_hold_every_instant() {
        for at in [Timestamp::ZERO, Timestamp::MAX, Timestamp::from_millis(1_790_000_000_000)] {
            assert_eq!(Timestamp::from_bytes(at.to_bytes()), at);
        }
        assert_eq!(Timestamp::from_millis(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.plus(1), Timestamp::MAX);
        assert_eq!(Timestamp::ZERO.minus(1), Timestamp::ZERO);
    }

    #[test]
    fn the_system_clock_does_not_fall_below_what_it_told() {
        let clock = SystemClock::default();
        let ahead = clock.now().plus(3_600_000);
        clock.greatest.store(ahead.millis(), Relaxed);

        assert_eq!(clock.now(), ahead);
    }

    #[test]
    fn the_coarse_clock_is_a_little_behind_and_never_falls_either() {
        let (coarse, fine) = (CoarseClock::default(), SystemClock::default());
        let before = fine.now().minus(20);
        let told = coarse.now();
        assert!(before <= told && told <= fine.now(), "{before:?} {told:?}");

        let ahead = told.plus(3_600_000);
        coarse.greatest.store(ahead.millis(), Relaxed);
        assert_eq!(coarse.now(), ahead);
    }

    #[test]
    fn a_manual_clock_moves_only_when_it_is_moved() {
        let clock = ManualClock::at(Timestamp::from_millis(5));
        clock.advance(7);

        assert_eq!(clock.now(), Timestamp::from_millis(12));
    }
}
