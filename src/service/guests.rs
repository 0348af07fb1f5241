//! Guests: sessions without an account, said by the token alone.
//!
//! Nothing is written when a guest comes in; this file refuses to know what a guest may do.

use super::begin::{Granted, new_device_id};
use super::generation::Mark;
use super::{Caller, Declined, Denial, Event, Minting, Service, random};
use crate::token::{Occasion, Purpose, Scratch, SessionId};

impl Service {
    /// Begins a session of a guest: nothing is written, the token alone says who it is.
    ///
    /// # Errors
    /// [`Declined::Closed`] where guests are not let in.
    pub fn register_guest(&self) -> Result<Granted, Denial> {
        if !self.policy.guests {
            return Err(Declined::Closed.into());
        }
        let issued_at = self.now();
        let session = SessionId::new(issued_at.max(self.facts.server_from()), random()?);
        let name = u64::from_be_bytes(random()?);
        let user_id = self.server.user_id(&format!("guest-{name:016x}"));
        let device_id = new_device_id()?;
        let pair = self.mint(&Minting {
            user_id: &user_id,
            device_id: Some(&device_id),
            guest: true,
            session,
            mark: Mark { generation: 0, issued_at },
            renewable: false,
            carried: &[],
            carried_on: &[],
        })?;
        self.tell(&Event::Guest { user_id: &user_id, device_id: &device_id, session });
        Ok(Granted { user_id, device_id, session, issued_at, pair })
    }

    /// The guest who bears a token.
    pub(super) fn guest(&self, text: &str) -> Result<Caller, Denial> {
        let mut scratch = Scratch::new();
        let bearer =
            self.admit(text, &mut scratch, &Occasion::new(Purpose::Request, self.now()))?;
        if bearer.is_guest() { Ok(Caller::of(&bearer)) } else { Err(Declined::NoGuest.into()) }
    }
}
