//! Horizons: two lines of the cache a bucket that settle most verifications.
//!
//! A session that began at or after the horizon of its user, and of its device, is hit by nothing.
//! A bucket has places for fifteen users and devices of whom something is known, each told from the
//! others by some bits of a hash; whoever finds no place counts for everybody of the bucket. This file
//! knows how horizons are written and asked; it refuses to know what hits a session that began
//! before: the record says that.
//!
//! ```text
//! bucket  everybody's 8, place 8 * 15
//! place   whose 22 bits, from 42 bits
//! ```
//!
//! 42 bits are milliseconds up to the year 2109. A horizon of 0 stands for nobody.

use std::sync::atomic::{AtomicU64, Ordering};

use super::fact::Standing;
use super::page::Entries;
use crate::time::Timestamp;

/// Two lines of the cache.
const PLACES: usize = 16;

const FROM_BITS: u32 = 42;
const FROM: u64 = (1 << FROM_BITS) - 1;

/// Always ask the record.
const NEVER: u64 = FROM;

/// Bits of a user's hash, none of which decides about the bucket; never 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u32);

impl Mark {
    #[inline]
    pub(super) fn of(hash: u64) -> Self {
        Self(((hash >> FROM_BITS) as u32).max(1))
    }

    pub(super) fn to_bytes(self) -> [u8; 3] {
        let [a, b, c, _] = self.0.to_le_bytes();
        [a, b, c]
    }

    #[inline]
    pub(super) fn from_bytes([a, b, c]: [u8; 3]) -> Self {
        Self(u32::from_le_bytes([a, b, c, 0]))
    }

    #[inline]
    fn user(self) -> u64 {
        u64::from(self.0)
    }

    /// No secret goes into this but the mark: users choose their device ids, and who makes two of
    /// them meet is looked up for it.
    #[inline]
    fn device(self, device: &[u8]) -> u64 {
        let (words, rest) = device.as_chunks();
        let rest = rest.iter().fold(1, |word, byte| word << 8 | u64::from(*byte));
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        let hash = words.chain([rest]).fold(self.user(), |hash, word| {
            let hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            hash ^ hash >> 29
        });
        (hash >> FROM_BITS).max(1)
    }
}

/// The horizons of a bucket.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Horizons([AtomicU64; PLACES]);

impl Horizons {
    /// Asks for their memory.
    #[inline]
    pub(super) fn expect(&self) {
        prefetch_index::prefetch_index(&self.0, 0);
        prefetch_index::prefetch_index(&self.0, PLACES / 2);
    }

    /// Whether nothing hits a session that began then.
    #[inline]
    pub(super) fn clear(&self, mark: Mark, device: Option<&str>, beginning: Timestamp) -> bool {
        let began = beginning.millis().min(NEVER - 1);
        let later = |from: u64| from.wrapping_sub(began + 1) < NEVER - began;
        let user = mark.user() << FROM_BITS;
        let device = device.map_or(user, |device| mark.device(device.as_bytes()) << FROM_BITS);
        // Everybody's place is read first: see `set`. Acquire: whoever sees a place that was given
        // away sees that the bucket has been split.
        let [everybody, places @ ..] = &self.0;
        let hits = later(everybody.load(Ordering::Acquire));
        !places.iter().fold(hits, |hits, place| {
            let place = place.load(Ordering::Acquire);
            // Without whose it is, what is left of somebody else's lies beyond every instant.
            hits | later(place ^ user) | later(place ^ device)
        })
    }

    /// Sets them as a page asks for. Nobody else may write to them meanwhile.
    ///
    /// Whoever has a place keeps it, and moves into one from everybody's at most: so that a reader,
    /// who looks at everybody's first, meets each horizon at least once.
    pub(super) fn set(&self, page: &[u8]) {
        let mut line = self.0.each_ref().map(|place| place.load(Ordering::Relaxed) & !FROM);
        let [everybody, places @ ..] = &mut line;
        each(page, |whose, from| {
            if let Some(place) = places.iter_mut().find(|place| **place >> FROM_BITS == whose) {
                *place = (*place).max(whose << FROM_BITS | from);
            }
        });
        places.iter_mut().filter(|place| **place & FROM == 0).for_each(|left| *left = 0);
        each(page, |whose, from| {
            let own = places.iter().position(|place| *place >> FROM_BITS == whose);
            let place = own.or_else(|| places.iter().position(|place| *place == 0));
            match place.and_then(|place| places.get_mut(place)) {
                Some(place) => *place = (*place).max(whose << FROM_BITS | from),
                None => *everybody = (*everybody).max(from),
            }
        });
        for (at, to) in self.0.iter().zip(line).rev() {
            at.store(to, Ordering::Release);
        }
    }
}

