//! Ending sessions: one, a device's, a user's.
//!
//! A revocation is answered after the commit; in this process it counts from the same moment on.
//! This file refuses to know who asked on which face.

use super::{Caller, Denial, Event, Service};
use crate::revocations::Fact;
use crate::store::{Device, Tx};
use crate::time::Timestamp;
use crate::token::{Gate, SessionId};

/// How much longer than its session's access token an inner token may live, in milliseconds: two
/// days.
const INNER: u64 = 2 * 86_400_000;

/// What was ended, and from when on.
#[derive(Debug)]
pub struct Ended {
    /// Whose.
    pub user_id: String,
    /// The tick of the ending: sessions that began before it are dead.
    pub from: Timestamp,
    /// How many devices went with it.
    pub devices: u64,
}

impl Service {
    /// Ends the caller's session and, if it has one, its device.
    ///
    /// # Errors
    /// [`crate::token::Refusal::Ended`] when it has ended already; [`super::Failure`] when the store is away, and then
    /// nothing has happened.
    pub async fn logout(&self, caller: &Caller) -> Result<(), Denial> {
        let mut tx = self.judged(caller, Gate::EvenLocked).await?;
        let fact = match &caller.device_id {
            Some(device) => {
                let from = self.tick(&mut tx, caller).await?;
                tx.delete_devices(&caller.user_id, Some(device)).await?;
                tx.delete_renewals(&caller.user_id, Some(device), None).await?;
                self.mark(&mut tx, &caller.user_id, Some(device)).await?;
                let (user, device) = (caller.user_id.as_str().into(), device.as_str().into());
                Fact::Device { user, device, from }
            }
            None => Fact::Session { user: caller.user_id.as_str().into(), session: caller.session },
        };
        // A session without a device was minted offline and has this one token.
        let ends_at = caller.minted_until.filter(|_| caller.device_id.is_none());
        let Caller { user_id, device_id, session, .. } = caller;
        let (device_id, session) = (device_id.as_deref(), *session);
        self.end_until(tx, &fact, ends_at, &Event::Logout { user_id, device_id, session }).await
    }

    /// Ends every session of the caller's user.
    ///
    /// # Errors
    /// As [`Self::logout`].
    pub async fn logout_all(&self, caller: &Caller) -> Result<(), Denial> {
        let mut tx = self.judged(caller, Gate::EvenLocked).await?;
        let from = self.tick(&mut tx, caller).await?;
        tx.delete_devices(&caller.user_id, None).await?;
        tx.delete_renewals(&caller.user_id, None, None).await?;
        self.mark(&mut tx, &caller.user_id, None).await?;
        let fact = Fact::User { user: caller.user_id.as_str().into(), from, exempt: None };
        let event = Event::LogoutAll { user_id: &caller.user_id, session: caller.session };
        self.end(tx, &fact, &event).await
    }

    /// Ends every session of a user, by an operator's hand; `None` when there is no such user.
    ///
    /// # Errors
    /// [`super::Failure`] when the store is away, and then nothing has happened.
    pub async fn end_sessions_of(&self, user_id: &str) -> Result<Option<Ended>, Denial> {
        let tx = self.store()?.begin_for(user_id).await?;
        self.end_all(tx, user_id, |devices| Event::SessionsEnded { user_id, devices }).await
    }

    /// Ends every session there is, of everybody, and takes all devices away: for when keys were
    /// stolen, or a restored database has forgotten logouts. Gives the instant that sessions must
    /// begin at or after to live, and how many devices there were. It lies above the tick of every
    /// session, and no later session begins below it.
    ///
    /// # Errors
    /// [`super::Failure`] when the store is away, and then nothing has happened.
    pub async fn end_every_session(&self) -> Result<(Timestamp, u64), Denial> {
        let mut tx = self.store()?.begin().await?;
        let from = tx.tick_everybody().await?.max(self.now());
        tx.raise_tick(None, from).await?;
        let devices = tx.delete_every_device().await?;
        self.end(tx, &Fact::Server { from }, &Event::EverySessionEnded { devices }).await?;
        Ok((from, devices))
    }

