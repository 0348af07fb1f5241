//! Keys, their ids, and the subkeys that tokens are signed with.
//!
//! This file knows how secrets derive from one another; it refuses to know where they are kept or
//! which of them mints. Nothing here can be printed, cloned or compared with `==`.
//!
//! ```text
//! key (32 random bytes)
//!  ├─ HMAC(key, "amaretti 1 key id")       first 4 bytes: the key id
//!  ├─ HMAC(key, "amaretti 1 interactive")  seals interactive sessions
//!  └─ HMAC(key, "amaretti 1 access")       the subkey of one kind of token, likewise for
//!      │                                   refresh, login and inner
//!      ├─ HMAC(subkey, "amaretti 1 check")       first 8 bytes: the check value of an export
//!      └─ HMAC("macaroons-key-generator", subkey)  the macaroon's root key, as libmacaroons has it
//! ```

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Kind;
use super::chain::{Prepared, TAG_BYTES};

/// Length of a key and of a subkey, in bytes.
pub const KEY_BYTES: usize = TAG_BYTES;

/// The name of a key: 4 bytes derived from it, shown as 8 hexadecimal digits. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The id made of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The bytes as they stand in a token.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// Reads the 8 lower-case hexadecimal digits that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        super::hex::read(text).map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::hex::write(&self.0, f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why 32 bytes are not taken for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// One byte over and over, zeros for instance.
    #[error("the key is one byte repeated, not random: make one with `amaretti keys new`")]
    Repeated,
    /// Readable text: a placeholder, a pass phrase, a sentence from some documentation.
    #[error("the key is readable text, not random: make one with `amaretti keys new`")]
    Text,
}

/// A signing key: 32 random bytes, wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// Takes 32 bytes of the operating system's randomness for a key.
    ///
    /// # Errors
    /// [`WeakKey`] for bytes that cannot have come from a random source: a repeated byte, or
    /// printable text (all 32 bytes printable happens once in 10^13 random keys).
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, WeakKey> {
        let [first, ..] = bytes;
        if bytes.iter().all(|byte| byte == first) {
            return Err(WeakKey::Repeated);
        }
        if bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            return Err(WeakKey::Text);
        }
        Ok(Self(*bytes))
    }

    /// The name of this key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let [a, b, c, d, ..] = *derive(&self.0, "amaretti 1 key id");
        KeyId([a, b, c, d])
    }

    /// The subkey that tokens of one kind are signed with.
    #[must_use]
    pub fn subkey(&self, kind: Kind) -> Subkey {
        let label = match kind {
            Kind::Access => "amaretti 1 access",
            Kind::Refresh => "amaretti 1 refresh",
            Kind::Login => "amaretti 1 login",
            Kind::Inner => "amaretti 1 inner",
        };
        Subkey::from_bytes(kind, self.id(), &derive(&self.0, label))
    }

    /// What interactive sessions are sealed with: another key for another purpose.
    #[must_use]
    pub fn sealing_key(&self) -> SealingKey {
        SealingKey { key_id: self.id(), secret: derive(&self.0, "amaretti 1 interactive") }
    }

    /// The 32 bytes, for the one who writes the key file.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// What interactive sessions are sealed with. Wiped when dropped.
pub struct SealingKey {
    key_id: KeyId,
    secret: Zeroizing<[u8; KEY_BYTES]>,
}

impl SealingKey {
    /// The name of the key this was derived from.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The 32 bytes, for the one who seals.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.secret
    }
}

/// What signs tokens of one kind: derived from a key, enough to verify and to mint that kind.
///
/// Whoever holds the access subkey can forge access tokens for every user; no token of another
/// kind comes of it. Wiped when dropped.
pub struct Subkey {
    kind: Kind,
    key_id: KeyId,
    secret: Zeroizing<[u8; KEY_BYTES]>,
    root: Prepared,
}

impl Subkey {
    /// Takes back what [`Self::expose`] gave.
    #[must_use]
    pub fn from_bytes(kind: Kind, key_id: KeyId, secret: &[u8; KEY_BYTES]) -> Self {
        Self { kind, key_id, secret: Zeroizing::new(*secret), root: Prepared::root(secret) }
    }

    /// The kind of token this signs.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name of the key this was derived from.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The 32 bytes: the secret that any macaroon library verifies our tokens with.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.secret
    }

    /// Eight bytes that tell a damaged export from a whole one, and tell nothing of the secret.
    #[must_use]
    pub fn check_value(&self) -> [u8; 8] {
        let mut mac = derive(&self.secret, "amaretti 1 check");
        let [a, b, c, d, e, f, g, h, ..] = *mac;
        mac.zeroize();
        [a, b, c, d, e, f, g, h]
    }

    #[inline]
    pub(crate) fn root(&self) -> &Prepared {
        &self.root
    }
}

fn derive(secret: &[u8; KEY_BYTES], label: &str) -> Zeroizing<[u8; KEY_BYTES]> {
    // A 32-byte key fits HMAC's block, so this cannot fail and the padding is plain.
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    for (to, from) in block.iter_mut().zip(secret) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block);
    block.zeroize();
    mac.update(label.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::from_bytes(&core::array::from_fn(|i| i as u8)).unwrap()
    }

    #[test]
    fn each_kind_has_a_subkey_of_its_own() {
        let exposed = Kind::ALL.map(|kind| *key().subkey(kind).expose());

        for (i, one) in exposed.iter().enumerate() {
            assert!(exposed.iter().skip(i + 1).all(|other| one != other));
        }
    }

    #[test]
    fn ids_and_subkeys_stay_what_they_are() {
        // Known answers: every token in the world dies if one of these changes.
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();

        assert_eq!(key().id().to_string(), "66516c29");
        assert_eq!(
            hex(key().subkey(Kind::Access).expose()),
            "af74fdcd9eb3a652ca1a7f12c64331f8e1f463ca3d35bc25697bfbe4c7cccdb9"
        );
        assert_eq!(hex(&key().subkey(Kind::Access).check_value()), "d7db358e0131ba67");
    }

    #[test]
    fn what_is_not_random_is_no_key() {
        assert_eq!(Key::from_bytes(&[0; 32]).err(), Some(WeakKey::Repeated));
        assert_eq!(Key::from_bytes(&[0xff; 32]).err(), Some(WeakKey::Repeated));
        assert_eq!(Key::from_bytes(b"changeme-changeme-changeme-chang").err(), Some(WeakKey::Text));
    }

    #[test]
    fn key_ids_are_read_as_they_are_written() {
        let id = key().id();

        assert_eq!(KeyId::parse(&id.to_string()), Some(id));
        assert_eq!(KeyId::parse("0123456"), None);
        assert_eq!(KeyId::parse("0123456G"), None);
        assert_eq!(KeyId::parse("ABCDEF01"), None);
    }
}
