//! Everything a program needs to judge tokens in its own process: keys, facts, a clock and a name.
//!
//! This file puts the parts of the lower floors together; it refuses to know where keys and facts
//! come from, and HTTP.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::keyring::Keyring;
use crate::time::{Clock, CoarseClock};
use crate::token::{Bearer, Facts, NoFacts, Occasion, Presented, Purpose, Refusal, Scratch};

/// A ring without a key: whoever judged by it would turn everybody away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no key to verify tokens with: export one with `amaretti keys export`")]
pub struct NoKeys;

/// Judges tokens by keys and facts that this process holds; it asks nobody.
///
/// The second argument of [`Verifier::new`] is what is known against sessions. With [`NoFacts`]
/// **no logout is ever heard of**: a token is good until it expires, so let the tokens that reach
/// such a program be short-lived. A program that hears of logouts feeds them to
/// [`Revocations`](crate::revocations::Revocations), which it may share as an `Arc`.
///
/// # Example
/// ```
/// use amaretti::{keyring::Keyring, token::{Key, NoFacts, Scratch}, verifier::Verifier};
///
/// let mut ring = Keyring::default();
/// ring.hold(&Key::from_bytes(&core::array::from_fn(|i| i as u8 ^ 0x80))?)?; // really: random
/// let verifier = Verifier::new(ring, NoFacts)?;
///
/// let mut scratch = Scratch::new();
/// let refused = verifier.admit("mma_AgIt", &mut scratch, &verifier.occasion()).err();
/// assert_eq!(refused, Some(amaretti::token::Refusal::Truncated));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Verifier<F = NoFacts> {
    ring: ArcSwap<Keyring>,
    facts: F,
    clock: Box<dyn Clock>,
    audience: Option<Box<str>>,
}

impl<F: Facts> Verifier<F> {
    /// Judges by these keys and facts, and by the [`CoarseClock`].
    ///
    /// # Errors
    /// [`NoKeys`] for an empty ring.
    pub fn new(ring: Keyring, facts: F) -> Result<Self, NoKeys> {
        let ring = ArcSwap::new(checked(ring)?);
        Ok(Self { ring, facts, clock: Box::new(CoarseClock::default()), audience: None })
    }

    /// Judges by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Names the service that judges: `audience` caveats with this name clear, and no others do.
    #[must_use]
    pub fn with_audience(mut self, name: &str) -> Self {
        self.audience = Some(name.into());
        self
    }

    /// From now on judges by other keys. Requests under way are judged by the old ones.
    ///
    /// # Errors
    /// [`NoKeys`] for an empty ring; the old keys stay.
    pub fn replace_keys(&self, ring: Keyring) -> Result<(), NoKeys> {
        self.ring.store(checked(ring)?);
        Ok(())
    }

    /// What is known against sessions.
    #[must_use]
    pub fn facts(&self) -> &F {
        &self.facts
    }

    /// The occasion of an ordinary request now. Say what else is known of it by struct update:
    /// `Occasion { action, room_id, address, ..verifier.occasion() }`. What is not said is not
    /// known, and caveats about it refuse.
    #[must_use]
    pub fn occasion(&self) -> Occasion<'_> {
        let audience = self.audience.as_deref();
        Occasion { audience, ..Occasion::new(Purpose::Request, self.clock.now()) }
    }

    /// Judges a token on an occasion: no allocation, no lock, no call to anybody.
    ///
    /// # Errors
    /// The [`Refusal`], whose [answer](crate::answer::Answer) is what a client is told. A key that
    /// is neither held here nor known to be retired is [`Refusal::KeyNotHeld`]: a verifier hears of
    /// no announcements, so the fault may be ours.
    #[inline]
    pub fn admit<'s>(
        &self,
        text: &str,
        scratch: &'s mut Scratch,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Refusal> {
        let ring = self.ring.load();
        let verdict = self.facts.admit(Presented::read(text, scratch)?, &**ring, occasion);
        verdict.map_err(|refusal| match refusal {
            Refusal::UnknownKey(id) if !ring.is_retired(id) => Refusal::KeyNotHeld(id),
            refusal => refusal,
        })
    }
}

fn checked(ring: Keyring) -> Result<Arc<Keyring>, NoKeys> {
    if ring.ids().is_empty() { Err(NoKeys) } else { Ok(Arc::new(ring)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::UserId;
    use crate::revocations::{Fact, Revocations};
    use crate::time::{ManualClock, Timestamp};
    use crate::token::{Grant, Key, Kind, SessionId, attenuate};

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const ALICE: &str = "@alice:example.com";

    fn key(seed: u8) -> Key {
        Key::from_bytes(&core::array::from_fn(|i| seed.wrapping_add(i as u8))).unwrap()
    }

    fn ring(seed: u8) -> Keyring {
        let mut ring = Keyring::default();
        ring.hold(&key(seed)).unwrap();
        ring
    }

    fn token() -> String {
        let grant = Grant {
            kind: Kind::Access,
            user: UserId::parse(ALICE).unwrap(),
            device: None,
            guest: false,
            session: SessionId::new(NOW, *b"ten random"),
            generation: 0,
            issued_at: NOW,
            expires_at: Some(NOW.plus(1000)),
            carried: &[],
        };
        grant.mint(&key(1).subkey(Kind::Access)).unwrap().reveal().to_owned()
    }

    fn verifier<F: Facts>(facts: F) -> Verifier<F> {
        Verifier::new(ring(1), facts).unwrap().with_clock(ManualClock::at(NOW))
    }

    fn judged<F: Facts>(verifier: &Verifier<F>, text: &str) -> Option<Refusal> {
        verifier.admit(text, &mut Scratch::new(), &verifier.occasion()).err()
    }

    #[test]
    fn a_verifier_without_a_key_is_not_made() {
        assert_eq!(Verifier::new(Keyring::default(), NoFacts).err(), Some(NoKeys));

        let verifier = verifier(NoFacts);
        assert_eq!(verifier.replace_keys(Keyring::default()), Err(NoKeys));
        assert_eq!(judged(&verifier, &token()), None);
    }

    #[test]
    fn a_key_that_is_not_held_is_our_fault_until_it_is_known_to_be_retired() {
        let (verifier, id) = (verifier(NoFacts), key(1).id());

        verifier.replace_keys(ring(2)).unwrap();
        assert_eq!(judged(&verifier, &token()), Some(Refusal::KeyNotHeld(id)));

        let mut without = Keyring::without(vec![id]);
        without.hold(&key(2)).unwrap();
        verifier.replace_keys(without).unwrap();
        assert_eq!(judged(&verifier, &token()), Some(Refusal::UnknownKey(id)));
    }

    #[test]
    fn facts_that_a_program_shares_and_feeds_end_sessions() {
        let facts = Arc::new(Revocations::default());
        let verifier = verifier(facts.clone());
        assert_eq!(judged(&verifier, &token()), None);

        facts.append(&Fact::User { user: ALICE.into(), from: NOW.plus(1), exempt: None });

        assert!(matches!(judged(&verifier, &token()), Some(Refusal::Ended(_))));
    }

    #[test]
    fn a_service_with_a_name_clears_its_own_audience() {
        let narrow = attenuate(&token(), &["audience = media"]).unwrap();

        let named = |name| verifier(NoFacts).with_audience(name);
        assert_eq!(judged(&named("media"), narrow.reveal()), None);
        let refused = |verifier| {
            assert!(matches!(judged(&verifier, narrow.reveal()), Some(Refusal::Unmet(_))));
        };
        refused(named("mail"));
        refused(verifier(NoFacts));
    }
}
