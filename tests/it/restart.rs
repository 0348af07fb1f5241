//! What outlives a restart, and what another process on the same database does to this one.

use std::time::Duration;

use amaretti::store::StoreError;
use serde_json::json;

use crate::support::{ALICE, Town, session_of, until};

#[tokio::test]
async fn sessions_live_on_over_a_restart() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let town = town.again().await;

    alice.at(&town).whoami().await.good();
    alice.at(&town).logout().await.good();
}

#[tokio::test]
async fn a_logout_survives_a_restart() {
    let town = Town::new().await;
    let (alice, bob) = (town.alice().await, town.bob().await);
    alice.logout().await.good();

    let town = town.again().await;

    alice.at(&town).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    bob.at(&town).whoami().await.good();
}

#[tokio::test]
async fn a_logout_everywhere_survives_a_restart() {
    let town = Town::new().await;
    let alice = town.alice().await;
    town.alice().await.logout_all().await.good();

    let town = town.again().await;

    alice.at(&town).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    town.alice().await.whoami().await.good();
}

#[tokio::test]
async fn a_device_taken_over_stays_so_over_a_restart() {
    let town = Town::new().await;
    let (before, after) = (town.alice_on("PHONE").await, town.alice_on("PHONE").await);

    let town = town.again().await;

    before.at(&town).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    after.at(&town).whoami().await.good();
}

#[tokio::test]
async fn a_spent_login_token_stays_spent_over_a_restart() {
    let town = Town::new().await;
    let token = town.login_token();
    town.anonymous().spend(&token, &json!({})).await.good();

    let town = town.again().await;

    town.anonymous().spend(&token, &json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_database_of_another_server_is_not_opened() {
    let town = Town::new().await;

    let error = town.open_store_as("example.org").await.err().expect("this should be refused");

    match &error {
        StoreError::OtherServer { recorded, asked } => {
            assert_eq!((recorded.as_str(), asked.as_str()), ("example.com", "example.org"));
        }
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains("--data"), "says what to do: {error}");
}

#[tokio::test]
async fn a_database_under_its_own_name_is_opened_again() {
    let town = Town::new().await;

    let store = town.open_store_as("example.com").await.unwrap();

    assert_eq!(store.id(), town.store.id());
}

/// The middle one of five: one slow look of a busy machine does not count.
fn median(mut took: [Duration; 5]) -> Duration {
    took.sort();
    took[2]
}

#[tokio::test]
async fn a_session_ended_by_another_process_is_dead_here_within_250_ms() {
    let town = Town::new().await;
    let beside = town.again().await;
    let _following = town.follow();

    let mut took = [Duration::ZERO; 5];
    for took in &mut took {
        let alice = town.alice().await;
        alice.whoami().await.good();
        beside.service.end_session(ALICE, session_of(&alice.token)).await.unwrap();
        *took = until("alice is logged out", async || alice.whoami().await.status == 401).await;
        alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    }

    assert!(median(took) < Duration::from_millis(250), "{took:?}");
}

#[tokio::test]
async fn a_user_logged_out_by_another_process_is_out_here_within_250_ms() {
    let town = Town::new().await;
    let beside = town.again().await;
    let _following = town.follow();

    let mut took = [Duration::ZERO; 5];
    for took in &mut took {
        let (alice, bob) = (town.alice().await, town.bob().await);
        beside.service.end_sessions_of(ALICE).await.unwrap().unwrap();
        *took = until("alice is logged out", async || alice.whoami().await.status == 401).await;
        alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
        bob.whoami().await.good();
    }

    assert!(median(took) < Duration::from_millis(250), "{took:?}");
}

#[tokio::test]
async fn a_session_begun_in_another_process_is_known_here_at_once() {
    let town = Town::new().await;
    let beside = town.again().await;

    let alice = beside.alice().await;

    alice.at(&town).whoami().await.good();
    alice.at(&town).logout().await.good();
}

#[tokio::test]
async fn a_feed_that_was_replaced_is_read_again_and_nothing_heard_is_forgotten() {
    let town = Town::new().await;
    let (alice, bob) = (town.alice().await, town.bob().await);
    alice.logout().await.good();
    let _following = town.follow();
    let raw = town.raw_database().await;
    for sql in ["DELETE FROM feed WHERE kind = 'device'", "UPDATE feed SET random = 'other'"] {
        raw.run(sql).await;
    }

    let beside = town.again().await;
    beside.service.end_session(&bob.user_id, session_of(&bob.token)).await.unwrap();

    until("bob is logged out", async || bob.whoami().await.status == 401).await;
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}
