//! Claims: what may happen once is claimed, atomically, before it happens.
//!
//! A claim is taken, then done with a result, then used: from then on the result is not given
//! again. This file refuses to know what is claimed and what the result says.

use super::engine::{Arg, Tx};
use super::users::{instant, number};
use super::{Store, StoreError};
use crate::time::Timestamp;

/// What is claimed, and how a repetition proves that it is one.
pub struct Claim<'a> {
    /// The name of the thing, with its sort in front.
    pub name: &'a str,
    /// What a repetition has to bring to be given the same result; `None` never matches.
    pub proof: Option<&'a str>,
    /// When the thing is dead anyway; the row goes an hour later.
    pub expires_at: Timestamp,
}

/// What became of a claim.
pub enum Claimed {
    /// It is ours: act.
    Now,
    /// It was done before, by somebody with the same proof: its result.
    Before(String),
    /// It is another's, or its result has been used.
    Never,
}

/// How long after its expiry a claim is kept, in milliseconds.
const KEPT: u64 = 3_600_000;

impl Store {
    /// Names and expiries of the claims whose result has not been used, of one sort.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn unused_results(&self, sort: &str) -> Result<Vec<(String, Timestamp)>, StoreError> {
        const SQL: &str = "SELECT result, expires_at FROM claims \
             WHERE state = 'done' AND claim LIKE $1 || '%'";
        let rows = self.read().await?.rows(SQL, &[Arg::Text(sort)]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, instant(row.int(1)?)))).collect()
    }

    /// Says that a result has been used and is not to be given again.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn use_result(&self, result: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.use_result(result).await?;
        tx.commit().await
    }
}

impl Tx {
    /// Claims a thing. Taking and finishing happen in one transaction, so a claim that is seen by
    /// another is either done or used; rows long dead are swept on the way.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn claim(&mut self, claim: &Claim<'_>, now: Timestamp) -> Result<Claimed, StoreError> {
        const SWEEP: &str = "DELETE FROM claims WHERE expires_at < $1";
        const TAKE: &str = "INSERT INTO claims (claim, state, proof, taken_at, expires_at) \
             VALUES ($1, 'taken', $2, $3, $4) ON CONFLICT (claim) DO NOTHING";
        const LOOK: &str = "SELECT state, proof, result FROM claims WHERE claim = $1";
        self.run(SWEEP, &[Arg::Int(number(now.minus(KEPT)))]).await?;
        let args = [
            Arg::Text(claim.name),
            Arg::Maybe(claim.proof),
            Arg::Int(number(now)),
            Arg::Int(number(claim.expires_at)),
        ];
        if self.run(TAKE, &args).await? == 1 {
            return Ok(Claimed::Now);
        }
        let row = self.row(LOOK, &[Arg::Text(claim.name)]).await?;
        let row = row.ok_or(StoreError::Damaged("claims"))?;
        let proof = row.maybe(1)?;
        let same = claim.proof.is_some_and(|mine| proof.as_deref() == Some(mine));
        match row.maybe(2)? {
            Some(result) if same && row.text(0)? == "done" => Ok(Claimed::Before(result)),
            _ => Ok(Claimed::Never),
        }
    }

    /// Writes the result of a claim that is ours.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn finish_claim(&mut self, name: &str, result: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE claims SET state = 'done', result = $2 WHERE claim = $1";
        self.run(SQL, &[Arg::Text(name), Arg::Text(result)]).await.map(|_| ())
    }

    /// Says that a result has been used and is not to be given again.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn use_result(&mut self, result: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE claims SET state = 'used' WHERE result = $1 AND state = 'done'";
        self.run(SQL, &[Arg::Text(result)]).await.map(|_| ())
    }
}
