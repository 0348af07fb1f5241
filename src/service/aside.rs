//! The keys of a command that mints beside the nodes of an installation.
//!
//! It mints with the key that the nodes mint with: the newest that all of them hold. This file
//! refuses to know what is minted.

use std::path::Path;
use std::sync::Arc;

use super::{KeyCareError, Service};
use crate::keyfile::{self, Held};
use crate::keyring::Keyring;
use crate::store::Store;

impl Service {
    /// Takes in the keys of a folder, less those retired, without becoming a node.
    ///
    /// # Errors
    /// [`KeyCareError`]; [`KeyCareError::NoWholeKey`] when there is no whole key to mint with.
    pub async fn mint_aside(&self, store: &Store, folder: &Path) -> Result<(), KeyCareError> {
        let files = keyfile::read_folder(folder)?;
        keyfile::check_store(&files, store.id())?;
        let retired = store.read().await?.retired_keys().await?;
        let (now, nodes) = (self.now(), store.nodes().await?);
        let mut ring = Keyring::without(retired.clone());
        let mut newest = None;
        for file in files.iter().filter(|file| !retired.contains(&file.id)) {
            let Held::Key(key) = &file.held else { continue };
            ring.hold(key)?;
            let everywhere = nodes.iter().all(|node| node.is_ready_for(file.id, now));
            newest = newest.max(Some((everywhere, file.created, file.id)));
        }
        let (_, _, id) = newest.ok_or_else(|| KeyCareError::NoWholeKey(folder.to_owned()))?;
        ring.mint_with(id)?;
        self.ring.store(Arc::new(ring));
        Ok(())
    }
}
