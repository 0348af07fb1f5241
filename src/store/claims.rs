//! Claims: what may happen once is claimed, atomically, before it happens.
//!
//! A claim is taken, then done with a result, then used: from then on the result is not given
//! again. This file refuses to know what is claimed and what the result says.

use super::engine::{Arg, Tx};
use super::users::number;
use super::{Store, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// What is claimed, and how a repetition proves that it is one.
pub struct Claim<'a> {
    /// The name of the thing, with its sort in front.
    pub name: &'a str,
    /// What a repetition may bring to be given the same result: one of these is enough, none never
    /// matches. No line breaks.
    pub proofs: &'a [String],
    /// When the thing is dead anyway; the row goes an hour later.
    pub expires_at: Timestamp,
}

/// What became of a claim.
pub enum Claimed {
    /// It is ours: act.
    Now,
    /// It was done before, by somebody with a proof of ours: its result.
    Before(String),
    /// It is another's, or its result has been used.
    Never,
}

/// How long after its expiry a claim is kept, in milliseconds.
pub(super) const KEPT: u64 = 3_600_000;

impl Store {
    /// Says that a session has been used: the result it came with is not given again.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn use_session(&self, session: SessionId) -> Result<(), StoreError> {
        const SQL: &str = "SELECT 1 FROM claims WHERE session = $1 AND state = 'done'";
        let name = session.to_string();
        if self.read().await?.row(SQL, &[Arg::Text(&name)]).await?.is_none() {
            // Most sessions came of no claim: nothing is written for them.
            return Ok(());
        }
        let mut tx = self.begin().await?;
        tx.use_session(session).await?;
        tx.commit().await
    }
}

impl Tx {
    /// As [`Store::use_session`], inside a transaction.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn use_session(&mut self, session: SessionId) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE claims SET state = 'used' WHERE session = $1";
        self.run(SQL, &[Arg::Text(&session.to_string())]).await.map(|_| ())
    }

    /// Claims a thing. Claiming and acting share one transaction, so that others see a claim only
    /// when it is done or used; whoever claims it meanwhile waits for that.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn claim(
        &mut self,
        claim: &Claim<'_>,
        now: Timestamp,
    ) -> Result<Claimed, StoreError> {
        const TAKE: &str = "INSERT INTO claims (claim, state, proofs, taken_at, expires_at) \
             VALUES ($1, 'taken', $2, $3, $4) ON CONFLICT (claim) DO NOTHING";
        const LOOK: &str = "SELECT state, proofs, result FROM claims WHERE claim = $1";
        let proofs = claim.proofs.join("\n");
        let args = [
            Arg::Text(claim.name),
            Arg::Text(&proofs),
            Arg::Int(number(now)),
            Arg::Int(number(claim.expires_at)),
        ];
        if self.run(TAKE, &args).await? == 1 {
            return Ok(Claimed::Now);
        }
        let row = self.row(LOOK, &[Arg::Text(claim.name)]).await?;
        let row = row.ok_or(StoreError::Damaged("claims"))?;
        let known = row.text(1)?;
        let same = known.lines().any(|proof| claim.proofs.iter().any(|mine| mine == proof));
        match row.maybe(2)? {
            Some(result) if same && row.text(0)? == "done" => Ok(Claimed::Before(result)),
            _ => Ok(Claimed::Never),
        }
    }

    /// Writes what came of a claim that is ours: a session and the answer to a repetition.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn finish_claim(
        &mut self,
        name: &str,
        session: SessionId,
        result: &str,
    ) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE claims SET state = 'done', session = $2, result = $3 WHERE claim = $1";
        let session = session.to_string();
        self.run(SQL, &[Arg::Text(name), Arg::Text(&session), Arg::Text(result)]).await.map(|_| ())
    }

    /// Writes the result of a claim that is ours and of which no session came.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn finish_with(&mut self, name: &str, result: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE claims SET state = 'done', result = $2 WHERE claim = $1";
        self.run(SQL, &[Arg::Text(name), Arg::Text(result)]).await.map(|_| ())
    }

    /// Whether somebody has claimed this.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn is_claimed(&mut self, name: &str) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM claims WHERE claim = $1";
        Ok(self.row(SQL, &[Arg::Text(name)]).await?.is_some())
    }

    /// What a claim that was done gave; `None` when it was not done.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn claim_result(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT result FROM claims WHERE claim = $1 AND state <> 'taken'";
        let row = self.row(SQL, &[Arg::Text(name)]).await?;
        Ok(row.map(|row| row.maybe(0)).transpose()?.flatten())
    }
}
