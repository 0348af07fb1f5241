//! Minting: how long tokens live and what they carry.
//!
//! The same words give the same tokens: a repeated exchange is answered with the very same pair.
//! This file refuses to know why a pair is minted.

use super::generation::Mark;
use super::{Denial, Failure, Service};
use crate::ident::{DeviceId, UserId};
use crate::keyring::Keyring;
use crate::time::Timestamp;
use crate::token::{Caveat, Grant, KeyId, Kind, MintError, SessionId, Token};

/// What a pair of tokens is to say.
pub(super) struct Minting<'a> {
    pub(super) user_id: &'a str,
    pub(super) device_id: Option<&'a str>,
    pub(super) guest: bool,
    pub(super) session: SessionId,
    pub(super) mark: Mark,
    /// Whether there is a refresh token, so that the access token can be short-lived.
    pub(super) renewable: bool,
    /// Caveats of the access token.
    pub(super) carried: &'a [&'a str],
    /// Caveats of the refresh token.
    pub(super) carried_on: &'a [&'a str],
}

/// An access token and, in a session that renews, a refresh token.
pub struct Pair {
    /// Whose they are.
    pub session: SessionId,
    /// The key that signed both.
    pub key: KeyId,
    /// The access token.
    pub access_token: Token,
    /// The refresh token.
    pub refresh_token: Option<Token>,
    /// How long the access token lives, in milliseconds; `None` for as long as the session.
    pub expires_in_ms: Option<u64>,
}

impl Service {
    /// Mints a pair.
    pub(super) fn mint(&self, minting: &Minting<'_>) -> Result<Pair, Denial> {
        self.may_mint()?;
        let (policy, issued_at) = (&self.policy, minting.mark.issued_at);
        let session_end = policy.session_life.map(|life| minting.session.beginning().plus(life));
        let session_end = session_end.filter(|_| minting.renewable);
        let lives = minting.renewable.then_some(policy.access_life).into_iter();
        let life = lives.chain(policy.access_cap).min();
        let access_end = life.map(|life| issued_at.plus(life)).into_iter().chain(session_end).min();
        // One ring for both: a rotation between them would part the pair.
        let ring = self.ring();
        let key = ring.minting_id().ok_or(Failure::NoMintingKey)?;
        let sign = |kind, end, carried| self.sign(&ring, minting, kind, end, carried);
        let access_token = sign(Kind::Access, access_end, minting.carried)?;
        let refresh_token = if minting.renewable {
            let end = issued_at.plus(policy.refresh_life);
            let end = session_end.map_or(end, |session_end| session_end.min(end));
            Some(sign(Kind::Refresh, Some(end), minting.carried_on)?)
        } else {
            None
        };
        let ends_at = minting.carried.iter().filter_map(|text| time_caveat(text)).chain(access_end);
        let now = self.now().millis();
        let expires_in_ms = ends_at.min().map(|end| end.millis().saturating_sub(now));
        Ok(Pair { session: minting.session, key, access_token, refresh_token, expires_in_ms })
    }

    pub(super) fn sign(
        &self,
        ring: &Keyring,
        minting: &Minting<'_>,
        kind: Kind,
        expires_at: Option<Timestamp>,
        carried: &[&str],
    ) -> Result<Token, Denial> {
        if expires_at.is_some() {
            self.trusts_clock()?;
        }
        let unfit = |_| Failure::Mint(MintError::Unprintable);
        let grant = Grant {
            kind,
            user: UserId::parse(minting.user_id).map_err(unfit)?,
            device: minting.device_id.map(DeviceId::parse).transpose().map_err(unfit)?,
            guest: minting.guest,
            session: minting.session,
            generation: minting.mark.generation,
            issued_at: minting.mark.issued_at,
            expires_at,
            carried,
        };
        let token = grant.mint(ring.minting(kind).ok_or(Failure::NoMintingKey)?)?;
        self.metrics.minted(kind);
        Ok(token)
    }
}

/// Whether a caveat may be appended to a refresh token.
pub(super) fn goes_on_refresh(text: &str) -> bool {
    matches!(Caveat::read(text), Ok(Caveat::Time(_) | Caveat::Ip(_)))
}

fn time_caveat(text: &str) -> Option<Timestamp> {
    match Caveat::read(text) {
        Ok(Caveat::Time(end)) => Some(end),
        _ => None,
    }
}
