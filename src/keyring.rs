//! The keys a node holds: one mints, all verify, retired ones do nothing ever again.
//!
//! A ring is built once and then only read; whoever rotates builds another. This file refuses to
//! know files and databases: keys, announcements and retirements reach it as values.

use std::sync::Arc;

use crate::token::{Key, KeyId, Keys, Kind, Refusal, SealingKey, Subkey};

/// Why a key was not taken into a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Two different secrets with one id, or one secret twice.
    #[error("two keys have the id {0}: take one of the files away")]
    SameId(KeyId),
    /// Retired is for ever.
    #[error("key {0} has been retired and cannot be used again: take its file away")]
    Retired(KeyId),
    /// To mint with a key, it has to be held whole.
    #[error("key {0} is not held here, so nothing can be minted with it")]
    NotHeld(KeyId),
}

/// The keys a node holds.
#[derive(Default)]
pub struct Keyring {
    /// Sorted by place: looking up is a binary search over a few numbers that lie side by side.
    subkeys: Vec<(u64, Arc<Subkey>)>,
    sealing: Vec<Arc<SealingKey>>,
    minting: Option<KeyId>,
    announced: Vec<KeyId>,
    retired: Vec<KeyId>,
}

impl Keyring {
    /// An empty ring, in which the keys named here are retired.
    #[must_use]
    pub fn without(retired: Vec<KeyId>) -> Self {
        Self { retired, ..Self::default() }
    }

    /// A ring with the same keys, less those retired, in which nothing mints yet.
    #[must_use]
    pub fn successor(&self, retired: Vec<KeyId>) -> Self {
        let stays = |(_, subkey): &&(u64, Arc<Subkey>)| !retired.contains(&subkey.key_id());
        let subkeys = self.subkeys.iter().filter(stays).cloned().collect();
        let stays = |sealing: &&Arc<SealingKey>| !retired.contains(&sealing.key_id());
        let sealing = self.sealing.iter().filter(stays).cloned().collect();
        Self { subkeys, sealing, retired, ..Self::default() }
    }

    /// Takes a key in: it verifies every kind.
    ///
    /// # Errors
    /// [`KeyringError`] for a second key of one id and for a retired one; the ring is unchanged.
    pub fn hold(&mut self, key: &Key) -> Result<(), KeyringError> {
        self.check(key.id(), None)?;
        for kind in Kind::ALL {
            self.insert(key.subkey(kind));
        }
        self.sealing.push(Arc::new(key.sealing_key()));
        Ok(())
    }

    /// Takes in a subkey alone: it verifies one kind.
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub fn hold_subkey(&mut self, subkey: Subkey) -> Result<(), KeyringError> {
        self.check(subkey.key_id(), Some(subkey.kind()))?;
        self.insert(subkey);
        Ok(())
    }

    /// From now on tokens are minted with this key.
    ///
    /// # Errors
    /// [`KeyringError::NotHeld`] when the ring lacks it or has no more than some of its subkeys.
    pub fn mint_with(&mut self, id: KeyId) -> Result<(), KeyringError> {
        self.minting = Some(id).filter(|id| self.holds_whole(*id));
        self.minting.map(|_| ()).ok_or(KeyringError::NotHeld(id))
    }

    /// Names keys that some node of this installation has, held here or not.
    pub fn announce(&mut self, ids: impl IntoIterator<Item = KeyId>) {
        self.announced.extend(ids);
    }

    /// The subkey that mints tokens of a kind; `None` on a node that only verifies.
    #[must_use]
    pub fn minting(&self, kind: Kind) -> Option<&Subkey> {
        self.minting.and_then(|id| self.search(id, kind))
    }

    /// What seals an interactive session now; `None` on a node that only verifies.
    #[must_use]
    pub fn sealing(&self) -> Option<&SealingKey> {
        self.minting.and_then(|id| self.unsealing(id))
    }

    /// What unseals an interactive session that was sealed with this key.
    #[must_use]
    pub fn unsealing(&self, id: KeyId) -> Option<&SealingKey> {
        self.sealing.iter().find(|sealing| sealing.key_id() == id).map(AsRef::as_ref)
    }

