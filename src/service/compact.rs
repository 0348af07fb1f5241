//! Compaction: which entries of the feed say nothing any more.
//!
//! An entry goes when a later one says as much and more, or when every token that it may hit is
//! dead. What remains comes to the same in every memory. This file refuses to know how entries are
//! read and dropped.

use std::collections::{HashMap, HashSet};

use super::{Denial, Service};
use crate::ident::{DeviceId, UserId};
use crate::revocations::{Fact, KeyState, Revocations, Standing};
use crate::store::{Kept, Page, Store};
use crate::time::Timestamp;
use crate::token::{Facts, KeyId, SessionId};

/// How long after the death of the last token that it may hit an entry is still kept, in
/// milliseconds: no clock of a node is further off and at work.
const MARGIN: u64 = 86_400_000;

/// What came of a compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// How many entries were looked at.
    pub entries: u64,
    /// How many of them say nothing any more.
    pub droppable: u64,
}

/// What entries are judged by.
struct Judge {
    now: Timestamp,
    retired: HashSet<KeyId>,
    server_from: Timestamp,
    /// The entry where the slowest live node stands, or the last one. It stays: a node that does not
    /// find it takes the store for another.
    stands_at: i64,
}

impl Service {
    /// Looks at every entry of the feed and, if `really`, drops those that say nothing any more.
    /// `progress` is told how many have been looked at.
    ///
    /// # Errors
    /// [`super::Failure`] when the store is away; what was dropped by then is dropped.
    pub async fn compact(
        &self,
        really: bool,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Compaction, Denial> {
        let store = self.store()?;
        let judge = self.judge_of(store).await?;
        let (mut done, mut page) = (Compaction::default(), Page::default());
        loop {
            let entries = store.page(&mut page).await?;
            if entries.is_empty() {
                return Ok(done);
            }
            let mut silent = Vec::new();
            for group in entries.chunk_by(|one, next| one.fact.user() == next.fact.user()) {
                silent.extend(judge.silent(group).map(|entry| entry.cursor.clone()));
            }
            done.entries += count(entries.len());
            if really && !silent.is_empty() {
                // Before the first is gone: a node that starts meanwhile has read it perhaps.
                if done.droppable == 0 {
                    store.note_compaction().await?;
                }
                store.drop_entries(&silent).await?;
            }
            done.droppable += count(silent.len());
            progress(done.entries);
        }
    }

    async fn judge_of(&self, store: &Store) -> Result<Judge, Denial> {
        let overview = store.overview(self.now()).await?;
        let mut tx = store.read().await?;
        let retired = tx.retired_keys().await?.into_iter().collect();
        let server_from = tx.facts_about_account("").await?.server_from();
        let least = overview.beats.iter().map(|beat| beat.sequence).min();
        let stands_at = least.unwrap_or(i64::MAX).min(overview.head);
        Ok(Judge { now: overview.now, retired, server_from, stands_at })
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl Judge {
    /// Of all entries about one user, or about nobody, those that may go.
    fn silent<'k>(&self, group: &'k [Kept]) -> impl Iterator<Item = &'k Kept> {
        let imports = group.iter().any(|entry| matches!(entry.fact, Fact::Imported(_)));
        let facts = Revocations::default();
        if imports {
            facts.append_all(group.iter().map(|entry| &entry.fact));
            facts.append(&Fact::Server { from: self.server_from });
        }
        let mut others = Others::new();
        group.iter().for_each(|entry| others.entry(about(&entry.fact)).or_default().push(entry));
        let mut silent = vec![false; group.len()];
        for (at, entry) in group.iter().enumerate() {
            let goes = entry.cursor.sequence() < self.stands_at
                && (self.is_covered(entry, &others)
                    || match &entry.fact {
                        // Tokens of another issuer are signed with no key of ours.
                        Fact::User { .. } | Fact::Device { .. } | Fact::Session { .. } => {
                            !imports && self.hits_nothing(entry)
                        }
                        Fact::Imported(token) => {
                            let over = token.expires_at.is_some_and(|end| self.is_over(end));
                            over || is_ended(
                                &facts,
                                &token.user,
                                token.device.as_deref(),
                                token.session,
                            )
                        }
                        Fact::Server { .. } | Fact::Account { .. } | Fact::Key { .. } => false,
                    });
            if let Some(silent) = silent.get_mut(at) {
                *silent = goes;
            }
        }
        group.iter().zip(silent).filter(|(_, goes)| *goes).map(|(entry, _)| entry)
    }

    fn is_over(&self, end: Timestamp) -> bool {
        end.plus(MARGIN) < self.now
    }

    /// Whether every token that the entry may hit is dead by its age or by its key.
    fn hits_nothing(&self, entry: &Kept) -> bool {
        let keys = &entry.hits_keys;
        entry.hits_until.is_some_and(|end| self.is_over(end))
            || (!keys.is_empty() && keys.iter().all(|key| self.retired.contains(key)))
    }

    /// Whether another entry of the group says as much and more. Of two that say the same the later
    /// one stays.
    fn is_covered(&self, entry: &Kept, others: &Others<'_>) -> bool {
        let by_server = match &entry.fact {
            Fact::User { from, .. } | Fact::Device { from, .. } => *from <= self.server_from,
            Fact::Session { session, .. } => session.beginning() < self.server_from,
            Fact::Server { .. } | Fact::Account { .. } | Fact::Imported(_) | Fact::Key { .. } => {
                false
            }
        };
        let later = |other: &Kept| other.cursor.sequence() > entry.cursor.sequence();
        let alike = Some(about(&entry.fact)).filter(|about| *about != (None, None));
        let of = |about| others.get(&about).into_iter().flatten();
        by_server
            || of((None, None)).chain(alike.into_iter().flat_map(of)).any(|other| {
                other.cursor != entry.cursor
                    && covers(&other.fact, &entry.fact)
                    && (later(other) || !covers(&entry.fact, &other.fact))
            })
    }
}

/// Entries of one group by what they are about.
type Others<'k> = HashMap<(Option<&'k str>, Option<SessionId>), Vec<&'k Kept>>;

