//! The hot path: from the text of a token to its bearer.
//!
//! No store, no lock that a writer can hold, no allocation. This file refuses to know what the
//! bearer wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use papaya::HashMap;
use tokio::sync::Notify;

use super::{Denial, Failure, Service};
use crate::ident::{DeviceId, UserId};
use crate::revocations::Revocations;
use crate::time::Timestamp;
use crate::token::{
    Bearer, EndedBy, Facts, NoFacts, Occasion, Presented, Refusal, Scratch, SessionId,
};

impl Service {
    /// Judges a token on an occasion.
    ///
    /// # Errors
    /// A [`Refusal`] when the token does not hold or clear, a [`Failure`] when that cannot be
    /// decided here.
    #[inline]
    pub fn admit<'s>(
        &self,
        text: &str,
        scratch: &'s mut Scratch,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Denial> {
        let authentic = Presented::read(text, scratch)?.authenticate(&**self.ring.load()).map_err(
            |refusal| match refusal {
                Refusal::KeyNotHeld(_) => Denial::Failed(Failure::KeyNotHeld(refusal)),
                refusal => Denial::Refused(refusal),
            },
        )?;
        if self.store.is_none() {
            let bearer = authentic.clear(&NoFacts, occasion)?;
            return self.within_reach(bearer, occasion.now);
        }
        if self.is_stale() {
            return Err(Failure::Stale.into());
        }
        let bearer = authentic.clear(&self.facts, occasion)?;
        self.awaiting.saw(bearer.session());
        Ok(bearer)
    }

    /// Without a feed a logout is never heard of; what bounds the harm is how long a token lives.
    fn within_reach<'s>(&self, bearer: Bearer<'s>, now: Timestamp) -> Result<Bearer<'s>, Denial> {
        let Some(limit) = self.policy.no_feed_life else { return Ok(bearer) };
        let within = bearer.ends_at().is_some_and(|end| end <= now.plus(limit));
        if within { Ok(bearer) } else { Err(Failure::NoFeed.into()) }
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale.load(Relaxed)
    }

    pub(super) fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Relaxed);
    }

    pub(super) fn awaiting(&self) -> &Awaiting {
        &self.awaiting
    }
}

/// A bearer as a write remembers it, beyond the text of the token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub user_id: String,
    /// On which device, if on one.
    pub device_id: Option<String>,
    /// In which session.
    pub session: SessionId,
}

impl Caller {
    /// Remembers a bearer.
    #[must_use]
    pub fn of(bearer: &Bearer<'_>) -> Self {
        Self {
            user_id: bearer.user_id().as_str().to_owned(),
            device_id: bearer.device_id().map(|device| device.as_str().to_owned()),
            session: bearer.session(),
        }
    }

    /// Whether the session lives by these facts: every write asks again inside its transaction.
    pub(super) fn judge(&self, facts: &Revocations) -> Result<(), Refusal> {
        let user = UserId::parse(&self.user_id);
        let user = user.map_err(|_| Refusal::Malformed(crate::token::Malformed::Identity))?;
        let device = self.device_id.as_deref().and_then(|device| DeviceId::parse(device).ok());
        let standing = facts.standing(user, device, self.session);
        standing.map(|_| ()).map_err(|ended: EndedBy| Refusal::Ended(ended))
    }
}

/// Sessions whose first use has to be told to the store: until then a repeated login with the same
/// token is given the same session again.
#[derive(Default)]
pub(super) struct Awaiting {
    /// Until when a repetition could come.
    sessions: HashMap<SessionId, Timestamp>,
    /// What the hot path looks at: nearly always 0.
    count: AtomicUsize,
    used: std::sync::Mutex<Vec<SessionId>>,
    wake: Arc<Notify>,
}

impl Awaiting {
    /// Waits for the first use of a session, and no longer for those nobody can repeat any more.
    pub(super) fn expect(&self, session: SessionId, until: Timestamp, now: Timestamp) {
        let sessions = self.sessions.pin();
        let over = sessions.iter().filter(|(_, until)| **until <= now).map(|(session, _)| *session);
        over.for_each(|session| self.forget(session));
        if sessions.insert(session, until).is_none() {
            self.count.fetch_add(1, Relaxed);
        }
    }

    /// Whether nobody has used this session since it was given out.
    pub(super) fn is_unused(&self, session: SessionId) -> bool {
        self.sessions.pin().contains_key(&session)
    }

    #[inline]
    fn saw(&self, session: SessionId) {
        if self.count.load(Relaxed) > 0 {
            self.first_use(session);
        }
    }

    /// Once a session; the one place of this file that locks, and nobody waits long for it.
    #[cold]
    fn first_use(&self, session: SessionId) {
        if self.remove(session) {
            if let Ok(mut used) = self.used.lock() {
                used.push(session);
            }
            self.wake.notify_one();
        }
    }

    /// Stops waiting for a session.
    pub(super) fn forget(&self, session: SessionId) {
        self.remove(session);
    }

    /// Whether the session was waited for; of many who ask at once one is told so.
    fn remove(&self, session: SessionId) -> bool {
        let known = self.sessions.pin().remove(&session).is_some();
        if known {
            self.count.fetch_sub(1, Relaxed);
        }
        known
    }

    /// Waits until sessions have been used for the first time and takes them.
    pub(super) async fn first_uses(&self) -> Vec<SessionId> {
        self.wake.notified().await;
        self.used.lock().map(|mut used| std::mem::take(&mut *used)).unwrap_or_default()
    }
}
