//! First uses: which tokens, once used, change what the store gives again.
//!
//! A login that is repeated is given the same session until that session is used; a refresh that
//! is repeated opens branches until one of them is used. Every node's hot path notes such a use
//! here, once a generation, and somebody else tells the store. This file refuses to know what the
//! store does.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use papaya::HashMap;
use tokio::sync::Notify;

use super::generation::Mark;
use crate::time::Timestamp;
use crate::token::{Bearer, Kind, SessionId};

/// How many generations are remembered as told; then all are forgotten and told once more.
const REMEMBERED: usize = 200_000;

/// How long after its beginning a session can be given again to whoever repeats its login, in
/// milliseconds.
pub(super) const REPEATED: u64 = 3_600_000;

/// How much longer first uses are noticed, in milliseconds: clocks are not all the same.
const MARGIN: u64 = 600_000;

/// A token that was used for the first time, as far as this process knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub(super) session: SessionId,
    pub(super) mark: Mark,
}

/// What the hot path has to notice.
#[derive(Default)]
pub(super) struct Uses {
    /// The last generation of each session that was noticed.
    told: HashMap<SessionId, Mark>,
    /// How many those are, roughly.
    remembered: AtomicUsize,
    fresh: Mutex<Vec<Use>>,
    wake: Notify,
}

impl Uses {
    /// Notes that a bearer was admitted. A session that never renewed matters while it is young.
    #[inline]
    pub(super) fn saw(&self, bearer: &Bearer<'_>, now: Timestamp) {
        let identifier = bearer.identifier();
        let settled = identifier.generation == 0
            && identifier.session.beginning().plus(REPEATED + MARGIN) <= now;
        if settled || identifier.kind != Kind::Access {
            return;
        }
        let mark = Mark::of(bearer);
        if self.told.pin().get(&identifier.session) != Some(&mark) {
            self.first_of_generation(identifier.session, mark);
        }
    }

    /// Once a session and generation; the one place here that locks, and nobody waits long for it.
    #[cold]
    fn first_of_generation(&self, session: SessionId, mark: Mark) {
        let told = self.told.pin();
        if told.insert(session, mark).is_none()
            && self.remembered.fetch_add(1, Relaxed) >= REMEMBERED
        {
            told.clear();
            self.remembered.store(0, Relaxed);
        }
        if let Ok(mut fresh) = self.fresh.lock()
            && fresh.len() < REMEMBERED
        {
            fresh.push(Use { session, mark });
        }
        self.wake.notify_one();
    }

    /// Whether a token of this session has been used here.
    pub(super) fn has_seen(&self, session: SessionId) -> bool {
        self.told.pin().contains_key(&session)
    }

    /// Waits until there are first uses and takes them.
    pub(super) async fn fresh(&self) -> Vec<Use> {
        self.wake.notified().await;
        self.take()
    }

    /// The first uses that nobody has taken yet.
    pub(super) fn take(&self) -> Vec<Use> {
        self.fresh.lock().map(|mut fresh| std::mem::take(&mut *fresh)).unwrap_or_default()
    }
}
