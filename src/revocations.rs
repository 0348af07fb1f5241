//! The facts in memory: what has ended, and how accounts stand.
//!
//! Facts hang off the user, so a verification costs one probe. Readers never wait for a writer, and
//! an append rebuilds one user's record and nothing else. Facts merge by maximum: in whatever order
//! and however often they arrive, the outcome is the same. This file refuses to know where facts
//! are stored and how they travel.
//!
//! A session is judged by its beginning, a number drawn from the user's own tick when it began; no
//! clock is compared anywhere here.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use papaya::{HashMap, Operation};

use crate::ident::{DeviceId, UserId};
use crate::imports::Imported;
use crate::time::Timestamp;
use crate::token::{Account, AccountState, EndedBy, Facts, KeyId, SessionId};

/// Something that has happened and that every node judges by.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// What has become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Some node holds it.
    Announced,
    /// It is never used again.
    Retired,
}

/// How an account stands, the end of it included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be used as far as this says.
    Open(Account),
    /// It is deactivated: every session of it is ended, for ever.
    Deactivated,
}

impl Standing {
    /// Which of two counts that bear the same tick, as they may where a store lost one: the one
    /// that allows less.
    fn weight(self) -> (u8, bool) {
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

/// All facts that one node knows.
#[derive(Default)]
pub struct Revocations {
    users: HashMap<Box<str>, Record>,
    server_from: AtomicU64,
}

/// What is known of one user. Lists are sorted.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Record {
    /// A session that began at or after this is hit by nothing below.
    clear_from: Timestamp,
    from: Timestamp,
    exempt: Option<SessionId>,
    devices: Vec<(Box<str>, Timestamp)>,
    sessions: Vec<SessionId>,
    standing: Standing,
    standing_at: Timestamp,
}

impl Revocations {
    /// Takes a fact in. Costs as much as this user has facts, however many others have.
    pub fn append(&self, fact: &Fact) {
        let user = match fact {
            Fact::Server { from } => {
                self.server_from.fetch_max(from.millis(), Relaxed);
                return;
            }
            Fact::Key { .. } | Fact::Imported(_) => return,
            Fact::User { user, .. }
            | Fact::Device { user, .. }
            | Fact::Session { user, .. }
            | Fact::Account { user, .. } => user,
        };
        self.users.pin().compute(user.clone(), |entry| {
            let mut record = entry.map(|(_, record)| record.clone()).unwrap_or_default();
            record.merge(fact);
            match entry {
                Some((_, known)) if *known == record => Operation::Abort(()),
                _ => Operation::Insert(record),
            }
        });
    }

    /// How the account of a user stands.
    #[must_use]
    pub fn account(&self, user: UserId<'_>) -> Standing {
        self.users.pin().get(user.as_str()).map(|record| record.standing).unwrap_or_default()
    }

    /// What a session of this user has to begin at or after to be hit by no ending of all of them.
    #[must_use]
    pub fn user_from(&self, user: UserId<'_>) -> Timestamp {
        self.users.pin().get(user.as_str()).map(|record| record.from).unwrap_or_default()
    }

