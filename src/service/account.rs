//! Accounts: passwords, login tokens for another device, locking, the end of an account.
//!
//! This file refuses to know how a caller proved who it is.

use super::events::{Event, labels};
use super::interactive::Passed;
use super::proof::asked_for;
use super::register::NO_PASSWORD;
use super::{Caller, Declined, Denial, Failure, Service, random};
use crate::ident::UserId;
use crate::revocations::{Fact, Revocations, Standing};
use crate::store::Claim;
use crate::time::Timestamp;
use crate::token::{Account, AccountState, Gate, Grant, Kind, SessionId, Token};

/// How long a user has to wait for another login token, in milliseconds.
const PAUSE: u64 = 60_000;

/// What a change of password does to the user's other sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They end, and their devices go.
    End,
    /// They live on.
    Live,
}

impl Service {
    /// Gives the caller another password.
    ///
    /// # Errors
    /// [`Declined::WeakPassword`], [`Declined::AlreadyDone`]; [`Failure`] when the store is away,
    /// and then nothing has happened.
    pub async fn change_password(
        &self,
        caller: &Caller,
        password: &str,
        others: Others,
        passed: &Passed,
    ) -> Result<(), Denial> {
        let hash = self.passwords.hash(password).await?;
        let mut tx = self.judged(caller, Gate::Unlocked).await?;
        self.claim_passed(&mut tx, passed).await?;
        if !tx.set_password_hash(&caller.user_id, &hash).await? {
            return Err(Declined::OtherUser.into());
        }
        tx.finish_with(&passed.claim(), "").await?;
        let told = |others| Event::PasswordChanged {
            user_id: &caller.user_id,
            session: caller.session,
            others,
        };
        if others == Others::Live {
            tx.commit().await?;
            self.tell(&told("live"));
            return Ok(());
        }
        let from = self.tick(&mut tx, caller).await?;
        let spared = caller.device_id.as_deref();
        tx.delete_other_devices(&caller.user_id, spared).await?;
        tx.delete_renewals(&caller.user_id, None, Some(caller.session)).await?;
        self.mark(&mut tx, &caller.user_id, None).await?;
        let (user, exempt) = (caller.user_id.as_str().into(), Some(caller.session));
        self.end(tx, &Fact::User { user, from, exempt }, &told("end")).await
    }

    /// Whether a password may be one.
    ///
    /// # Errors
    /// [`Declined::WeakPassword`] when it has less than 8 characters.
    pub fn check_password(&self, password: &str) -> Result<(), Denial> {
        if password.chars().count() < 8 { Err(Declined::WeakPassword.into()) } else { Ok(()) }
    }

    /// Ends the caller's account for ever. Its name stays taken.
    ///
    /// # Errors
    /// As [`Self::change_password`].
    pub async fn deactivate(&self, caller: &Caller, passed: &Passed) -> Result<(), Denial> {
        let mut tx = self.judged(caller, Gate::Unlocked).await?;
        self.claim_passed(&mut tx, passed).await?;
        tx.finish_with(&passed.claim(), "").await?;
        let at = self.tick(&mut tx, caller).await?;
        tx.set_password_hash(&caller.user_id, NO_PASSWORD).await?;
        tx.delete_devices(&caller.user_id, None).await?;
        tx.delete_renewals(&caller.user_id, None, None).await?;
        self.mark(&mut tx, &caller.user_id, None).await?;
        let (user, standing) = (caller.user_id.as_str().into(), Standing::Deactivated);
        let (user_id, session) = (caller.user_id.as_str(), Some(caller.session));
        let event = Event::Account { user_id, state: "deactivated", session };
        self.end(tx, &Fact::Account { user, at, standing }, &event).await
    }