/// Calls `act` with every horizon of a page that hits somebody, and whose it is.
fn each(page: &[u8], mut act: impl FnMut(u64, u64)) {
    let mut tell = |whose, from: u64| {
        if from > 0 {
            act(whose, from.min(NEVER));
        }
    };
    for entry in Entries(page) {
        let view = entry.view();
        let stands = view.standing == Standing::default();
        tell(entry.mark.user(), if stands { view.user_horizon().millis() } else { NEVER });
        for (device, from) in view.devices() {
            tell(entry.mark.device(device), from.millis());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::write;
    use super::super::record::Record;
    use super::*;

    fn mark(number: u64) -> Mark {
        Mark::of(number << FROM_BITS)
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// A page of users with a device each that was ended at so many milliseconds.
    fn page(users: &[(u64, u64)]) -> Vec<u8> {
        let mut page = Vec::new();
        for (number, from) in users {
            let devices = vec![("D".into(), at(*from))];
            let record = Record { devices, ..Record::default() };
            write(&mut page, mark(*number), &format!("@{number}:hs"), &record);
        }
        page
    }

    fn clear(line: &Horizons, number: u64, device: &str, beginning: u64) -> bool {
        line.clear(mark(number), Some(device), at(beginning))
    }

    #[test]
    fn a_horizon_is_exact_and_its_devices_alone() {
        let line = Horizons::default();
        line.set(&page(&[(1, 1_790_000_000_123), (2, 5)]));

        assert!(!clear(&line, 1, "D", 1_790_000_000_122));
        assert!(clear(&line, 1, "D", 1_790_000_000_123));
        assert!(clear(&line, 1, "E", 1) && clear(&line, 2, "D", 5) && clear(&line, 3, "D", 0));
        assert!(!clear(&line, 2, "D", 4));
    }

    #[test]
    fn whoever_finds_no_place_counts_for_everybody() {
        let line = Horizons::default();
        let users: Vec<_> = (1..=PLACES as u64).map(|number| (number, 100 * number)).collect();
        let latest = 100 * PLACES as u64;
        line.set(&page(&users));

        for (number, from) in &users {
            assert!(!clear(&line, *number, "D", from - 1), "{number}");
        }
        assert!(!clear(&line, 50, "D", latest - 1), "the last one has no place");
        assert!(clear(&line, 50, "D", latest));
        // One has left, and everybody has a place.
        line.set(&page(users.get(1..).unwrap_or_default()));
        assert!(clear(&line, 50, "D", 0) && clear(&line, 1, "D", 0));
        assert!(!clear(&line, PLACES as u64, "D", latest - 1));
    }

    #[test]
    fn whoever_has_a_place_keeps_it() {
        let line = Horizons::default();
        let places = || line.0.each_ref().map(|place| place.load(Ordering::Relaxed) >> FROM_BITS);
        let users: Vec<_> = (1..PLACES as u64).map(|number| (number, 100)).collect();
        line.set(&page(&users));
        let before = places();

        let mut users: Vec<_> = users.into_iter().rev().collect();
        users.insert(3, (50, 200));
        line.set(&page(&users));

        assert_eq!(places(), before);
    }

    #[test]
    fn an_account_that_does_not_stand_as_usual_is_always_looked_up() {
        let mut page = Vec::new();
        let record = Record { standing: Standing::Deactivated, ..Record::default() };
        write(&mut page, mark(1), "@1:hs", &record);
        let line = Horizons::default();
        line.set(&page);

        assert!(!clear(&line, 1, "D", u64::MAX >> 16));
        assert!(clear(&line, 2, "D", 0));
    }
}
