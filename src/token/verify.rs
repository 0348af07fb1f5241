//! From a presented token to its bearer: first the chain, then the facts, the clock, the caveats.
//!
//! This file knows the order of the checks; it refuses to know where keys and facts are kept, which
//! reach it as [`Keys`] and [`Facts`]. Nothing here allocates, locks or waits.

use super::KeyId;
use super::caveat::Caveat;
use super::wire::{Caveats, Presented};
use super::{CaveatAt, EndedBy, Gate, Identifier, Kind, Occasion, Refusal, SessionId, Subkey};
use crate::ident::{DeviceId, UserId};
use crate::time::Timestamp;

/// Where subkeys are found.
pub trait Keys {
    /// The subkey of one kind that derives from the key of this name.
    ///
    /// # Errors
    /// [`Refusal::UnknownKey`] for a key retired or never announced, [`Refusal::KeyNotHeld`] for
    /// one that other nodes have and this one lacks.
    fn find(&self, id: KeyId, kind: Kind) -> Result<&Subkey, Refusal>;
}

/// A subkey alone is a ring of one: what a side service holds.
impl Keys for Subkey {
    fn find(&self, id: KeyId, kind: Kind) -> Result<&Subkey, Refusal> {
        let mine = self.key_id() == id && self.kind() == kind;
        if mine { Ok(self) } else { Err(Refusal::UnknownKey(id)) }
    }
}

/// What is known against sessions and accounts.
pub trait Facts {
    /// How the account stands, if the session has not been ended.
    ///
    /// # Errors
    /// Which fact ended the session.
    fn standing(
        &self,
        user: UserId<'_>,
        device: Option<DeviceId<'_>>,
        session: SessionId,
    ) -> Result<Account, EndedBy>;

    /// Judges a token by these facts. Facts that lie in much memory ask for it while the chain is
    /// computed; the verdict is the same.
    ///
    /// # Errors
    /// Those of [`Presented::authenticate`] and [`Authentic::clear`].
    #[inline]
    fn admit<'s, K: Keys + ?Sized>(
        &self,
        presented: Presented<'s>,
        keys: &K,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Refusal>
    where
        Self: Sized,
    {
        presented.authenticate(keys)?.clear(self, occasion)
    }
}

/// Facts that are shared are facts.
impl<F: Facts> Facts for std::sync::Arc<F> {
    #[inline]
    fn standing(
        &self,
        user: UserId<'_>,
        device: Option<DeviceId<'_>>,
        session: SessionId,
    ) -> Result<Account, EndedBy> {
        (**self).standing(user, device, session)
    }

    #[inline]
    fn admit<'s, K: Keys + ?Sized>(
        &self,
        presented: Presented<'s>,
        keys: &K,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Refusal> {
        (**self).admit(presented, keys, occasion)
    }
}

/// Nothing is known against anybody: for nodes without a feed, which say so.
#[derive(Clone, Copy, Debug)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn standing(
        &self,
        _: UserId<'_>,
        _: Option<DeviceId<'_>>,
        _: SessionId,
    ) -> Result<Account, EndedBy> {
        Ok(Account::default())
    }
}

/// How an account stands that is not deactivated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AccountState {
    /// As usual.
    #[default]
    Active,
    /// May do nothing but log out.
    Locked,
    /// May not do what the specification forbids to suspended users.
    Suspended,
}

/// What is known of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Account {
    /// Whether it is active.
    pub state: AccountState,
    /// Whether its user administers the server.
    pub admin: bool,
}

/// A token whose chain of HMACs holds.
///
/// Only [`Presented::authenticate`] makes one, and inside this crate whoever takes over the tokens
/// of another issuer; so code that takes an `Authentic` cannot be reached by a forged token. It may still have expired or been logged out: see [`Authentic::clear`].
#[must_use = "an authentic token is not yet an admitted one"]
pub struct Authentic<'s>(pub(super) Presented<'s>);

