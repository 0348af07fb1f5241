//! PostgreSQL: many nodes on one server, and nothing waited for without an end.
//!
//! Time limits go with every transaction instead of with the connection, and nothing else is left
//! behind on one, so that a pooler may hand each transaction to another. What the server does not
//! answer in time is given up here too: a connection that has gone silent is never used again. This
//! file refuses to know any query of the store.

mod session;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Connection as _, Error, PgConnection, PgPool};
use tokio::time::timeout;

use super::migrations;
use crate::store::StoreError;

pub(in crate::store::engine) use session::Session;

/// The channel on which followers of the feed are woken.
const CHANNEL: &str = "amaretti_feed";

// The names of our advisory locks are two numbers, "amar" and a count; those of users are one, which
// PostgreSQL keeps apart from these.
const LOCK_MIGRATIONS: &str = "SELECT pg_advisory_xact_lock(1634558322, 0)";

/// How long a migration may take, and how long others wait for it.
const MIGRATION: Duration = Duration::from_secs(300);

/// A database of a PostgreSQL server, and how it is spoken to.
#[derive(Clone)]
pub struct Server {
    options: Arc<PgConnectOptions>,
    connections: u32,
    patience: Duration,
    pooled: bool,
}

impl Server {
    /// The database that a URL names. At most `connections` are open at once; a connection, a wait
    /// for one and a statement may each take as long as `patience`.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the URL cannot be read.
    pub fn new(url: &str, connections: u32, patience: Duration) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let named = options.get_application_name().is_some();
        let options = if named { options } else { options.application_name("amaretti") };
        // A pooler refuses parameters of the session that it does not know.
        let options = options.extra_float_digits(None);
        Ok(Self { options: Arc::new(options), connections, patience, pooled: false })
    }

    /// The same, when a pooler stands between that hands each transaction to another connection of
    /// the server: nothing is prepared, and nobody can listen.
    #[must_use]
    pub fn behind_pooler(self, pooled: bool) -> Self {
        Self { pooled, ..self }
    }

    /// Where this is, without any password.
    #[must_use]
    pub fn place(&self) -> String {
        let options = &self.options;
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let database = options.get_database().unwrap_or(options.get_username());
        format!("{}@{host}/{database}", options.get_username())
    }
}

impl fmt::Debug for Server {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.place()).finish()
    }
}

#[derive(Clone)]
pub(in crate::store) struct Pool {
    pool: PgPool,
    server: Server,
    write: Arc<str>,
    read: Arc<str>,
}

