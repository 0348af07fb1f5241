//! What is known of one user while it is written to: how facts merge.
//!
//! Facts merge by maximum: in whatever order and however often they arrive, the outcome is the
//! same. This file refuses to know how records are kept and read.

use core::cmp::Ordering;

use super::fact::{Fact, Standing};
use crate::time::Timestamp;
use crate::token::SessionId;

/// What is known of one user. Lists are sorted.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The latest ending of all sessions, and the one it spares.
    pub(super) from: Timestamp,
    pub(super) exempt: Option<SessionId>,
    /// The latest ending that does not spare `exempt`.
    pub(super) unspared_from: Timestamp,
    pub(super) devices: Vec<(Box<str>, Timestamp)>,
    pub(super) sessions: Vec<SessionId>,
    pub(super) standing: Standing,
    pub(super) standing_at: Timestamp,
}

impl Record {
    pub(super) fn merge(&mut self, fact: &Fact) {
        match fact {
            Fact::User { from, exempt, .. } => self.end_all(*from, *exempt),
            Fact::Device { device, from, .. } => {
                match self.devices.binary_search_by_key(&&**device, |(id, _)| id) {
                    Ok(at) => {
                        if let Some((_, known)) = self.devices.get_mut(at) {
                            *known = (*known).max(*from);
                        }
                    }
                    Err(at) => self.devices.insert(at, (device.clone(), *from)),
                }
            }
            Fact::Session { session, .. } => {
                if let Err(at) = self.sessions.binary_search(session) {
                    self.sessions.insert(at, *session);
                }
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
}
