//! The set of facts against a list of them: what is known of a session is what some fact says, in
//! whatever order and however often facts arrive, and while others write.

#![expect(clippy::unwrap_used, reason = "what is made here is good or the test is wrong")]

#[path = "facts/model.rs"]
mod model;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use amaretti::ident::UserId;
use amaretti::revocations::{Fact, Revocations};
use amaretti::time::Timestamp;
use amaretti::token::{EndedBy, Facts};
use model::{DEVICES, Model, USERS, fact, session};
use proptest::prelude::*;

/// What was heard, as a node that hears it one by one knows it.
fn knowing<'f>(facts: impl IntoIterator<Item = &'f Fact>) -> Revocations {
    let known = Revocations::default();
    facts.into_iter().for_each(|fact| known.append(fact));
    known
}

/// Facts from which the same memory can be built, in an order that does not matter.
fn told(facts: &Revocations) -> Vec<Fact> {
    let mut told = Vec::new();
    facts.each(|fact| told.push(fact));
    told.sort_by_cached_key(|fact| format!("{fact:?}"));
    told
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_session_stands_as_the_facts_about_it_say(
        facts in proptest::collection::vec(fact(), 0..24),
    ) {
        Model(&facts).agrees_with(&knowing(&facts))?;
    }

    #[test]
    fn neither_order_nor_repetition_changes_what_is_known(
        (facts, shuffled) in proptest::collection::vec(fact(), 0..16)
            .prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle())),
        again in 0..16_usize,
    ) {
        let twice = shuffled.iter().chain(shuffled.iter().take(again));
        prop_assert_eq!(told(&knowing(&facts)), told(&knowing(twice)));
    }

    #[test]
    fn facts_taken_in_together_come_to_what_they_come_to_one_by_one(
        facts in proptest::collection::vec(fact(), 0..24),
        first in 0..24_usize,
    ) {
        let (before, behind) = facts.split_at(first.min(facts.len()));
        let together = knowing(before);
        together.append_all(behind);

        prop_assert_eq!(told(&together), told(&knowing(&facts)));
        prop_assert_eq!(together.users(), knowing(&facts).users());
        Model(&facts).agrees_with(&together)?;
    }

    #[test]
    fn what_a_memory_tells_builds_the_same_memory(
        facts in proptest::collection::vec(fact(), 0..24),
    ) {
        let known = knowing(&facts);
        let again = knowing(told(&known).iter().rev());
        prop_assert_eq!(told(&again), told(&known));
        prop_assert_eq!(again.users(), known.users());
        Model(&facts).agrees_with(&again)?;
    }
}

#[test]
fn many_users_are_told_apart() {
    let users: Vec<_> = (0..20_000).map(|n| format!("@user{n}:example.com")).collect();
    let facts: Vec<_> = users
        .iter()
        .zip(1..)
        .map(|(user, tick)| Fact::User {
            user: user.as_str().into(),
            from: Timestamp::from_millis(tick),
            exempt: None,
        })
        .collect();
    let known = knowing(&facts);

    assert_eq!(known.users(), users.len());
    for (user, tick) in users.iter().zip(1..) {
        let user = UserId::parse(user).unwrap();
        assert_eq!(known.user_from(user).millis(), tick);
        assert_eq!(known.standing(user, None, session(tick - 1, 0)), Err(EndedBy::User));
        assert!(known.standing(user, None, session(tick, 0)).is_ok());
    }
    let stranger = UserId::parse("@user20000:example.com").unwrap();
    assert!(known.standing(stranger, None, session(0, 0)).is_ok());
    assert_eq!(told(&known).len(), users.len());
}

/// Ends this device of everybody at one tick after the other. Users nobody asks for make the set
/// grow under those who are asked for.
fn append_all(known: &Revocations, device: &str) {
    for tick in 1..=LAST_TICK {
        let from = Timestamp::from_millis(tick);
        let stranger = format!("@stranger-{device}-{tick}:hs").into();
        known.append(&Fact::User { user: stranger, from, exempt: None });
        for user in USERS {
            known.append(&Fact::Device { user: user.into(), device: device.into(), from });
        }
    }
}

/// Follows one user's devices until all has been heard: what has ended never comes back.
fn watch(known: &Revocations, user: &str, is_over: impl Fn() -> bool) {
    let mut ended_to = [0; DEVICES.len()];
    while !is_over() {
        for (device, ended_to) in DEVICES.into_iter().zip(&mut ended_to) {
            let ended = |tick| model::ended(known, user, Some(device), tick, 0).is_some();
            while ended(*ended_to) {
                *ended_to += 1;
            }
            assert!(*ended_to == 0 || ended(*ended_to - 1), "{user} {device} came back");
        }
    }
}

const LAST_TICK: u64 = 1000;

#[test]
fn while_others_append_a_session_that_has_ended_stays_ended() {
    let (known, heard) = (&Revocations::default(), &AtomicUsize::new(0));
    thread::scope(|scope| {
        for device in DEVICES {
            scope.spawn(move || {
                append_all(known, device);
                heard.fetch_add(1, Relaxed);
            });
        }
        for user in USERS {
            scope.spawn(move || watch(known, user, || heard.load(Relaxed) == DEVICES.len()));
        }
    });
    for (user, device) in USERS.into_iter().zip(DEVICES) {
        let ended = |tick| model::ended(known, user, Some(device), tick, 0);
        assert_eq!((ended(LAST_TICK - 1), ended(LAST_TICK)), (Some(EndedBy::Device), None));
    }
    assert_eq!(known.users(), USERS.len() + DEVICES.len() * LAST_TICK as usize);
}
