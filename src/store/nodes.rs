//! The processes that follow this store, and which keys each of them holds.
//!
//! This file refuses to know which key mints.

use super::claims::KEPT;
use super::engine::{Arg, Tx};
use super::users::{instant, number};
use super::{Store, StoreError};
use crate::time::Timestamp;
use crate::token::KeyId;

/// A process that follows the store.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, drawn at its start.
    pub name: String,
    /// When it last wrote.
    pub seen_at: Timestamp,
    /// The keys it holds.
    pub keys: Vec<KeyId>,
}

/// How long a node counts as live after it last wrote, in milliseconds.
const LIVE: u64 = 15_000;

impl Store {
    /// Writes that a node is there and which keys it holds.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn heartbeat(&self, node: &Node) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO nodes (node, seen_at, keys) VALUES ($1, $2, $3) \
             ON CONFLICT (node) DO UPDATE SET seen_at = excluded.seen_at, keys = excluded.keys";
        let keys: Vec<_> = node.keys.iter().map(KeyId::to_string).collect();
        let seen_at = Arg::Int(number(node.seen_at));
        let mut tx = self.begin().await?;
        let args = [Arg::Text(&node.name), seen_at, Arg::Text(&keys.join(","))];
        tx.run(SQL, &args).await?;
        tx.commit().await?;
        self.sweep(node.seen_at).await
    }

    /// Takes away what is long over: nodes, claims and stages. Nobody waits for it, and of many who
    /// sweep at once one does.
    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if !tx.may_sweep().await? {
            return Ok(());
        }
        let over = [
            ("DELETE FROM nodes WHERE seen_at < $1", LIVE * 100),
            ("DELETE FROM claims WHERE expires_at < $1", KEPT),
            ("DELETE FROM stages WHERE expires_at < $1", KEPT),
        ];
        for (sql, kept) in over {
            tx.run(sql, &[Arg::Int(number(now.minus(kept)))]).await?;
        }
        tx.commit().await
    }

    /// Takes a node off the list, at its orderly end or because it is known to be gone.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn forget_node(&self, name: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.run("DELETE FROM nodes WHERE node = $1", &[Arg::Text(name)]).await?;
        tx.commit().await
    }

    /// The nodes that have written lately.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn live_nodes(&self, now: Timestamp) -> Result<Vec<Node>, StoreError> {
        const SQL: &str = "SELECT node, seen_at, keys FROM nodes WHERE seen_at >= $1 ORDER BY node";
        let since = Arg::Int(number(now.minus(LIVE)));
        let rows = self.read().await?.rows(SQL, &[since]).await?;
        let node = |row: &super::engine::Row| {
            let keys = row.text(2)?.split(',').filter_map(KeyId::parse).collect();
            Ok(Node { name: row.text(0)?, seen_at: instant(row.int(1)?), keys })
        };
        rows.iter().map(node).collect()
    }
}

impl Tx {
    /// Whether a key was ever made for this store.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn has_had_key(&mut self) -> Result<bool, StoreError> {
        let row = self.row("SELECT has_had_key FROM store", &[]).await?;
        Ok(row.map(|row| row.int(0)).transpose()? == Some(1))
    }

    /// Remembers that a key was made for this store.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn remember_key(&mut self) -> Result<(), StoreError> {
        self.run("UPDATE store SET has_had_key = 1", &[]).await.map(|_| ())
    }
}
