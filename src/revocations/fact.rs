//! Facts: what every node judges by.
//!
//! This file refuses to know where they are stored, how they travel and how they are kept.

use crate::imports::Imported;
use crate::time::Timestamp;
use crate::token::{Account, AccountState, KeyId, SessionId};

/// Something that has happened and that every node judges by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// Sessions of a user that began before `from` are ended, all but one.
    User {
        /// Whose.
        user: Box<str>,
        /// The tick of the ending.
        from: Timestamp,
        /// The session that lives on: the caller's, at a password change.
        exempt: Option<SessionId>,
    },
    /// Sessions of one device that began before `from` are ended.
    Device {
        /// Whose.
        user: Box<str>,
        /// On which device.
        device: Box<str>,
        /// The tick of the ending.
        from: Timestamp,
    },
    /// One session is ended.
    Session {
        /// Whose.
        user: Box<str>,
        /// Which.
        session: SessionId,
    },
    /// Every session that began before `from` is ended.
    Server {
        /// The first beginning that lives on.
        from: Timestamp,
    },
    /// How an account stands since `at`.
    Account {
        /// Whose.
        user: Box<str>,
        /// The tick of the change; the greatest one counts.
        at: Timestamp,
        /// How it stands.
        standing: Standing,
    },
    /// A token of another issuer stands for a session from now on.
    Imported(Box<Imported>),
    /// What has become of a key. Rings are built from these; sessions are not judged by them.
    Key {
        /// Which.
        id: KeyId,
        /// Its present state.
        state: KeyState,
    },
}

impl Fact {
    /// Whom it is about; `None` for everybody.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::User { user, .. }
            | Self::Device { user, .. }
            | Self::Session { user, .. }
            | Self::Account { user, .. } => Some(user),
            Self::Imported(token) => Some(&token.user),
            Self::Server { .. } | Self::Key { .. } => None,
        }
    }
}

/// What has become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Some node holds it.
    Announced,
    /// It is never used again.
    Retired,
}

/// How an account stands, the end of it included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It may be used as far as this says.
    Open(Account),
    /// It is deactivated: every session of it is ended, for ever.
    Deactivated,
}

impl Standing {
    /// Which of two counts that bear the same tick, as they may where a store lost one: the one
    /// that allows less.
    pub(super) fn weight(self) -> (u8, bool) {
        match self {
            Self::Open(Account { state: AccountState::Active, admin }) => (0, !admin),
            Self::Open(Account { state: AccountState::Suspended, admin }) => (1, !admin),
            Self::Open(Account { state: AccountState::Locked, admin }) => (2, !admin),
            Self::Deactivated => (3, true),
        }
    }
}

impl Default for Standing {
    fn default() -> Self {
        Self::Open(Account { state: AccountState::Active, admin: false })
    }
}
