//! The text of an interactive session: a sealed box that says what was asked, by whom.
//!
//! Opening one writes nothing, so a flood of anonymous requests costs no state; any node that holds
//! the key takes the next stage. This file refuses to know stages and operations.
//!
//! ```text
//! mmu_ base64url( key id (4) | nonce (24, random) | XChaCha20-Poly1305( JSON ), tag 16 )
//! ```

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Caller, Failure, random};
use crate::keyring::Keyring;
use crate::time::Timestamp;
use crate::token::{KeyId, SealingKey};

/// What the text begins with.
const PREFIX: &str = "mmu_";

/// The longest text that is opened, in characters; what it may remember is bounded by it.
const MAX_CHARS: usize = 4096;

/// How long an interactive session lives, in milliseconds.
const LIFE: u64 = 600_000;

/// What an interactive session remembers.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sealed {
    /// Its name: what rows are kept under.
    pub(super) id: String,
    /// A digest of what was asked for, since that may be long.
    pub(super) operation: String,
    /// Who asked, and in which session, if with a token.
    pub(super) caller: Option<(String, String)>,
    /// Parameters of the first request.
    pub(super) remembered: Map<String, Value>,
    /// When it ends, in milliseconds since 1970 UTC.
    expires_at: u64,
}

impl Sealed {
    /// A new one.
    pub(super) fn new(
        operation: &str,
        caller: Option<&Caller>,
        remembered: Map<String, Value>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let id = format!("{:032x}", u128::from_be_bytes(random()?));
        let operation = digest(operation);
        let expires_at = now.plus(LIFE).millis();
        Ok(Self { id, operation, caller: caller.map(named), remembered, expires_at })
    }

    /// Whether it was opened for this operation and this caller.
    pub(super) fn is_for(&self, operation: &str, caller: Option<&Caller>) -> bool {
        self.operation == digest(operation) && self.caller == caller.map(named)
    }

    /// When it ends.
    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.expires_at)
    }

    /// The text that the client sends back; another one at each call, all of them good.
    pub(super) fn seal(&self, ring: &Keyring) -> Result<String, Failure> {
        let key = ring.sealing().ok_or(Failure::NoMintingKey)?;
        let nonce: [u8; 24] = random()?;
        let plain = serde_json::to_vec(self).map_err(|_| Failure::Sealing)?;
        let id = key.key_id().to_bytes();
        let payload = Payload { msg: &plain, aad: &id };
        let boxed = cipher(key).encrypt(&XNonce::from(nonce), payload);
        let boxed = boxed.map_err(|_| Failure::Sealing)?;
        let text = URL_SAFE_NO_PAD.encode([&id[..], &nonce[..], &boxed[..]].concat());
        Ok(format!("{PREFIX}{text}"))
    }

    /// What a text says; `None` when it is not one of ours, not any more, or has been touched.
    pub(super) fn open(text: &str, ring: &Keyring, now: Timestamp) -> Option<Self> {
        let body = text.strip_prefix(PREFIX).filter(|_| text.len() <= MAX_CHARS)?;
        let bytes = URL_SAFE_NO_PAD.decode(body).ok()?;
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        let (nonce, boxed) = rest.split_first_chunk::<24>()?;
        let key = ring.unsealing(KeyId::from_bytes(*id))?;
        let payload = Payload { msg: boxed, aad: id };
        let plain = cipher(key).decrypt(&XNonce::from(*nonce), payload).ok()?;
        let sealed: Self = serde_json::from_slice(&plain).ok()?;
        (sealed.expires_at() > now).then_some(sealed)
    }
}

fn cipher(key: &SealingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*key.expose()))
}

fn named(caller: &Caller) -> (String, String) {
    (caller.user_id.clone(), caller.session.to_string())
}

fn digest(operation: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(operation))
}
