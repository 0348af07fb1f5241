//! The engine under the store: transactions, arguments and rows, over SQLite or PostgreSQL.
//!
//! Everything the store keeps is TEXT or BIGINT, so two types of argument are enough and each query
//! is written once, whatever engine runs it. This file refuses to know any query.
//!
//! A transaction that writes takes its locks in one order, so that no two ever wait for each other:
//! first the user's, then those of single rows, and last the feed's, inside its commit. SQLite has
//! one lock for all of it, taken at the beginning.

mod migrations;
mod postgres;
mod sqlite;

use std::path::Path;

use super::StoreError;
use super::feed::Line;
use super::users::instant;
use crate::time::Timestamp;

pub use postgres::{Listener, Server};

/// How many steps lead to the present form of a database.
pub(super) fn steps() -> u64 {
    migrations::ALL.len() as u64
}

/// One argument of a query.
#[derive(Clone, Copy)]
pub(super) enum Arg<'a> {
    Text(&'a str),
    Maybe(Option<&'a str>),
    Int(i64),
    MaybeInt(Option<i64>),
}

/// Binds arguments to a query of either engine.
macro_rules! bind {
    ($query:expr, $args:expr) => {
        $args.iter().fold($query, |query, arg| match *arg {
            Arg::Text(text) => query.bind($crate::store::engine::storable(text)),
            Arg::Maybe(text) => query.bind(text.map($crate::store::engine::storable)),
            Arg::Int(number) => query.bind(number),
            Arg::MaybeInt(number) => query.bind(number),
        })
    };
}
use bind;

/// A text as both engines can keep it: PostgreSQL knows no NUL.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// One row of an answer, columns counted from 0.
pub(super) enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

/// Reads a column, whatever engine the row is from.
macro_rules! column {
    ($row:expr, $column:expr) => {
        Ok(match &$row {
            Row::Sqlite(row) => sqlx::Row::try_get(row, $column)?,
            Row::Postgres(row) => sqlx::Row::try_get(row, $column)?,
        })
    };
}

impl Row {
    pub(super) fn text(&self, column: usize) -> Result<String, StoreError> {
        column!(*self, column)
    }

    pub(super) fn maybe(&self, column: usize) -> Result<Option<String>, StoreError> {
        column!(*self, column)
    }

    pub(super) fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        column!(*self, column)
    }

    pub(super) fn int(&self, column: usize) -> Result<i64, StoreError> {
        column!(*self, column)
    }
}

/// A pool of connections to one database.
#[derive(Clone)]
pub(super) enum Pool {
    Sqlite(sqlite::Pool),
    Postgres(postgres::Pool),
}

impl Pool {
    /// Opens the database in `file`, making it when it is not there, and brings it up to date.
    pub(super) async fn open_file(file: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(sqlite::Pool::open(file).await?))
    }

    /// Opens a database of a server and brings it up to date.
    pub(super) async fn open_server(server: &Server) -> Result<Self, StoreError> {
        let pool = postgres::Pool::new(server);
        pool.migrate().await?;
        Ok(Self::Postgres(pool))
    }

    /// Another program's database in `file`.
    pub(super) async fn foreign_file(file: &Path) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(sqlite::Pool::open_foreign(file).await?))
    }

    /// Another program's database on a server.
    pub(super) fn foreign_server(server: &Server) -> Self {
        Self::Postgres(postgres::Pool::new(server))
    }

    /// A database of a server that is asked when it is needed.
    pub(super) fn server_later(server: &Server) -> Self {
        Self::Postgres(postgres::Pool::new(server))
    }

    /// Begins a transaction that writes. When it is about a user, nobody else writes about that
    /// user beside it.
    pub(super) async fn begin(&self, user_id: Option<&str>) -> Result<Tx, StoreError> {
        Ok(Tx::new(match self {
            Self::Sqlite(pool) => Session::Sqlite(pool.begin().await?),
            Self::Postgres(pool) => Session::Postgres(pool.begin(user_id).await?),
        }))
    }

    /// Begins a transaction that only reads, and sees one state of the database.
    pub(super) async fn read(&self) -> Result<Tx, StoreError> {
        Ok(Tx::new(match self {
            Self::Sqlite(pool) => Session::Sqlite(pool.read().await?),
            Self::Postgres(pool) => Session::Postgres(pool.read().await?),
        }))
    }

    /// A connection of its own that hears of what is appended to the feed; `None` where nobody
    /// tells.
    pub(super) async fn listener(&self) -> Result<Option<Listener>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(pool) => pool.listener().await,
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

enum Session {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
}

/// A transaction; dropped without [`Tx::commit`] it has never been.
pub struct Tx {
    session: Session,
    /// Facts that are written at the commit.
    pub(super) lines: Vec<Line>,
}

impl Tx {
    fn new(session: Session) -> Self {
        Self { session, lines: Vec::new() }
    }

    /// Makes everything done in this transaction last.
    pub(super) async fn finish(self) -> Result<(), StoreError> {
        match self.session {
            Session::Sqlite(session) => session.commit().await,
            Session::Postgres(session) => session.commit().await,
        }
    }

    /// Waits until nobody else appends to the feed, up to the end of this transaction, and wakes
    /// those who follow it with the commit. Nothing else may be waited for after it.
    pub(super) async fn lock_feed(&mut self) -> Result<(), StoreError> {
        match &mut self.session {
            Session::Sqlite(_) => Ok(()),
            Session::Postgres(session) => session.lock_feed().await,
        }
    }

    /// Whether the database is a file of this machine.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.session, Session::Sqlite(_))
    }

    /// Whether this transaction is the only one that sweeps, up to its end.
    pub(super) async fn may_sweep(&mut self) -> Result<bool, StoreError> {
        match &mut self.session {
            Session::Sqlite(_) => Ok(true),
            Session::Postgres(session) => session.may_sweep().await,
        }
    }

    /// The present instant by the clock of the database; `None` where it has none of its own.
    pub(super) async fn clock(&mut self) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";
        match &mut self.session {
            Session::Sqlite(_) => Ok(None),
            Session::Postgres(session) => {
                let rows = session.rows(SQL, &[]).await?;
                rows.first().map(|row| row.int(0).map(instant)).transpose()
            }
        }
    }

    /// Runs a statement; gives the number of rows it touched.
    pub(super) async fn run(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<u64, StoreError> {
        match &mut self.session {
            Session::Sqlite(session) => session.run(sql, args).await,
            Session::Postgres(session) => session.run(sql, args).await,
        }
    }

    /// Every row of an answer.
    pub(super) async fn rows(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        match &mut self.session {
            Session::Sqlite(session) => session.rows(sql, args).await,
            Session::Postgres(session) => session.rows(sql, args).await,
        }
    }

    /// The first row of an answer, if there is one.
    pub(super) async fn row(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }
}
