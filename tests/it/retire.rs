//! Whom giving up a key would hit: it is written down with each session.

use serde_json::json;

use amaretti::service::make_key;
use amaretti::store::Signed;
use amaretti::token::KeyId;

use crate::support::{Client, Town, until};

/// A second key that mints from now on; gives the first and the second.
async fn rotated(town: &Town) -> (KeyId, KeyId) {
    let old = town.service.ring().minting_id().unwrap();
    let (new, _) = make_key(&town.store, &town.keys_folder(), town.now().plus(1)).await.unwrap();
    town.care.look();
    until("the new key mints", async || town.service.ring().minting_id() == Some(new)).await;
    (old, new)
}

/// The devices that live by a key.
async fn live_by(town: &Town, key: KeyId) -> Vec<String> {
    let signed = town.store.signed_with(key).await.unwrap();
    signed.into_iter().map(|Signed { device_id, .. }| device_id).collect()
}

#[tokio::test]
async fn a_session_lives_by_the_key_that_signed_its_token() {
    let town = Town::new().await;
    let _tending = town.tend_keys();
    town.alice_on("OLD").await;
    let (old, new) = rotated(&town).await;
    town.alice_on("NEW").await;

    assert_eq!(live_by(&town, old).await, ["OLD"]);
    assert_eq!(live_by(&town, new).await, ["NEW"]);
}

#[tokio::test]
async fn a_device_that_logs_in_again_lives_by_the_new_key_alone() {
    let town = Town::new().await;
    let _tending = town.tend_keys();
    town.renewing_alice_on(json!({ "device_id": "PHONE" })).await;
    let (old, new) = rotated(&town).await;

    town.alice_on("PHONE").await;

    assert!(live_by(&town, old).await.is_empty());
    assert_eq!(live_by(&town, new).await, ["PHONE"]);
}

#[tokio::test]
async fn a_session_that_renews_lives_by_both_keys_until_the_new_token_is_used() {
    let town = Town::new().await;
    let _tending = town.tend_keys();
    let (alice, first) = town.renewing_alice_on(json!({ "device_id": "PHONE" })).await;
    let (old, new) = rotated(&town).await;
    assert!(live_by(&town, new).await.is_empty());

    let next = alice.refresh(&first).await;
    assert_eq!(live_by(&town, old).await, ["PHONE"], "the answer may have been lost");
    assert_eq!(live_by(&town, new).await, ["PHONE"]);
    alice.refresh(next.good().text("refresh_token")).await.good();

    assert!(live_by(&town, old).await.is_empty());
    assert_eq!(live_by(&town, new).await, ["PHONE"]);
}

#[tokio::test]
async fn the_first_use_of_an_access_token_lets_go_of_the_old_key_too() {
    let town = Town::new().await;
    let (_following, _tending) = (town.follow(), town.tend_keys());
    let (alice, first) = town.renewing_alice_on(json!({ "device_id": "PHONE" })).await;
    let (old, _) = rotated(&town).await;
    let next = alice.refresh(&first).await;

    alice.with(next.good().text("access_token")).whoami().await.good();

    until("nobody lives by the old key", async || live_by(&town, old).await.is_empty()).await;
}

#[tokio::test]
async fn whoever_has_logged_out_lives_by_no_key() {
    let town = Town::new().await;
    let key = town.service.ring().minting_id().unwrap();
    let (alice, _) = town.renewing_alice().await;
    let logged_out: &Client = &town.alice().await;

    logged_out.logout().await.good();

    assert_eq!(live_by(&town, key).await, [alice.device_id]);
}

#[tokio::test]
async fn of_sessions_from_before_that_was_written_down_it_is_said_that_nothing_is_known() {
    let town = Town::new().await;
    let key = town.service.ring().minting_id().unwrap();
    town.alice_on("ONE").await;
    town.renewing_alice_on(json!({ "device_id": "TWO" })).await;
    let raw = town.raw_database().await;
    for sql in ["UPDATE devices SET key_id = NULL", "UPDATE refreshes SET keys = ''"] {
        raw.run(sql).await;
    }

    let signed = town.store.signed_with(key).await.unwrap();

    let known: Vec<_> = signed.iter().map(|s| (s.device_id.as_str(), s.keys.len())).collect();
    assert_eq!(known, [("ONE", 0), ("TWO", 0)]);
}
