//! Where each renewing session stands: its settled generation and the branches opened from it.
//!
//! This file refuses to know which exchange is allowed.

use super::engine::{Arg, Row, Tx};
use super::users::{instant, number};
use super::{Store, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// A row of the table of renewing sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Which session.
    pub session: SessionId,
    /// Whose.
    pub user_id: String,
    /// On which device.
    pub device_id: String,
    /// The newest generation of which a token has been used.
    pub generation: u32,
    /// Which branch of it.
    pub branch: Timestamp,
    /// When that was.
    pub settled_at: Timestamp,
    /// The branches of the next generation, oldest first.
    pub branches: Vec<Timestamp>,
    /// When the newest of them was opened.
    pub opened_at: Timestamp,
    /// Caveats that the session's access tokens carry.
    pub carried: Vec<String>,
}

impl Renewal {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let damaged = StoreError::Damaged("refreshes");
        let branch = |text: &str| text.parse().ok().map(Timestamp::from_millis);
        let branches = row.text(6)?;
        let branches: Option<Vec<_>> =
            branches.split(',').filter(|text| !text.is_empty()).map(branch).collect();
        Ok(Self {
            session: SessionId::parse(&row.text(0)?).ok_or(StoreError::Damaged("refreshes"))?,
            user_id: row.text(1)?,
            device_id: row.text(2)?,
            generation: u32::try_from(row.int(3)?).map_err(|_| StoreError::Damaged("refreshes"))?,
            branch: instant(row.int(4)?),
            settled_at: instant(row.int(5)?),
            branches: branches.ok_or(damaged)?,
            opened_at: instant(row.int(7)?),
            carried: row.text(8)?.lines().map(str::to_owned).collect(),
        })
    }
}

impl Store {
    /// Tells that a token was used for the first time, by the one function that a node may call
    /// that only verifies (docs/verify-only.sql). What it told before changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away, or has no such function.
    pub async fn first_use(
        &self,
        session: SessionId,
        generation: u32,
        branch: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "SELECT amaretti_first_use($1, $2, $3)";
        let mut tx = self.begin().await?;
        let session = session.to_string();
        let args = [Arg::Text(&session), Arg::Int(generation.into()), Arg::Int(number(branch))];
        tx.rows(SQL, &args).await?;
        tx.commit().await
    }
}

impl Tx {
    /// Where a session stands; `None` when it does not renew.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn renewal(&mut self, session: SessionId) -> Result<Option<Renewal>, StoreError> {
        const SQL: &str = "SELECT session, user_id, device_id, generation, branch, settled_at, \
             branches, opened_at, carried FROM refreshes WHERE session = $1";
        let row = self.row(SQL, &[Arg::Text(&session.to_string())]).await?;
        row.as_ref().map(Renewal::read).transpose()
    }

    /// Writes where a session stands.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn put_renewal(&mut self, renewal: &Renewal) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO refreshes (session, user_id, device_id, generation, branch, \
             settled_at, branches, opened_at, carried) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (session) DO UPDATE SET generation = excluded.generation, \
             branch = excluded.branch, settled_at = excluded.settled_at, \
             branches = excluded.branches, opened_at = excluded.opened_at";
        let branches: Vec<_> = renewal.branches.iter().map(|at| at.millis().to_string()).collect();
        let args = [
            Arg::Text(&renewal.session.to_string()),
            Arg::Text(&renewal.user_id),
            Arg::Text(&renewal.device_id),
            Arg::Int(renewal.generation.into()),
            Arg::Int(number(renewal.branch)),
            Arg::Int(number(renewal.settled_at)),
            Arg::Text(&branches.join(",")),
            Arg::Int(number(renewal.opened_at)),
            Arg::Text(&renewal.carried.join("\n")),
        ];
        self.run(SQL, &args).await.map(|_| ())
    }

    /// Takes the sessions of a user's device off the table, or of all its devices but one.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn delete_renewals(
        &mut self,
        user_id: &str,
        device_id: Option<&str>,
        spared: Option<SessionId>,
    ) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM refreshes WHERE user_id = $1 \
             AND ($2 IS NULL OR device_id = $2) AND ($3 IS NULL OR session <> $3)";
        let spared = spared.map(|session| session.to_string());
        let args = [Arg::Text(user_id), Arg::Maybe(device_id), Arg::Maybe(spared.as_deref())];
        self.run(SQL, &args).await.map(|_| ())
    }
}
