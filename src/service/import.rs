//! Taking over users, devices and tokens from the server before us.
//!
//! What is here already stays as it is, so the same thing can be taken over again and again. A token
//! that was taken over once and has been logged out since stays dead. This file refuses to know
//! where the rows come from.

use std::collections::HashSet;

use super::register::NO_PASSWORD;
use super::{Denial, Service, is_predecessors, random};
use crate::ident::{DeviceId, UserId};
use crate::imports::{Digest, Imported};
use crate::revocations::{Fact, Standing};
use crate::store::{Device, Renewal, SynapseToken, SynapseUser, Tx};
use crate::time::Timestamp;
use crate::token::{Account, AccountState, Kind, SessionId};

/// Whether something is done for good or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rehearsal {
    /// Tried, and undone.
    Yes,
    /// Done.
    No,
}

/// What came of taking over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Accounts that were not here.
    pub users: u64,
    /// Of these, those with a password hash that can be checked.
    pub passwords: u64,
    /// Of these, those that are deactivated.
    pub deactivated: u64,
    /// Devices that were not here.
    pub devices: u64,
    /// Access tokens.
    pub access_tokens: u64,
    /// Refresh tokens.
    pub refresh_tokens: u64,
    /// Users left out: guests, those of application services and of other servers.
    pub left_out: u64,
}

impl Service {
    /// Takes over users, each with everything that is theirs or not at all.
    ///
    /// # Errors
    /// [`super::Failure`] when the store is away; then the users before have been taken over.
    pub async fn take_over(
        &self,
        users: &[SynapseUser],
        rehearsal: Rehearsal,
    ) -> Result<TakenOver, Denial> {
        let mut taken = TakenOver::default();
        for user in users {
            if !self.is_ours(user) {
                taken.left_out += 1;
                continue;
            }
            let mut tx = self.store()?.begin_for(&user.user_id).await?;
            let mut facts = Vec::new();
            self.take_over_user(&mut tx, user, &mut taken, &mut facts).await?;
            if rehearsal == Rehearsal::Yes {
                continue;
            }
            for fact in &facts {
                tx.append(fact, None, &[])?;
            }
            tx.commit().await?;
            facts.iter().for_each(|fact| self.heard(Some(fact)));
        }
        Ok(taken)
    }

    fn is_ours(&self, user: &SynapseUser) -> bool {
        let id = UserId::parse(&user.user_id);
        let here = id.is_ok_and(|id| id.server_name() == self.server.as_str());
        here && !user.guest && !user.of_appservice
    }

