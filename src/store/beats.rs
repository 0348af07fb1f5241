//! Beats: how fresh what each node knows is, and how far off its clock.
//!
//! A beat is written through the primary and read back from wherever the node reads: what was
//! committed before the beat has then been read too, so a replica that lags cannot pretend. This
//! file refuses to know what is too old.

use super::engine::{Arg, Row, Tx};
use super::users::{instant, number};
use super::{Store, StoreError};
use crate::time::Timestamp;

/// What a node says of itself once a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Its name.
    pub node: String,
    /// Its number; each is greater than the one before.
    pub beat: i64,
    /// When it was written, by the clock of the database.
    pub written_at: Timestamp,
    /// How old what the node knew was then, in milliseconds.
    pub lag: u64,
    /// How far its clock ran ahead of the database's, in milliseconds.
    pub ahead: i64,
    /// The last entry of the feed that it had heard.
    pub sequence: i64,
}

/// How long a node counts as there after its last beat, in milliseconds.
const THERE: u64 = 15_000;

impl Store {
    /// Writes a beat; gives the instant it was written at, by the clock of the database, where it
    /// has one of its own.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn beat(&self, beat: &Beat) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "INSERT INTO beats (node, beat, written_at, lag, ahead, sequence) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (node) DO UPDATE SET \
             beat = excluded.beat, written_at = excluded.written_at, lag = excluded.lag, \
             ahead = excluded.ahead, sequence = excluded.sequence";
        let mut tx = self.begin().await?;
        let now = tx.clock().await?;
        let lag = i64::try_from(beat.lag).unwrap_or(i64::MAX);
        let args = [
            Arg::Text(&beat.node),
            Arg::Int(beat.beat),
            Arg::Int(number(now.unwrap_or(beat.written_at))),
            Arg::Int(lag),
            Arg::Int(beat.ahead),
            Arg::Int(beat.sequence),
        ];
        tx.run(SQL, &args).await?;
        tx.commit().await?;
        Ok(now)
    }

    /// The nodes that have beaten within fifteen seconds, by name; none but these is waited for.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn beats(&self, now: Timestamp) -> Result<Vec<Beat>, StoreError> {
        let mut tx = self.read().await?;
        let now = tx.clock().await?.unwrap_or(now);
        tx.beats(now).await
    }

    /// Takes a node's beat away, at its orderly end, and those of nodes long gone.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn end_beats(&self, node: &str, now: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM beats WHERE node = $1 OR written_at < $2";
        let mut tx = self.begin().await?;
        let now = tx.clock().await?.unwrap_or(now);
        let long_gone = number(now.minus(THERE * 100));
        tx.run(SQL, &[Arg::Text(node), Arg::Int(long_gone)]).await?;
        tx.commit().await
    }
}

impl Tx {
    /// The number of a node's last beat that can be seen here.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn last_beat(&mut self, node: &str) -> Result<Option<i64>, StoreError> {
        const SQL: &str = "SELECT beat FROM beats WHERE node = $1";
        let row = self.row(SQL, &[Arg::Text(node)]).await?;
        row.map(|row| row.int(0)).transpose()
    }

    /// As [`Store::beats`], with `now` by the clock of the database.
    pub(super) async fn beats(&mut self, now: Timestamp) -> Result<Vec<Beat>, StoreError> {
        const SQL: &str = "SELECT node, beat, written_at, lag, ahead, sequence FROM beats \
             WHERE written_at >= $1 ORDER BY node";
        let rows = self.rows(SQL, &[Arg::Int(number(now.minus(THERE)))]).await?;
        rows.iter().map(Beat::read).collect()
    }
}

impl Beat {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            node: row.text(0)?,
            beat: row.int(1)?,
            written_at: instant(row.int(2)?),
            lag: u64::try_from(row.int(3)?).unwrap_or_default(),
            ahead: row.int(4)?,
            sequence: row.int(5)?,
        })
    }
}
