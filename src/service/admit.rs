//! The hot path: from the text of a token to its bearer.
//!
//! No store, no lock that a writer can hold, no allocation. This file refuses to know what the
//! bearer wants.

use super::uses::Uses;
use super::{Denial, Failure, Reason, Service};
use crate::ident::{DeviceId, UserId};
use crate::revocations::Revocations;
use crate::store::{StoreError, Tx};
use crate::time::Timestamp;
use crate::token::{
    AccountState, Authentic, Bearer, Facts, Gate, NoFacts, Occasion, Presented, Refusal, Scratch,
    SessionId,
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
        let verdict = self.verdict(text, scratch, occasion);
        self.metrics.judged(verdict.as_ref().err().map_or(Reason::Admitted, Reason::from));
        if let Ok(bearer) = &verdict
            && self.follows()
        {
            self.uses.saw(bearer, occasion.now);
        }
        verdict
    }

    /// As [`Self::admit`], without a trace: nothing is counted, and no token is used by it.
    #[inline]
    pub(super) fn verdict<'s>(
        &self,
        text: &str,
        scratch: &'s mut Scratch,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Denial> {
        if let Some(foreign) = Presented::foreign(text) {
            return self.admit_imported(text, foreign, scratch, occasion);
        }
        let presented = Presented::read(text, scratch)?;
        let facts = self.facts.ahead(&presented);
        let authentic = presented
            .authenticate_while(&**self.ring.load(), || facts.nearer())
            .map_err(|refusal| match refusal {
                Refusal::KeyNotHeld(_) => Denial::Failed(Failure::KeyNotHeld(refusal)),
                refusal => Denial::Refused(refusal),
            })?;
        if self.store.is_none() {
            let bearer = authentic.clear(&NoFacts, occasion)?;
            return self.within_reach(bearer, occasion.now);
        }
        self.judge(authentic, &facts, occasion)
    }

    #[inline]
    fn judge<'s>(
        &self,
        authentic: Authentic<'s>,
        facts: &impl Facts,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Denial> {
        if self.freshness.untroubled() {
            Ok(authentic.clear(facts, occasion)?)
        } else {
            self.judge_in_trouble(authentic, facts, occasion)
        }
    }

    /// Facts that are too old say nothing. A clock that is off says nothing about what ends, and
    /// no instant is needed to tell whether a session has ended.
    #[cold]
    fn judge_in_trouble<'s>(
        &self,
        authentic: Authentic<'s>,
        facts: &impl Facts,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Denial> {
        if self.is_stale() {
            return Err(Failure::Stale.into());
        }
        let cleared = authentic.clear(facts, occasion);
        let by_clock = match &cleared {
            Ok(bearer) => bearer.ends_at().is_some(),
            Err(Refusal::Expired) => true,
            Err(Refusal::Unmet(at)) => at.key == Some("time"),
            Err(_) => false,
        };
        if by_clock {
            self.trusts_clock()?;
        }
        Ok(cleared?)
    }

    /// A text that is none of our tokens may have been taken over from another issuer. One that is
    /// not known here is refused only by a node that has heard of everything that was.
    #[cold]
    fn admit_imported<'s>(
        &self,
        text: &str,
        foreign: Refusal,
        scratch: &'s mut Scratch,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Denial> {
        match self.imports.find(text) {
            Some(token) => self.judge(token.authentic(scratch)?, &self.facts, occasion),
            None if self.is_stale() && foreign == Refusal::Predecessor => {
                Err(Failure::Stale.into())
            }
            None => Err(foreign.into()),
        }
    }

    /// Without a feed a logout is never heard of; what bounds the harm is how long a token lives.
    fn within_reach<'s>(&self, bearer: Bearer<'s>, now: Timestamp) -> Result<Bearer<'s>, Denial> {
        let Some(limit) = self.policy.no_feed_life else { return Ok(bearer) };
        let within = bearer.ends_at().is_some_and(|end| end <= now.plus(limit));
        if within { Ok(bearer) } else { Err(Failure::NoFeed.into()) }
    }

    pub(super) fn is_stale(&self) -> bool {
        self.freshness.is_stale()
    }

    pub(super) fn uses(&self) -> &Uses {
        &self.uses
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
    /// The caveats that holders appended to the token.
    pub appended: Vec<String>,
    /// When the token ends, at the latest.
    pub ends_at: Option<Timestamp>,
    /// When it was to end before a holder shortened it; `None` when it has no end, or is not known.
    pub minted_until: Option<Timestamp>,
}

impl Caller {
    /// Somebody of whom no more is known than a name and a session.
    pub(super) fn named(user_id: &str, session: &str) -> Option<Self> {
        let session = SessionId::parse(session)?;
        let (user_id, appended) = (user_id.to_owned(), Vec::new());
        Some(Self {
            user_id,
            device_id: None,
            session,
            appended,
            ends_at: None,
            minted_until: None,
        })
    }

    /// Remembers a bearer.
    #[must_use]
    pub fn of(bearer: &Bearer<'_>) -> Self {
        Self {
            user_id: bearer.user_id().as_str().to_owned(),
            device_id: bearer.device_id().map(|device| device.as_str().to_owned()),
            session: bearer.session(),
            appended: bearer.appended().map(str::to_owned).collect(),
            ends_at: bearer.ends_at(),
            minted_until: bearer.identifier().expires_at,
        }
    }

    /// What the store knows against the session and its account.
    pub(super) async fn facts(&self, tx: &mut Tx) -> Result<Revocations, StoreError> {
        tx.facts_against(Some(self.session), self.device_id.as_deref(), &self.user_id).await
    }

    /// Whether the session lives by these facts: every write asks again inside its transaction.
    pub(super) fn judge(&self, facts: &Revocations, gate: Gate) -> Result<(), Refusal> {
        let user = UserId::parse(&self.user_id);
        let user = user.map_err(|_| Refusal::Malformed(crate::token::Malformed::Identity))?;
        let device = self.device_id.as_deref().and_then(|device| DeviceId::parse(device).ok());
        let account = facts.standing(user, device, self.session).map_err(Refusal::Ended)?;
        let locked = account.state == AccountState::Locked && gate == Gate::Unlocked;
        if locked { Err(Refusal::Locked) } else { Ok(()) }
    }
}
