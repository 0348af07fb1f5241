//! What is measured with: sessions of many users, their tokens, and facts about as many users as are
//! asked for.
//!
//! It refuses to know the time and where randomness comes from: both are arguments.

use super::Trouble;
use crate::ident::{DeviceId, UserId};
use crate::revocations::{Fact, Revocations};
use crate::time::Timestamp;
use crate::token::{Grant, Key, Kind, MintError, SessionId, Subkey, Token};

/// How many sessions the threads work through.
const SESSIONS: usize = 10_000;

const DAY: u64 = 24 * 60 * 60 * 1000;

/// One session of one user, with names as long as people's are.
pub(super) struct Session {
    user: String,
    device: String,
    id: SessionId,
    expires_at: Timestamp,
}

impl Session {
    fn new(number: usize, now: Timestamp) -> Self {
        let mixed = (number as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let [a, b, c, d, e, f, g, h] = mixed.to_be_bytes();
        Self {
            user: user(number),
            device: format!("{:010}", mixed % 10_000_000_000),
            id: SessionId::new(now.minus(DAY), [a, b, c, d, e, f, g, h, a, b]),
            expires_at: now.plus(DAY),
        }
    }

    /// The access token that the session is granted.
    pub(super) fn mint(&self, subkey: &Subkey) -> Result<Token, Trouble> {
        let grant = Grant {
            kind: Kind::Access,
            user: UserId::parse(&self.user)?,
            device: Some(DeviceId::parse(&self.device)?),
            guest: false,
            session: self.id,
            generation: 0,
            issued_at: self.id.beginning(),
            expires_at: Some(self.expires_at),
            carried: &[],
        };
        grant.mint(subkey).map_err(|error: MintError| error.into())
    }
}

fn user(number: usize) -> String {
    format!("@{number:05x}:example.com")
}

/// Sessions, and the tokens of these and of more.
pub(super) struct Pool {
    /// What is minted for.
    pub(super) sessions: Vec<Session>,
    /// What is verified: the first ones are those of the sessions.
    tokens: Vec<Box<str>>,
    now: Timestamp,
}

impl Pool {
    /// Tokens of so many users, all good at this instant, signed with this key.
    pub(super) fn new(users: usize, key: &Key, now: Timestamp) -> Result<Self, Trouble> {
        let subkey = key.subkey(Kind::Access);
        let text = |number| {
            let token = Session::new(number, now).mint(&subkey)?;
            Ok(token.reveal().into())
        };
        let tokens = (0..users).map(text).collect::<Result<_, Trouble>>()?;
        let sessions = (0..users.min(SESSIONS)).map(|number| Session::new(number, now)).collect();
        Ok(Self { sessions, tokens, now })
    }

    /// Tokens of so few users that the caches keep up.
    pub(super) fn few(&self) -> &[Box<str>] {
        self.tokens.get(..SESSIONS).unwrap_or(&self.tokens)
    }

    /// Tokens of all users: what is known of one has left the caches when it is asked for again.
    pub(super) fn all(&self) -> &[Box<str>] {
        &self.tokens
    }

    /// Facts about so many users, those of the tokens spread among them: each has logged out
    /// another device a month ago. `done` hears how many there are.
    pub(super) fn facts(&self, users: usize, mut done: impl FnMut(usize)) -> Revocations {
        let facts = Revocations::default();
        let every = (users / self.tokens.len().max(1)).max(1);
        for number in 0..users {
            let is_known = number % every == 0 && number / every < self.tokens.len();
            let user =
                if is_known { user(number / every) } else { format!("@s{number:07x}:example.com") };
            let (device, from) = ("ABCDEFGHIJ".into(), self.now.minus(30 * DAY));
            facts.append(&Fact::Device { user: user.into(), device, from });
            if number % 1024 == 0 {
                done(number);
            }
        }
        facts
    }
}
