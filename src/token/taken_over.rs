//! A token of another issuer, judged as one of ours.
//!
//! Its text says nothing that could be verified; who calls this has found it among the tokens that
//! were taken over. This file refuses to know where those are kept.

use super::wire::{Caveats, Presented};
use super::{Authentic, IDENTIFIER_BYTES, Identifier, Malformed, Refusal, Scratch, TAG_BYTES};
use crate::ident::{DeviceId, UserId};

impl<'s> Authentic<'s> {
    /// What a token of another issuer stands for: one of ours to which nobody appended anything.
    /// The ids are kept in `scratch`.
    ///
    /// # Errors
    /// [`Malformed::Identity`] when an id is not one.
    pub(crate) fn taken_over(
        identifier: Identifier,
        user: &str,
        device: Option<&str>,
        scratch: &'s mut Scratch,
    ) -> Result<Self, Refusal> {
        const NONE: Caveats<'static> = Caveats(&[]);
        let (user, device) = scratch.hold(user, device).ok_or(Malformed::Identity)?;
        let user = UserId::parse(user).map_err(|_| Malformed::Identity)?;
        let device = device.map(DeviceId::parse).transpose().map_err(|_| Malformed::Identity)?;
        Ok(Self(Presented {
            identifier,
            user,
            device,
            signed: &[0; IDENTIFIER_BYTES],
            caveats: NONE,
            appended: NONE,
            tag: &[0; TAG_BYTES],
        }))
    }
}

impl Scratch {
    /// Keeps two ids, in place of a token that spells neither; `None` when there is no room.
    fn hold(&mut self, user: &str, device: Option<&str>) -> Option<(&str, Option<&str>)> {
        let (first, rest) = self.0.split_at_mut_checked(user.len())?;
        first.copy_from_slice(user.as_bytes());
        let second = rest.get_mut(..device.map_or(0, str::len))?;
        second.copy_from_slice(device.unwrap_or_default().as_bytes());
        let second = str::from_utf8(second).ok()?;
        Some((str::from_utf8(first).ok()?, device.map(|_| second)))
    }
}
