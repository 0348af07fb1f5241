//! SQLite: one file, one writer at a time.
//!
//! This file refuses to know any query.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use super::{Arg, Row, bind, migrations};
use crate::store::StoreError;

#[derive(Clone)]
pub(in crate::store) struct Pool(SqlitePool);

impl Pool {
    /// Opens the database in `file`, making it when it is not there, and brings it up to date.
    pub(super) async fn open(file: &Path) -> Result<Self, StoreError> {
        // Made here first, so that nobody else can read it whatever the folder allows: it holds
        // password hashes. SQLite gives the files beside it the same mode.
        let made = OpenOptions::new().append(true).create(true).mode(0o600).open(file);
        made.map_err(|source| StoreError::File { path: file.to_owned(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A revocation is answered after the commit: it must have reached the disk by then.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            // Rows that the engine's thread may be ahead by. With the default of 50 two threads wake
            // each other twenty thousand times while a feed of a million entries is read.
            .row_buffer_size(512);
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await?;
        // In one transaction that nobody writes beside: several processes may start at once.
        let mut alone = pool.begin_with("BEGIN IMMEDIATE").await?;
        migrations::migrator().run_direct(None, &mut *alone, false).await?;
        alone.commit().await?;
        Ok(Self(pool))
    }

    /// Opens another program's database, which is read and never written.
    pub(super) async fn open_foreign(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        Ok(Self(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?))
    }

    /// Begins a transaction that nobody else can write beside.
    pub(super) async fn begin(&self) -> Result<Session, StoreError> {
        Ok(Session(self.0.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// Begins a transaction that only reads.
    pub(super) async fn read(&self) -> Result<Session, StoreError> {
        Ok(Session(self.0.begin().await?))
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}

pub(super) struct Session(Transaction<'static, Sqlite>);

impl Session {
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }

    pub(super) async fn run(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<u64, StoreError> {
        let query = bind!(sqlx::query::<Sqlite>(sql), args);
        Ok(query.execute(&mut *self.0).await?.rows_affected())
    }

    pub(super) async fn rows(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let query = bind!(sqlx::query::<Sqlite>(sql), args);
        let rows = query.fetch_all(&mut *self.0).await?;
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }
}
