//! The database looked at from outside: what it is, who uses it, how far its clock is off.
//!
//! Nothing is written and nothing brought up to date. This file refuses to know what is good or bad
//! about what it finds.

use std::time::{Duration, Instant};

use super::engine::{Pool, Tx, steps};
use super::{FILE, Node, Place, Store, StoreError};
use crate::keyfile::StoreId;
use crate::time::Timestamp;
use crate::token::KeyId;

/// What is to be seen of a database.
pub struct Survey {
    /// The name of the store.
    pub id: StoreId,
    /// The server whose users it holds.
    pub server: String,
    /// How many steps behind this program it is; the rest is unread then.
    pub behind: u64,
    /// Whether a key was ever made for it.
    pub has_had_key: bool,
    /// The nodes that use it.
    pub nodes: Vec<Node>,
    /// The keys that are never used again.
    pub retired: Vec<KeyId>,
    /// What its own clock says; a file has none.
    pub clock: Option<Timestamp>,
    /// How long one question takes.
    pub took: Duration,
}

impl Store {
    /// Looks at the database in `place`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not one of ours, [`StoreError::Newer`] when it is one of
    /// a later program, others when it cannot be read.
    pub async fn survey(place: &Place) -> Result<Survey, StoreError> {
        let pool = match place {
            Place::Folder(folder) if !folder.join(FILE).exists() => return Err(missing(place)),
            Place::Folder(folder) => Pool::foreign_file(&folder.join(FILE)).await?,
            Place::Server(server) => Pool::foreign_server(server),
        };
        let found = survey(&pool, place).await;
        pool.close().await;
        found
    }
}

fn missing(place: &Place) -> StoreError {
    StoreError::Missing(place.to_string(), "it was never set up")
}

async fn survey(pool: &Pool, place: &Place) -> Result<Survey, StoreError> {
    let mut tx = pool.read().await?;
    if !tx.has_table("store").await? {
        return Err(missing(place));
    }
    let (id, server) = tx.store_row().await?.ok_or_else(|| missing(place))?;
    let id = StoreId::parse(&id).ok_or(StoreError::Damaged("store"))?;
    let began = Instant::now();
    let clock = tx.clock().await?;
    let has_had_key = tx.has_had_key().await?;
    let took = began.elapsed() / 2;
    let behind = steps().saturating_sub(tx.steps_done().await?);
    let mut survey = Survey {
        id,
        server,
        behind,
        has_had_key,
        nodes: Vec::new(),
        retired: Vec::new(),
        clock,
        took,
    };
    if behind == 0 {
        survey.retired = tx.retired_keys().await?;
        survey.nodes = tx.nodes().await?;
    }
    Ok(survey)
}

impl Tx {
    /// How many steps have been made on the way to its present form.
    async fn steps_done(&mut self) -> Result<u64, StoreError> {
        const SQLITE: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
        const SERVER: &str = "SELECT COALESCE(MAX(version), 0) FROM migrations";
        let row = self.row(if self.is_file() { SQLITE } else { SERVER }, &[]).await?;
        let done = row.map(|row| row.int(0)).transpose()?.unwrap_or(0);
        let done = u64::try_from(done).map_err(|_| StoreError::Damaged("migrations"))?;
        if done > steps() { Err(StoreError::Newer) } else { Ok(done) }
    }

    async fn has_table(&mut self, name: &'static str) -> Result<bool, StoreError> {
        const SQLITE: &str = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1";
        const SERVER: &str = "SELECT 1 WHERE to_regclass($1) IS NOT NULL";
        let sql = if self.is_file() { SQLITE } else { SERVER };
        Ok(self.row(sql, &[super::engine::Arg::Text(name)]).await?.is_some())
    }
}