    async fn end_all<'e>(
        &self,
        mut tx: Tx,
        user_id: &str,
        event: impl FnOnce(u64) -> Event<'e>,
    ) -> Result<Option<Ended>, Denial> {
        let Some(from) = tx.tick(user_id, self.store_now()).await? else { return Ok(None) };
        let devices = tx.delete_devices(user_id, None).await?;
        tx.delete_renewals(user_id, None, None).await?;
        self.mark(&mut tx, user_id, None).await?;
        let fact = Fact::User { user: user_id.into(), from, exempt: None };
        self.end(tx, &fact, &event(devices)).await?;
        Ok(Some(Ended { user_id: user_id.to_owned(), from, devices }))
    }

    /// Gives a user another password hash and ends every session, by an operator's hand; `None`
    /// when there is no such user.
    ///
    /// # Errors
    /// [`super::Failure`] when the store is away, and then nothing has happened.
    pub async fn replace_password(
        &self,
        user_id: &str,
        hash: &str,
    ) -> Result<Option<Ended>, Denial> {
        let mut tx = self.store()?.begin_for(user_id).await?;
        if !tx.set_password_hash(user_id, hash).await? {
            return Ok(None);
        }
        self.end_all(tx, user_id, |devices| Event::PasswordReplaced { user_id, devices }).await
    }

    /// Ends one session, by an operator's hand, and takes its device away if it lives on one.
    ///
    /// # Errors
    /// [`super::Failure`] when the store is away, and then nothing has happened.
    pub async fn end_session(&self, user_id: &str, session: SessionId) -> Result<Ended, Denial> {
        let mut tx = self.store()?.begin_for(user_id).await?;
        let device = tx.device_of(session).await?.filter(|device| device.user_id == user_id);
        let devices = match &device {
            Some(device) => {
                tx.delete_renewals(user_id, Some(&device.device_id), None).await?;
                self.mark(&mut tx, user_id, Some(&device.device_id)).await?;
                tx.delete_devices(user_id, Some(&device.device_id)).await?
            }
            None => 0,
        };
        let fact = Fact::Session { user: user_id.into(), session };
        self.end(tx, &fact, &Event::SessionEnded { user_id, ended: session }).await?;
        let from = session.beginning().plus(1);
        Ok(Ended { user_id: user_id.to_owned(), from, devices })
    }

    /// The device that a session lives on.
    ///
    /// # Errors
    /// [`super::Failure`] when the store is away.
    pub async fn device_of(&self, session: SessionId) -> Result<Option<Device>, Denial> {
        Ok(self.store()?.read().await?.device_of(session).await?)
    }

    /// A transaction in which the caller's session lives and its account may act.
    pub(super) async fn judged(&self, caller: &Caller, gate: Gate) -> Result<Tx, Denial> {
        let mut tx = self.store()?.begin_for(&caller.user_id).await?;
        caller.judge(&caller.facts(&mut tx).await?, gate)?;
        Ok(tx)
    }

    /// The user's next tick, by the clock of the database: taken by one that is an hour ahead, it
    /// would end for an hour what is minted offline. An account-less user, whose token was minted
    /// offline, has none, and is ended by the clock.
    pub(super) async fn tick(&self, tx: &mut Tx, caller: &Caller) -> Result<Timestamp, Denial> {
        // A token minted offline by a clock that is ahead began after everything else here: the
        // ending has to lie behind it all the same.
        let after = self.store_now().max(caller.session.beginning().plus(1));
        Ok(tx.tick(&caller.user_id, after).await?.unwrap_or(after))
    }

    /// Commits an ending and tells of it, the homeserver too.
    pub(super) async fn end(&self, tx: Tx, fact: &Fact, event: &Event<'_>) -> Result<(), Denial> {
        self.end_until(tx, fact, None, event).await
    }

    /// As [`Self::end`]; `ends_at` is as in [`Self::append`].
    async fn end_until(
        &self,
        mut tx: Tx,
        fact: &Fact,
        ends_at: Option<Timestamp>,
        event: &Event<'_>,
    ) -> Result<(), Denial> {
        self.append(&mut tx, fact, ends_at)?;
        tx.commit().await?;
        self.heard(Some(fact));
        self.tell(event);
        self.inform(user_of(fact)).await;
        Ok(())
    }

    /// Appends a fact. `ends_at` is when the last of the tokens that it may hit ends, if that is
    /// known; otherwise the fact is kept until every key they may be signed with is retired. Tokens
    /// minted offline are known to nobody, so it is only known where one token is all of a session.
    pub(super) fn append(
        &self,
        tx: &mut Tx,
        fact: &Fact,
        ends_at: Option<Timestamp>,
    ) -> Result<(), Denial> {
        let hits_until = ends_at.map(|end| end.plus(INNER));
        Ok(tx.append(fact, hits_until, &self.ring().known_ids())?)
    }

    /// Takes a committed fact into memory at once; the follower will bring it again.
    pub(super) fn heard(&self, fact: Option<&Fact>) {
        if fact.is_some() {
            self.metrics.heard();
        }
        match fact {
            Some(Fact::Imported(token)) => self.imports.learn(token),
            Some(fact) => self.facts.append(fact),
            None => {}
        }
    }
}

/// Whose sessions a fact ends, if it is about one user.
fn user_of(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::User { user, .. }
        | Fact::Device { user, .. }
        | Fact::Session { user, .. }
        | Fact::Account { user, .. } => Some(user),
        Fact::Server { .. } | Fact::Key { .. } | Fact::Imported(_) => None,
    }
}
