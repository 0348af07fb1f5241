//! What is known of one user, and what that says of a session.
//!
//! Facts merge by maximum: in whatever order and however often they arrive, the outcome is the
//! same. This file refuses to know how the records of many users are kept.

use core::cmp::Ordering;

use super::fact::{Fact, Standing};
use crate::ident::DeviceId;
use crate::time::Timestamp;
use crate::token::{Account, EndedBy, SessionId};

/// What is known of one user. Lists are sorted.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// A session that began at or after this is hit by nothing below.
    clear_from: Timestamp,
    /// The latest ending of all sessions, and the one it spares.
    pub(super) from: Timestamp,
    exempt: Option<SessionId>,
    /// The latest ending that does not spare `exempt`.
    unspared_from: Timestamp,
    devices: Vec<(Box<str>, Timestamp)>,
    sessions: Vec<SessionId>,
    pub(super) standing: Standing,
    standing_at: Timestamp,
}

impl Record {
    #[inline]
    pub(super) fn standing(
        &self,
        device: Option<DeviceId<'_>>,
        session: SessionId,
    ) -> Result<Account, EndedBy> {
        let Standing::Open(account) = self.standing else { return Err(EndedBy::Deactivated) };
        let beginning = session.beginning();
        if beginning >= self.clear_from {
            return Ok(account);
        }
        let spared = self.exempt == Some(session);
        if beginning < if spared { self.unspared_from } else { self.from } {
            return Err(EndedBy::User);
        }
        if device.is_some_and(|device| beginning < self.device_from(device.as_str())) {
            return Err(EndedBy::Device);
        }
        match self.sessions.binary_search(&session) {
            Ok(_) => Err(EndedBy::Session),
            Err(_) => Ok(account),
        }
    }

    fn device_from(&self, device: &str) -> Timestamp {
        let at = self.devices.binary_search_by_key(&device, |(id, _)| id);
        at.ok().and_then(|at| self.devices.get(at)).map_or(Timestamp::ZERO, |(_, from)| *from)
    }

    pub(super) fn merge(&mut self, fact: &Fact) {
        match fact {
            Fact::User { from, exempt, .. } => {
                self.end_all(*from, *exempt);
                self.clear_from = self.clear_from.max(*from);
            }
            Fact::Device { device, from, .. } => {
                match self.devices.binary_search_by_key(&&**device, |(id, _)| id) {
                    Ok(at) => {
                        if let Some((_, known)) = self.devices.get_mut(at) {
                            *known = (*known).max(*from);
                        }
                    }
                    Err(at) => self.devices.insert(at, (device.clone(), *from)),
                }
                self.clear_from = self.clear_from.max(*from);
            }
            Fact::Session { session, .. } => {
                if let Err(at) = self.sessions.binary_search(session) {
                    self.sessions.insert(at, *session);
                }
                self.clear_from = self.clear_from.max(session.beginning().plus(1));
            }
            Fact::Account { at, standing, .. } => {
                let known = (self.standing == Standing::Deactivated, self.standing_at);
                let said = (*standing == Standing::Deactivated, *at);
                // Deactivation is for ever, whatever arrives behind it.
                if (said, standing.weight()) > (known, self.standing.weight()) {
                    (self.standing, self.standing_at) = (*standing, *at);
                }
            }
            Fact::Server { .. } | Fact::Key { .. } | Fact::Imported(_) => {}
        }
    }

    /// An ending spares a session from itself alone: what an older ending hit stays ended, and the
    /// older may be heard of later.
    fn end_all(&mut self, from: Timestamp, exempt: Option<SessionId>) {
        let same = exempt == self.exempt;
        match from.cmp(&self.from) {
            Ordering::Greater => {
                if !same {
                    self.unspared_from = self.from;
                }
                (self.from, self.exempt) = (from, exempt);
            }
            // A store that lost a tick gave it twice: none is spared but by both.
            Ordering::Equal if !same => self.exempt = None,
            Ordering::Less if !same => self.unspared_from = self.unspared_from.max(from),
            Ordering::Equal | Ordering::Less => {}
        }
        if self.exempt.is_none() {
            self.unspared_from = self.from;
        }
    }

    pub(super) fn each(&self, user: &str, act: &mut impl FnMut(Fact)) {
        let user = || Box::from(user);
        if self.unspared_from > Timestamp::ZERO && self.exempt.is_some() {
            act(Fact::User { user: user(), from: self.unspared_from, exempt: None });
        }
        if self.from > Timestamp::ZERO {
            act(Fact::User { user: user(), from: self.from, exempt: self.exempt });
        }
        for (device, from) in &self.devices {
            act(Fact::Device { user: user(), device: device.clone(), from: *from });
        }
        for session in &self.sessions {
            act(Fact::Session { user: user(), session: *session });
        }
        if (self.standing, self.standing_at) != Default::default() {
            act(Fact::Account { user: user(), at: self.standing_at, standing: self.standing });
        }
    }
}
