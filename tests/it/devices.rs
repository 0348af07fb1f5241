//! Which sessions a login ends: those of the device that it chose, and no other.

use std::collections::HashSet;

use serde_json::json;

use crate::support::{ALICE, Town, Wanted};

#[tokio::test]
async fn a_login_on_a_chosen_device_ends_what_lived_there() {
    let town = Town::new().await;
    let before = town.alice_on("PHONE").await;

    let after = town.alice_on("PHONE").await;

    before.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    assert_eq!(after.whoami().await.good()["device_id"], "PHONE");
}

#[tokio::test]
async fn a_login_token_on_a_chosen_device_ends_what_lived_there() {
    let town = Town::new().await;
    let before = town.alice_on("PHONE").await;

    let answer =
        town.anonymous().spend(&town.login_token(), &json!({ "device_id": "PHONE" })).await;

    before.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    town.anonymous().of(&answer).whoami().await.good();
}

#[tokio::test]
async fn a_session_minted_aside_ends_when_its_device_is_chosen() {
    let town = Town::new().await;
    let aside = town.bearing(Wanted::access());
    aside.whoami().await.good();

    town.alice_on("ASIDE").await;

    aside.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn other_devices_live_on() {
    let town = Town::new().await;
    let (laptop, tablet) = (town.alice().await, town.alice_on("TABLET").await);

    town.alice_on("PHONE").await;
    town.alice_on("PHONE").await;

    laptop.whoami().await.good();
    tablet.whoami().await.good();
}

#[tokio::test]
async fn a_device_of_the_same_id_but_of_another_user_lives_on() {
    let town = Town::new().await;
    let bob = town.bob_with(&json!({ "device_id": "PHONE" })).await;

    town.alice_on("PHONE").await;

    bob.whoami().await.good();
}

#[tokio::test]
async fn device_ids_are_told_apart_to_the_letter() {
    let town = Town::new().await;
    let others = [town.alice_on("phone").await, town.alice_on("PHONE ").await];

    town.alice_on("PHONE").await;

    for other in others {
        other.whoami().await.good();
    }
}

#[tokio::test]
async fn without_a_choice_each_login_has_a_device_of_its_own() {
    let town = Town::new().await;
    let mut ids = HashSet::new();
    let mut sessions = Vec::new();
    for _ in 0..20 {
        let alice = town.alice().await;
        assert_eq!(alice.device_id.len(), 10, "{}", alice.device_id);
        assert!(alice.device_id.bytes().all(|b| b.is_ascii_uppercase()), "{}", alice.device_id);
        ids.insert(alice.device_id.clone());
        sessions.push(alice);
    }

    assert_eq!(ids.len(), 20);
    for alice in sessions {
        alice.whoami().await.good();
    }
}

#[tokio::test]
async fn a_device_keeps_the_name_of_its_first_login() {
    let town = Town::new().await;
    let named = |name| json!({ "device_id": "PHONE", "initial_device_display_name": name });
    town.alice_with(&named("Alice's phone")).await;
    town.alice_with(&named("something else")).await;

    let devices = town.store.devices(Some(ALICE)).await.unwrap();

    let names: Vec<_> = devices.iter().map(|device| device.display_name.as_deref()).collect();
    assert_eq!(names, [Some("Alice's phone")]);
}

#[tokio::test]
async fn a_name_without_end_is_shortened() {
    let town = Town::new().await;
    town.alice_with(&json!({ "initial_device_display_name": "ü".repeat(5000) })).await;

    let devices = town.store.devices(Some(ALICE)).await.unwrap();

    assert_eq!(devices[0].display_name.as_deref(), Some("ü".repeat(100).as_str()));
}
