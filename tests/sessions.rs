//! Holds the rule that a session is judged by its beginning to a model, over random schedules.
//!
//! Three nodes with clocks up to two hours apart start, refresh and end sessions, and hear of one
//! another late, out of order and twice. An ended session is never admitted where its end has been
//! heard of; a living one is never refused anywhere.

#![expect(clippy::indexing_slicing, reason = "the model counts its own users, nodes and sessions")]
#![expect(clippy::unwrap_used, reason = "what the model makes is good or the model is wrong")]

#[path = "sessions/model.rs"]
mod model;

use std::collections::BTreeSet;

use amaretti::ident::{DeviceId, UserId};
use amaretti::revocations::{Fact, Revocations};
use amaretti::time::Timestamp;
use amaretti::token::{Facts, Kind, SessionId};
use model::{Device, NODES, USERS, World};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const HOUR: i64 = 3_600_000;

/// A failing case is printed whole, so nothing is kept on disk.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Something that happens, mostly at one node. Sessions and facts are picked among those there are.
#[derive(Clone, Debug)]
enum Event {
    Wait(u64),
    Login { node: usize, user: usize, device: Device },
    LoginByToken { node: usize, session: Index },
    Refresh { node: usize, session: Index },
    MintAside { node: usize, session: Index, kind: Kind },
    Logout { node: usize, session: Index },
    LogoutAll { node: usize, session: Index },
    ChangePassword { node: usize, session: Index },
    Revoke { session: Index },
    EndServer { node: usize },
    CatchUp { node: usize, count: usize },
    Deliver { node: usize, fact: Index },
}

fn events() -> impl Strategy<Value = Event> {
    let node = || 0..NODES;
    let session = any::<Index>;
    let device = prop_oneof![
        1 => Just(Device::None),
        1 => Just(Device::Generated),
        3 => (0..2_u8).prop_map(Device::Chosen),
    ];
    let kind = prop::sample::select(Kind::ALL.to_vec());
    prop_oneof![
        2 => prop_oneof![0..3_u64, 0..HOUR as u64].prop_map(Event::Wait),
        6 => (node(), 0..USERS.len(), device)
            .prop_map(|(node, user, device)| Event::Login { node, user, device }),
        1 => (node(), session()).prop_map(|(node, session)| Event::LoginByToken { node, session }),
        3 => (node(), session()).prop_map(|(node, session)| Event::Refresh { node, session }),
        3 => (node(), session(), kind)
            .prop_map(|(node, session, kind)| Event::MintAside { node, session, kind }),
        3 => (node(), session()).prop_map(|(node, session)| Event::Logout { node, session }),
        1 => (node(), session()).prop_map(|(node, session)| Event::LogoutAll { node, session }),
        2 => (node(), session()).prop_map(|(node, session)| Event::ChangePassword { node, session }),
        1 => session().prop_map(|session| Event::Revoke { session }),
        1 => node().prop_map(|node| Event::EndServer { node }),
        4 => (node(), 1..4_usize).prop_map(|(node, count)| Event::CatchUp { node, count }),
        3 => (node(), session()).prop_map(|(node, fact)| Event::Deliver { node, fact }),
    ]
}

/// Clocks: how far off at the start, and how fast.
fn clocks() -> impl Strategy<Value = [(i64, u64); NODES]> {
    prop::array::uniform3((prop_oneof![Just(0), -HOUR..HOUR], 50..150_u64))
}

fn happen(world: &mut World, event: &Event) {
    let sessions = world.sessions.len();
    let pick = |index: &Index| (sessions > 0).then(|| index.index(sessions));
    match event {
        Event::Wait(ms) => world.wait(*ms),
        Event::Login { node, user, device } => drop(world.login(*node, *user, device)),
        Event::EndServer { node } => world.end_server(*node),
        Event::CatchUp { node, count } => world.catch_up(*node, *count),
        Event::Deliver { node, fact } if !world.feed.is_empty() => {
            world.deliver(*node, fact.index(world.feed.len()));
        }
        Event::Deliver { .. } => {}
        Event::LoginByToken { session, .. }
        | Event::Refresh { session, .. }
        | Event::MintAside { session, .. }
        | Event::Logout { session, .. }
        | Event::LogoutAll { session, .. }
        | Event::ChangePassword { session, .. }
        | Event::Revoke { session } => {
            if let Some(session) = pick(session) {
                happen_to(world, event, session);
            }
        }
    }
}

/// What happens to a session that there is.
fn happen_to(world: &mut World, event: &Event, session: usize) {
    match event {
        Event::LoginByToken { node, .. } => world.login_by_token(*node, session),
        Event::Refresh { node, .. } => world.refresh(*node, session),
        Event::MintAside { node, kind, .. } => world.mint_aside(*node, session, *kind),
        Event::Logout { node, .. } => world.logout(*node, session),
        Event::LogoutAll { node, .. } => world.end_all(*node, session, false),
        Event::ChangePassword { node, .. } => world.end_all(*node, session, true),
        Event::Revoke { .. } => world.end_session(session),
        _ => {}
    }
}