impl<'s> Presented<'s> {
    /// Checks the chain: two compressions for the identifier, four for a usual caveat.
    ///
    /// # Errors
    /// What `keys` says of the key, else [`Refusal::Forged`].
    #[inline]
    pub fn authenticate<K: Keys + ?Sized>(self, keys: &K) -> Result<Authentic<'s>, Refusal> {
        self.authenticate_while(keys, || ())
    }

    /// As [`Self::authenticate`], and does something else in the middle of the chain: looks whether
    /// memory that was asked for before has come, and asks for more.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    #[inline]
    pub fn authenticate_while<K: Keys + ?Sized>(
        self,
        keys: &K,
        meanwhile: impl FnOnce(),
    ) -> Result<Authentic<'s>, Refusal> {
        let subkey = keys.find(self.identifier.key_id, self.identifier.kind)?;
        let mut tag = subkey.root().tag(self.signed);
        let mut caveats = self.caveats;
        if let Some(first) = caveats.next_signed() {
            tag = tag.extend(first);
        }
        meanwhile();
        while let Some(caveat) = caveats.next_signed() {
            tag = tag.extend(caveat);
        }
        if tag.matches(self.tag) { Ok(Authentic(self)) } else { Err(Refusal::Forged) }
    }
}

impl<'s> Authentic<'s> {
    /// Whose it is, whether or not it may still be used.
    #[must_use]
    pub fn user_id(&self) -> UserId<'s> {
        self.0.user
    }

    /// Which session it belongs to, whether or not that has ended.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.0.identifier.session
    }

    /// Judges the token on an occasion: purpose, facts, expiry and every appended caveat.
    ///
    /// # Errors
    /// The first [`Refusal`] in that order.
    #[inline]
    pub fn clear<F: Facts + ?Sized>(
        self,
        facts: &F,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Refusal> {
        let Presented { identifier, user, device, appended, .. } = self.0;
        if !occasion.purpose.admits(identifier.kind) {
            return Err(Refusal::WrongKind(identifier.kind));
        }
        let account = facts.standing(user, device, identifier.session).map_err(Refusal::Ended)?;
        if account.state == AccountState::Locked && occasion.gate == Gate::Unlocked {
            return Err(Refusal::Locked);
        }
        if identifier.expires_at.is_some_and(|end| end <= occasion.now) {
            return Err(Refusal::Expired);
        }
        let bearer = Bearer { identifier, user, device, appended, account };
        bearer.clear_caveats(occasion)?;
        Ok(bearer)
    }
}

/// Somebody whose token holds and clears on the occasion it was judged in.
///
/// Only [`Authentic::clear`] makes one.
pub struct Bearer<'s> {
    identifier: Identifier,
    user: UserId<'s>,
    device: Option<DeviceId<'s>>,
    appended: Caveats<'s>,
    account: Account,
}

impl<'s> Bearer<'s> {
    #[inline]
    fn clear_caveats(&self, occasion: &Occasion<'_>) -> Result<(), Refusal> {
        let first = 1 + u8::from(self.device.is_some());
        for (index, text) in (first..).zip(self.appended) {
            let caveat = Caveat::read(text)
                .map_err(|_| Refusal::UnknownCaveat(CaveatAt { index, key: None }))?;
            let at = CaveatAt { index, key: Some(caveat.key()) };
            if self.identifier.kind == Kind::Refresh && !caveat.goes_on_refresh() {
                return Err(Refusal::Sealed(at));
            }
            if !occasion.clears(&caveat, self.user, self.device) {
                return Err(Refusal::Unmet(at));
            }
        }
        Ok(())
    }

    /// Who bears the token.
    #[must_use]
    pub fn user_id(&self) -> UserId<'s> {
        self.user
    }

    /// On which device, if on one.
    #[must_use]
    pub fn device_id(&self) -> Option<DeviceId<'s>> {
        self.device
    }

    /// Which session the token belongs to.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.identifier.session
    }

    /// What the identifier says.
    #[must_use]
    pub fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    /// Whether the bearer is a guest.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.identifier.guest
    }

    /// How the account stands.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account
    }

    /// The caveats that holders appended, in order.
    #[must_use]
    pub fn appended(&self) -> Caveats<'s> {
        self.appended
    }

    /// The instant by which this token is dead: its expiry or its earliest `time` caveat.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        let times = self.appended.filter_map(|text| match Caveat::read(text) {
            Ok(Caveat::Time(end)) => Some(end),
            _ => None,
        });
        times.chain(self.identifier.expires_at).min()
    }
}
