//! The 45 bytes under the MAC that say what a token is: kind, route, key, session, lifetime.
//!
//! This file knows their layout; it refuses to know whether they are authentic.

use core::fmt;

use super::chain::sha256;
use super::{KeyId, Malformed, Refusal, hex};
use crate::ident::UserId;
use crate::time::Timestamp;

/// Length of an identifier, in bytes.
pub const IDENTIFIER_BYTES: usize = 45;

const FORMAT: u8 = 1;
const FLAG_DEVICE: u8 = 1;
const FLAG_GUEST: u8 = 2;

/// What a token may be used for; its prefix says so in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `mma_`: every request.
    Access,
    /// `mmr_`: `/refresh` only.
    Refresh,
    /// `mml_`: one login.
    Login,
    /// `mmi_`: introspection only; what forward-auth hands upstream for a narrowed access token.
    Inner,
}

impl Kind {
    /// Every kind, in the order of their bytes.
    pub const ALL: [Self; 4] = [Self::Access, Self::Refresh, Self::Login, Self::Inner];

    /// The four characters a token of this kind begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "mma_",
            Self::Refresh => "mmr_",
            Self::Login => "mml_",
            Self::Inner => "mmi_",
        }
    }

    /// The kind's name as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Login => "login",
            Self::Inner => "inner",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Access => 1,
            Self::Refresh => 2,
            Self::Login => 3,
            Self::Inner => 4,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Access),
            2 => Some(Self::Refresh),
            3 => Some(Self::Login),
            4 => Some(Self::Inner),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a session: one login, stable across refreshes. Not secret; what logs and audit
/// lines show. Written as 32 hexadecimal digits.
///
/// Its first six bytes are the session's *beginning*, the number that facts judge it by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The session that began at `beginning`, told from others by ten random bytes.
    #[must_use]
    pub fn new(beginning: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        put(put(&mut bytes, beginning.to_bytes()), random);
        Self(bytes)
    }

    /// Takes back what [`Self::to_bytes`] gave.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes as they stand in a token.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The tick at which the session began.
    #[must_use]
    pub const fn beginning(self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = self.0;
        Timestamp::from_bytes([a, b, c, d, e, f])
    }

    /// Reads the 32 lower-case hexadecimal digits that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::read(text).map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first six bytes of SHA-256(user_id): a hint for load balancers and nothing else.
///
/// 48 bits collide (there are two known users of one route among the test vectors), so nothing may
/// be looked up, limited or decided by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(pub [u8; 6]);

impl Route {
    /// The route of a user.
    #[must_use]
    pub fn of(user: UserId<'_>) -> Self {
        let [a, b, c, d, e, f, ..] = sha256(user.as_str().as_bytes());
        Self([a, b, c, d, e, f])
    }
}

