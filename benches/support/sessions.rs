//! The sessions that are measured: distinct users, devices and ids, and four keys among them.

use std::error::Error;
use std::hint::black_box;

use amaretti::ident::{DeviceId, UserId};
use amaretti::keyring::Keyring;
use amaretti::time::{Clock, Timestamp};
use amaretti::token::{
    Authentic, Facts, Grant, Key, KeyId, Keys, Kind, Occasion, Presented, Purpose, Refusal,
    Scratch, SessionId, Token,
};

/// When the sessions began; the clock of the machine is later.
const BEGINNING: u64 = 1_700_000_000_000;
/// When their tokens end, in milliseconds: long after this is run.
pub(crate) const END: u64 = 4_000_000_000_000;
/// What holders append; each clears on any request made in time.
pub(crate) const APPENDED: [&str; 4] =
    ["time < 4000000000000", "label = kiosk", "time < 3900000000000", "label = door"];

/// One session of one user.
pub(crate) struct Session {
    /// A user id of 18 characters.
    pub(crate) user: String,
    /// A device id of 10 letters.
    pub(crate) device: String,
    pub(crate) id: SessionId,
    /// Which key signs its tokens.
    pub(crate) key: KeyId,
}

impl Session {
    /// The session's number decides everything about it.
    fn new(number: u64, key: KeyId) -> Self {
        let mut seed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let random = [(); 10].map(|()| (next(&mut seed) >> 32) as u8);
        let letters = [(); 10].map(|()| char::from(b'A' + (next(&mut seed) % 26) as u8));
        Self {
            user: format!("@{number:05x}:example.com"),
            device: letters.iter().collect(),
            id: SessionId::new(Timestamp::from_millis(BEGINNING + number), random),
            key,
        }
    }

    /// The access token that the session is granted.
    ///
    /// # Errors
    /// When the names are none.
    pub(crate) fn grant<'a>(&'a self, carried: &'a [&'a str]) -> Result<Grant<'a>, Box<dyn Error>> {
        Ok(Grant {
            kind: Kind::Access,
            user: UserId::parse(&self.user)?,
            device: Some(DeviceId::parse(&self.device)?),
            guest: false,
            session: self.id,
            generation: 0,
            issued_at: self.id.beginning(),
            expires_at: Some(Timestamp::from_millis(END)),
            carried,
        })
    }
}

/// A ring of four keys and the sessions that are signed with them in turn.
pub(crate) struct Pool {
    pub(crate) keys: Keyring,
    /// What other schemes sign with: the access subkeys.
    pub(crate) secrets: Vec<(KeyId, [u8; 32])>,
    pub(crate) sessions: Vec<Session>,
}

impl Pool {
    /// As many sessions as asked for, always the same ones.
    ///
    /// # Errors
    /// When the keys do not make a ring.
    pub(crate) fn new(sessions: usize) -> Result<Self, Box<dyn Error>> {
        Self::behind(0, sessions)
    }

    /// Others than those first ones, signed with the same keys.
    ///
    /// # Errors
    /// When the keys do not make a ring.
    pub(crate) fn behind(first: usize, sessions: usize) -> Result<Self, Box<dyn Error>> {
        Self::keyed(4, first, sessions)
    }

    /// The same sessions, signed with so many keys in turn.
    ///
    /// # Errors
    /// When the keys do not make a ring.
    pub(crate) fn keyed(count: u64, first: usize, sessions: usize) -> Result<Self, Box<dyn Error>> {
        let mut keys = Keyring::default();
        let mut secrets = Vec::new();
        for number in 77..77 + count {
            let mut seed = number;
            let key = Key::from_bytes(&[(); 32].map(|()| (next(&mut seed) >> 24) as u8))?;
            keys.hold(&key)?;
            secrets.push((key.id(), *key.subkey(Kind::Access).expose()));
        }
        let ids = secrets.iter().map(|(id, _)| *id).cycle();
        let sessions =
            (first as u64..).zip(ids).take(sessions).map(|(n, id)| Session::new(n, id)).collect();
        Ok(Self { keys, secrets, sessions })
    }

    /// Our token of a session.
    ///
    /// # Errors
    /// When it cannot be minted.
    pub(crate) fn mint(
        &self,
        session: &Session,
        carried: &[&str],
    ) -> Result<Token, Box<dyn Error>> {
        let subkey = self.keys.find(session.key, Kind::Access)?;
        Ok(session.grant(carried)?.mint(subkey)?)
    }

    /// What a service does with a token: text, clock, keys and facts in, bearer out.
    #[inline]
    pub(crate) fn admits<F: Facts>(
        &self,
        clock: &impl Clock,
        facts: &F,
        scratch: &mut Scratch,
        text: &str,
    ) -> bool {
        let presented = Presented::read(text, scratch);
        bearer(presented.and_then(|presented| presented.authenticate(&self.keys)), facts, clock)
    }

    /// Our tokens of all sessions.
    ///
    /// # Errors
    /// When one cannot be minted.
    pub(crate) fn tokens(&self, carried: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
        let mint = |session| Ok(self.mint(session, carried)?.reveal().to_owned());
        self.sessions.iter().map(mint).collect()
    }
}

/// The second half of what a service does.
#[inline]
pub(crate) fn bearer<F: Facts>(
    authentic: Result<Authentic<'_>, Refusal>,
    facts: &F,
    clock: &impl Clock,
) -> bool {
    let occasion = Occasion::new(Purpose::Request, clock.now());
    authentic.and_then(|authentic| authentic.clear(facts, &occasion)).is_ok_and(|bearer| {
        black_box((bearer.user_id(), bearer.device_id(), bearer.session()));
        true
    })
}

fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}
