//! A list of facts and what it says of every session there may be, one fact at a time.

use amaretti::ident::{DeviceId, UserId};
use amaretti::revocations::{Fact, Revocations, Standing};
use amaretti::time::Timestamp;
use amaretti::token::{Account, AccountState, EndedBy, Facts, SessionId};
use proptest::prelude::*;

pub(crate) const USERS: [&str; 3] = ["@a:hs", "@bob:hs", "@carol.of.somewhere:matrix.example.com"];
pub(crate) const DEVICES: [&str; 3] = ["D", "PHONE", "ÄÖÜ device"];

/// Few, so that facts and sessions meet, and meet at the very same tick.
const TICKS: u64 = 8;

/// One of two sessions that began at a tick.
pub(crate) fn session(tick: u64, which: u8) -> SessionId {
    SessionId::new(Timestamp::from_millis(tick), [which; 10])
}

/// What is known against a session.
pub(crate) fn ended(
    facts: &Revocations,
    user: &str,
    device: Option<&str>,
    tick: u64,
    which: u8,
) -> Option<EndedBy> {
    let device = device.map(|device| DeviceId::parse(device).unwrap());
    facts.standing(UserId::parse(user).unwrap(), device, session(tick, which)).err()
}

/// The facts that were heard.
pub(crate) struct Model<'f>(pub(crate) &'f [Fact]);

impl Model<'_> {
    pub(crate) fn agrees_with(&self, known: &Revocations) -> Result<(), TestCaseError> {
        for user in USERS {
            let id = UserId::parse(user).unwrap();
            prop_assert_eq!(known.user_from(id), self.user_from(user));
            let devices = DEVICES.map(Some).into_iter().chain([None]);
            for (device, tick) in devices.flat_map(|device| (0..=TICKS).map(move |t| (device, t))) {
                for session in [session(tick, 0), session(tick, 1)] {
                    let device_id = device.map(|device| DeviceId::parse(device).unwrap());
                    let said = known.standing(id, device_id, session);
                    prop_assert_eq!(said, self.standing(user, device, session), "{}", session);
                }
            }
        }
        Ok(())
    }

    fn standing(
        &self,
        user: &str,
        device: Option<&str>,
        session: SessionId,
    ) -> Result<Account, EndedBy> {
        let hit = |by| self.0.iter().any(|fact| hits(fact, user, device, session) == Some(by));
        let account = self.account(user);
        if hit(EndedBy::Server) {
            return Err(EndedBy::Server);
        }
        let Standing::Open(account) = account else { return Err(EndedBy::Deactivated) };
        let ending =
            [EndedBy::User, EndedBy::Device, EndedBy::Session].into_iter().find(|b| hit(*b));
        ending.map_or(Ok(account), Err)
    }

    /// Deactivated once is deactivated for ever; else the latest counts, and of several of one
    /// tick the one that allows least.
    fn account(&self, user: &str) -> Standing {
        let mut latest = (Timestamp::ZERO, 0, Standing::default());
        for fact in self.0 {
            match fact {
                Fact::Account { user: whose, standing: Standing::Deactivated, .. }
                    if **whose == *user =>
                {
                    return Standing::Deactivated;
                }
                Fact::Account { user: whose, at, standing: standing @ Standing::Open(account) }
                    if **whose == *user =>
                {
                    let strict = strictness(*account);
                    if (*at, strict) > (latest.0, latest.1) {
                        latest = (*at, strict, *standing);
                    }
                }
                _ => {}
            }
        }
        latest.2
    }

    fn user_from(&self, user: &str) -> Timestamp {
        let from = |fact: &Fact| match fact {
            Fact::User { user: whose, from, .. } if **whose == *user => Some(*from),
            _ => None,
        };
        self.0.iter().filter_map(from).max().unwrap_or_default()
    }
}

fn strictness(account: Account) -> u8 {
    let state = match account.state {
        AccountState::Active => 0,
        AccountState::Suspended => 2,
        AccountState::Locked => 4,
    };
    state + u8::from(!account.admin)
}

/// How one fact by itself ends a session, if it does.
fn hits(fact: &Fact, user: &str, device: Option<&str>, session: SessionId) -> Option<EndedBy> {
    let beginning = session.beginning();
    match fact {
        Fact::Server { from } => (beginning < *from).then_some(EndedBy::Server),
        Fact::User { user: whose, from, exempt } => {
            let hit = **whose == *user && beginning < *from && *exempt != Some(session);
            hit.then_some(EndedBy::User)
        }
        Fact::Device { user: whose, device: which, from } => {
            let hit = **whose == *user && device == Some(which) && beginning < *from;
            hit.then_some(EndedBy::Device)
        }
        Fact::Session { user: whose, session: which } => {
            (**whose == *user && *which == session).then_some(EndedBy::Session)
        }
        Fact::Account { .. } | Fact::Imported(_) | Fact::Key { .. } => None,
    }
}

/// Any fact about one of the users; one about the server hits all of them, and is rare.
pub(crate) fn fact() -> impl Strategy<Value = Fact> {
    let user = || prop::sample::select(&USERS[..]).prop_map(Box::<str>::from);
    let tick = || (0..=TICKS).prop_map(Timestamp::from_millis);
    let some_session = || (0..=TICKS, 0..2_u8).prop_map(|(tick, which)| session(tick, which));
    let device = prop::sample::select(&DEVICES[..]).prop_map(Box::<str>::from);
    prop_oneof![
        6 => (user(), tick(), prop::option::of(some_session()))
            .prop_map(|(user, from, exempt)| Fact::User { user, from, exempt }),
        4 => (user(), device, tick()).prop_map(|(user, device, from)| Fact::Device { user, device, from }),
        3 => (user(), some_session()).prop_map(|(user, session)| Fact::Session { user, session }),
        3 => (user(), tick(), standing())
            .prop_map(|(user, at, standing)| Fact::Account { user, at, standing }),
        1 => (0..3_u64).prop_map(|ms| Fact::Server { from: Timestamp::from_millis(ms) }),
    ]
}

fn standing() -> impl Strategy<Value = Standing> {
    const STATES: [AccountState; 3] =
        [AccountState::Active, AccountState::Suspended, AccountState::Locked];
    let open = (prop::sample::select(&STATES[..]), any::<bool>())
        .prop_map(|(state, admin)| Standing::Open(Account { state, admin }));
    prop_oneof![6 => open, 1 => Just(Standing::Deactivated)]
}
