//! The outbox: of whom the homeserver may not know how they stand, and who is telling it.
//!
//! A mark says that something has changed, not what: whoever settles it looks how things stand
//! then. Holds make one process at a time tell of one user; they run out by the database's clock,
//! which is the same for every node. This file refuses to know what a homeserver is told.

use super::engine::{Arg, Row, Tx};
use super::users::number;
use super::{Store, StoreError};
use crate::random::random;
use crate::time::{Clock, SystemClock, Timestamp};

/// The homeserver may not know how this stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Whose.
    pub user_id: String,
    /// Which device; `None` for the account and all its devices.
    pub device_id: Option<String>,
    /// Tells this mark from a later one of the same device.
    pub stamp: String,
    /// Whether the display name was changed here.
    pub renamed: bool,
    /// How often it could not be settled.
    pub attempts: i64,
}

impl Untold {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let device_id = row.text(1)?;
        Ok(Self {
            user_id: row.text(0)?,
            device_id: (!device_id.is_empty()).then_some(device_id),
            stamp: row.text(2)?,
            renamed: row.int(3)? == 1,
            attempts: row.int(4)?,
        })
    }
}

/// The present by a clock that all share who use this store: the database's, or, where that is a file,
/// the machine's.
async fn now(tx: &mut Tx) -> Result<Timestamp, StoreError> {
    Ok(tx.clock().await?.unwrap_or_else(|| SystemClock::default().now()))
}

/// The longest that a mark is put off, in milliseconds.
const LONGEST: u64 = 60_000;

impl Store {
    /// The users of whom the homeserver is to be told now, no more than `most`.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn users_to_tell_of(&self, most: i64) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT user_id, MIN(due_at) FROM outbox WHERE due_at <= $1 \
             GROUP BY user_id ORDER BY 2 LIMIT $2";
        let mut tx = self.read().await?;
        let now = number(now(&mut tx).await?);
        let rows = tx.rows(SQL, &[Arg::Int(now), Arg::Int(most)]).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// How many marks there are.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn marks(&self) -> Result<i64, StoreError> {
        let row = self.read().await?.row("SELECT COUNT(*) FROM outbox", &[]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// Has the marks of a user wait, twice as long each time.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn put_off(&self, user_id: &str, attempts: i64) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE outbox SET attempts = attempts + 1, due_at = $2 WHERE user_id = $1";
        let doubled = u32::try_from(attempts).ok().and_then(|n| 1000_u64.checked_shl(n.min(10)));
        let wait = doubled.unwrap_or(LONGEST).min(LONGEST);
        let mut tx = self.begin().await?;
        let due_at = number(now(&mut tx).await?.plus(wait));
        tx.run(SQL, &[Arg::Text(user_id), Arg::Int(due_at)]).await?;
        tx.commit().await
    }

    /// Takes the hold on a user for so many milliseconds; `false` when another has it.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn take_hold(
        &self,
        user_id: &str,
        holder: &str,
        life: u64,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO holds (user_id, holder, held_until) VALUES ($1, $2, $3) \
             ON CONFLICT (user_id) DO UPDATE \
             SET holder = excluded.holder, held_until = excluded.held_until \
             WHERE holds.held_until <= $4";
        let mut tx = self.begin().await?;
        let now = now(&mut tx).await?;
        let until = Arg::Int(number(now.plus(life)));
        let args = [Arg::Text(user_id), Arg::Text(holder), until, Arg::Int(number(now))];
        let taken = tx.run(SQL, &args).await? == 1;
        tx.commit().await?;
        Ok(taken)
    }

    /// Lets go of a hold, if it is still this holder's.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn release_hold(&self, user_id: &str, holder: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.release_hold(user_id, holder).await?;
        tx.commit().await
    }
}

impl Tx {
    /// As [`Store::release_hold`]; `false` when the hold was another's meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn release_hold(&mut self, user_id: &str, holder: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM holds WHERE user_id = $1 AND holder = $2";
        Ok(self.run(SQL, &[Arg::Text(user_id), Arg::Text(holder)]).await? == 1)
    }

    /// Marks a device, or an account with all its devices; gives the stamp of the mark.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn mark(
        &mut self,
        user_id: &str,
        device_id: Option<&str>,
        renamed: bool,
    ) -> Result<String, StoreError> {
        const SQL: &str = "INSERT INTO outbox (user_id, device_id, stamp, renamed, attempts, due_at) \
             VALUES ($1, $2, $3, $4, 0, 0) \
             ON CONFLICT (user_id, device_id) DO UPDATE SET stamp = excluded.stamp, \
             renamed = CASE WHEN outbox.renamed = 1 THEN 1 ELSE excluded.renamed END, \
             attempts = 0, due_at = 0";
        let stamp = format!("{:016x}", u64::from_be_bytes(random()?));
        let args = [
            Arg::Text(user_id),
            Arg::Text(device_id.unwrap_or_default()),
            Arg::Text(&stamp),
            Arg::Int(i64::from(renamed)),
        ];
        self.run(SQL, &args).await?;
        Ok(stamp)
    }

    /// Takes a mark away, unless somebody has marked the same since.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn unmark(
        &mut self,
        user_id: &str,
        device_id: Option<&str>,
        stamp: &str,
    ) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM outbox WHERE user_id = $1 AND device_id = $2 AND stamp = $3";
        let device = Arg::Text(device_id.unwrap_or_default());
        self.run(SQL, &[Arg::Text(user_id), device, Arg::Text(stamp)]).await.map(|_| ())
    }

    /// The marks of a user, that of the account first.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn marks_of(&mut self, user_id: &str) -> Result<Vec<Untold>, StoreError> {
        const SQL: &str = "SELECT user_id, device_id, stamp, renamed, attempts FROM outbox \
             WHERE user_id = $1 ORDER BY device_id";
        let rows = self.rows(SQL, &[Arg::Text(user_id)]).await?;
        rows.iter().map(Untold::read).collect()
    }

    /// Whether the homeserver's account of this name is known to be this one; `None` when there is
    /// no such user.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn is_at_homeserver(&mut self, user_id: &str) -> Result<Option<bool>, StoreError> {
        const SQL: &str = "SELECT at_homeserver FROM users WHERE user_id = $1";
        let row = self.row(SQL, &[Arg::Text(user_id)]).await?;
        row.map(|row| Ok(row.int(0)? == 1)).transpose()
    }

    /// Remembers that the homeserver's account of this name is this one.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn set_at_homeserver(&mut self, user_id: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE users SET at_homeserver = 1 WHERE user_id = $1";
        self.run(SQL, &[Arg::Text(user_id)]).await.map(|_| ())
    }

    /// Takes back an account that the homeserver has never heard of, and what was used up for it.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn take_back_user(
        &mut self,
        user_id: &str,
        claim: &str,
        registration_token: Option<&str>,
    ) -> Result<(), StoreError> {
        const USER: &str = "DELETE FROM users WHERE user_id = $1 AND at_homeserver = 0";
        const CLAIM: &str = "DELETE FROM claims WHERE claim = $1 AND state = 'taken'";
        const TOKEN: &str = "UPDATE registration_tokens SET used = used - 1, \
             uses_left = uses_left + 1 WHERE token = $1";
        self.run(USER, &[Arg::Text(user_id)]).await?;
        self.run(CLAIM, &[Arg::Text(claim)]).await?;
        if let Some(token) = registration_token {
            self.run(TOKEN, &[Arg::Text(token)]).await?;
        }
        Ok(())
    }
}
