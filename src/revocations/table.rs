//! A table of pages that grows one page at a time while it is read.
//!
//! This file knows on which page a user stands; it refuses to know what is written there.
//!
//! Users are spread over buckets by a hash with a secret seed, so nobody can choose a user id that
//! meets others. A bucket holds one page, which is replaced whole: readers have the old one or the
//! new one and wait for nobody. The table grows by linear hashing: every few users one bucket is
//! split in two, which touches that bucket and nothing else.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arc_swap::{ArcSwapAny, Guard};

use super::horizon::Mark;
use super::page::{Entries, Entry, View, write};
use super::record::Record;
use super::rows::{Page, Rows, bytes};
use crate::time::Timestamp;

/// How many users and devices of whom something is known share a page, on average. More make pages
/// longer to copy and to search and leave some without a place in the horizons, fewer cost more bytes.
const NAMES_A_PAGE: usize = 6;

/// What is known of every user.
pub(super) struct Table {
    seed: RandomState,
    /// Buckets that are in use, at least one.
    buckets: AtomicUsize,
    users: AtomicUsize,
    /// Users and devices.
    names: AtomicUsize,
    rows: Rows,
    writer: Mutex<()>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            seed: RandomState::new(),
            buckets: AtomicUsize::new(1),
            users: AtomicUsize::new(0),
            names: AtomicUsize::new(0),
            rows: Rows::default(),
            writer: Mutex::new(()),
        }
    }
}

/// A user as the table sees one.
#[derive(Clone, Copy)]
pub(super) struct Key<'u> {
    user: &'u str,
    hash: u64,
}

impl Key<'_> {
    #[inline]
    fn mark(self) -> Mark {
        Mark::of(self.hash)
    }
}

/// A page as it was when it was looked at.
pub(super) struct Held {
    page: Guard<Option<Page>>,
    bucket: usize,
}

