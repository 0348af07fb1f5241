//! Rotation: when a new key mints, and what each node tells the others of its keys.
//!
//! A key mints once every node that may still answer for tokens holds it, so that nobody is turned
//! away for bearing a new one. This file refuses to know files.

use std::sync::Arc;

use super::keys::KeyCare;
use super::{Event, Service};
use crate::keyring::Keyring;
use crate::revocations::{Fact, KeyState};
use crate::store::{Node, Store, StoreError};
use crate::time::Timestamp;
use crate::token::KeyId;

impl KeyCare {
    /// Tells the store what is held here, and lets the newest key mint that every live node holds.
    pub(super) async fn settle(&self, service: &Service) -> Result<(), StoreError> {
        let Some(store) = &service.store else { return Ok(()) };
        let ring = service.ring();
        let now = service.store_now();
        self.beat(store, &ring, now).await?;
        self.announce(store, &ring).await?;
        let nodes = store.nodes().await?;
        let twin = self.with_known(|known| {
            known.nodes = nodes.iter().filter(|node| node.is_live(now)).count();
            known.twin
        });
        if twin {
            // Two write one row: what the other holds cannot be told from it.
            return Ok(());
        }
        let everywhere = |id: &KeyId| nodes.iter().all(|node| node.is_ready_for(*id, now));
        let created = self.with_known(|known| known.created.clone());
        let newest = |id: &KeyId| (created.get(id).copied(), *id);
        let able = ring.ids().into_iter().filter(|id| ring.holds_whole(*id));
        let chosen = able.clone().filter(everywhere).max_by_key(newest);
        // With no key in common, what minted goes on; with nothing minting, the newest begins.
        let chosen = chosen.or(ring.minting_id()).or_else(|| able.max_by_key(newest));
        if chosen != ring.minting_id() && chosen.is_some() {
            self.mint_with(service, chosen);
        }
        Ok(())
    }

    /// Writes this node's heartbeat, and notices another process of its name.
    async fn beat(
        &self,
        store: &Store,
        ring: &Keyring,
        seen_at: Timestamp,
    ) -> Result<(), StoreError> {
        let before = store
            .heartbeat(&Node {
                name: self.node.clone(),
                run: self.run.clone(),
                seen_at,
                answers_until: seen_at.plus(self.answers_for),
                keys: ring.ids(),
                excused: Vec::new(),
            })
            .await?;
        self.with_known(|known| {
            // The row of a process that is gone is taken over once.
            known.twin = known.beaten && before.is_some_and(|run| run != self.run);
            known.beaten = true;
            if known.twin {
                let node = &self.node;
                tracing::error!(node, "another process bears the name of this node: set node_name");
            }
        });
        Ok(())
    }

    fn mint_with(&self, service: &Service, chosen: Option<KeyId>) {
        let old = service.ring();
        let (retired, announced) =
            self.with_known(|known| (known.retired.clone(), known.announced.clone()));
        let mut ring = old.successor(retired);
        ring.announce(announced);
        if let Some(id) = chosen
            && ring.mint_with(id).is_ok()
        {
            tracing::info!(key = %id, "tokens are minted with this key");
            service.ring.store(Arc::new(ring));
            service.tell(&Event::KeyMints { key: id });
        }
    }

    /// Writes into the feed which keys there are, once a key.
    async fn announce(&self, store: &Store, ring: &Keyring) -> Result<(), StoreError> {
        for id in ring.ids() {
            if !ring.holds_whole(id) || self.with_known(|known| known.announced.contains(&id)) {
                continue;
            }
            let mut tx = store.begin().await?;
            tx.append(&Fact::Key { id, state: KeyState::Announced }, None, &[id])?;
            tx.commit().await?;
            self.learn(id, KeyState::Announced);
        }
        Ok(())
    }
}
