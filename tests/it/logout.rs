//! `POST /logout`: one session ends, at once and for good.

use std::collections::HashSet;

use amaretti::revocations::{Fact, Standing};
use serde_json::json;

use crate::support::{ALICE, BOB, HOUR, LOCKED, LOGOUT, Town, Wanted, session_of};

#[tokio::test]
async fn a_token_is_dead_once_it_has_logged_out() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let answer = alice.logout().await;

    assert_eq!(answer.good().json, json!({}));
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    alice.sync().await.is(401, "M_UNKNOWN_TOKEN").hard();
    alice.logout().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn both_versions_of_the_path_log_out() {
    let town = Town::new().await;
    let alice = town.alice().await;

    alice.call("POST", "/_matrix/client/r0/logout", "").await.good();

    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn whatever_the_body_says_does_not_matter() {
    let town = Town::new().await;

    for body in ["", "{}", "{\"a\":1}", "not JSON at all", "[]"] {
        let alice = town.alice().await;
        alice.call("POST", LOGOUT, body).await.good();
        alice.whoami().await.is(401, "M_UNKNOWN_TOKEN");
    }
}

#[tokio::test]
async fn other_devices_and_other_users_live_on() {
    let town = Town::new().await;
    let (phone, laptop) = (town.alice_on("PHONE").await, town.alice_on("LAPTOP").await);
    let bob = town.bob_with(&json!({ "device_id": "PHONE" })).await;

    phone.logout().await.good();

    laptop.whoami().await.good();
    bob.whoami().await.good();
}

#[tokio::test]
async fn the_device_goes_with_its_session() {
    let town = Town::new().await;
    let (phone, laptop) = (town.alice_on("PHONE").await, town.alice_on("LAPTOP").await);

    phone.logout().await.good();

    let devices = town.store.devices(Some(ALICE)).await.unwrap();
    let ids: Vec<_> = devices.iter().map(|device| &device.device_id).collect();
    assert_eq!(ids, [&laptop.device_id]);
}

#[tokio::test]
async fn the_same_device_may_log_in_again_in_the_same_millisecond() {
    let town = Town::new().await;
    let before = town.alice_on("PHONE").await;
    before.logout().await.good();

    let after = town.alice_on("PHONE").await;

    after.whoami().await.good();
    before.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_session_without_a_device_ends_alone() {
    let town = Town::new().await;
    let (one, other) = (
        town.bearing(Wanted { device: None, ..Wanted::access() }),
        town.bearing(Wanted { device: None, ..Wanted::access() }),
    );

    one.logout().await.good();

    one.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    other.whoami().await.good();
}

#[tokio::test]
async fn a_user_without_an_account_here_logs_out_for_good() {
    let town = Town::new().await;
    let bot = town.bearing(Wanted { user: "@bot:example.com", ..Wanted::access() });

    bot.logout().await.good();

    bot.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    bot.at(&town.again().await).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_session_begun_by_a_clock_that_is_ahead_ends_like_any_other() {
    let town = Town::new().await;
    let beginning = Some(town.now().plus(HOUR));
    let ahead = town.bearing(Wanted { beginning, ..Wanted::access() });

    ahead.logout().await.good();

    ahead.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_locked_account_may_log_out() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let locked = town.after(ALICE, LOCKED).await;
    let alice = alice.at(&locked);

    alice.logout().await.good();

    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_deactivated_account_has_nothing_left_to_log_out() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let gone = town.after(ALICE, Standing::Deactivated).await;

    alice.at(&gone).logout().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_logout_is_judged_by_what_others_have_written_heard_of_or_not() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;
    let beside = town.again().await;
    beside.service.end_session(ALICE, session_of(&alice.token)).await.unwrap();
    alice.whoami().await.good();

    let answer = alice.logout().await;

    answer.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_write_reads_what_bears_on_its_session_and_of_others_nothing() {
    let town = Town::new().await;
    let (alice, bob) = (town.alice_on("PHONE").await, town.bob().await);
    let session = session_of(&alice.token);
    let (user, from) = (|| Box::from(ALICE), town.now().plus(9));
    let device = |device: &str| Fact::Device { user: user(), device: device.into(), from };
    let bearing = [
        Fact::User { user: user(), from, exempt: Some(session_of(&bob.token)) },
        device("PHONE"),
        Fact::Session { user: user(), session },
        Fact::Server { from },
        Fact::Account { user: user(), at: from, standing: LOCKED },
    ];
    let others = [
        device("LAPTOP"),
        Fact::Session { user: user(), session: session_of(&bob.token) },
        Fact::User { user: BOB.into(), from: from.plus(9), exempt: None },
    ];
    for fact in bearing.iter().chain(&others) {
        town.write_unheard(fact).await;
    }

    let mut tx = town.store.read().await.unwrap();
    let facts = tx.facts_against(Some(session), Some("PHONE"), ALICE).await.unwrap();

    let mut read = HashSet::new();
    facts.each(|fact| {
        read.insert(fact);
    });
    assert_eq!(read, HashSet::from(bearing));
}

#[tokio::test]
async fn a_dead_session_ends_nothing_that_came_after_it() {
    let town = Town::new().await;
    let before = town.alice_on("PHONE").await;
    let beside = town.again().await;
    let after = beside.alice_on("PHONE").await;

    before.logout().await.is(401, "M_UNKNOWN_TOKEN").hard();

    after.whoami().await.good();
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 1);
}
