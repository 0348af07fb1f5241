//! The facts in memory: what has ended, and how accounts stand.
//!
//! Facts hang off the user, so a verification costs one probe. Readers never wait for a writer, and
//! an append writes one page of a few users and nothing else: its cost does not depend on how many
//! are known, only on what is known of those few. Facts merge by maximum: in whatever order and
//! however often they arrive, the outcome is the same. This file refuses to know where facts are
//! stored and how they travel.
//!
//! A session is judged by its beginning, a number drawn from the user's own tick when it began; no
//! clock is compared anywhere here.

mod fact;
mod horizon;
mod page;
mod record;
mod rows;
mod table;

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ident::{DeviceId, UserId};
use crate::time::Timestamp;
use crate::token::{
    Account, Bearer, EndedBy, Facts, Keys, Occasion, Presented, Refusal, SessionId,
};
use page::View;
use table::{Held, Key, Table};

pub use fact::{Fact, KeyState, Standing};

/// All facts that one node knows.
#[derive(Default)]
pub struct Revocations {
    users: Table,
    server_from: AtomicU64,
}

impl Revocations {
    /// Takes a fact in. Costs as much as this user has facts, however many others have.
    pub fn append(&self, fact: &Fact) {
        if let Fact::Server { from } = fact {
            self.server_from.fetch_max(from.millis(), Relaxed);
        }
        if let Some(user) = fact.user() {
            self.users.write(user, |record| record.merge(fact));
        }
    }

    /// Takes facts in, in whatever order. All that are about one user cost as much as one of them,
    /// which tells where a user has many.
    pub fn append_all<'f>(&self, facts: impl IntoIterator<Item = &'f Fact>) {
        let mut facts: Vec<_> = facts.into_iter().collect();
        facts.sort_unstable_by_key(|fact| fact.user());
        for alike in facts.chunk_by(|one, next| one.user() == next.user()) {
            match alike.first().and_then(|fact| fact.user()) {
                Some(user) => {
                    self.users
                        .write(user, |record| alike.iter().for_each(|fact| record.merge(fact)));
                }
                None => alike.iter().for_each(|fact| self.append(fact)),
            }
        }
    }

    /// How the account of a user stands.
    #[must_use]
    pub fn account(&self, user: UserId<'_>) -> Standing {
        self.read(user, |view| view.standing)
    }

    /// What a session of this user has to begin at or after to be hit by no ending of all of them.
    #[must_use]
    pub fn user_from(&self, user: UserId<'_>) -> Timestamp {
        self.read(user, |view| view.from)
    }

    /// What every session has to begin at or after to live.
    #[must_use]
    pub fn server_from(&self) -> Timestamp {
        Timestamp::from_millis(self.server_from.load(Relaxed))
    }

    /// Calls `act` with facts from which this memory can be built again, in any order. What others
    /// append meanwhile may be among them or not; keys are none of this memory's business.
    pub fn each(&self, mut act: impl FnMut(Fact)) {
        let from = Timestamp::from_millis(self.server_from.load(Relaxed));
        if from > Timestamp::ZERO {
            act(Fact::Server { from });
        }
        self.users.each(|user, view| view.each(user, &mut act));
    }

    /// How many users something is known of.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.users()
    }

    /// These facts, about a session that will be judged soon: the memory they lie in is on its way
    /// while other work is done. That work may go to [`Ahead::nearer`] half-way.
    #[inline]
    pub fn ahead<'f>(&'f self, presented: &Presented<'f>) -> Ahead<'f> {
        let key = self.users.key(presented.user_id().as_str());
        self.users.expect(key);
        let (user, device) = (presented.user_id(), presented.device_id());
        let session = presented.claimed().session;
        Ahead { facts: self, user, device, session, key, seen: Cell::new(Seen::Nothing) }
    }

    fn read<R: Default>(&self, user: UserId<'_>, read: impl FnOnce(&View<'_>) -> R) -> R {
        self.users.read(self.users.key(user.as_str()), None, read).unwrap_or_default()
    }

    #[inline]
    fn judge(
        &self,
        key: Key<'_>,
        seen: Seen,
        device: Option<DeviceId<'_>>,
        session: SessionId,
    ) -> Result<Account, EndedBy> {
        if session.beginning().millis() < self.server_from.load(Relaxed) {
            return Err(EndedBy::Server);
        }
        let device = device.map(DeviceId::as_str);
        let page = match seen {
            Seen::Clear => return Ok(Account::default()),
            Seen::Nothing if self.users.is_clear(key, device, session.beginning()) => {
                return Ok(Account::default());
            }
            Seen::Nothing => None,
            Seen::Page(page) => page,
        };
        let standing = |view: &View<'_>| view.standing(device, session);
        self.users.read(key, page, standing).unwrap_or(Ok(Account::default()))
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
        self.judge(self.users.key(user.as_str()), Seen::Nothing, device, session)
    }

    #[inline]
    fn admit<'s, K: Keys + ?Sized>(
        &self,
        presented: Presented<'s>,
        keys: &K,
        occasion: &Occasion<'_>,
    ) -> Result<Bearer<'s>, Refusal> {
        let ahead = self.ahead(&presented);
        presented.authenticate_while(keys, || ahead.nearer())?.clear(&ahead, occasion)
    }
}

