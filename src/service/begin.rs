//! The beginning of a session: on which device, with which token, and what it ends.
//!
//! Everything happens inside the transaction of whoever begins it; this file refuses to know by
//! what right.

use super::login::wrong;
use super::{Declined, Denial, Failure, LoginTokenFault, Service, random};
use crate::ident::{DeviceId, UserId};
use crate::revocations::{Fact, Revocations};
use crate::store::{Device, Tx};
use crate::time::Timestamp;
use crate::token::{AccountState, Caveat, Facts, Grant, Kind, Refusal, SessionId, Token};

/// A session that has begun.
pub struct Granted {
    /// Whose.
    pub user_id: String,
    /// On which device.
    pub device_id: String,
    /// The name of the session.
    pub session: SessionId,
    /// When the token was minted.
    pub issued_at: Timestamp,
    /// The access token.
    pub access_token: Token,
    /// How long it lives, in milliseconds; `None` for as long as the session.
    pub expires_in_ms: Option<u64>,
}

/// On which device a session is to begin.
#[derive(Clone, Copy)]
pub(super) enum Chosen<'a> {
    /// One with an id of ours.
    New,
    /// This one, if the user has it not yet.
    Unknown(&'a str),
    /// This one; its earlier sessions end.
    Any(&'a str),
}

impl<'a> Chosen<'a> {
    pub(super) fn freely(device_id: Option<&'a str>) -> Self {
        device_id.map_or(Self::New, Self::Any)
    }

    /// A token that names a device is for that one. A narrowed token makes a new device: it was
    /// handed to somebody who shall not end what its owner has.
    pub(super) fn by_token(
        asked: Option<&'a str>,
        named: Option<&'a str>,
        narrowed: bool,
    ) -> Result<Self, Denial> {
        match (named, asked) {
            (Some(named), Some(asked)) if named != asked => {
                Err(wrong(LoginTokenFault::OtherDevice))
            }
            (Some(named), _) => Ok(Self::Any(named)),
            (None, Some(asked)) if narrowed => Ok(Self::Unknown(asked)),
            (None, asked) => Ok(Self::freely(asked)),
        }
    }
}

impl Service {
    /// Begins a session inside a transaction; also gives the fact that ends earlier sessions of a
    /// device that was chosen.
    pub(super) async fn begin(
        &self,
        tx: &mut Tx,
        user_id: &str,
        display_name: Option<&str>,
        chosen: Chosen<'_>,
        carried: &[&str],
    ) -> Result<(Granted, Option<Fact>), Denial> {
        self.may_begin(user_id, &tx.facts_about(user_id).await?)?;
        let now = self.now();
        let tick = tx.tick(user_id, now).await?.ok_or(Declined::WrongPassword)?;
        let session = SessionId::new(tick, random()?);
        let device_id = match chosen {
            Chosen::New => new_device_id()?,
            Chosen::Unknown(id) if tx.device(user_id, id).await?.is_some() => {
                return Err(wrong(LoginTokenFault::TakesOver));
            }
            Chosen::Unknown(id) | Chosen::Any(id) => id.to_owned(),
        };
        let granted = self.grant(user_id.to_owned(), device_id, session, now, carried)?;
        let device = Device {
            user_id: user_id.to_owned(),
            device_id: granted.device_id.clone(),
            session,
            display_name: display_name.map(shortened),
            created_at: now,
        };
        tx.put_device(&device).await?;
        let Chosen::Any(_) = chosen else { return Ok((granted, None)) };
        let (user, device) = (user_id.into(), granted.device_id.as_str().into());
        let fact = Fact::Device { user, device, from: tick };
        tx.append(&fact, None, &self.ring().ids()).await?;
        Ok((granted, Some(fact)))
    }

    fn may_begin(&self, user_id: &str, facts: &Revocations) -> Result<(), Denial> {
        // A session that has not begun yet is ended by nothing but the state of its account.
        let session = SessionId::new(Timestamp::MAX, [0; 10]);
        let user = UserId::parse(user_id).map_err(|_| Declined::WrongPassword)?;
        let account = facts.standing(user, None, session).map_err(|_| Declined::WrongPassword)?;
        let locked = account.state == AccountState::Locked;
        if locked { Err(Refusal::Locked.into()) } else { Ok(()) }
    }

    /// The access token of a session; the same for the same session and instant.
    pub(super) fn grant(
        &self,
        user_id: String,
        device_id: String,
        session: SessionId,
        issued_at: Timestamp,
        carried: &[&str],
    ) -> Result<Granted, Denial> {
        let ring = self.ring();
        let subkey = ring.minting(Kind::Access).ok_or(Failure::NoMintingKey)?;
        let expires_at = self.policy.access_cap.map(|life| issued_at.plus(life));
        let grant = Grant {
            kind: Kind::Access,
            user: UserId::parse(&user_id).map_err(|_| Declined::WrongPassword)?,
            device: Some(DeviceId::parse(&device_id).map_err(|_| Declined::BadDeviceId)?),
            guest: false,
            session,
            generation: 0,
            issued_at,
            expires_at,
            carried,
        };
        let access_token = grant.mint(subkey)?;
        let ends_at = carried.iter().filter_map(|text| time_caveat(text)).chain(expires_at).min();
        let expires_in_ms = ends_at.map(|end| end.millis().saturating_sub(self.now().millis()));
        Ok(Granted { user_id, device_id, session, issued_at, access_token, expires_in_ms })
    }
}

fn time_caveat(text: &str) -> Option<Timestamp> {
    match Caveat::read(text) {
        Ok(Caveat::Time(end)) => Some(end),
        _ => None,
    }
}

/// Ten letters, as device ids usually look: 47 random bits, and a clash ends only a session of the
/// same user.
fn new_device_id() -> Result<String, Failure> {
    let letters = random::<10>()?.map(|byte| char::from(b'A' + byte % 26));
    Ok(letters.iter().collect())
}

/// At most 100 characters: what Synapse keeps of a display name.
fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
