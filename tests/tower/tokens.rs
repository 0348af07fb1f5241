//! Alice's tokens, by a key that is worth nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use amaretti::ident::{DeviceId, UserId};
use amaretti::keyring::Keyring;
use amaretti::time::Timestamp;
use amaretti::token::{Grant, Key, Kind, SessionId, attenuate};
use base64::engine::{Engine, general_purpose::URL_SAFE_NO_PAD};
use tempfile::TempDir;

pub(crate) const ALICE: &str = "@alice:example.com";
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(crate) fn key() -> Key {
    Key::from_bytes(b"\x9e\x03amaretti: a key for no one\x00\x81\xfe\x17").unwrap()
}

fn other_key() -> Key {
    Key::from_bytes(b"\x4c\x11amaretti: a key nobody has\x02\x93\xe4\x61").unwrap()
}

/// A ring that verifies access tokens.
pub(crate) fn ring() -> Keyring {
    let mut ring = Keyring::default();
    ring.hold_subkey(key().subkey(Kind::Access)).unwrap();
    ring
}

pub(crate) fn session() -> SessionId {
    SessionId::new(NOW, *b"ten random")
}

fn minted(key: &Key, expires_at: Option<Timestamp>) -> String {
    let grant = Grant {
        kind: Kind::Access,
        user: UserId::parse(ALICE).unwrap(),
        device: Some(DeviceId::parse("ABCDEFGHIJ").unwrap()),
        guest: false,
        session: session(),
        generation: 0,
        issued_at: NOW,
        expires_at,
        carried: &[],
    };
    grant.mint(&key.subkey(Kind::Access)).unwrap().reveal().to_owned()
}

/// One that lives 15 minutes from [`NOW`], so that it has expired by the clock of this machine.
pub(crate) fn token() -> String {
    minted(&key(), Some(NOW.plus(900_000)))
}

pub(crate) fn narrowed(caveat: &str) -> String {
    attenuate(&token(), &[caveat]).unwrap().reveal().to_owned()
}

/// One that never expires, narrowed.
pub(crate) fn lasting(caveats: &[&str]) -> String {
    attenuate(&minted(&key(), None), caveats).unwrap().reveal().to_owned()
}

pub(crate) fn forged() -> String {
    let token = token();
    let last = if token.ends_with('A') { 'Q' } else { 'A' };
    let (rest, _) = token.split_at(token.len() - 2);
    format!("{rest}{last}A")
}

pub(crate) fn by_another_key() -> String {
    minted(&other_key(), None)
}

/// A folder with the subkey in it, as `amaretti keys export` writes one.
pub(crate) fn exported() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (id, subkey) = (key().id(), key().subkey(Kind::Access));
    let secret = URL_SAFE_NO_PAD.encode(subkey.expose());
    let check = u64::from_be_bytes(subkey.check_value());
    let text = format!(
        "format = 1\nid = {id}\nstore = {:032x}\ncreated = 1790000000000\nkind = access\n\
         secret = {secret}\ncheck = {check:016x}\n",
        7
    );
    let path = folder.path().join(format!("{id}.access.subkey"));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    folder
}
