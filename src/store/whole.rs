//! The feed as a whole: how long it is, who follows it, and what is dropped from it.
//!
//! This file refuses to know which entries say nothing any more.

use super::beats::Beat;
use super::engine::{Arg, Row};
use super::feed::Cursor;
use super::fields::Fields;
use super::users::instant;
use super::{Store, StoreError};
use crate::revocations::Fact;
use crate::time::Timestamp;
use crate::token::KeyId;

/// How many entries are read at once.
const PAGE: i64 = 4096;

/// An entry and what it may hit.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Where it stands.
    pub cursor: Cursor,
    /// What it says.
    pub fact: Fact,
    /// When the last token that it may hit ends; `None` when that is not known.
    pub hits_until: Option<Timestamp>,
    /// The keys that such a token may be signed with.
    pub hits_keys: Vec<KeyId>,
}

impl Kept {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            cursor: Cursor { sequence: row.int(0)?, random: row.text(1)? },
            fact: Fields::row(row, 2)?.fact()?,
            hits_until: Some(row.int(8)?).filter(|until| *until > 0).map(instant),
            hits_keys: row.text(9)?.split(',').filter_map(KeyId::parse).collect(),
        })
    }
}

/// How far the reading of all entries has come: first those about nobody, then user by user.
#[derive(Debug, Default)]
pub struct Page {
    begun: bool,
    after: String,
}

/// The feed at a glance.
#[derive(Debug)]
pub struct Overview {
    /// The present, by the clock of the database.
    pub now: Timestamp,
    /// How many entries there are.
    pub entries: u64,
    /// The number of the last one; 0 before any.
    pub head: i64,
    /// The nodes that follow.
    pub beats: Vec<Beat>,
}

impl Store {
    /// The feed at a glance; `now` is for an engine without a clock.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn overview(&self, now: Timestamp) -> Result<Overview, StoreError> {
        const SQL: &str = "SELECT COUNT(*), COALESCE(MAX(sequence), 0) FROM feed";
        let mut tx = self.read().await?;
        let now = tx.clock().await?.unwrap_or(now);
        let row = tx.row(SQL, &[]).await?.ok_or(StoreError::Damaged("feed"))?;
        let entries = u64::try_from(row.int(0)?).unwrap_or_default();
        Ok(Overview { now, entries, head: row.int(1)?, beats: tx.beats(now).await? })
    }

    /// The next entries, those about one user never apart; none when all have been read.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away or an entry cannot be read.
    pub async fn page(&self, page: &mut Page) -> Result<Vec<Kept>, StoreError> {
        const NOBODY: &str = "SELECT sequence, random, kind, user_id, device_id, session, tick, \
             value, hits_until, hits_keys FROM feed WHERE user_id IS NULL ORDER BY sequence";
        const USERS: &str = "SELECT sequence, random, kind, user_id, device_id, session, tick, \
             value, hits_until, hits_keys FROM feed WHERE user_id > $1 \
             ORDER BY user_id, sequence LIMIT $2";
        const USER: &str = "SELECT sequence, random, kind, user_id, device_id, session, tick, \
             value, hits_until, hits_keys FROM feed WHERE user_id = $1 ORDER BY sequence";
        let mut tx = self.read().await?;
        if !page.begun {
            page.begun = true;
            let entries = read(&tx.rows(NOBODY, &[]).await?)?;
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        let rows = tx.rows(USERS, &[Arg::Text(&page.after), Arg::Int(PAGE)]).await?;
        let full = i64::try_from(rows.len()).is_ok_and(|count| count == PAGE);
        let mut entries = read(&rows)?;
        let Some(last) = entries.last().and_then(|entry| entry.fact.user()).map(str::to_owned)
        else {
            return Ok(entries);
        };
        if full {
            // There may be more about the last one: he is read whole.
            entries.retain(|entry| entry.fact.user() != Some(&last));
            entries.extend(read(&tx.rows(USER, &[Arg::Text(&last)]).await?)?);
        }
        page.after = last;
        Ok(entries)
    }

    /// Notes that entries are about to be dropped: see [`Origin`].
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    ///
    /// [`Origin`]: super::Origin
    pub async fn note_compaction(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.run("UPDATE store SET compactions = compactions + 1", &[]).await?;
        tx.commit().await
    }

    /// Drops entries.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away; then none is dropped.
    pub async fn drop_entries(&self, entries: &[Cursor]) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM feed WHERE sequence = $1 AND random = $2";
        if entries.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for Cursor { sequence, random } in entries {
            tx.run(SQL, &[Arg::Int(*sequence), Arg::Text(random)]).await?;
        }
        tx.commit().await
    }
}

fn read(rows: &[Row]) -> Result<Vec<Kept>, StoreError> {
    rows.iter().map(Kept::read).collect()
}
