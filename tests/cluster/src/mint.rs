//! Mints login tokens offline, with the crate's lower floors: hashing passwords would set the pace.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use amaretti::ident::{DeviceId, UserId};
use amaretti::time::Timestamp;
use amaretti::token::{Grant, Key, Kind, SessionId, Subkey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::dice::Dice;

/// How long a login token lives: longer than any outage here.
const LIFE: u64 = 600_000;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Whoever holds a whole key.
pub(crate) struct Mint {
    login: Subkey,
    access: Subkey,
    /// The id of the key.
    pub(crate) key_id: String,
}

impl Mint {
    /// Reads the newest key file of a folder.
    pub(crate) fn newest(folder: &Path) -> Result<Self, String> {
        let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
        let keys = entries.flatten().map(|entry| entry.path());
        let keys = keys.filter(|path| path.extension().is_some_and(|end| end == "key"));
        let made = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("created = "));
            line.and_then(|made| made.parse::<u64>().ok())
        };
        Self::read(&keys.max_by_key(made).ok_or("there is no key")?)
    }

    /// Reads a key file.
    fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let secret = text.lines().find_map(|line| line.strip_prefix("secret = "));
        let secret = secret.ok_or("a key file has a line `secret`")?;
        let bytes = URL_SAFE_NO_PAD.decode(secret).map_err(|e| e.to_string())?;
        let bytes = bytes.try_into().map_err(|_| "a key has 32 bytes")?;
        let key = Key::from_bytes(&bytes).map_err(|e| e.to_string())?;
        let key_id = key.id().to_string();
        Ok(Self { login: key.subkey(Kind::Login), access: key.subkey(Kind::Access), key_id })
    }

    /// A login token of a user, good for one login.
    pub(crate) fn login(&self, user: &str, device: Option<&str>, dice: &Dice) -> String {
        self.token(Kind::Login, user, device, dice)
    }

    /// An access token that no database has heard of.
    pub(crate) fn access(&self, user: &str, dice: &Dice) -> String {
        self.token(Kind::Access, user, None, dice)
    }

    fn token(&self, kind: Kind, user: &str, device: Option<&str>, dice: &Dice) -> String {
        let now = Timestamp::from_millis(now_ms());
        let mut random = [0; 10];
        random[..8].copy_from_slice(&dice.next().to_be_bytes());
        let grant = Grant {
            kind,
            user: UserId::parse(user).unwrap(),
            device: device.map(|device| DeviceId::parse(device).unwrap()),
            guest: false,
            session: SessionId::new(now, random),
            generation: 0,
            issued_at: now,
            expires_at: Some(now.plus(LIFE)),
            carried: &[],
        };
        let subkey = if kind == Kind::Login { &self.login } else { &self.access };
        grant.mint(subkey).unwrap().reveal().to_owned()
    }
}

/// The id of the key that signed a token, and the id of its session, both as they are printed.
pub(crate) fn key_and_session(token: &str) -> (String, String) {
    let bytes = URL_SAFE_NO_PAD.decode(token.get(4..).unwrap_or_default()).unwrap_or_default();
    let hex = |range| bytes.get::<std::ops::Range<usize>>(range).unwrap_or_default().iter();
    let text = |range| hex(range).map(|byte| format!("{byte:02x}")).collect();
    (text(12..16), text(16..32))
}