    /// The names of the keys held, whole or in part, in ascending order.
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        let mut ids: Vec<_> = self.subkeys.iter().map(|(_, subkey)| subkey.key_id()).collect();
        ids.dedup();
        ids
    }

    /// The names of the keys that a token which is good anywhere may be signed with: those held
    /// here and those announced, without the retired.
    #[must_use]
    pub fn known_ids(&self) -> Vec<KeyId> {
        let mut ids = self.ids();
        ids.extend(self.announced.iter().filter(|id| !self.retired.contains(id)));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The name of the key that mints.
    #[must_use]
    pub fn minting_id(&self) -> Option<KeyId> {
        self.minting
    }

    /// Whether all kinds of this key are held, so that it could mint.
    #[must_use]
    pub fn holds_whole(&self, id: KeyId) -> bool {
        Kind::ALL.into_iter().all(|kind| self.search(id, kind).is_some())
    }

    /// Whether this key was retired when the ring was built.
    #[must_use]
    pub fn is_retired(&self, id: KeyId) -> bool {
        self.retired.contains(&id)
    }

    fn check(&self, id: KeyId, kind: Option<Kind>) -> Result<(), KeyringError> {
        if self.retired.contains(&id) {
            return Err(KeyringError::Retired(id));
        }
        let twice = |(_, s): &(u64, Arc<Subkey>)| {
            s.key_id() == id && kind.is_none_or(|kind| s.kind() == kind)
        };
        if self.subkeys.iter().any(twice) { Err(KeyringError::SameId(id)) } else { Ok(()) }
    }

    fn insert(&mut self, subkey: Subkey) {
        let place = place(subkey.key_id(), subkey.kind());
        let at = self.subkeys.partition_point(|(other, _)| *other < place);
        self.subkeys.insert(at, (place, Arc::new(subkey)));
    }

    #[inline]
    fn search(&self, id: KeyId, kind: Kind) -> Option<&Subkey> {
        let at = self.subkeys.binary_search_by_key(&place(id, kind), |(place, _)| *place);
        at.ok().and_then(|at| self.subkeys.get(at)).map(|(_, subkey)| &**subkey)
    }
}

/// Where a subkey belongs in a ring: one number, ordered by key id, then kind.
#[inline]
fn place(id: KeyId, kind: Kind) -> u64 {
    u64::from(u32::from_be_bytes(id.to_bytes())) << 8 | u64::from(kind.byte())
}

impl Keys for Keyring {
    #[inline]
    fn find(&self, id: KeyId, kind: Kind) -> Result<&Subkey, Refusal> {
        self.search(id, kind).ok_or_else(|| {
            let missing_here = self.announced.contains(&id) && !self.retired.contains(&id);
            if missing_here { Refusal::KeyNotHeld(id) } else { Refusal::UnknownKey(id) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> Key {
        Key::from_bytes(&core::array::from_fn(|i| seed.wrapping_add(i as u8))).unwrap()
    }

    #[test]
    fn every_key_of_the_ring_verifies_and_one_mints() {
        let mut ring = Keyring::default();
        for seed in 0..9 {
            ring.hold(&key(seed)).unwrap();
        }
        ring.mint_with(key(4).id()).unwrap();

        for seed in 0..9 {
            let id = key(seed).id();
            assert!(Kind::ALL.iter().all(|kind| ring.find(id, *kind).is_ok()));
        }
        assert_eq!(ring.minting(Kind::Login).unwrap().key_id(), key(4).id());
        assert_eq!(ring.ids().len(), 9);
    }

    #[test]
    fn a_key_is_taken_once_and_never_after_its_retirement() {
        let mut ring = Keyring::without(vec![key(2).id()]);
        ring.hold(&key(1)).unwrap();

        assert_eq!(ring.hold(&key(1)).err(), Some(KeyringError::SameId(key(1).id())));
        assert_eq!(ring.hold(&key(2)).err(), Some(KeyringError::Retired(key(2).id())));
        let subkey = key(2).subkey(Kind::Access);
        assert_eq!(ring.hold_subkey(subkey).err(), Some(KeyringError::Retired(key(2).id())));
    }

    #[test]
    fn a_subkey_verifies_its_kind_and_mints_nothing() {
        let mut ring = Keyring::default();
        let id = key(1).id();
        ring.hold_subkey(key(1).subkey(Kind::Access)).unwrap();

        assert!(ring.find(id, Kind::Access).is_ok());
        assert_eq!(ring.find(id, Kind::Refresh).err(), Some(Refusal::UnknownKey(id)));
        assert_eq!(ring.mint_with(id).err(), Some(KeyringError::NotHeld(id)));
        assert!(ring.minting(Kind::Access).is_none());
    }

    #[test]
    fn a_key_that_others_hold_is_our_fault_until_it_is_retired() {
        let id = key(1).id();
        let mut ring = Keyring::default();
        ring.announce([id]);
        assert_eq!(ring.find(id, Kind::Access).err(), Some(Refusal::KeyNotHeld(id)));

        let mut ring = Keyring::without(vec![id]);
        ring.announce([id]);
        assert_eq!(ring.find(id, Kind::Access).err(), Some(Refusal::UnknownKey(id)));
    }
}