    async fn take_over_user(
        &self,
        tx: &mut Tx,
        user: &SynapseUser,
        taken: &mut TakenOver,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Denial> {
        let hash = user.password_hash.as_deref().filter(|hash| is_predecessors(hash));
        let new = tx.add_user(&user.user_id, hash.unwrap_or(NO_PASSWORD), user.created_at).await?;
        // What is read is the homeserver's own database: its account of this name is this one.
        tx.set_at_homeserver(&user.user_id).await?;
        let Some(tick) = tx.tick(&user.user_id, self.now()).await? else { return Ok(()) };
        if new {
            taken.users += 1;
            taken.passwords += u64::from(hash.is_some() && !user.deactivated);
            taken.deactivated += u64::from(user.deactivated);
            let standing = standing(user);
            if standing != Standing::default() {
                let user = user.user_id.as_str().into();
                facts.push(Fact::Account { user, at: tick, standing });
            }
        }
        if user.deactivated {
            Ok(())
        } else {
            self.take_over_sessions(tx, user, tick, taken, facts).await
        }
    }

    async fn take_over_sessions(
        &self,
        tx: &mut Tx,
        user: &SynapseUser,
        tick: Timestamp,
        taken: &mut TakenOver,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Denial> {
        let known = tx.imported(&user.user_id).await?;
        let known: HashSet<Digest> = known.iter().map(|token| token.digest).collect();
        let of = |device: Option<&str>| -> Vec<_> {
            let its = |token: &&SynapseToken| token.device_id.as_deref() == device;
            user.tokens.iter().filter(its).filter(|t| !known.contains(&t.digest)).collect()
        };
        for (device_id, display_name) in &user.devices {
            if DeviceId::parse(device_id).is_err() {
                continue;
            }
            let tokens = of(Some(device_id));
            let device = (device_id.as_str(), display_name.as_deref());
            let began = self.take_over_device(tx, user, device, tick, taken).await?;
            if let Some(session) = began {
                self.take_over_tokens(tx, user, Some(device_id), session, &tokens, facts).await?;
                taken.count(&tokens);
            }
        }
        let tokens = of(None);
        if !tokens.is_empty() {
            let session = SessionId::new(tick, random()?);
            self.take_over_tokens(tx, user, None, session, &tokens, facts).await?;
            taken.count(&tokens);
        }
        Ok(())
    }

    /// The session that a device's tokens stand for: a new one on a device that is not here, the
    /// one it was taken over with, and none where somebody has logged in on it since.
    async fn take_over_device(
        &self,
        tx: &mut Tx,
        user: &SynapseUser,
        (device_id, display_name): (&str, Option<&str>),
        tick: Timestamp,
        taken: &mut TakenOver,
    ) -> Result<Option<SessionId>, Denial> {
        if let Some(device) = tx.device(&user.user_id, device_id).await? {
            let imported = tx.imported(&user.user_id).await?;
            let same = imported.iter().any(|token| token.session == device.session);
            return Ok(same.then_some(device.session));
        }
        let session = SessionId::new(tick, random()?);
        let device = Device {
            user_id: user.user_id.clone(),
            device_id: device_id.to_owned(),
            session,
            display_name: display_name.map(super::begin::shortened),
            created_at: self.now(),
        };
        tx.put_device(&device).await?;
        taken.devices += 1;
        Ok(Some(session))
    }

    async fn take_over_tokens(
        &self,
        tx: &mut Tx,
        user: &SynapseUser,
        device_id: Option<&str>,
        session: SessionId,
        tokens: &[&SynapseToken],
        facts: &mut Vec<Fact>,
    ) -> Result<(), Denial> {
        let renews = tokens.iter().any(|token| token.kind == Kind::Refresh);
        if let Some(device_id) = device_id.filter(|_| renews)
            && tx.renewal(session).await?.is_none()
        {
            tx.put_renewal(&unrenewed(&user.user_id, device_id, session)).await?;
        }
        facts.extend(tokens.iter().map(|token| {
            Fact::Imported(Box::new(Imported {
                digest: token.digest,
                kind: token.kind,
                user: user.user_id.as_str().into(),
                device: device_id.map(Into::into),
                session,
                expires_at: token.expires_at,
            }))
        }));
        Ok(())
    }
}

impl TakenOver {
    fn count(&mut self, tokens: &[&SynapseToken]) {
        let refresh = tokens.iter().filter(|token| token.kind == Kind::Refresh).count() as u64;
        self.refresh_tokens += refresh;
        self.access_tokens += tokens.len() as u64 - refresh;
    }

    /// Adds what came of more.
    pub fn add(&mut self, more: Self) {
        self.users += more.users;
        self.passwords += more.passwords;
        self.deactivated += more.deactivated;
        self.devices += more.devices;
        self.access_tokens += more.access_tokens;
        self.refresh_tokens += more.refresh_tokens;
        self.left_out += more.left_out;
    }
}

/// A session of which no token has been renewed here: its imported refresh tokens are of
/// generation 0.
fn unrenewed(user_id: &str, device_id: &str, session: SessionId) -> Renewal {
    Renewal {
        session,
        user_id: user_id.to_owned(),
        device_id: device_id.to_owned(),
        generation: 0,
        branch: session.beginning(),
        settled_at: session.beginning(),
        branches: Vec::new(),
        opened_at: Timestamp::ZERO,
        carried: Vec::new(),
    }
}

fn standing(user: &SynapseUser) -> Standing {
    if user.deactivated {
        return Standing::Deactivated;
    }
    let state = match (user.locked, user.suspended) {
        (true, _) => AccountState::Locked,
        (false, true) => AccountState::Suspended,
        (false, false) => AccountState::Active,
    };
    Standing::Open(Account { state, admin: user.admin })
}
