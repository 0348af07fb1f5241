//! The pulse of a node: it writes a beat once a second and judges how old what it knows is.
//!
//! A beat that was read back where facts are read proves how fresh those are, and brings the time
//! of the database's clock. This file refuses to know the facts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Service;
use crate::store::{Beat, Store, StoreError};
use crate::time::Timestamp;

/// How long to wait between two beats.
const BEAT: Duration = Duration::from_secs(1);

/// How long a beat may take; then the store counts as away.
const PATIENCE: Duration = Duration::from_secs(5);

/// What writes the beats of one node.
pub(super) struct Pulse {
    service: Arc<Service>,
    store: Store,
    node: String,
    beats: Mutex<Beats>,
    max_staleness: Duration,
}

impl Pulse {
    pub(super) fn new(
        service: Arc<Service>,
        store: Store,
        node: String,
        max_staleness: Duration,
    ) -> Self {
        Self { service, store, node, beats: Mutex::default(), max_staleness }
    }

    /// The name under which beats are written.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Writes a beat, and compares the clocks.
    pub(super) async fn beat(&self) -> Result<(), StoreError> {
        let number = self.with_beats(Beats::next);
        let (service, before) = (&self.service, self.service.now());
        let age = service.feed_age().unwrap_or_default();
        let beat = Beat {
            node: self.node.clone(),
            beat: number,
            written_at: before,
            lag: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            ahead: service.clock_ahead(),
            sequence: service.feed_sequence(),
        };
        let theirs = timeout(PATIENCE, self.store.beat(&beat)).await;
        let theirs = theirs.unwrap_or(Err(StoreError::Silent))?;
        if let (Some(theirs), Some(max)) = (theirs, service.policy.max_clock_skew) {
            service.freshness.compare(Skew::of(before, theirs, service.now()), max);
        }
        Ok(())
    }

    /// When the beat was written whose number was read where facts are read.
    pub(super) fn read_back(&self, number: Option<i64>) -> Option<Instant> {
        self.with_beats(|beats| beats.read_back(number?))
    }

    /// Beats until `stop` says so, and judges in between; a store that is away is tried again.
    pub(super) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let often = BEAT.min(self.max_staleness / 4);
        let beating = async {
            loop {
                if let Err(error) = self.beat().await {
                    tracing::warn!(%error, "cannot write that this node is there");
                }
                sleep(often).await;
            }
        };
        let judging = async {
            loop {
                self.judge();
                sleep(often / 4).await;
            }
        };
        tokio::select! {
            () = beating => {}
            () = judging => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        let ended = timeout(PATIENCE, self.store.end_beats(&self.node, self.service.now())).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("cannot write that this node is gone");
        }
    }

    /// Judges how old what this node knows is.
    pub(super) fn judge(&self) {
        match self.service.freshness.judge(self.max_staleness) {
            Some(true) => tracing::warn!("the feed is too old to judge by: answering 503"),
            Some(false) => tracing::info!("the feed is heard again"),
            None => {}
        }
    }

    fn with_beats<T>(&self, act: impl FnOnce(&mut Beats) -> T) -> T {
        // Nobody panics while holding it; if somebody did, what is written is still so.
        act(&mut self.beats.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How far a clock runs ahead of the database's, in milliseconds, give or take `doubt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skew {
    pub(super) ahead: i64,
    pub(super) doubt: u64,
}

impl Skew {
    /// From what this node's clock said before and after it asked for the database's.
    pub(super) fn of(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Self {
        let doubt = after.millis().saturating_sub(before.millis()) / 2;
        let middle = before.plus(doubt);
        let gap = |a: Timestamp, b: Timestamp| {
            i64::try_from(a.millis().saturating_sub(b.millis())).unwrap_or(i64::MAX)
        };
        Self { ahead: gap(middle, theirs) - gap(theirs, middle), doubt }
    }
}

/// Beats that have been written and not been read back yet.
#[derive(Default)]
struct Beats {
    last: i64,
    written: VecDeque<(i64, Instant)>,
}

/// How many beats are waited for; with more under way the last ones are not.
const UNDER_WAY: usize = 1024;

impl Beats {
    /// The number of the next beat, which is about to be written.
    fn next(&mut self) -> i64 {
        self.last += 1;
        if self.written.len() < UNDER_WAY {
            self.written.push_back((self.last, Instant::now()));
        }
        self.last
    }

    /// When the newest beat was written that can be read where facts are read.
    fn read_back(&mut self, number: i64) -> Option<Instant> {
        let mut newest = None;
        while let Some((beat, at)) = self.written.front().copied() {
            if beat > number {
                break;
            }
            newest = Some(at);
            self.written.pop_front();
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_clock_is_off_by_no_more_than_the_question_took() {
        let skew = Skew::of(at(1000), at(5000), at(3000));

        assert_eq!(skew, Skew { ahead: -3000, doubt: 1000 });
    }

    #[test]
    fn a_beat_that_cannot_be_read_yet_proves_nothing() {
        let mut beats = Beats::default();
        let (one, two) = (beats.next(), beats.next());

        assert_eq!(beats.read_back(one - 1), None);
        assert!(beats.read_back(one) <= beats.read_back(two));
        assert_eq!(beats.read_back(two), None, "each counts once");
    }
}
