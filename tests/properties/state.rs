//! What a node holds besides tokens: a ring of keys, and a set of facts.

use amaretti::keyring::{Keyring, KeyringError};
use amaretti::revocations::{Fact, Revocations};
use amaretti::time::Timestamp;
use amaretti::token::{Key, Keys, Kind, Refusal};

use crate::plans::{key, ring};

fn other_key() -> Key {
    Key::from_bytes(&core::array::from_fn(|i| 0x99 ^ i as u8)).unwrap()
}

#[test]
fn the_successor_of_a_ring_has_its_keys_less_those_retired_and_mints_nothing() {
    let (kept, gone) = (key().id(), other_key().id());
    let mut old = ring();
    old.mint_with(kept).unwrap();
    let mut next = old.successor(vec![gone]);

    assert_eq!((old.minting_id(), next.minting_id()), (Some(kept), None));
    assert_eq!(next.ids(), [kept]);
    assert_eq!(next.find(gone, Kind::Access).err(), Some(Refusal::UnknownKey(gone)));
    assert_eq!(next.hold(&other_key()), Err(KeyringError::Retired(gone)));
    assert_eq!(next.mint_with(kept), Ok(()));
}

#[test]
fn subkeys_of_one_key_are_taken_one_of_each_kind() {
    let (mut ring, id) = (Keyring::default(), key().id());
    for kind in Kind::ALL {
        assert!(!ring.holds_whole(id), "whole before {kind}");
        assert_eq!(ring.hold_subkey(key().subkey(kind)), Ok(()));
        assert_eq!(ring.hold_subkey(key().subkey(kind)), Err(KeyringError::SameId(id)));
    }

    assert!(ring.holds_whole(id));
    assert_eq!(ring.mint_with(id), Ok(()));
    assert_eq!(ring.ids(), [id]);
}

#[test]
fn each_user_of_whom_something_is_known_counts_once() {
    let facts = Revocations::default();
    assert_eq!(facts.users(), 0);

    for user in ["@alice:hs", "@bob:hs", "@alice:hs"] {
        let from = Timestamp::from_millis(5);
        facts.append(&Fact::User { user: user.into(), from, exempt: None });
    }
    assert_eq!(facts.users(), 2);
}
