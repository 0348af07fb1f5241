//! The store goes away: what needs it is our fault, and bearers go on for as long as was agreed.

use std::time::Duration;

use amaretti::revocations::Fact;
use serde_json::json;

use crate::support::{ALICE, ALICES_PASSWORD, LOCKED, Raw, Setting, Town, until};

#[tokio::test]
async fn bearers_go_on() {
    let town = Town::new().await;
    let (alice, bob) = (town.alice().await, town.bob().await);
    bob.logout().await.good();

    town.store.close().await;

    alice.whoami().await.good();
    alice.sync().await.good();
    bob.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn logins_are_our_fault_whoever_asks() {
    let town = Town::new().await;
    let nobody = town.anonymous();
    town.store.close().await;

    nobody.password("alice", ALICES_PASSWORD, &json!({})).await.unavailable();
    nobody.password("alice", "guess", &json!({})).await.unavailable();
    nobody.spend(&town.login_token(), &json!({})).await.unavailable();
}

#[tokio::test]
async fn logouts_are_our_fault_and_end_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;
    town.store.close().await;

    alice.logout().await.unavailable();
    alice.logout_all().await.unavailable();

    alice.whoami().await.good();
    alice.at(&town.again().await).whoami().await.good();
}

#[tokio::test]
async fn what_is_no_token_is_none_with_or_without_a_store() {
    let town = Town::new().await;
    let cut = town.alice().await.token.get(..100).unwrap().to_owned();
    town.store.close().await;

    town.anonymous().logout().await.is(401, "M_MISSING_TOKEN");
    town.anonymous().with(&cut).logout().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

/// Fails every look at the feed from now on.
async fn lose_feed(raw: &Raw) {
    raw.run("ALTER TABLE feed RENAME TO feed_away").await;
}

async fn find_feed(raw: &Raw) {
    raw.run("ALTER TABLE feed_away RENAME TO feed").await;
}

#[tokio::test]
async fn a_node_that_has_not_heard_for_too_long_decides_nothing_until_it_hears_again() {
    let town = Town::new().await;
    let (alice, raw) = (town.alice().await, town.raw_database().await);
    let max_staleness = Duration::from_millis(400);
    let strict = town.again_with(Setting { max_staleness, ..Setting::default() }).await;
    let (_following, alice) = (strict.follow(), alice.at(&strict));

    lose_feed(&raw).await;
    until("the feed is too old", async || alice.whoami().await.status == 503).await;
    alice.whoami().await.unavailable();
    alice.sync().await.unavailable();
    alice.logout().await.unavailable();
    strict.anonymous().spend(&strict.login_token(), &json!({})).await.unavailable();
    assert_eq!(strict.operator().get("/health/ready").await.status, 503);

    find_feed(&raw).await;
    until("the feed is heard again", async || alice.whoami().await.status == 200).await;
    strict.operator().get("/health/ready").await.good();
}

#[tokio::test]
async fn a_node_that_has_not_heard_for_a_while_goes_on() {
    let town = Town::new().await;
    let (alice, raw) = (town.alice().await, town.raw_database().await);
    let max_staleness = Duration::from_millis(400);
    let strict = town.again_with(Setting { max_staleness, ..Setting::default() }).await;
    let _following = (town.follow(), strict.follow());

    lose_feed(&raw).await;
    let at_strict = alice.at(&strict);
    until("the strict one gives up", async || at_strict.whoami().await.status == 503).await;

    alice.whoami().await.good();
}

#[tokio::test]
async fn what_was_ended_while_the_feed_was_away_counts_once_it_is_back() {
    let town = Town::new().await;
    let (alice, raw) = (town.alice().await, town.raw_database().await);
    lose_feed(&raw).await;
    let _following = town.follow();
    find_feed(&raw).await;

    let beside = town.again().await;
    beside.service.end_sessions_of(ALICE).await.unwrap().unwrap();

    until("alice is logged out", async || alice.whoami().await.status == 401).await;
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_login_that_takes_too_long_is_our_fault() {
    let town = Town::with(Setting { patience: Duration::ZERO, ..Setting::default() }).await;
    let held = town.raw_database().await.hold().await;

    let answer = town.anonymous().password("alice", ALICES_PASSWORD, &json!({})).await;

    assert!(answer.unavailable().text("error").contains("took too long"), "{answer:?}");
    held.let_go().await;
}

#[tokio::test]
async fn a_login_token_is_not_spent_by_a_login_that_fails() {
    let town = Town::new().await;
    let raw = town.raw_database().await;
    let token = town.login_token();
    raw.run("ALTER TABLE devices RENAME TO devices_away").await;
    town.anonymous().spend(&token, &json!({ "txn_id": "t1" })).await.unavailable();
    raw.run("ALTER TABLE devices_away RENAME TO devices").await;

    let answer = town.anonymous().spend(&token, &json!({ "txn_id": "t1" })).await;

    town.anonymous().of(&answer).whoami().await.good();
}

#[tokio::test]
async fn a_logout_that_fails_halfway_has_not_happened() {
    let town = Town::new().await;
    let (alice, raw) = (town.alice().await, town.raw_database().await);
    lose_feed(&raw).await;
    alice.logout().await.unavailable();
    find_feed(&raw).await;

    alice.whoami().await.good();
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_our_fault() {
    let town = Town::new().await;
    let (alice, raw) = (town.alice().await, town.raw_database().await);
    town.write_unheard(&Fact::Account { user: ALICE.into(), at: town.now(), standing: LOCKED })
        .await;
    raw.run("UPDATE feed SET value = 'damaged' WHERE kind = 'account'").await;

    alice.logout().await.unavailable();
    alice.whoami().await.good();
}