/// What the 45 bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// What the token may be used for.
    pub kind: Kind,
    /// Whether the second caveat is `device_id`.
    pub has_device: bool,
    /// Whether the bearer is a guest.
    pub guest: bool,
    /// The routing hint.
    pub route: Route,
    /// Which key signed.
    pub key_id: KeyId,
    /// Which session this belongs to.
    pub session: SessionId,
    /// 0 at login, one more at each refresh.
    pub generation: u32,
    /// When it was minted; tells branches of a generation apart, never compared with a clock.
    pub issued_at: Timestamp,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl Identifier {
    /// The 45 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; IDENTIFIER_BYTES] {
        let device = if self.has_device { FLAG_DEVICE } else { 0 };
        let guest = if self.guest { FLAG_GUEST } else { 0 };
        // 0 stands for never, so an end in 1970's first millisecond is written as the next one.
        let first = Timestamp::from_millis(1);
        let expires_at = self.expires_at.map_or(Timestamp::ZERO, |end| end.max(first));
        let mut bytes = [0; IDENTIFIER_BYTES];
        let room = put(&mut bytes, [FORMAT, self.kind.byte(), device | guest]);
        let room = put(put(room, self.route.0), self.key_id.to_bytes());
        let room = put(put(room, self.session.to_bytes()), self.generation.to_be_bytes());
        put(put(room, self.issued_at.to_bytes()), expires_at.to_bytes());
        bytes
    }

    /// Reads 45 bytes.
    ///
    /// # Errors
    /// [`Refusal::UnknownFormat`] for another format or kind, [`Refusal::ReservedBits`] for a flag
    /// that has no meaning.
    #[inline]
    pub fn read(bytes: &[u8; IDENTIFIER_BYTES]) -> Result<Self, Refusal> {
        let rest = bytes.as_slice();
        let (&[format, kind, flags], rest) = take(rest)?;
        let kind = Kind::from_byte(kind).filter(|_| format == FORMAT);
        let kind = kind.ok_or(Refusal::UnknownFormat)?;
        if flags & !(FLAG_DEVICE | FLAG_GUEST) != 0 {
            return Err(Refusal::ReservedBits);
        }
        let (route, rest) = take(rest)?;
        let (key_id, rest) = take(rest)?;
        let (session, rest) = take(rest)?;
        let (generation, rest) = take(rest)?;
        let (issued_at, rest) = take(rest)?;
        let (expires_at, _) = take(rest)?;
        let expires_at = Timestamp::from_bytes(*expires_at);
        Ok(Self {
            kind,
            has_device: flags & FLAG_DEVICE != 0,
            guest: flags & FLAG_GUEST != 0,
            route: Route(*route),
            key_id: KeyId::from_bytes(*key_id),
            session: SessionId(*session),
            generation: u32::from_be_bytes(*generation),
            issued_at: Timestamp::from_bytes(*issued_at),
            expires_at: (expires_at != Timestamp::ZERO).then_some(expires_at),
        })
    }
}

/// The first `N` bytes and the rest. The length of an identifier is a constant, so the compiler
/// drops the error.
#[inline]
fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Refusal> {
    bytes.split_first_chunk().ok_or(Refusal::Malformed(Malformed::Identifier))
}

/// Writes a field and gives the room behind it.
#[inline]
fn put<const N: usize>(room: &mut [u8], field: [u8; N]) -> &mut [u8] {
    match room.split_first_chunk_mut() {
        Some((place, rest)) => {
            *place = field;
            rest
        }
        None => &mut [],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn identifiers()(
            kind in prop::sample::select(Kind::ALL.to_vec()),
            has_device: bool,
            guest: bool,
            route: [u8; 6],
            key_id: [u8; 4],
            session: [u8; 16],
            generation: u32,
            times: [u32; 2],
        ) -> Identifier {
            let expires_at = Timestamp::from_millis(u64::from(times[1]) * 60_000);
            Identifier {
                kind,
                has_device,
                guest,
                route: Route(route),
                key_id: KeyId::from_bytes(key_id),
                session: SessionId::from_bytes(session),
                generation,
                issued_at: Timestamp::from_millis(u64::from(times[0]) * 60_000),
                expires_at: (expires_at != Timestamp::ZERO).then_some(expires_at),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(identifier in identifiers()) {
            prop_assert_eq!(Identifier::read(&identifier.encode()), Ok(identifier));
        }

        #[test]
        fn what_is_read_is_encoded_back(mut bytes in prop::array::uniform32(any::<u8>())) {
            let mut whole = [0x5a; IDENTIFIER_BYTES];
            bytes[0] = 1;
            whole[..32].copy_from_slice(&bytes);
            if let Ok(identifier) = Identifier::read(&whole) {
                prop_assert_eq!(identifier.encode(), whole);
            }
        }
    }

    #[test]
    fn the_two_known_users_of_one_route_share_it() {
        let one = Route::of(UserId::parse("@u6cf61dc50e47:example.com").unwrap());
        let other = Route::of(UserId::parse("@ud68cbcb7376b:example.com").unwrap());

        assert_eq!(one, other);
    }
}
