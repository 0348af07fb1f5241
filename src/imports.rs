//! Tokens of another issuer that were taken over: which session each of them stands for.
//!
//! Only the SHA-256 of a token is known. Readers never wait for a writer. This file refuses to know
//! where the tokens come from; whether their sessions live is for the facts to say.

use core::fmt;
use std::sync::Arc;

use papaya::HashMap;
use sha2::Digest as _;

use crate::ident::UserId;
use crate::time::Timestamp;
use crate::token::{Authentic, Identifier, KeyId, Kind, Refusal, Route, Scratch, SessionId, hex};

/// Longest text that is looked up, in characters; no issuer has made longer ones.
const LONGEST: usize = 1024;

/// The SHA-256 of a token, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a token.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(sha2::Sha256::digest(text).into())
    }

    /// Reads the 64 lower-case digits that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::read(text).map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A token that was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Imported {
    /// Which.
    pub digest: Digest,
    /// What it may be used for: access or refresh.
    pub kind: Kind,
    /// Whose it is.
    pub user: Box<str>,
    /// The device it is for, if it is for one.
    pub device: Option<Box<str>>,
    /// The session it stands for, which began when the token was taken over.
    pub session: SessionId,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl Imported {
    /// What it is judged as: a token of generation 0, as old as its session.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when an id is not one.
    pub fn authentic<'s>(&self, scratch: &'s mut Scratch) -> Result<Authentic<'s>, Refusal> {
        let user = UserId::parse(&self.user);
        let identifier = Identifier {
            kind: self.kind,
            has_device: self.device.is_some(),
            guest: false,
            route: user.map_or(Route([0; 6]), Route::of),
            key_id: KeyId::from_bytes([0; 4]),
            session: self.session,
            generation: 0,
            issued_at: self.session.beginning(),
            expires_at: self.expires_at,
        };
        Authentic::taken_over(identifier, &self.user, self.device.as_deref(), scratch)
    }
}

/// All tokens that were taken over.
#[derive(Default)]
pub struct Imports(HashMap<Digest, Arc<Imported>>);

impl Imports {
    /// Takes one in. The same one twice is one.
    pub fn learn(&self, token: &Imported) {
        self.0.pin().insert(token.digest, Arc::new(token.clone()));
    }

    /// Forgets those that `dead` picks out.
    pub fn forget(&self, dead: impl Fn(&Imported) -> bool) {
        self.0.pin().retain(|_, token| !dead(token));
    }

    /// The token of this text, if it was taken over.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Arc<Imported>> {
        if self.0.is_empty() || text.len() > LONGEST {
            return None;
        }
        self.0.pin().get(&Digest::of(text)).cloned()
    }

    /// Calls `act` with each of them.
    pub fn each(&self, mut act: impl FnMut(&Imported)) {
        self.0.pin().iter().for_each(|(_, token)| act(token));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{NoFacts, Occasion, Purpose};

    fn imported(kind: Kind, device: Option<&str>) -> Imported {
        Imported {
            digest: Digest::of("syt_YWxpY2U_abc"),
            kind,
            user: "@alice:hs".into(),
            device: device.map(Into::into),
            session: SessionId::new(Timestamp::from_millis(7), [1; 10]),
            expires_at: Some(Timestamp::from_millis(100)),
        }
    }

    #[test]
    fn a_token_is_found_by_its_text_and_by_no_other() {
        let imports = Imports::default();
        imports.learn(&imported(Kind::Access, Some("D")));

        assert!(imports.find("syt_YWxpY2U_abc").is_some());
        assert!(imports.find("syt_YWxpY2U_abd").is_none());
        assert!(imports.find("").is_none());
    }

    #[test]
    fn it_is_judged_for_its_kind_its_end_and_nothing_more() {
        let mut scratch = Scratch::new();
        let mut judge = |token: &Imported, purpose, now| {
            let occasion = Occasion::new(purpose, Timestamp::from_millis(now));
            let bearer = token.authentic(&mut scratch)?.clear(&NoFacts, &occasion)?;
            let device = bearer.device_id().map(|device| device.as_str().to_owned());
            Ok::<_, Refusal>((bearer.user_id().as_str().to_owned(), device))
        };
        let alice = |device: Option<&str>| Ok(("@alice:hs".to_owned(), device.map(str::to_owned)));
        let access = imported(Kind::Access, Some("D"));

        assert_eq!(judge(&access, Purpose::Request, 99), alice(Some("D")));
        assert_eq!(judge(&access, Purpose::Request, 100), Err(Refusal::Expired));
        assert_eq!(judge(&access, Purpose::Refresh, 99), Err(Refusal::WrongKind(Kind::Access)));
        assert_eq!(judge(&imported(Kind::Access, None), Purpose::Request, 1), alice(None));
        assert_eq!(judge(&imported(Kind::Refresh, None), Purpose::Refresh, 1), alice(None));
    }

    #[test]
    fn what_is_forgotten_is_not_found() {
        let imports = Imports::default();
        imports.learn(&imported(Kind::Access, None));
        imports.forget(|token| token.expires_at.is_some());

        assert!(imports.find("syt_YWxpY2U_abc").is_none());
        assert!(imports.is_empty());
    }
}
