//! First uses: which tokens, once used, change what the store gives again.
//!
//! A login that is repeated is given the same session until that session is used; a refresh that
//! is repeated opens branches until one of them is used. The hot path notes such a use here, once a
//! generation, and somebody else tells the store. This file refuses to know what the store does.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use papaya::HashMap;
use tokio::sync::Notify;

use super::generation::Mark;
use crate::time::Timestamp;
use crate::token::{Bearer, Kind, SessionId};

/// How many generations are remembered as told; then all are forgotten and told once more.
const REMEMBERED: usize = 200_000;

/// A token that was used for the first time, as far as this process knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub(super) session: SessionId,
    pub(super) mark: Mark,
}

/// What the hot path has to notice.
#[derive(Default)]
pub(super) struct Uses {
    /// Sessions of generation 0 that a repeated login could still be given, and until when.
    awaited: HashMap<SessionId, Timestamp>,
    /// What the hot path looks at for generation 0: nearly always 0.
    count: AtomicUsize,
    /// The last generation of each renewing session that was noticed.
    told: HashMap<SessionId, Mark>,
    /// How many those are, roughly.
    remembered: AtomicUsize,
    fresh: Mutex<Vec<Use>>,
    wake: Notify,
}

impl Uses {
    /// Notes that a bearer was admitted.
    #[inline]
    pub(super) fn saw(&self, bearer: &Bearer<'_>) {
        let identifier = bearer.identifier();
        if identifier.kind != Kind::Access {
            return;
        }
        if identifier.generation == 0 {
            if self.count.load(Relaxed) > 0 && self.remove(identifier.session) {
                self.tell(identifier.session, Mark::of(bearer));
            }
        } else {
            let mark = Mark::of(bearer);
            if self.told.pin().get(&identifier.session) != Some(&mark) {
                self.first_of_generation(identifier.session, mark);
            }
        }
    }

    #[cold]
    fn first_of_generation(&self, session: SessionId, mark: Mark) {
        let told = self.told.pin();
        if told.insert(session, mark).is_none()
            && self.remembered.fetch_add(1, Relaxed) >= REMEMBERED
        {
            told.clear();
            self.remembered.store(0, Relaxed);
        }
        self.tell(session, mark);
    }

    /// Once a session or generation; the one place here that locks, and nobody waits long for it.
    #[cold]
    fn tell(&self, session: SessionId, mark: Mark) {
        if let Ok(mut fresh) = self.fresh.lock() {
            fresh.push(Use { session, mark });
        }
        self.wake.notify_one();
    }

    /// Waits for the first use of a session, and no longer for those nobody can repeat any more.
    pub(super) fn expect(&self, session: SessionId, until: Timestamp, now: Timestamp) {
        let awaited = self.awaited.pin();
        let over = awaited.iter().filter(|(_, until)| **until <= now).map(|(session, _)| *session);
        over.for_each(|session| self.forget(session));
        if awaited.insert(session, until).is_none() {
            self.count.fetch_add(1, Relaxed);
        }
    }

    /// Whether nobody has used this session since it was given out.
    pub(super) fn is_unused(&self, session: SessionId) -> bool {
        self.awaited.pin().contains_key(&session)
    }

    /// Stops waiting for a session.
    pub(super) fn forget(&self, session: SessionId) {
        self.remove(session);
    }

    /// Whether the session was waited for; of many who ask at once one is told so.
    fn remove(&self, session: SessionId) -> bool {
        let known = self.awaited.pin().remove(&session).is_some();
        if known {
            self.count.fetch_sub(1, Relaxed);
        }
        known
    }

    /// Waits until there are first uses and takes them.
    pub(super) async fn fresh(&self) -> Vec<Use> {
        self.wake.notified().await;
        self.fresh.lock().map(|mut fresh| std::mem::take(&mut *fresh)).unwrap_or_default()
    }
}