/// The device or the session it is about, if it is about one. Nothing covers it but what is about
/// the same, and what is about none.
fn about(fact: &Fact) -> (Option<&str>, Option<SessionId>) {
    match fact {
        Fact::Device { device, .. } => (Some(device), None),
        Fact::Session { session, .. } => (None, Some(*session)),
        _ => (None, None),
    }
}

fn is_ended(facts: &Revocations, user: &str, device: Option<&str>, session: SessionId) -> bool {
    let device = device.and_then(|device| DeviceId::parse(device).ok());
    UserId::parse(user).is_ok_and(|user| facts.standing(user, device, session).is_err())
}

/// Whether a memory that knows `more` learns nothing from `less`; both are about one user, or both
/// about nobody.
fn covers(more: &Fact, less: &Fact) -> bool {
    // One that is spared by `more` must not have been hit by `less`.
    let spares = |exempt: &Option<SessionId>, from: &Timestamp| {
        exempt.is_some_and(|session| session.beginning() < *from)
    };
    match (more, less) {
        _ if more == less => true,
        (Fact::Account { standing: Standing::Deactivated, .. }, _) => {
            !matches!(less, Fact::Account { standing: Standing::Deactivated, .. })
        }
        (Fact::Account { at, .. }, Fact::Account { at: before, standing, .. }) => {
            *standing != Standing::Deactivated && at > before
        }
        (Fact::User { from, exempt, .. }, Fact::User { from: before, exempt: spared, .. }) => {
            from >= before && (exempt == spared || !spares(exempt, before))
        }
        (Fact::User { from, exempt, .. }, Fact::Device { from: before, .. }) => {
            from >= before && !spares(exempt, before)
        }
        (Fact::User { from, exempt, .. }, Fact::Session { session, .. }) => {
            session.beginning() < *from && *exempt != Some(*session)
        }
        (Fact::Device { device, from, .. }, Fact::Device { device: same, from: before, .. }) => {
            device == same && from >= before
        }
        (Fact::Server { from }, Fact::Server { from: before }) => from >= before,
        (
            Fact::Key { id, state: KeyState::Retired },
            Fact::Key { id: same, state: KeyState::Announced },
        ) => id == same,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::imports::{Digest, Imported};
    use crate::store::Cursor;
    use crate::token::{Account, AccountState, Kind};

    const USER: &str = "@alice:hs";

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn session(beginning: u64) -> SessionId {
        SessionId::new(at(beginning), [7; 10])
    }

    fn fact() -> impl Strategy<Value = Fact> {
        let when = || 1..9_u64;
        let user = || Box::from(USER);
        let state = prop::sample::select(vec![
            Standing::Deactivated,
            Standing::Open(Account { state: AccountState::Locked, admin: false }),
            Standing::Open(Account { state: AccountState::Active, admin: true }),
        ]);
        prop_oneof![
            4 => (when(), prop::option::of(when())).prop_map(move |(from, exempt)| Fact::User {
                user: user(),
                from: at(from),
                exempt: exempt.map(session),
            }),
            4 => (when(), 0..2_u8).prop_map(move |(from, device)| Fact::Device {
                user: user(),
                device: format!("D{device}").into(),
                from: at(from),
            }),
            3 => when().prop_map(move |at| Fact::Session { user: user(), session: session(at) }),
            1 => (when(), state).prop_map(move |(when, standing)| Fact::Account {
                user: user(),
                at: at(when),
                standing,
            }),
        ]
    }

    fn kept(facts: impl IntoIterator<Item = Fact>) -> Vec<Kept> {
        let entry = |(sequence, fact)| Kept {
            cursor: Cursor::new(sequence, String::new()),
            fact,
            hits_until: None,
            hits_keys: vec![KeyId::from_bytes([1; 4])],
        };
        (1..).zip(facts).map(entry).collect()
    }

    fn judge() -> Judge {
        let (now, server_from) = (at(10 * MARGIN), Timestamp::ZERO);
        Judge { now, retired: HashSet::new(), server_from, stands_at: i64::MAX }
    }

    /// All that a memory makes of these, and how it judges every session.
    fn comes_to<'k>(entries: impl Iterator<Item = &'k Kept>) -> Vec<Result<Account, ()>> {
        let facts = Revocations::default();
        entries.for_each(|entry| facts.append(&entry.fact));
        let user = UserId::parse(USER).unwrap();
        let devices =
            [None, Some("D0"), Some("D1")].map(|id| id.map(|id| DeviceId::parse(id).unwrap()));
        let sessions = (0..10).flat_map(|began| {
            [SessionId::new(at(began), [7; 10]), SessionId::new(at(began), [8; 10])]
        });
        sessions
            .flat_map(|session| devices.map(|device| (session, device)))
            .map(|(session, device)| facts.standing(user, device, session).map_err(|_| ()))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn what_remains_comes_to_the_same_for_every_session(facts in vec(fact(), 0..12)) {
            let group = kept(facts);
            let silent: Vec<_> = judge().silent(&group).map(|entry| entry.cursor.clone()).collect();

            let remains = group.iter().filter(|entry| !silent.contains(&entry.cursor));

            prop_assert_eq!(comes_to(remains), comes_to(group.iter()));
        }
    }

    #[test]
    fn of_a_kiosk_that_logs_in_every_day_the_last_login_is_kept() {
        let login =
            |from| Fact::Device { user: USER.into(), device: "KIOSK".into(), from: at(from) };
        let group = kept([1, 2, 3, 3].map(login));

        assert_eq!(judge().silent(&group).count(), 3);
    }

    #[test]
    fn what_hits_only_tokens_of_retired_keys_goes_but_not_how_an_account_stands() {
        let user = || Box::from(USER);
        let standing = Standing::Open(Account { state: AccountState::Locked, admin: false });
        let group = kept([
            Fact::User { user: user(), from: at(5), exempt: None },
            Fact::Account { user: user(), at: at(6), standing },
        ]);
        let mut judge = judge();
        assert_eq!(judge.silent(&group).count(), 0);

        judge.retired.insert(KeyId::from_bytes([1; 4]));

        let silent: Vec<_> = judge.silent(&group).map(|entry| &entry.fact).collect();
        assert_eq!(silent, [&group[0].fact]);
    }

    #[test]
    fn what_hits_until_an_instant_is_kept_a_day_longer() {
        let mut group = kept([Fact::Session { user: USER.into(), session: session(5) }]);
        for (until, goes) in [(9 * MARGIN, 0), (9 * MARGIN - 1, 1)] {
            group[0].hits_until = Some(at(until));
            assert_eq!(judge().silent(&group).count(), goes);
        }
    }

    #[test]
    fn a_token_of_another_issuer_goes_before_what_has_ended_it() {
        let imported = Imported {
            digest: Digest::of("syt_abc"),
            kind: Kind::Access,
            user: USER.into(),
            device: None,
            session: session(3),
            expires_at: None,
        };
        let ending = Fact::User { user: USER.into(), from: at(5), exempt: None };
        let mut judge = judge();
        judge.retired.insert(KeyId::from_bytes([1; 4]));
        let group = kept([Fact::Imported(Box::new(imported)), ending.clone()]);

        let silent: Vec<_> = judge.silent(&group).map(|entry| &entry.fact).collect();

        assert_eq!(silent, [&group[0].fact]);
        assert_eq!(judge.silent(&kept([ending])).count(), 1);
    }

    #[test]
    fn what_some_node_may_not_have_heard_stays_and_where_it_stands() {
        let login =
            |from| Fact::Device { user: USER.into(), device: "KIOSK".into(), from: at(from) };
        let group = kept([1, 2, 3].map(login));

        let judge = Judge { stands_at: 2, ..judge() };

        assert_eq!(judge.silent(&group).count(), 1);
    }

    #[test]
    fn a_retired_key_stays_for_ever_and_its_announcement_does_not() {
        let id = KeyId::from_bytes([1; 4]);
        let key = |state| Fact::Key { id, state };
        let group = kept([key(KeyState::Announced), key(KeyState::Retired)]);
        let mut judge = judge();
        judge.retired.insert(id);

        let silent: Vec<_> = judge.silent(&group).map(|entry| &entry.fact).collect();

        assert_eq!(silent, [&group[0].fact]);
    }
}
