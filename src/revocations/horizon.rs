//! Horizons: a few bytes a user that settle most verifications.
//!
//! A session that began at or after a horizon is hit by nothing. Each bucket has some, for the users
//! and for the devices on its page; which of them a user or device shares with others is a matter of
//! chance, and the latest counts. This file knows how they are written and asked; it refuses to know
//! what hits a session that began before: the record says that.
//!
//! Two bytes are enough for steps of 18.6 hours up to the year 2109. They are rounded up, so a
//! session that began on the day of an ending is looked up, and the record decides.

use std::sync::atomic::{AtomicU16, Ordering};

use super::fact::Standing;
use super::page::Entries;
use crate::time::Timestamp;

/// Horizons of one bucket, a quarter of a line of the cache.
const PLACES: usize = 8;

/// 2^26 ms.
const STEP_BITS: u32 = 26;

/// Always ask the record.
const NEVER: u16 = u16::MAX;

/// The horizons of a bucket.
#[derive(Default)]
#[repr(align(16))]
pub(super) struct Horizons([AtomicU16; PLACES]);

impl Horizons {
    /// Whether nothing hits a session that began then.
    #[inline]
    pub(super) fn clear(&self, mark: u8, device: Option<&str>, beginning: Timestamp) -> bool {
        let step = (beginning.millis() >> STEP_BITS).min(u64::from(NEVER) - 1);
        // Acquire: whoever sees a horizon that has sunk sees that the bucket has been split.
        let is_past = |place: usize| {
            self.0.get(place).is_some_and(|at| u64::from(at.load(Ordering::Acquire)) <= step)
        };
        is_past(user_place(mark))
            && device.is_none_or(|device| is_past(device_place(mark, device.as_bytes())))
    }

    /// Sets them as high as a page asks for.
    pub(super) fn set(&self, page: &[u8]) {
        let mut highest = [0; PLACES];
        let mut raise = |place: usize, to: u16| {
            if let Some(at) = highest.get_mut(place) {
                *at = to.max(*at);
            }
        };
        for entry in Entries(page) {
            let view = entry.view();
            let all = if view.standing == Standing::default() {
                rounded_up(view.user_horizon())
            } else {
                NEVER
            };
            raise(user_place(entry.mark), all);
            for (device, from) in view.devices() {
                raise(device_place(entry.mark, device), rounded_up(from));
            }
        }
        for (at, to) in self.0.iter().zip(highest) {
            at.store(to, Ordering::Release);
        }
    }
}

fn rounded_up(horizon: Timestamp) -> u16 {
    u16::try_from(horizon.millis().div_ceil(1 << STEP_BITS)).unwrap_or(NEVER)
}

#[inline]
fn user_place(mark: u8) -> usize {
    (usize::from(mark) * PLACES) >> 8
}

/// No secret goes into this but the mark: users choose their device ids, and who makes two of them
/// meet is looked up for it.
#[inline]
fn device_place(mark: u8, device: &[u8]) -> usize {
    let (words, rest) = device.as_chunks();
    let rest = rest.iter().fold(1, |word, byte| word << 8 | u64::from(*byte));
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let hash = words.chain([rest]).fold(u64::from(mark), |hash, word| {
        let hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^ hash >> 29
    });
    ((hash >> 48) as usize * PLACES) >> 16
}
