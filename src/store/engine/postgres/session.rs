//! One connection in a transaction: what is asked on it, and what becomes of it afterwards.
//!
//! Nothing is waited for without an end. This file refuses to know any query of the store.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Error, Postgres, raw_sql};
use tokio::time::timeout;

use super::Server;
use crate::store::StoreError;
use crate::store::engine::{Arg, Row, bind};

/// Taken by whoever appends to the feed, and what wakes its followers with the commit.
const LOCK_FEED: &str =
    "SELECT pg_advisory_xact_lock(1634558322, 1), pg_notify('amaretti_feed', '')";
const TRY_SWEEP: &str = "SELECT 1 WHERE pg_try_advisory_xact_lock(1634558322, 2)";

/// A connection that is in a transaction.
pub(in crate::store::engine) struct Session {
    /// Taken when this is dropped.
    conn: Option<PoolConnection<Postgres>>,
    patience: Duration,
    prepares: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// A statement has failed; the transaction cannot be committed any more.
    Failed,
    Committed,
    /// The connection does not answer.
    Silent,
}

impl Session {
    pub(super) fn new(conn: PoolConnection<Postgres>, server: &Server) -> Self {
        // The server has the first word: its time is up a little earlier.
        let patience = server.patience + server.patience / 5;
        Self { conn: Some(conn), patience, prepares: !server.pooled, state: State::Open }
    }

    /// Runs statements as they are written, with nothing prepared.
    pub(super) async fn plain(&mut self, sql: &str) -> Result<(), StoreError> {
        let conn = self.conn.as_deref_mut().ok_or(StoreError::Silent)?;
        let sql = raw_sql(AssertSqlSafe(sql.to_owned()));
        bounded(self.patience, &mut self.state, sql.execute(conn)).await.map(|_| ())
    }

    pub(in crate::store::engine) async fn commit(mut self) -> Result<(), StoreError> {
        if self.state != State::Open {
            // PostgreSQL would undo it and call that a success.
            return Err(StoreError::Undone);
        }
        self.plain("COMMIT").await?;
        self.state = State::Committed;
        Ok(())
    }

    /// The notification goes out with the commit, and once however many facts there are.
    pub(in crate::store::engine) async fn lock_feed(&mut self) -> Result<(), StoreError> {
        self.plain(LOCK_FEED).await
    }

    pub(in crate::store::engine) async fn may_sweep(&mut self) -> Result<bool, StoreError> {
        Ok(!self.rows(TRY_SWEEP, &[]).await?.is_empty())
    }

    pub(in crate::store::engine) async fn run(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<u64, StoreError> {
        let query = bind!(sqlx::query::<Postgres>(sql), args).persistent(self.prepares);
        let conn = self.conn.as_deref_mut().ok_or(StoreError::Silent)?;
        let done = bounded(self.patience, &mut self.state, query.execute(conn)).await?;
        Ok(done.rows_affected())
    }

    pub(in crate::store::engine) async fn rows(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let query = bind!(sqlx::query::<Postgres>(sql), args).persistent(self.prepares);
        let conn = self.conn.as_deref_mut().ok_or(StoreError::Silent)?;
        let rows = bounded(self.patience, &mut self.state, query.fetch_all(conn)).await?;
        Ok(rows.into_iter().map(Row::Postgres).collect())
    }
}

/// Waits for an answer no longer than `patience`, and notes what became of the transaction.
async fn bounded<T>(
    patience: Duration,
    state: &mut State,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, StoreError> {
    match timeout(patience, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            *state = State::Failed;
            Err(error.into())
        }
        Err(_) => {
            *state = State::Silent;
            Err(StoreError::Silent)
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else { return };
        let (state, patience) = (self.state, self.patience);
        let runtime = tokio::runtime::Handle::try_current();
        let Some(runtime) = runtime.ok().filter(|_| state != State::Silent) else {
            drop(conn.detach());
            return;
        };
        runtime.spawn(async move {
            let undone = state == State::Committed
                || matches!(
                    timeout(patience, raw_sql("ROLLBACK").execute(&mut *conn)).await,
                    Ok(Ok(_))
                );
            if undone {
                // Bounded here: sqlx itself would wait for a silent server for ever, and count the
                // connection as one of the pool meanwhile.
                let _closed_if_silent = timeout(patience, conn.return_to_pool()).await;
            } else {
                drop(conn.detach());
            }
        });
    }
}
