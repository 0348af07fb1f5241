//! What interactive auth leaves behind: stages passed out of band, and registration tokens.
//!
//! This file refuses to know which stages an operation asks for.

use super::engine::{Arg, Row, Tx};
use super::users::{instant, number};
use super::{Store, StoreError};
use crate::time::Timestamp;

/// A token that lets somebody register.
#[derive(Clone, Debug)]
pub struct RegistrationToken {
    /// Its text.
    pub token: String,
    /// How many accounts it may still make; `None` for any number.
    pub uses_left: Option<i64>,
    /// How many it has made.
    pub used: i64,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl RegistrationToken {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            token: row.text(0)?,
            uses_left: row.maybe_int(1)?,
            used: row.int(2)?,
            expires_at: row.maybe_int(3)?.map(instant),
        })
    }
}

impl Store {
    /// Every registration token, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn registration_tokens(&self) -> Result<Vec<RegistrationToken>, StoreError> {
        const SQL: &str = "SELECT token, uses_left, used, expires_at FROM registration_tokens \
             ORDER BY created_at, token";
        self.read().await?.rows(SQL, &[]).await?.iter().map(RegistrationToken::read).collect()
    }

    /// Whether a registration token could make an account now.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn is_registration_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM registration_tokens WHERE token = $1 \
             AND (uses_left IS NULL OR uses_left > 0) AND (expires_at IS NULL OR expires_at > $2)";
        let args = [Arg::Text(token), Arg::Int(number(now))];
        Ok(self.read().await?.row(SQL, &args).await?.is_some())
    }
}

impl Tx {
    /// Adds a registration token; `false` when there is one of this text already.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn add_registration_token(
        &mut self,
        token: &RegistrationToken,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO registration_tokens \
             (token, uses_left, used, expires_at, created_at) VALUES ($1, $2, 0, $3, $4) \
             ON CONFLICT DO NOTHING";
        let args = [
            Arg::Text(&token.token),
            Arg::MaybeInt(token.uses_left),
            Arg::MaybeInt(token.expires_at.map(number)),
            Arg::Int(number(now)),
        ];
        Ok(self.run(SQL, &args).await? == 1)
    }

    /// Takes a registration token away; `false` when there is none of this text.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn delete_registration_token(&mut self, token: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM registration_tokens WHERE token = $1";
        Ok(self.run(SQL, &[Arg::Text(token)]).await? == 1)
    }

    /// Uses a registration token up by one account; `false` when it cannot make one any more. In
    /// the transaction that makes the account, so that one use is one account.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn use_registration_token(
        &mut self,
        token: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE registration_tokens \
             SET uses_left = uses_left - 1, used = used + 1 WHERE token = $1 \
             AND (uses_left IS NULL OR uses_left > 0) AND (expires_at IS NULL OR expires_at > $2)";
        Ok(self.run(SQL, &[Arg::Text(token), Arg::Int(number(now))]).await? == 1)
    }

    /// Notes that an interactive session has passed a stage.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn pass_stage(
        &mut self,
        interactive: &str,
        stage: &str,
        value: Option<&str>,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO stages (interactive, stage, value, expires_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let (interactive, stage) = (Arg::Text(interactive), Arg::Text(stage));
        let args = [interactive, stage, Arg::Maybe(value), Arg::Int(number(expires_at))];
        self.run(SQL, &args).await.map(|_| ())
    }

    /// The stages that an interactive session has passed, and what with.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn stages_passed(
        &mut self,
        interactive: &str,
    ) -> Result<Vec<(String, Option<String>)>, StoreError> {
        const SQL: &str = "SELECT stage, value FROM stages WHERE interactive = $1";
        let rows = self.rows(SQL, &[Arg::Text(interactive)]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.maybe(1)?))).collect()
    }

    /// Notes that a user is given a login token now, unless one was given less than `pause`
    /// milliseconds ago: then it says how many are left to wait.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn may_have_login_token(
        &mut self,
        user_id: &str,
        now: Timestamp,
        pause: u64,
    ) -> Result<Result<(), u64>, StoreError> {
        const LOOK: &str = "SELECT login_token_at FROM users WHERE user_id = $1";
        const NOTE: &str = "UPDATE users SET login_token_at = $2 WHERE user_id = $1";
        let last = self.row(LOOK, &[Arg::Text(user_id)]).await?;
        let last = last.map(|row| row.int(0).map(instant)).transpose()?.unwrap_or_default();
        let free = last.plus(pause);
        if free > now {
            return Ok(Err(free.millis().saturating_sub(now.millis()).min(pause)));
        }
        self.run(NOTE, &[Arg::Text(user_id), Arg::Int(number(now))]).await?;
        Ok(Ok(()))
    }
}
