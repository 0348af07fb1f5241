//! What is counted while a node works, for whoever watches it.
//!
//! Plain atomics: on the hot path one relaxed add on a line of memory that few threads share, no
//! lock and no allocation. Nothing is counted by user, device, session or token. This file refuses
//! to know how the numbers are written.

use core::array;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use arc_swap::ArcSwap;

use super::{Reason, Try};
use crate::time::Timestamp;
use crate::token::{KeyId, Kind};

/// On how many lines of memory verdicts are counted, so that cores do not wait for one another.
const SHARDS: usize = 16;

/// How many sorts of tries there are.
const TRIES: usize = 6;

/// Where the store was asked when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// On behalf of a request.
    Request,
    /// By the follower of the feed.
    Feed,
    /// By the care of keys.
    Keys,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Request, Self::Feed, Self::Keys];

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Feed => "feed",
            Self::Keys => "keys",
        }
    }
}

/// A key as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySight {
    /// Which.
    pub id: KeyId,
    /// When it was made.
    pub created: Timestamp,
    /// Whether tokens are minted with it here.
    pub mints: bool,
    /// Whether its file is gone while it is in use.
    pub file_missing: bool,
}

/// What the care of keys saw when it last looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySights {
    /// The keys held here, in the order of their ids.
    pub held: Vec<KeySight>,
    /// Keys that other nodes have announced and this one lacks.
    pub missing: Vec<KeyId>,
    /// Why the files could not be taken in, if they could not.
    pub trouble: Option<String>,
    /// Whether another process bears the name of this node.
    pub twin: bool,
    /// How many nodes have been heard of lately, this one included.
    pub nodes: usize,
}

impl KeySights {
    /// What is not wrong yet and will be, for health pages.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let vanished = self.held.iter().filter(|key| key.file_missing).map(|key| {
            format!("the file of key {} is gone: the key stays in use until a restart", key.id)
        });
        let missing = self.missing.iter().map(|id| {
            format!("key {id} is announced and not held here: its tokens are answered 503")
        });
        let trouble = self.trouble.iter().map(|words| format!("keys were not picked up: {words}"));
        let twin = "another process bears the name of this node: no key changes here";
        let twin = self.twin.then(|| twin.to_owned());
        vanished.chain(missing).chain(trouble).chain(twin).collect()
    }
}

#[derive(Default)]
#[repr(align(128))]
struct Shard([AtomicU64; Reason::VERDICTS]);

/// The numbers of one node.
pub struct Metrics {
    verdicts: [Shard; SHARDS],
    denials: Vec<AtomicU64>,
    minted: [AtomicU64; 4],
    limited: [AtomicU64; TRIES],
    store_errors: [AtomicU64; 3],
    facts: AtomicU64,
    keys: ArcSwap<KeySights>,
    /// Milliseconds by which the worst of all live nodes was behind when last looked at.
    worst_lag: AtomicU64,
    started: Timestamp,
}

thread_local! {
    /// The line of memory that this thread counts on.
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Relaxed) % SHARDS
    };
}

impl Metrics {
    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            verdicts: array::from_fn(|_| Shard::default()),
            denials: Reason::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            minted: Default::default(),
            limited: Default::default(),
            store_errors: Default::default(),
            facts: AtomicU64::new(0),
            keys: ArcSwap::default(),
            worst_lag: AtomicU64::new(0),
            started,
        }
    }

    /// A token was judged.
    #[inline]
    pub(super) fn judged(&self, reason: Reason) {
        let shard = self.verdicts.get(SHARD.with(|shard| *shard));
        if let Some(count) = shard.and_then(|shard| shard.0.get(reason as usize)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// A token was minted.
    pub(super) fn minted(&self, kind: Kind) {
        bump(&self.minted, usize::from(kind.byte()) - 1);
    }

    /// A request was not done, for this reason.
    pub fn denied(&self, reason: Reason) {
        bump(&self.denials, reason as usize);
        if reason == Reason::Store {
            self.store_failed(Part::Request);
        }
    }

    /// The store did not do what it was asked.
    pub(super) fn store_failed(&self, part: Part) {
        bump(&self.store_errors, part as usize);
    }

    /// Something was tried too often.
    pub(super) fn limited(&self, what: Try) {
        bump(&self.limited, what as usize);
    }

    /// A fact was taken in.
    pub(super) fn heard(&self) {
        self.facts.fetch_add(1, Relaxed);
    }

    /// By how many milliseconds the worst of all live nodes is behind.
    pub(super) fn set_worst_lag(&self, ms: u64) {
        self.worst_lag.store(ms, Relaxed);
    }

    /// By how many milliseconds the worst of all live nodes was behind when last looked at.
    #[must_use]
    pub fn worst_lag(&self) -> u64 {
        self.worst_lag.load(Relaxed)
    }

    /// What the care of keys has seen.
    pub(super) fn set_keys(&self, keys: KeySights) {
        self.keys.store(keys.into());
    }

    /// How often each verdict was given on a token.
    pub fn verdicts(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.iter().take(Reason::VERDICTS).map(|reason| {
            let at = *reason as usize;
            let counts = self.verdicts.iter().filter_map(|shard| shard.0.get(at));
            (*reason, counts.map(|count| count.load(Relaxed)).sum())
        })
    }

    /// How many requests were not done, by reason.
    pub fn denials(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.iter().skip(1).map(|reason| (*reason, read(&self.denials, *reason as usize)))
    }

    /// How many tokens of each kind were minted.
    pub fn mints(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.into_iter().map(|kind| (kind, read(&self.minted, usize::from(kind.byte()) - 1)))
    }

    /// How often something was tried too often.
    pub fn limits(&self) -> impl Iterator<Item = (Try, u64)> {
        Try::ALL.into_iter().map(|what| (what, read(&self.limited, what as usize)))
    }

    /// How often the store failed.
    pub fn store_errors(&self) -> impl Iterator<Item = (Part, u64)> {
        Part::ALL.into_iter().map(|part| (part, read(&self.store_errors, part as usize)))
    }

    /// How many facts were taken in since the start.
    #[must_use]
    pub fn facts(&self) -> u64 {
        self.facts.load(Relaxed)
    }

    /// When the node was put together.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// What the care of keys has last seen.
    #[must_use]
    pub fn keys(&self) -> KeySights {
        KeySights::clone(&self.keys.load())
    }
}

fn bump(counts: &[AtomicU64], at: usize) {
    if let Some(count) = counts.get(at) {
        count.fetch_add(1, Relaxed);
    }
}

fn read(counts: &[AtomicU64], at: usize) -> u64 {
    counts.get(at).map_or(0, |count| count.load(Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_of_many_threads_are_added_up() {
        let metrics = Metrics::new(Timestamp::ZERO);
        std::thread::scope(|scope| {
            for _ in 0..SHARDS + 3 {
                scope.spawn(|| {
                    metrics.judged(Reason::Admitted);
                    metrics.judged(Reason::NoFeed);
                });
            }
        });

        let counted = |reason| metrics.verdicts().find(|(other, _)| *other == reason);
        let sum = u64::try_from(SHARDS + 3).unwrap();
        assert_eq!(counted(Reason::Admitted), Some((Reason::Admitted, sum)));
        assert_eq!(counted(Reason::NoFeed), Some((Reason::NoFeed, sum)));
    }

    #[test]
    fn a_store_that_failed_a_request_is_counted_as_a_failed_store() {
        let metrics = Metrics::new(Timestamp::ZERO);

        metrics.denied(Reason::Store);

        assert_eq!(metrics.store_errors().next(), Some((Part::Request, 1)));
    }
}
