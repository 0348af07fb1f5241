//! The processes that follow this store, and which keys each of them holds.
//!
//! This file refuses to know which key mints.

use super::claims::KEPT;
use super::engine::{Arg, Tx};
use super::users::{instant, number};
use super::{Rights, Store, StoreError};
use crate::time::Timestamp;
use crate::token::KeyId;

/// A process that follows the store.
#[derive(Clone, Debug)]
pub struct Node {
    /// What operators call it.
    pub name: String,
    /// Drawn at its start: tells it from another process of its name.
    pub run: String,
    /// When it last wrote.
    pub seen_at: Timestamp,
    /// Until when it may answer for tokens though it is not heard of.
    pub answers_until: Timestamp,
    /// The keys it holds.
    pub keys: Vec<KeyId>,
    /// Keys that wait for it no longer: an operator has said so.
    pub excused: Vec<KeyId>,
}

impl Node {
    /// Whether it has been heard of lately.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.seen_at >= now.minus(LIVE)
    }

    /// Whether a key may mint as far as this node goes: it holds the key, or answers for no token
    /// any more, or is not waited for.
    #[must_use]
    pub fn is_ready_for(&self, key: KeyId, now: Timestamp) -> bool {
        let silent = !self.is_live(now) && self.answers_until < now;
        silent || self.keys.contains(&key) || self.excused.contains(&key)
    }
}

/// How long a node counts as live after it last wrote, in milliseconds.
const LIVE: u64 = 15_000;

impl Store {
    /// Writes that a node is there and which keys it holds; gives the `run` that wrote its row
    /// before. What it is excused from stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn heartbeat(&self, node: &Node) -> Result<Option<String>, StoreError> {
        const BEFORE: &str = "SELECT run FROM nodes WHERE node = $1";
        const SQL: &str = "INSERT INTO nodes (node, seen_at, keys, answers_until, run) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (node) DO UPDATE SET \
             seen_at = excluded.seen_at, keys = excluded.keys, \
             answers_until = excluded.answers_until, run = excluded.run";
        let keys: Vec<_> = node.keys.iter().map(KeyId::to_string).collect();
        let mut tx = self.begin().await?;
        let before = tx.row(BEFORE, &[Arg::Text(&node.name)]).await?;
        let before = before.map(|row| row.text(0)).transpose()?;
        let args = [
            Arg::Text(&node.name),
            Arg::Int(number(node.seen_at)),
            Arg::Text(&keys.join(",")),
            Arg::Int(number(node.answers_until)),
            Arg::Text(&node.run),
        ];
        tx.run(SQL, &args).await?;
        tx.commit().await?;
        if self.rights() == Rights::All {
            self.sweep(node.seen_at).await?;
        }
        Ok(before)
    }

    /// Says that a key need not wait for a node any longer; `false` when there is no such node.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn excuse(&self, node: &str, key: KeyId) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE nodes SET excused = excused || $2 || ',' WHERE node = $1";
        let mut tx = self.begin().await?;
        let known = tx.run(SQL, &[Arg::Text(node), Arg::Text(&key.to_string())]).await? == 1;
        tx.commit().await?;
        Ok(known)
    }

    /// Takes away what is long over: nodes, claims and stages. Nobody waits for it, and of many who
    /// sweep at once one does.
    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if !tx.may_sweep().await? {
            return Ok(());
        }
        let over = [
            ("DELETE FROM nodes WHERE seen_at < $1 AND answers_until < $1", LIVE * 100),
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

    /// The nodes that have not said goodbye, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.read().await?.nodes().await
    }
}

impl Tx {
    /// The nodes that have not said goodbye, by name.
    pub(super) async fn nodes(&mut self) -> Result<Vec<Node>, StoreError> {
        const SQL: &str =
            "SELECT node, run, seen_at, answers_until, keys, excused FROM nodes ORDER BY node";
        let rows = self.rows(SQL, &[]).await?;
        let keys = |text: String| text.split(',').filter_map(KeyId::parse).collect();
        let node = |row: &super::engine::Row| {
            Ok(Node {
                name: row.text(0)?,
                run: row.text(1)?,
                seen_at: instant(row.int(2)?),
                answers_until: instant(row.int(3)?),
                keys: keys(row.text(4)?),
                excused: keys(row.text(5)?),
            })
        };
        rows.iter().map(node).collect()
    }

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
