//! What a store has lost: facts that were acknowledged and are not in it any more.
//!
//! A replica that lost the last commits was promoted, or a backup was restored; this node still
//! knows. What it knows is compared with what the store holds, and what is missing is written back.
//! This file refuses to know how the feed is read.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::{Denial, KeyCare, Service};
use crate::revocations::{Fact, Revocations};
use crate::store::Tx;
use crate::time::Timestamp;

/// What a store holds, while all of it is read once more: 16 bytes a fact.
#[derive(Default)]
pub(super) struct Rereading {
    hashes: RandomState,
    held: HashSet<u64>,
}

impl Rereading {
    /// Notes a fact that the store holds.
    pub(super) fn holds(&mut self, fact: &Fact) {
        self.held.insert(self.hashes.hash_one(fact));
    }

    /// What this node knows and the store does not. Two facts with one hash are taken for one, as
    /// seldom as two keys of the hash table's secret are.
    pub(super) fn lost(&self, service: &Service, care: &KeyCare) -> Vec<Fact> {
        let mut lost = Vec::new();
        let mut miss = |fact: &Fact| {
            if !self.held.contains(&self.hashes.hash_one(fact)) {
                lost.push(fact.clone());
            }
        };
        service.everything(care, &mut miss);
        lost
    }
}

/// What is to be written back.
#[derive(Default)]
pub(super) struct Lost {
    facts: Mutex<Vec<Fact>>,
    wake: Notify,
}

impl Lost {
    /// Whether there is nothing left to write back.
    pub(super) fn is_empty(&self) -> bool {
        self.with(|lost| lost.is_empty())
    }

    pub(super) fn note(&self, facts: Vec<Fact>) {
        if !facts.is_empty() {
            tracing::warn!(facts = facts.len(), "the store may have lost facts: writing them back");
            self.with(|lost| lost.extend(facts));
            self.wake.notify_one();
        }
    }

    /// Waits until there may be something to write back.
    pub(super) async fn noted(&self) {
        self.wake.notified().await;
    }

    /// Writes back what there is, oldest first. What cannot be written stays.
    pub(super) async fn write_back(&self, service: &Service) -> Result<(), Denial> {
        while let Some(fact) = self.with(|lost| lost.last().cloned()) {
            service.write_back(&fact).await?;
            self.with(|lost| lost.pop());
        }
        Ok(())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<Fact>) -> T) -> T {
        act(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service {
    /// Writes a fact back unless the store knows as much: another node may have been first.
    async fn write_back(&self, fact: &Fact) -> Result<(), Denial> {
        // Of several nodes that write about one user, or about nobody, each sees what the one before
        // has written.
        let mut tx = self.store()?.begin_for(fact.user().unwrap_or_default()).await?;
        // Sessions that begin from now on begin behind what is known.
        if let Some(known) = tick_of(fact) {
            tx.raise_tick(fact.user(), known).await?;
        }
        if !knows(&mut tx, fact).await? {
            self.append(&mut tx, fact, None)?;
            tracing::warn!(fact = sort(fact), "the store had lost this: written back");
        }
        Ok(tx.commit().await?)
    }
}

/// Whether what the store holds comes to the same with this fact and without it.
async fn knows(tx: &mut Tx, fact: &Fact) -> Result<bool, Denial> {
    if matches!(fact, Fact::Key { .. } | Fact::Imported(_)) {
        return Ok(tx.says(fact).await?);
    }
    let (session, device) = match fact {
        Fact::Session { session, .. } => (Some(*session), None),
        Fact::Device { device, .. } => (None, Some(&**device)),
        _ => (None, None),
    };
    let user = fact.user().unwrap_or_default();
    let known = tx.facts_against(session, device, user).await?;
    let before = all(&known);
    known.append(fact);
    Ok(before == all(&known))
}

fn all(facts: &Revocations) -> HashSet<Fact> {
    let mut all = HashSet::new();
    facts.each(|fact| {
        all.insert(fact);
    });
    all
}

/// What sort of fact it is, for the log; it names nobody.
fn sort(fact: &Fact) -> &'static str {
    match fact {
        Fact::User { .. } => "user",
        Fact::Device { .. } => "device",
        Fact::Session { .. } => "session",
        Fact::Server { .. } => "server",
        Fact::Account { .. } => "account",
        Fact::Imported(_) => "imported",
        Fact::Key { .. } => "key",
    }
}

/// The tick that a user must have had when a fact was written.
fn tick_of(fact: &Fact) -> Option<Timestamp> {
    match fact {
        Fact::User { from, .. } | Fact::Device { from, .. } | Fact::Server { from } => Some(*from),
        Fact::Session { session, .. } => Some(session.beginning()),
        Fact::Account { at, .. } => Some(*at),
        Fact::Imported(token) => Some(token.session.beginning()),
        Fact::Key { .. } => None,
    }
}