impl Pool {
    /// A pool that has not connected to anything yet.
    pub(super) fn new(server: &Server) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(server.connections)
            .acquire_timeout(server.patience)
            // The beginning of a transaction is test enough, and needs no other round trip.
            .test_before_acquire(false)
            .connect_lazy_with((*server.options).clone());
        let limits = limits(server.patience);
        let write = format!("BEGIN ISOLATION LEVEL READ COMMITTED; {limits}").into();
        let read = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {limits}").into();
        Self { pool, server: server.clone(), write, read }
    }

    /// Begins a transaction that writes, when `user_id` is given as the only one about that user.
    pub(super) async fn begin(&self, user_id: Option<&str>) -> Result<Session, StoreError> {
        match user_id {
            Some(user_id) => {
                let lock = user_lock(user_id);
                let write = &self.write;
                self.session(&format!("{write}; SELECT pg_advisory_xact_lock({lock})")).await
            }
            None => self.session(&self.write).await,
        }
    }

    pub(super) async fn read(&self) -> Result<Session, StoreError> {
        self.session(&self.read).await
    }

    /// A session in a transaction that `begin` has begun. A connection that turns out to be dead is
    /// replaced: nothing has been asked of it yet.
    async fn session(&self, begin: &str) -> Result<Session, StoreError> {
        let mut tries = self.server.connections;
        loop {
            let conn = self.pool.acquire().await?;
            let mut session = Session::new(conn, &self.server);
            match session.plain(begin).await {
                Ok(()) => return Ok(session),
                Err(StoreError::Silent) => {
                    // What is idle beside it is as silent, most likely.
                    while let Some(idle) = self.pool.try_acquire() {
                        drop(idle.detach());
                    }
                    return Err(StoreError::Silent);
                }
                Err(StoreError::Engine(error)) if tries > 0 && is_lost(&error) => tries -= 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings the database up to date, one process at a time.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        const MADE: &str = "SELECT 1 WHERE to_regclass('migrations') IS NOT NULL";
        const DONE: &str = "SELECT COALESCE(MAX(version), 0) FROM migrations";
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations \
             (version BIGINT PRIMARY KEY, name TEXT NOT NULL)";
        let newest = migrations::numbered().last().map_or(0, |(version, _)| version);
        let mut look = match self.read().await {
            Err(StoreError::Engine(Error::PoolTimedOut)) => return Err(self.reason().await),
            look => look?,
        };
        if !look.rows(MADE, &[]).await?.is_empty() {
            // Whoever may not change the tables may still use them.
            let done = look.rows(DONE, &[]).await?;
            let done = done.first().map(|row| row.int(0)).transpose()?.unwrap_or_default();
            if done == newest {
                return Ok(());
            }
            if done > newest {
                return Err(StoreError::Newer);
            }
        }
        drop(look);
        let patient = Server { patience: MIGRATION, ..self.server.clone() };
        let conn = self.pool.acquire().await?;
        let mut session = Session::new(conn, &patient);
        session.plain(&format!("BEGIN; {}", limits(MIGRATION))).await?;
        session.plain(LOCK_MIGRATIONS).await?;
        session.plain(TABLE).await?;
        let done = session.rows(DONE, &[]).await?;
        let done = done.first().map(|row| row.int(0)).transpose()?.unwrap_or_default();
        for (version, (name, sql)) in migrations::numbered().filter(|(version, _)| *version > done)
        {
            session.plain(sql).await?;
            session.plain(&format!("INSERT INTO migrations VALUES ({version}, '{name}')")).await?;
        }
        session.commit().await
    }

    /// Why no connection comes about: the pool says no more than that none did.
    async fn reason(&self) -> StoreError {
        let connect = PgConnection::connect_with(&self.server.options);
        match timeout(self.server.patience, connect).await {
            Ok(Err(error)) => error.into(),
            Ok(Ok(_)) | Err(_) => StoreError::Silent,
        }
    }

    /// Listens on a connection of its own, so that it takes none from the pool.
    pub(super) async fn listener(&self) -> Result<Option<Listener>, StoreError> {
        if self.server.pooled {
            return Ok(None);
        }
        let alone = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(self.server.patience)
            .connect_lazy_with((*self.server.options).clone());
        let listen = async {
            let mut listener = PgListener::connect_with(&alone).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok::<_, Error>(listener)
        };
        let listener = timeout(self.server.patience, listen).await;
        Ok(Some(Listener(listener.map_err(|_| StoreError::Silent)??)))
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Hears of what others append to the feed.
pub struct Listener(PgListener);

impl Listener {
    /// Waits until something is appended.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the connection was lost: whoever wants to go on listens anew, and
    /// looks at the feed after that, since something may have been missed.
    pub async fn heard(&mut self) -> Result<(), StoreError> {
        match self.0.try_recv().await? {
            Some(_) => Ok(()),
            None => Err(StoreError::Engine(Error::WorkerCrashed)),
        }
    }
}

fn limits(patience: Duration) -> String {
    let ms = patience.as_millis();
    format!(
        "SET LOCAL statement_timeout = {ms}; SET LOCAL lock_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = {}",
        ms.div_ceil(2),
        ms * 2
    )
}

/// The number of the lock of a user.
fn user_lock(user_id: &str) -> i64 {
    let mut first = [0; 8];
    first.iter_mut().zip(Sha256::digest(user_id)).for_each(|(to, from)| *to = from);
    i64::from_be_bytes(first)
}

/// Whether the connection is gone, and not what was asked on it wrong.
fn is_lost(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        // Shut down by an operator, crashed, or starting up; and whatever class 08 says.
        Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("57P0") || code.starts_with("08"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_this_program_takes_the_same_lock_of_a_user() {
        let first = [0xce, 0x0d, 0x34, 0xae, 0x20, 0x2a, 0x29, 0xb0];

        assert_eq!(user_lock("@alice:example.com"), i64::from_be_bytes(first));
    }

    #[test]
    fn a_server_is_shown_without_its_password() {
        let url = "postgres://amaretti:geheim@db.example.com/accounts?sslmode=verify-full";
        let server = Server::new(url, 8, Duration::from_secs(5)).unwrap();

        assert_eq!(server.place(), "amaretti@db.example.com:5432/accounts");
        assert!(!format!("{server:?}").contains("geheim"), "{server:?}");
    }

    #[test]
    fn a_lock_is_given_up_before_the_statement_and_the_statement_before_the_transaction() {
        assert_eq!(
            limits(Duration::from_secs(5)),
            "SET LOCAL statement_timeout = 5000; SET LOCAL lock_timeout = 2500; \
             SET LOCAL idle_in_transaction_session_timeout = 10000"
        );
    }
}
