//! From a grant to a token.
//!
//! This file knows how to sign what it is told; it refuses to know whether it should be said, what
//! time it is and where randomness comes from.

use zeroize::ZeroizeOnDrop;

use super::caveat::{Caveat, DEVICE_ID, USER_ID};
use super::identifier::Route;
use super::pack::{Packer, ROOM};
use super::{Identifier, Kind, MintError, SessionId, Subkey};
use crate::ident::{DeviceId, UserId};
use crate::time::Timestamp;

/// What a token is to say.
#[derive(Clone, Copy)]
pub struct Grant<'a> {
    /// What it may be used for.
    pub kind: Kind,
    /// Whose it is.
    pub user: UserId<'a>,
    /// On which device, if on one.
    pub device: Option<DeviceId<'a>>,
    /// Whether the bearer is a guest.
    pub guest: bool,
    /// Which session it belongs to.
    pub session: SessionId,
    /// 0 at login, one more at each refresh.
    pub generation: u32,
    /// When it is minted.
    pub issued_at: Timestamp,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Caveats carried from the token it was exchanged for.
    pub carried: &'a [&'a str],
}

impl Grant<'_> {
    /// Signs the grant. Allocates the text it returns and nothing else.
    ///
    /// # Errors
    /// [`MintError`] when the grant does not fit a token or the subkey is for another kind.
    pub fn mint(&self, subkey: &Subkey) -> Result<Token, MintError> {
        if subkey.kind() != self.kind {
            return Err(MintError::WrongSubkey(subkey.kind()));
        }
        let signed = self.identifier(subkey).encode();
        let mut room = ROOM;
        let mut packer = Packer::new(&mut room, &signed);
        let mut tag = subkey.root().tag(&signed);
        tag = tag.extend(packer.issuers(USER_ID, self.user.as_str())?);
        if let Some(device) = self.device {
            tag = tag.extend(packer.issuers(DEVICE_ID, device.as_str())?);
        }
        for text in self.carried {
            if self.kind == Kind::Refresh && !Caveat::read(text).is_ok_and(|c| c.goes_on_refresh())
            {
                return Err(MintError::Sealed);
            }
            packer.caveat(text)?;
            tag = tag.extend(text.as_bytes());
        }
        packer.finish(self.kind, &tag.to_bytes())
    }

    fn identifier(&self, subkey: &Subkey) -> Identifier {
        Identifier {
            kind: self.kind,
            has_device: self.device.is_some(),
            guest: self.guest,
            route: Route::of(self.user),
            key_id: subkey.key_id(),
            session: self.session,
            generation: self.generation,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
        }
    }
}

/// The text of a token: a secret, wiped when dropped, never printed by accident.
///
/// It has neither `Debug` nor `Display`; what may be printed is the session id.
pub struct Token(String);

impl Token {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who hands it to its bearer.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Whole words at a time: `Zeroizing` would write byte by byte, 60 ns for a token.
impl Drop for Token {
    fn drop(&mut self) {
        let mut bytes = core::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        zeroize::optimization_barrier(bytes.as_slice());
    }
}

impl ZeroizeOnDrop for Token {}
