//! The engine under the store: transactions, arguments and rows.
//!
//! Everything the store keeps is TEXT or BIGINT, so two types of argument are enough and each query
//! is written once, whatever engine runs it. This file refuses to know any query.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteSynchronous;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow};
use sqlx::{Row as _, SqlSafeStr, Sqlite, SqlitePool, Transaction};

use super::StoreError;
use crate::time::Timestamp;

/// One argument of a query.
#[derive(Clone, Copy)]
pub(super) enum Arg<'a> {
    Text(&'a str),
    Maybe(Option<&'a str>),
    Int(i64),
    MaybeInt(Option<i64>),
}

/// One row of an answer, columns counted from 0.
pub(super) struct Row(SqliteRow);

impl Row {
    pub(super) fn text(&self, column: usize) -> Result<String, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    pub(super) fn maybe(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    pub(super) fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    pub(super) fn int(&self, column: usize) -> Result<i64, StoreError> {
        Ok(self.0.try_get(column)?)
    }
}

/// A pool of connections to one database.
#[derive(Clone)]
pub(super) struct Pool(SqlitePool);

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
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await?;
        // In one transaction that nobody writes beside: several processes may start at once.
        let mut alone = pool.begin_with("BEGIN IMMEDIATE").await?;
        migrator().run_direct(None, &mut *alone, false).await?;
        alone.commit().await?;
        Ok(Self(pool))
    }

    /// Begins a transaction that nobody else can write beside.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(Tx(self.0.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// Begins a transaction that only reads.
    pub(super) async fn read(&self) -> Result<Tx, StoreError> {
        Ok(Tx(self.0.begin().await?))
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}

fn migrator() -> Migrator {
    const ALL: [(&str, &str); 4] = [
        ("first", include_str!("../../migrations/0001_first.sql")),
        ("refresh", include_str!("../../migrations/0002_refresh.sql")),
        ("accounts", include_str!("../../migrations/0003_accounts.sql")),
        ("beats", include_str!("../../migrations/0004_beats.sql")),
    ];
    let migration = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations((1..).zip(ALL).map(migration).collect())
}

/// A transaction; dropped without [`Tx::commit`] it has never been.
pub struct Tx(Transaction<'static, Sqlite>);

impl Tx {
    /// Makes everything done in this transaction last.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away; then nothing was done.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }

    /// The present instant by the clock of the database. SQLite has none of its own: there it is
    /// `own`, the caller's.
    #[expect(clippy::unused_async, reason = "an engine with a clock has to be asked")]
    pub(super) async fn clock(&mut self, own: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(own)
    }

    /// Runs a statement; gives the number of rows it touched.
    pub(super) async fn run(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<u64, StoreError> {
        Ok(query(sql, args).execute(&mut *self.0).await?.rows_affected())
    }

    /// Every row of an answer.
    pub(super) async fn rows(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let rows = query(sql, args).fetch_all(&mut *self.0).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// The first row of an answer, if there is one.
    pub(super) async fn row(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(query(sql, args).fetch_optional(&mut *self.0).await?.map(Row))
    }
}

type Query = sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments>;

fn query(sql: &'static str, args: &[Arg<'_>]) -> Query {
    args.iter().fold(sqlx::query(sql), |query, arg| match *arg {
        Arg::Text(text) => query.bind(text.to_owned()),
        Arg::Maybe(text) => query.bind(text.map(str::to_owned)),
        Arg::Int(number) => query.bind(number),
        Arg::MaybeInt(number) => query.bind(number),
    })
}