/// Facts about one session whose memory has been asked for ahead: see [`Revocations::ahead`].
pub struct Ahead<'f> {
    facts: &'f Revocations,
    user: UserId<'f>,
    device: Option<DeviceId<'f>>,
    session: SessionId,
    key: Key<'f>,
    seen: Cell<Seen>,
}

/// What has been seen ahead of the question.
enum Seen {
    Nothing,
    /// Nothing hits the session.
    Clear,
    /// The page its user stands on.
    Page(Option<Held>),
}

impl Ahead<'_> {
    /// Asks for what can only be found when the first answer is there, some 100 ns later, if it is
    /// wanted at all.
    #[inline]
    pub fn nearer(&self) {
        let device = self.device.map(DeviceId::as_str);
        let is_clear = self.facts.users.is_clear(self.key, device, self.session.beginning());
        let page = || Seen::Page(self.facts.users.hold(self.key));
        self.seen.set(if is_clear { Seen::Clear } else { page() });
    }
}

impl Facts for Ahead<'_> {
    #[inline]
    fn standing(
        &self,
        user: UserId<'_>,
        device: Option<DeviceId<'_>>,
        session: SessionId,
    ) -> Result<Account, EndedBy> {
        // Judged by the facts about another one, a session that has ended would live.
        if (user, device, session) != (self.user, self.device, self.session) {
            return self.facts.standing(user, device, session);
        }
        self.facts.judge(self.key, self.seen.replace(Seen::Nothing), device, session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{AccountState, Grant, Key, Kind, Purpose, Scratch};

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
    fn an_ending_spares_a_session_from_itself_alone() {
        let ending = |from, exempt| Fact::User { user: ALICE.into(), from: at(from), exempt };
        let all = [ending(10, None), ending(20, Some(session(5))), ending(30, Some(session(25)))];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let facts = Revocations::default();
            order.iter().for_each(|fact| facts.append(&all[*fact]));

            assert_eq!(ended(&facts, "D", 5), Some(EndedBy::User), "{order:?}");
            assert_eq!(ended(&facts, "D", 25), None, "{order:?}");
        }
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

    fn key() -> Key {
        Key::from_bytes(&core::array::from_fn(|i| i as u8)).unwrap()
    }

    fn token(beginning: u64) -> String {
        let grant = Grant {
            kind: Kind::Access,
            user: UserId::parse(ALICE).unwrap(),
            device: DeviceId::parse("D").ok(),
            guest: false,
            session: session(beginning),
            generation: 0,
            issued_at: at(1),
            expires_at: None,
            carried: &[],
        };
        grant.mint(&key().subkey(Kind::Access)).unwrap().reveal().to_owned()
    }

    /// Facts of a device that ended at this instant.
    fn ended_at(ms: u64) -> Revocations {
        let facts = Revocations::default();
        facts.append(&Fact::Device { user: ALICE.into(), device: "D".into(), from: at(ms) });
        facts
    }

    #[test]
    fn a_token_is_judged_alike_when_its_memory_is_asked_for_ahead() {
        let (facts, subkey) = (ended_at(1 << 30), key().subkey(Kind::Access));
        let occasion = Occasion::new(Purpose::Request, at(1));
        for beginning in [5, (1 << 30) - 1, 1 << 30, 1 << 31] {
            let (token, mut rooms) = (token(beginning), [Scratch::new(), Scratch::new()]);
            let [plain, ahead] =
                rooms.each_mut().map(|room| Presented::read(&token, room).unwrap());
            let plain = plain.authenticate(&subkey).unwrap().clear(&facts, &occasion).map(drop);
            let ended = (beginning < 1 << 30).then_some(Refusal::Ended(EndedBy::Device));
            assert_eq!(plain, ended.map_or(Ok(()), Err));
            assert_eq!(facts.admit(ahead, &subkey, &occasion).map(drop), plain);
        }
    }

    #[test]
    fn facts_asked_for_ahead_judge_their_session_and_any_other_alike() {
        let facts = ended_at(1 << 30);
        for is_nearer in [false, true] {
            for beginning in [5, 1 << 29, 1 << 30, 1 << 31] {
                let (mut scratch, token) = (Scratch::new(), token(beginning));
                let presented = Presented::read(&token, &mut scratch).unwrap();
                let ahead = facts.ahead(&presented);
                if is_nearer {
                    ahead.nearer();
                }
                let bob = UserId::parse("@bob:hs").unwrap();
                let alice = UserId::parse(ALICE).unwrap();
                for user in [bob, alice] {
                    for device in [DeviceId::parse("E").ok(), DeviceId::parse("D").ok()] {
                        for session in [session(6), session(1 << 32), session(beginning)] {
                            let said = ahead.standing(user, device, session);
                            assert_eq!(said, facts.standing(user, device, session), "{session}");
                        }
                    }
                }
            }
        }
    }
}
