//! The beginning of a session: on which device, with which token, and what it ends.
//!
//! Everything happens inside the transaction of whoever begins it; this file refuses to know by
//! what right.

use super::generation::Mark;
use super::linked::Announced;
use super::login::wrong;
use super::mint::goes_on_refresh;
use super::{Declined, Denial, Failure, LoginTokenFault, Minting, Pair, Service, random};
use crate::ident::UserId;
use crate::revocations::{Fact, Revocations};
use crate::store::{Device, Renewal, Tx};
use crate::time::Timestamp;
use crate::token::{AccountState, Facts, Refusal, SessionId};

/// A session that has begun.
pub struct Granted {
    /// Whose.
    pub user_id: String,
    /// On which device.
    pub device_id: String,
    /// The name of the session.
    pub session: SessionId,
    /// When its tokens were minted.
    pub issued_at: Timestamp,
    /// Its tokens.
    pub pair: Pair,
}

/// What a session is to be like.
#[derive(Clone, Copy)]
pub(super) struct Beginning<'a> {
    pub(super) user_id: &'a str,
    /// What a new device is to be called.
    pub(super) display_name: Option<&'a str>,
    pub(super) chosen: Chosen<'a>,
    /// Whether it renews its tokens.
    pub(super) renewable: bool,
    /// Caveats of the token it begins with.
    pub(super) carried: &'a [&'a str],
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
        beginning: &Beginning<'_>,
        announced: Option<&Announced>,
    ) -> Result<(Granted, Option<Fact>), Denial> {
        let Beginning { user_id, display_name, chosen, .. } = *beginning;
        let facts = tx.facts_about_account(user_id).await?;
        self.may_begin(user_id, &facts)?;
        let now = self.now();
        // A user who is new here, by a clock that is behind, begins behind the end of all sessions.
        let least = self.store_now().max(facts.server_from());
        let tick = tx.tick(user_id, least).await?.ok_or(Declined::WrongPassword)?;
        let session = SessionId::new(tick, random()?);
        let device_id = match (chosen, announced) {
            (Chosen::New, Some(announced)) => announced.device_id.clone(),
            (Chosen::New, None) => new_device_id()?,
            (Chosen::Unknown(id), _) if tx.device(user_id, id).await?.is_some() => {
                return Err(wrong(LoginTokenFault::TakesOver));
            }
            (Chosen::Unknown(id) | Chosen::Any(id), _) => id.to_owned(),
        };
        let granted = self.granted(beginning, device_id, session, now)?;
        let device = Device {
            user_id: user_id.to_owned(),
            device_id: granted.device_id.clone(),
            session,
            display_name: display_name.map(shortened),
            created_at: now,
        };
        tx.put_device(&device).await?;
        if announced.is_none() {
            self.mark_device(tx, &device).await?;
        }
        tx.delete_renewals(user_id, Some(&device.device_id), None).await?;
        if beginning.renewable {
            tx.put_renewal(&granted.renewal(beginning.carried)).await?;
        }
        tx.sign_first(session, granted.pair.key).await?;
        let Chosen::Any(_) = chosen else { return Ok((granted, None)) };
        let (user, device) = (user_id.into(), device.device_id.into());
        let fact = Fact::Device { user, device, from: tick };
        self.append(tx, &fact, None)?;
        Ok((granted, Some(fact)))
    }

    /// A session with its first tokens; the same ones for the same session and instant.
    pub(super) fn granted(
        &self,
        beginning: &Beginning<'_>,
        device_id: String,
        session: SessionId,
        issued_at: Timestamp,
    ) -> Result<Granted, Denial> {
        let carried = beginning.carried;
        let on: Vec<_> = carried.iter().copied().filter(|text| goes_on_refresh(text)).collect();
        let pair = self.mint(&Minting {
            user_id: beginning.user_id,
            device_id: Some(&device_id),
            guest: false,
            session,
            mark: Mark { generation: 0, issued_at },
            renewable: beginning.renewable,
            carried,
            carried_on: &on,
        })?;
        let user_id = beginning.user_id.to_owned();
        Ok(Granted { user_id, device_id, session, issued_at, pair })
    }

    pub(super) fn may_begin(&self, user_id: &str, facts: &Revocations) -> Result<(), Denial> {
        // A session that has not begun yet is ended by nothing but the state of its account.
        let session = SessionId::new(Timestamp::MAX, [0; 10]);
        let user = UserId::parse(user_id).map_err(|_| Declined::WrongPassword)?;
        let account = facts.standing(user, None, session).map_err(|_| Declined::WrongPassword)?;
        let locked = account.state == AccountState::Locked;
        if locked { Err(Refusal::Locked.into()) } else { Ok(()) }
    }
}

impl Granted {
    /// Where the session stands at its beginning. Caveats that no refresh token can carry are kept
    /// here, so that no access token of the session ever comes without them.
    fn renewal(&self, carried: &[&str]) -> Renewal {
        let kept = carried.iter().filter(|text| !goes_on_refresh(text));
        Renewal {
            session: self.session,
            user_id: self.user_id.clone(),
            device_id: self.device_id.clone(),
            generation: 0,
            branch: self.issued_at,
            settled_at: self.issued_at,
            branches: Vec::new(),
            opened_at: Timestamp::ZERO,
            carried: kept.map(|text| (*text).to_owned()).collect(),
        }
    }
}

/// Ten letters, as device ids usually look: 47 random bits, and a clash ends only a session of the
/// same user.
pub(super) fn new_device_id() -> Result<String, Failure> {
    let letters = random::<10>()?.map(|byte| char::from(b'A' + byte % 26));
    Ok(letters.iter().collect())
}

/// At most 100 characters: what Synapse keeps of a display name.
pub(super) fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