    /// Changes how an account stands, by an operator's hand; `false` when there is no such user.
    ///
    /// # Errors
    /// [`Failure`] when the store is away, and then nothing has happened.
    pub async fn set_standing(&self, user_id: &str, change: Change) -> Result<bool, Denial> {
        let mut tx = self.store()?.begin_for(user_id).await?;
        let facts = tx.facts_about_account(user_id).await?;
        let user = UserId::parse(user_id).map_err(|_| Declined::InvalidUsername)?;
        let Some(at) = tx.tick(user_id, self.store_now()).await? else { return Ok(false) };
        let now = facts.account(user);
        let standing = match (change, now) {
            (_, Standing::Deactivated) | (Change::Deactivate, _) => Standing::Deactivated,
            (Change::Lock, Standing::Open(account)) => {
                Standing::Open(Account { state: AccountState::Locked, ..account })
            }
            (Change::Unlock, Standing::Open(account)) => {
                Standing::Open(Account { state: AccountState::Active, ..account })
            }
            (Change::Admin(admin), Standing::Open(account)) => {
                Standing::Open(Account { admin, ..account })
            }
        };
        if change == Change::Deactivate {
            tx.set_password_hash(user_id, NO_PASSWORD).await?;
            tx.delete_devices(user_id, None).await?;
            tx.delete_renewals(user_id, None, None).await?;
            self.mark(&mut tx, user_id, None).await?;
        }
        let unchanged = standing == now;
        if !unchanged {
            let event = Event::Account { user_id, state: change.name(), session: None };
            self.end(tx, &Fact::Account { user: user_id.into(), at, standing }, &event).await?;
        }
        Ok(true)
    }

    /// Makes a login token with which the caller's user can log in once on another device. It is
    /// as old as the session it comes from, or as the change of password that has spared this
    /// session, and as narrow as the caller's token.
    ///
    /// # Errors
    /// [`Declined::TooSoon`] when the user was given one less than a minute ago.
    pub async fn login_token(
        &self,
        caller: &Caller,
        passed: &Passed,
    ) -> Result<(Token, u64), Denial> {
        let now = self.now();
        let mut tx = self.judged(caller, Gate::Unlocked).await?;
        self.claim_passed(&mut tx, passed).await?;
        tx.finish_with(&passed.claim(), "").await?;
        if let Err(left) = tx.may_have_login_token(&caller.user_id, self.store_now(), PAUSE).await?
        {
            return Err(Declined::TooSoon(left).into());
        }
        let end = now.plus(self.policy.login_life);
        let end = caller.ends_at.map_or(end, |ends_at| ends_at.min(end));
        let facts = tx.facts_about_account(&caller.user_id).await?;
        let session = SessionId::new(beginning(caller, &facts)?, random()?);
        let token = self.sign_login(caller, session, now, end)?;
        // A login token that a session asked for is for a login and proves nothing else.
        let aside = Claim { name: &asked_for(session), proofs: &[], expires_at: end };
        tx.claim(&aside, self.store_now()).await?;
        tx.commit().await?;
        self.tell(&Event::LoginToken {
            user_id: &caller.user_id,
            session: caller.session,
            minted: session,
            labels: labels(caller.appended.iter().map(String::as_str)),
        });
        Ok((token, end.millis().saturating_sub(now.millis())))
    }

    fn sign_login(
        &self,
        caller: &Caller,
        session: SessionId,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Token, Denial> {
        self.may_mint()?;
        self.trusts_clock()?;
        let user = UserId::parse(&caller.user_id).map_err(|_| Declined::InvalidUsername)?;
        let ring = self.ring();
        let subkey = ring.minting(Kind::Login).ok_or(Failure::NoMintingKey)?;
        let carried: Vec<_> = caller.appended.iter().map(String::as_str).collect();
        let grant = Grant {
            kind: Kind::Login,
            user,
            device: None,
            guest: false,
            session,
            generation: 0,
            issued_at: now,
            expires_at: Some(end),
            carried: &carried,
        };
        let token = grant.mint(subkey)?;
        self.metrics.minted(Kind::Login);
        Ok(token)
    }
}

/// How old a login token is that a session asks for: as old as the session. One that a change of
/// password has spared lives on by its name, which the login token does not bear; what comes of it
/// is as old as the sparing.
fn beginning(caller: &Caller, facts: &Revocations) -> Result<Timestamp, Denial> {
    let user = UserId::parse(&caller.user_id).map_err(|_| Declined::InvalidUsername)?;
    Ok(caller.session.beginning().max(facts.user_from(user)))
}

/// What an operator does to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// May do nothing but log out.
    Lock,
    /// As usual again.
    Unlock,
    /// Administers the homeserver, or no longer does.
    Admin(bool),
    /// Ended for ever.
    Deactivate,
}

impl Change {
    /// What the account is after it, in the audit stream.
    const fn name(self) -> &'static str {
        match self {
            Self::Lock => "locked",
            Self::Unlock => "active",
            Self::Deactivate => "deactivated",
            Self::Admin(true) => "admin",
            Self::Admin(false) => "no admin",
        }
    }
}
