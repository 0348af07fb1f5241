//! Tokens that no face hands out: minted aside with the town's own key, narrowed by their holders.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use amaretti::ident::{DeviceId, UserId};
use amaretti::keyring::Keyring;
use amaretti::time::Timestamp;
use amaretti::token::{Grant, Kind, Presented, Scratch, SessionId, attenuate};
use base64::engine::{Engine, general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{ALICE, Client, MINUTE, Town};

/// What a token minted aside is to say.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) kind: Kind,
    pub(crate) user: &'a str,
    pub(crate) device: Option<&'a str>,
    pub(crate) guest: bool,
    /// How long it lives from now, in milliseconds.
    pub(crate) life: Option<u64>,
    pub(crate) caveats: &'a [&'a str],
    /// When its session began; now when absent.
    pub(crate) beginning: Option<Timestamp>,
}

/// Alice's login token, good for two minutes.
impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            kind: Kind::Login,
            user: ALICE,
            device: None,
            guest: false,
            life: Some(2 * MINUTE),
            caveats: &[],
            beginning: None,
        }
    }
}

impl Wanted<'_> {
    /// Alice's access token on device `ASIDE`, without an end.
    pub(crate) fn access() -> Self {
        Self { kind: Kind::Access, device: Some("ASIDE"), life: None, ..Self::default() }
    }

    /// Mints it with whatever key mints in this ring.
    pub(crate) fn mint_with(&self, ring: &Keyring, now: Timestamp) -> String {
        static SESSIONS: AtomicU8 = AtomicU8::new(0);
        let random = [SESSIONS.fetch_add(1, Relaxed); 10];
        let grant = Grant {
            kind: self.kind,
            user: UserId::parse(self.user).unwrap(),
            device: self.device.map(|id| DeviceId::parse(id).unwrap()),
            guest: self.guest,
            session: SessionId::new(self.beginning.unwrap_or(now), random),
            generation: 0,
            issued_at: now,
            expires_at: self.life.map(|life| now.plus(life)),
            carried: self.caveats,
        };
        let subkey = ring.minting(self.kind).expect("a key that mints");
        grant.mint(subkey).unwrap().reveal().to_owned()
    }
}

impl Town {
    /// A token minted aside, as `amaretti token mint` does.
    pub(crate) fn mint(&self, wanted: Wanted<'_>) -> String {
        wanted.mint_with(&self.service.ring(), self.now())
    }

    /// A login token of alice's.
    pub(crate) fn login_token(&self) -> String {
        self.mint(Wanted::default())
    }

    /// Whoever bears a token that was minted aside.
    pub(crate) fn bearing(&self, wanted: Wanted<'_>) -> Client {
        self.anonymous().with(&self.mint(wanted))
    }
}

/// A token narrowed by its holder.
pub(crate) fn narrow(token: &str, caveat: &str) -> String {
    attenuate(token, &[caveat]).unwrap().reveal().to_owned()
}

/// A token with any text appended, as whoever has a macaroon library can do.
pub(crate) fn append(token: &str, caveat: &str) -> String {
    let (prefix, body) = token.split_at(4);
    let mut bytes = URL_SAFE_NO_PAD.decode(body).unwrap();
    let tag = bytes.split_off(bytes.len() - 32);
    bytes.truncate(bytes.len() - 3);
    bytes.extend([2, u8::try_from(caveat.len()).unwrap()]);
    bytes.extend(caveat.as_bytes());
    bytes.extend([0, 0, 6, 32]);
    let mut mac = Hmac::<Sha256>::new_from_slice(&tag).unwrap();
    mac.update(caveat.as_bytes());
    bytes.extend(mac.finalize().into_bytes());
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The session that a token belongs to.
pub(crate) fn session_of(token: &str) -> SessionId {
    let mut scratch = Scratch::new();
    Presented::read(token, &mut scratch).unwrap().claimed().session
}