/// The first fault of any node with any session: by one token of each, or by all of them.
fn fault(world: &World, round: Option<usize>) -> Option<String> {
    let judge = |node: usize, session: usize| {
        let tokens = world.sessions[session].tokens.len();
        let some = round.map_or(0..tokens, |round| round % tokens..round % tokens + 1);
        some.filter_map(|token| world.fault(node, session, token)).next()
    };
    (0..NODES)
        .flat_map(|n| (0..world.sessions.len()).map(move |s| (n, s)))
        .find_map(|(n, s)| judge(n, s))
}

fn follow_to_the_end(world: &mut World) {
    (0..NODES).for_each(|node| world.catch_up(node, usize::MAX / 2));
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn nodes_never_judge_a_session_wrongly(clocks in clocks(), events in vec(events(), 1..60)) {
        let mut world = World::new(clocks);
        for (round, event) in events.iter().enumerate() {
            happen(&mut world, event);
            let fault = fault(&world, Some(round));
            prop_assert!(fault.is_none(), "after {event:?}: {}", fault.unwrap_or_default());
        }
        follow_to_the_end(&mut world);

        let fault = fault(&world, None);
        prop_assert!(fault.is_none(), "at the end: {}", fault.unwrap_or_default());
    }
}

#[test]
fn the_schedules_reach_every_sort_of_ending_and_nodes_that_lag() {
    let mut runner = TestRunner::deterministic();
    let (mut endings, mut laundered) = (BTreeSet::new(), 0);
    for _ in 0..60 {
        let mut world = World::new([(0, 100); NODES]);
        let events = vec(events(), 1..60).new_tree(&mut runner).unwrap().current();
        events.iter().for_each(|event| happen(&mut world, event));
        endings.extend(world.endings());
        laundered += world.laundered;
    }

    let all =
        ["all of a device", "all of a user", "all of a user but one", "all of the server", "one"];
    assert_eq!(endings, all.into());
    assert!(laundered > 0, "no node minted from a session whose end it had not heard of");
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn facts_come_to_the_same_in_any_order_and_any_number(
        (facts, again) in vec(facts(), 1..12)
            .prop_flat_map(|facts| (Just(facts.clone()), Just([facts.clone(), facts].concat()).prop_shuffle())),
    ) {
        let (one, other) = (Revocations::default(), Revocations::default());
        facts.iter().for_each(|fact| one.append(fact));
        again.iter().for_each(|fact| other.append(fact));

        let user = UserId::parse(USERS[0]).unwrap();
        for session in (0..20).map(known_session) {
            for device in ["C0", "C1", ""].map(|id| DeviceId::parse(id).ok()) {
                let [one, other] = [&one, &other].map(|f| f.standing(user, device, session));
                prop_assert_eq!(one, other, "session {} on {:?}", session, device);
            }
        }
    }
}

/// One of 20 sessions that began at one of ten ticks.
fn known_session(n: u8) -> SessionId {
    SessionId::new(Timestamp::from_millis((n / 2).into()), [n; 10])
}

/// Any fact about the first user; instants are few, so that some are alike.
fn facts() -> impl Strategy<Value = Fact> {
    let user = || Box::from(USERS[0]);
    let from = (0..10_u64).prop_map(Timestamp::from_millis).boxed();
    let session = (0..20_u8).prop_map(known_session).boxed();
    let device = prop::sample::select(vec!["C0", "C1"]);
    prop_oneof![
        4 => (from.clone(), prop::option::of(session.clone()))
            .prop_map(move |(from, exempt)| Fact::User { user: user(), from, exempt }),
        3 => (from.clone(), device)
            .prop_map(move |(from, device)| Fact::Device { user: user(), device: device.into(), from }),
        2 => session.prop_map(move |session| Fact::Session { user: user(), session }),
        1 => from.prop_map(|from| Fact::Server { from }),
    ]
}

#[test]
fn a_login_on_a_slow_node_outlives_an_earlier_logout_on_a_fast_one() {
    let mut world = World::new([(HOUR, 100), (-HOUR, 100), (0, 100)]);
    let first = world.login(0, 0, &Device::Generated);
    world.end_all(0, first, false);
    let second = world.login(1, 0, &Device::Generated);
    follow_to_the_end(&mut world);

    assert!(world.sessions[first].ended.is_some() && world.sessions[second].ended.is_none());
    assert_eq!(fault(&world, None), None);
}

#[test]
fn what_a_lagging_node_mints_from_an_ended_session_is_dead_where_the_end_is_known() {
    let mut world = World::new([(0, 100), (HOUR, 100), (0, 100)]);
    let session = world.login(0, 0, &Device::Generated);
    world.logout(0, session);
    world.catch_up(0, 1);
    world.wait(1000);
    world.mint_aside(1, session, Kind::Access);

    let newest = world.sessions[session].tokens.len() - 1;
    assert_eq!(newest, 2, "the lagging node minted nothing");
    assert_eq!(world.fault(0, session, newest), None);
}

#[test]
fn a_login_on_a_chosen_device_ends_the_sessions_before_it_and_not_itself() {
    let mut world = World::new([(0, 100), (-HOUR, 50), (0, 100)]);
    let first = world.login(0, 0, &Device::Chosen(0));
    let second = world.login(1, 0, &Device::Chosen(0));
    follow_to_the_end(&mut world);

    assert!(world.sessions[first].ended.is_some() && world.sessions[second].ended.is_none());
    assert_eq!(fault(&world, None), None);
}
