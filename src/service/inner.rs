//! Inner tokens: what goes upstream in place of an access token that introspection would refuse.
//!
//! Whoever asks introspection shows no more than a token, so a caveat about the request cannot
//! clear there. Forward-auth has seen the request; once it admits a narrowed token, an inner token
//! speaks for it behind the proxy. This file refuses to know how either is asked.

use super::introspect::LONGEST;
use super::{Denial, Failure, Service};
use crate::time::Timestamp;
use crate::token::{Bearer, Caveat, Grant, Keys, Kind, Token};

const DAY: u64 = 86_400_000;

/// Whether introspection, which sees nothing but the token, has to refuse it: for a caveat about
/// the request, or for its length.
#[must_use]
pub fn is_narrowed(bearer: &Bearer<'_>, text: &str) -> bool {
    let asks_more = |text| !matches!(Caveat::read(text), Ok(Caveat::Time(_) | Caveat::Label(_)));
    text.len() > LONGEST || bearer.appended().any(asks_more)
}

impl Service {
    /// The inner token of a session. It is the same text all day long, whichever token of the
    /// session was presented and whichever node is asked, and ends with the next day.
    ///
    /// It is signed with the key of the token presented, which is held by whoever verified that; a
    /// node that was given access subkeys alone has none, unless it mints.
    ///
    /// # Errors
    /// [`Failure::NoInnerKey`] when there is nothing to sign it with.
    pub fn inner(&self, bearer: &Bearer<'_>) -> Result<Token, Denial> {
        let ring = self.ring();
        let own = ring.find(bearer.identifier().key_id, Kind::Inner).ok();
        let subkey = own.or_else(|| ring.minting(Kind::Inner)).ok_or(Failure::NoInnerKey)?;
        let today = self.now().millis() / DAY * DAY;
        let grant = Grant {
            kind: Kind::Inner,
            user: bearer.user_id(),
            device: bearer.device_id(),
            guest: bearer.is_guest(),
            session: bearer.session(),
            generation: 0,
            issued_at: Timestamp::from_millis(today),
            expires_at: Some(Timestamp::from_millis(today).plus(2 * DAY)),
            carried: &[],
        };
        Ok(grant.mint(subkey)?)
    }
}