    /// How many users something is known of.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }
}

impl Facts for Revocations {
    #[inline]
    fn standing(
        &self,
        user: UserId<'_>,
        device: Option<DeviceId<'_>>,
        session: SessionId,
    ) -> Result<Account, EndedBy> {
        if session.beginning().millis() < self.server_from.load(Relaxed) {
            return Err(EndedBy::Server);
        }
        let users = self.users.pin();
        users.get(user.as_str()).map_or(Ok(Account::default()), |r| r.standing(device, session))
    }
}

impl Record {
    #[inline]
    fn standing(
        &self,
        device: Option<DeviceId<'_>>,
        session: SessionId,
    ) -> Result<Account, EndedBy> {
        let Standing::Open(account) = self.standing else { return Err(EndedBy::Deactivated) };
        let beginning = session.beginning();
        if beginning >= self.clear_from {
            return Ok(account);
        }
        if beginning < self.from && self.exempt != Some(session) {
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

    fn merge(&mut self, fact: &Fact) {
        match fact {
            Fact::User { from, exempt, .. } => {
                if *from > self.from {
                    (self.from, self.exempt) = (*from, *exempt);
                } else if *from == self.from && *exempt != self.exempt {
                    // A store that lost a tick gave it twice: none is spared but by both.
                    self.exempt = None;
                }
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
                // Deactivation is for ever, whatever arrives behind it.
                let ended = self.standing == Standing::Deactivated;
                let later = (*at, standing.weight()) > (self.standing_at, self.standing.weight());
                if *standing == Standing::Deactivated || (later && !ended) {
                    (self.standing, self.standing_at) = (*standing, *at.max(&self.standing_at));
                }
            }
            Fact::Server { .. } | Fact::Key { .. } | Fact::Imported(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "@alice:hs";

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn session(beginning: u64) -> SessionId {
        SessionId::new(at(beginning), [beginning as u8; 10])
    }

    fn ended(facts: &Revocations, device: &str, beginning: u64) -> Option<EndedBy> {
        let user = UserId::parse(ALICE).unwrap();
        facts.standing(user, DeviceId::parse(device).ok(), session(beginning)).err()
    }

    #[test]
    fn each_fact_ends_what_began_before_it_and_nothing_else() {
        let facts = Revocations::default();
        facts.append(&Fact::Device { user: ALICE.into(), device: "D".into(), from: at(10) });
        facts.append(&Fact::Session { user: ALICE.into(), session: session(20) });

        assert_eq!(ended(&facts, "D", 9), Some(EndedBy::Device));
        assert_eq!(ended(&facts, "D", 10), None);
        assert_eq!(ended(&facts, "E", 9), None);
        assert_eq!(ended(&facts, "E", 20), Some(EndedBy::Session));
        assert_eq!(ended(&facts, "E", 19), None);
        assert_eq!(ended(&facts, "E", 21), None);
    }

    #[test]
    fn a_password_change_ends_all_sessions_but_the_callers() {
        let facts = Revocations::default();
        let exempt = Some(session(5));
        facts.append(&Fact::User { user: ALICE.into(), from: at(30), exempt });

        assert_eq!(ended(&facts, "D", 29), Some(EndedBy::User));
        assert_eq!(ended(&facts, "D", 5), None);
        assert_eq!(ended(&facts, "D", 30), None);
    }

    #[test]
    fn the_server_fact_reaches_users_of_whom_nothing_is_known() {
        let facts = Revocations::default();
        facts.append(&Fact::Server { from: at(100) });

        assert_eq!(ended(&facts, "D", 99), Some(EndedBy::Server));
        assert_eq!(ended(&facts, "D", 100), None);
    }

    #[test]
    fn a_deactivated_account_does_not_come_back() {
        let facts = Revocations::default();
        let account = |at, standing| Fact::Account { user: ALICE.into(), at, standing };
        facts.append(&account(at(7), Standing::Deactivated));
        facts.append(&account(at(8), Standing::default()));

        assert_eq!(ended(&facts, "D", 900), Some(EndedBy::Deactivated));
    }

    #[test]
    fn of_two_states_of_one_tick_the_one_counts_that_allows_less() {
        let standing = |state, admin| Standing::Open(Account { state, admin });
        let states = [
            standing(AccountState::Locked, false),
            standing(AccountState::Active, true),
            standing(AccountState::Active, false),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let facts = Revocations::default();
            for at_once in order {
                let user = ALICE.into();
                let standing = states[at_once];
                facts.append(&Fact::Account { user, at: at(7), standing });
            }
            let user = UserId::parse(ALICE).unwrap();
            let account = facts.standing(user, None, session(1)).unwrap();
            assert_eq!(account.state, AccountState::Locked, "{order:?}");
        }
    }

    #[test]
    fn facts_merge_to_the_same_in_any_order_and_any_number() {
        let user = || Box::from(ALICE);
        let all = [
            Fact::User { user: user(), from: at(10), exempt: Some(session(1)) },
            Fact::User { user: user(), from: at(20), exempt: None },
            Fact::Device { user: user(), device: "D".into(), from: at(30) },
            Fact::Device { user: user(), device: "D".into(), from: at(25) },
            Fact::Session { user: user(), session: session(40) },
            Fact::Account { user: user(), at: at(3), standing: Standing::default() },
        ];
        let one = Revocations::default();
        let other = Revocations::default();
        all.iter().for_each(|fact| one.append(fact));
        all.iter().rev().chain(&all).for_each(|fact| other.append(fact));

        assert_eq!(one.users.pin().get(ALICE), other.users.pin().get(ALICE));
    }
}
