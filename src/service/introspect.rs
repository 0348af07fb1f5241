//! What a homeserver is told of a token: who acts by it, or that nobody does.
//!
//! A homeserver hands over the text of a token and nothing about the request it came with, so a
//! token that is narrowed by method, room, address or audience acts for nobody here. This file
//! refuses to know how the homeserver asks.

use super::{Denial, Service};
use crate::ident::{DeviceId, UserId};
use crate::time::Timestamp;
use crate::token::{AccountState, Bearer, Kind, Occasion, Purpose, Scratch, SessionId};

/// Most characters of a token that a homeserver is told anything good about: Synapse writes every
/// token it sees into an index of its database, which cannot hold long ones.
pub(super) const LONGEST: usize = 1024;

/// Somebody a homeserver may act for.
pub struct Acting<'s> {
    /// Who.
    pub user: UserId<'s>,
    /// On which device; none for an administrator's token without one.
    pub device: Option<DeviceId<'s>>,
    /// In which session.
    pub session: SessionId,
    /// Whether the user administers the homeserver by this token.
    pub admin: bool,
    /// How long from now, in whole seconds; `None` for as long as the session.
    pub seconds: Option<u64>,
}

/// Why a homeserver may act for nobody by a token.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It does not hold or clear, or that cannot be decided.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// It is longer than a homeserver's database can index.
    #[error("longer than 1024 characters")]
    TooLong,
    /// It is a guest's, whom a homeserver that delegates authentication does not know.
    #[error("a guest's")]
    Guest,
    /// It names no device.
    #[error("it names no device")]
    NoDevice,
    /// Its user is of another server.
    #[error("its user is of another server")]
    OtherServer,
    /// The account is suspended.
    #[error("the account is suspended")]
    Suspended,
}

impl Service {
    /// Judges a token for the homeserver. Costs no more than a verification.
    ///
    /// # Errors
    /// [`Unfit`] when nobody acts by it.
    pub fn introspect<'s>(
        &self,
        text: &str,
        scratch: &'s mut Scratch,
    ) -> Result<Acting<'s>, Unfit> {
        if text.len() > LONGEST {
            return Err(Unfit::TooLong);
        }
        let now = self.now();
        let bearer = self.admit(text, scratch, &Occasion::new(Purpose::Introspection, now))?;
        if bearer.is_guest() {
            return Err(Unfit::Guest);
        }
        // A homeserver puts its own name behind every localpart.
        if bearer.user_id().server_name() != self.server().as_str() {
            return Err(Unfit::OtherServer);
        }
        if bearer.account().state == AccountState::Suspended {
            return Err(Unfit::Suspended);
        }
        acting(&bearer, now)
    }
}

fn acting<'s>(bearer: &Bearer<'s>, now: Timestamp) -> Result<Acting<'s>, Unfit> {
    // Whoever narrowed a token, with whatever caveat, meant to hand on less than all of a server.
    let whole = bearer.identifier().kind == Kind::Access && bearer.appended().next().is_none();
    let admin = bearer.account().admin && whole;
    let device = bearer.device_id();
    // Without a device Synapse fails at sending; what administrators do needs none.
    if device.is_none() && !admin {
        return Err(Unfit::NoDevice);
    }
    let left = |end: Timestamp| end.millis().saturating_sub(now.millis()) / 1000;
    Ok(Acting {
        user: bearer.user_id(),
        device,
        session: bearer.session(),
        admin,
        seconds: bearer.ends_at().map(left),
    })
}