impl Table {
    #[inline]
    pub(super) fn key<'u>(&self, user: &'u str) -> Key<'u> {
        let mut hasher = self.seed.build_hasher();
        hasher.write(user.as_bytes());
        Key { user, hash: hasher.finish() }
    }

    pub(super) fn users(&self) -> usize {
        self.users.load(Ordering::Relaxed)
    }

    /// Asks for the memory that [`Self::hold`] will read.
    #[inline]
    pub(super) fn expect(&self, key: Key<'_>) {
        let bucket = bucket(key.hash, self.buckets.load(Ordering::Acquire));
        if let Some(horizons) =
            self.rows.chunk(bucket).and_then(|(chunk, at)| chunk.horizons.get(at))
        {
            horizons.expect();
        }
    }

    /// Whether nothing hits a session of this user and device that began then, which can be said of
    /// most without looking at a page.
    #[inline]
    pub(super) fn is_clear(
        &self,
        key: Key<'_>,
        device: Option<&str>,
        beginning: Timestamp,
    ) -> bool {
        let mut looked_at = bucket(key.hash, self.buckets.load(Ordering::Acquire));
        loop {
            let horizons =
                self.rows.chunk(looked_at).and_then(|(chunk, at)| chunk.horizons.get(at));
            if !horizons.is_none_or(|horizons| horizons.clear(key.mark(), device, beginning)) {
                return false;
            }
            // A bucket that has been split meanwhile may have given the user away.
            let now = bucket(key.hash, self.buckets.load(Ordering::Acquire));
            if now == looked_at {
                return true;
            }
            looked_at = now;
        }
    }

    /// The page a user stands on, its first lines asked for.
    #[inline]
    pub(super) fn hold(&self, key: Key<'_>) -> Option<Held> {
        let bucket = bucket(key.hash, self.buckets.load(Ordering::Acquire));
        let page = self.rows.slot(bucket)?.load();
        if let Some(page) = &*page {
            for line in 0..4 {
                prefetch_index::prefetch_index(&page.slice, line * 64);
            }
        }
        Some(Held { page, bucket })
    }

    /// Reads what is known of a user.
    #[inline]
    pub(super) fn read<R>(
        &self,
        key: Key<'_>,
        held: Option<Held>,
        read: impl FnOnce(&View<'_>) -> R,
    ) -> Option<R> {
        let mut held = held.or_else(|| self.hold(key));
        loop {
            let Held { page, bucket: looked_at } = held?;
            if let Some(entry) = find(page.as_ref(), key) {
                return Some(read(&entry.view()));
            }
            // A bucket that has been split meanwhile may have given the user away.
            if bucket(key.hash, self.buckets.load(Ordering::Acquire)) == looked_at {
                return None;
            }
            held = self.hold(key);
        }
    }

    /// Changes what is known of a user.
    pub(super) fn write(&self, user: &str, change: impl FnOnce(&mut Record)) {
        let key = self.key(user);
        let _alone = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let buckets = self.buckets.load(Ordering::Acquire);
        let Some((chunk, at)) = self.rows.open(bucket(key.hash, buckets)) else { return };
        let page = chunk.pages.get(at).and_then(ArcSwapAny::load_full);
        let entry = find(page.as_ref(), key);
        let known = entry.map(|entry| entry.view().record());
        let is_new = known.is_none();
        let known = known.unwrap_or_default();
        let mut record = known.clone();
        change(&mut record);
        if record == known {
            return;
        }
        let mut next = Vec::with_capacity(bytes(page.as_ref()).len() + 128);
        for other in Entries(bytes(page.as_ref())).filter(|entry| entry.user != user.as_bytes()) {
            next.extend(other.bytes);
        }
        write(&mut next, key.mark(), user, &record);
        chunk.put(at, &next);
        self.users.fetch_add(usize::from(is_new), Ordering::Relaxed);
        // A user counts by its devices, and once for itself if it has none.
        let names = |record: &Record| record.devices.len().max(1);
        let more = names(&record) - if is_new { 0 } else { names(&known) };
        let all = self.names.fetch_add(more, Ordering::Relaxed) + more;
        for buckets in buckets..all.div_ceil(NAMES_A_PAGE) {
            let split = self.split(buckets);
            self.fill(&split);
            self.publish(&split);
            self.trim(&split);
        }
    }

    /// Calls `act` with every user and what is known of them.
    pub(super) fn each(&self, mut act: impl FnMut(&str, &View<'_>)) {
        let mut bucket = 0;
        // A user who moves meanwhile moves to a bucket that is still to come.
        while bucket < self.buckets.load(Ordering::Acquire) {
            if let Some(slot) = self.rows.slot(bucket) {
                let page = slot.load_full();
                for entry in Entries(bytes(page.as_ref())) {
                    act(str::from_utf8(entry.user).unwrap_or_default(), &entry.view());
                }
            }
            bucket += 1;
        }
    }

    /// Sorts a bucket's users into those that stay and those that the next bucket gets.
    fn split(&self, buckets: usize) -> Split {
        let from = buckets - (1 << buckets.ilog2());
        let mut split = Split { from, to: buckets, stay: Vec::new(), go: Vec::new() };
        let page = self.rows.slot(from).and_then(|slot| slot.load_full());
        for entry in Entries(bytes(page.as_ref())) {
            let key = self.key(str::from_utf8(entry.user).unwrap_or_default());
            let stays = bucket(key.hash, buckets + 1) == from;
            if stays { &mut split.stay } else { &mut split.go }.extend(entry.bytes);
        }
        split
    }

    /// First they are in the new bucket too,
    fn fill(&self, split: &Split) {
        if let Some((chunk, at)) = self.rows.open(split.to) {
            chunk.put(at, &split.go);
        }
    }

    /// then they are looked for there,
    fn publish(&self, split: &Split) {
        self.buckets.store(split.to + 1, Ordering::Release);
    }

    /// then they leave the old one: whoever misses one of them there sees that it has been split.
    fn trim(&self, split: &Split) {
        if let Some((chunk, at)) = self.rows.chunk(split.from) {
            chunk.put(at, &split.stay);
        }
    }
}

/// One bucket's users on two pages.
struct Split {
    from: usize,
    to: usize,
    stay: Vec<u8>,
    go: Vec<u8>,
}

/// In which of so many buckets a hash belongs: those of the round being split count twice as many.
#[inline]
fn bucket(hash: u64, buckets: usize) -> usize {
    let mask = buckets.next_power_of_two() - 1;
    let bucket = hash as usize & mask;
    if bucket < buckets { bucket } else { bucket & (mask >> 1) }
}

#[inline]
fn find<'p>(page: Option<&'p Page>, key: Key<'_>) -> Option<Entry<'p>> {
    Entries(bytes(page)).of(key.mark(), key.user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> String {
        format!("@user{number}:hs")
    }

    fn is_known(table: &Table, user: &str) -> bool {
        table.read(table.key(user), None, |_| ()).is_some()
    }

    /// A table of some users, none of whom is like an empty record.
    fn table(users: usize) -> Table {
        let table = Table::default();
        for number in 0..users {
            table.write(&user(number), |record| {
                record.sessions.push(crate::token::SessionId::from_bytes([7; 16]))
            });
        }
        table
    }

    #[test]
    fn readers_find_everybody_while_a_writer_is_parked_anywhere_in_an_append() {
        const USERS: usize = 300;
        let table = table(USERS);
        let all_are_known = || (0..USERS).all(|number| is_known(&table, &user(number)));
        // As it is when the thread that appends is stopped with the lock in its hand.
        let _parked = table.writer.lock().unwrap();
        for _ in 0..200 {
            let split = table.split(table.buckets.load(Ordering::Acquire));
            assert!(all_are_known());
            table.fill(&split);
            assert!(all_are_known());
            table.publish(&split);
            assert!(all_are_known());
            table.trim(&split);
            assert!(all_are_known());
        }
    }

    #[test]
    fn a_page_held_since_before_a_split_still_leads_to_its_users() {
        const USERS: usize = 200;
        let table = table(USERS);
        let names: Vec<_> = (0..USERS).map(user).collect();
        let held: Vec<_> = names.iter().map(|name| table.hold(table.key(name))).collect();
        let slots_alone = names.iter().map(|name| {
            let bucket = bucket(table.key(name).hash, table.buckets.load(Ordering::Acquire));
            Some(Held { page: Guard::from_inner(None), bucket })
        });
        let slots_alone: Vec<_> = slots_alone.collect();
        for _ in 0..100 {
            let split = table.split(table.buckets.load(Ordering::Acquire));
            table.fill(&split);
            table.publish(&split);
            table.trim(&split);
        }
        for (name, held) in names.iter().zip(held) {
            assert!(table.read(table.key(name), held, |_| ()).is_some(), "{name}");
        }
        // Who held an empty page has to look again only where the bucket has been split.
        let moved = |name: &str, held: &Option<Held>| {
            let bucket = bucket(table.key(name).hash, table.buckets.load(Ordering::Acquire));
            held.as_ref().is_some_and(|held| held.bucket != bucket)
        };
        let mut found = 0;
        for (name, held) in names.iter().zip(slots_alone) {
            let moved = moved(name, &held);
            let known = table.read(table.key(name), held, |_| ()).is_some();
            assert_eq!(known, moved, "{name}");
            found += usize::from(known);
        }
        assert!(found > 0, "nobody moved");
    }

    #[test]
    fn buckets_are_filled_evenly() {
        let table = table(20_000);
        let buckets = table.buckets.load(Ordering::Acquire);
        let longest = (0..buckets).filter_map(|bucket| table.rows.slot(bucket)?.load_full());
        let longest = longest.map(|page| Entries(&page.slice).count()).max().unwrap();
        assert!((3000..=20_000).contains(&buckets), "{buckets} buckets");
        assert!(longest < 60, "{longest} users on one page");
    }
}
