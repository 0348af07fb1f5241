//! Accounts: password hashes and ticks.
//!
//! This file refuses to know what a password is and when a tick is due.

use super::engine::{Arg, Tx};
use super::{Store, StoreError};
use crate::time::Timestamp;

/// A row of the table of accounts.
#[derive(Debug)]
pub struct User {
    /// The whole user id.
    pub user_id: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// How many devices it has.
    pub devices: i64,
}

impl Store {
    /// The password hash of a user, in PHC form; `None` when there is no such user.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn password_hash(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        self.read().await?.password_hash(user_id).await
    }

    /// Every account, by user id.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        const SQL: &str = "SELECT user_id, created_at, \
             (SELECT COUNT(*) FROM devices WHERE devices.user_id = users.user_id) \
             FROM users ORDER BY user_id";
        let rows = self.read().await?.rows(SQL, &[]).await?;
        let user = |row: &super::engine::Row| {
            Ok(User {
                user_id: row.text(0)?,
                created_at: instant(row.int(1)?),
                devices: row.int(2)?,
            })
        };
        rows.iter().map(user).collect()
    }
}

impl Tx {
    /// The password hash of a user as this transaction sees it.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn password_hash(&mut self, user_id: &str) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT password_hash FROM users WHERE user_id = $1";
        let row = self.row(SQL, &[Arg::Text(user_id)]).await?;
        row.map(|row| row.text(0)).transpose()
    }

    /// Makes an account; `false` when there is one of this name already.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn add_user(
        &mut self,
        user_id: &str,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO users (user_id, password_hash, tick, created_at) \
             VALUES ($1, $2, $3, $3) ON CONFLICT DO NOTHING";
        let args = [Arg::Text(user_id), Arg::Text(password_hash), Arg::Int(number(now))];
        Ok(self.run(SQL, &args).await? == 1)
    }

    /// Replaces the password hash of a user; `false` when there is no such user.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn set_password_hash(
        &mut self,
        user_id: &str,
        password_hash: &str,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE users SET password_hash = $2 WHERE user_id = $1";
        Ok(self.run(SQL, &[Arg::Text(user_id), Arg::Text(password_hash)]).await? == 1)
    }

    /// Whether any account has a password hash of the server before us.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn predecessors_left(&mut self) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM users WHERE password_hash LIKE '$2%' LIMIT 1";
        Ok(self.row(SQL, &[]).await?.is_some())
    }

    /// Takes the user's next tick, greater than every one before and, if the clock allows, `now`;
    /// `None` when there is no such user.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn tick(
        &mut self,
        user_id: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "UPDATE users \
             SET tick = CASE WHEN tick + 1 > $2 THEN tick + 1 ELSE $2 END \
             WHERE user_id = $1 RETURNING tick";
        let row = self.row(SQL, &[Arg::Text(user_id), Arg::Int(number(now))]).await?;
        row.map(|row| row.int(0).map(instant)).transpose()
    }

    /// Raises a user's tick, or everybody's when none is named, so that no later one is below it.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn raise_tick(
        &mut self,
        user_id: Option<&str>,
        known: Timestamp,
    ) -> Result<(), StoreError> {
        const ALL: &str = "UPDATE users SET tick = $1 WHERE tick < $1";
        const ONE: &str = "UPDATE users SET tick = $1 WHERE tick < $1 AND user_id = $2";
        let known = Arg::Int(number(known));
        match user_id {
            Some(user_id) => self.run(ONE, &[known, Arg::Text(user_id)]).await,
            None => self.run(ALL, &[known]).await,
        }
        .map(|_| ())
    }

    /// Takes everybody's next tick and gives the greatest there is: from here to the commit nobody
    /// takes another.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn tick_everybody(&mut self) -> Result<Timestamp, StoreError> {
        self.run("UPDATE users SET tick = tick + 1", &[]).await?;
        let row = self.row("SELECT COALESCE(MAX(tick), 0) FROM users", &[]).await?;
        Ok(instant(row.map(|row| row.int(0)).transpose()?.unwrap_or_default()))
    }
}

/// An instant as the database has it.
pub(super) fn number(at: Timestamp) -> i64 {
    // 48 bits always fit.
    i64::try_from(at.millis()).unwrap_or(i64::MAX)
}

/// An instant from the database; what cannot be one is 1970.
pub(super) fn instant(number: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(number).unwrap_or_default())
}
