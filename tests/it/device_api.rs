//! A user's devices: listed, named, deleted; and nobody else's.

use serde_json::{Value, json};

use crate::support::{ALICE, BOB, Client, DELETE_DEVICES, DEVICES, Town, Wanted, narrow};

fn at(device_id: &str) -> String {
    format!("{DEVICES}/{device_id}")
}

async fn ids(client: &Client) -> Vec<String> {
    let answer = client.get(DEVICES).await;
    let devices = answer.good()["devices"].as_array().unwrap().clone();
    let mut ids: Vec<_> = devices.iter().map(|d| d["device_id"].as_str().unwrap().into()).collect();
    ids.sort();
    ids
}

fn named(name: &str) -> Value {
    json!({ "display_name": name })
}

#[tokio::test]
async fn a_user_is_told_its_own_devices() {
    let town = Town::new().await;
    let more = json!({ "device_id": "PHONE", "initial_device_display_name": "a phone" });
    let (alice, _) = (town.alice_with(&more).await, town.alice_on("LAPTOP").await);
    let bob = town.bob_with(&json!({ "device_id": "PHONE" })).await;

    assert_eq!(ids(&alice).await, ["LAPTOP", "PHONE"]);
    assert_eq!(ids(&bob).await, ["PHONE"]);
    let phone = alice.get(&at("PHONE")).await;
    let expected = json!({ "device_id": "PHONE", "display_name": "a phone" });
    assert_eq!(phone.good().json, expected);
    let r0 = alice.get("/_matrix/client/r0/devices/LAPTOP").await;
    assert_eq!(r0.good().json, json!({ "device_id": "LAPTOP" }));
}

#[tokio::test]
async fn a_device_is_given_another_name() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;

    let answer = alice.send("PUT", &at("PHONE"), &named("on the kitchen table")).await;

    assert_eq!(answer.good().json, json!({}));
    assert_eq!(alice.get(&at("PHONE")).await["display_name"], "on the kitchen table");
    alice.send("PUT", &at("PHONE"), &json!({})).await.good();
    assert_eq!(alice.get(&at("PHONE")).await["display_name"], "on the kitchen table");
    alice.send("PUT", &at("PHONE"), &json!({ "display_name": 7 })).await.is(400, "M_BAD_JSON");
    town.alice_on("PHONE").await;
    let again = town.alice().await.get(&at("PHONE")).await;
    assert_eq!(again["display_name"], "on the kitchen table", "a login keeps the name");
}

#[tokio::test]
async fn a_name_is_kept_as_far_as_it_is_one() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;

    alice.send("PUT", &at("PHONE"), &named(&"ü".repeat(3000))).await.good();

    assert_eq!(alice.get(&at("PHONE")).await["display_name"], "ü".repeat(100));
}

#[tokio::test]
async fn a_device_that_is_not_ones_own_is_not_there() {
    let town = Town::new().await;
    let (alice, _) = (town.alice().await, town.bob_with(&json!({ "device_id": "BOBS" })).await);

    for id in ["BOBS", "NOBODYS", "%20", "a%2Fb"] {
        alice.get(&at(id)).await.is(404, "M_NOT_FOUND");
        alice.send("PUT", &at(id), &named("x")).await.is(404, "M_NOT_FOUND");
        alice.send("PUT", &at(id), &json!({})).await.is(404, "M_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_answered_like_every_error() {
    let town = Town::new().await;
    let alice = town.alice().await;

    for method in ["GET", "PUT", "DELETE"] {
        let answer = alice.send(method, &at("%ff"), &json!({})).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        assert!(!answer.errcode().is_empty() && !answer.text("error").is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_device_with_a_slash_in_its_id_is_one_like_others() {
    let town = Town::new().await;
    let alice = town.alice_on("a/b c").await;

    assert_eq!(alice.get(&at("a%2Fb%20c")).await.good()["device_id"], "a/b c");
    alice.prove("DELETE", &at("a%2Fb%20c"), &json!({})).await.good();
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn deleting_a_device_without_a_body_is_asked_for_a_proof() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;

    alice.call("DELETE", &at("PHONE"), "").await.challenge();

    alice.whoami().await.good();
}

#[tokio::test]
async fn deleting_a_device_ends_its_tokens_at_once_and_no_others() {
    let town = Town::new().await;
    let (phone, refresh) = town.renewing_alice_on(json!({ "device_id": "PHONE" })).await;
    let (laptop, bob) = (town.alice().await, town.bob_with(&json!({ "device_id": "PHONE" })).await);

    let answer = laptop.prove("DELETE", &at("PHONE"), &json!({})).await;

    assert_eq!(answer.good().json, json!({}));
    phone.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    phone.refresh(&refresh).await.is(401, "M_UNKNOWN_TOKEN").hard();
    bob.whoami().await.good();
    assert_eq!(ids(&laptop).await, [laptop.device_id.as_str()]);
    laptop.prove("DELETE", &at("PHONE"), &json!({})).await.good();
}

#[tokio::test]
async fn a_deleted_device_is_gone_in_another_process_after_a_restart_and_may_come_back() {
    let town = Town::new().await;
    let (phone, laptop) = (town.alice_on("PHONE").await, town.alice().await);
    laptop.prove("DELETE", &at("PHONE"), &json!({})).await.good();

    let there = town.again().await;

    phone.at(&there).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    there.alice_on("PHONE").await.whoami().await.good();
    phone.at(&there).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_session_minted_aside_ends_when_its_device_is_deleted() {
    let town = Town::new().await;
    let aside = town.bearing(Wanted::access());
    let alice = town.alice().await;
    aside.whoami().await.good();

    alice.prove("DELETE", &at("ASIDE"), &json!({})).await.good();

    aside.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn many_devices_go_at_once_and_unknown_ones_are_gone_already() {
    let town = Town::new().await;
    let (phone, tablet) = (town.alice_on("PHONE").await, town.alice_on("TABLET").await);
    let laptop = town.alice().await;
    let body = json!({ "devices": ["PHONE", "TABLET", "NOBODYS", "PHONE"] });

    laptop.prove("POST", DELETE_DEVICES, &body).await.good();

    phone.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    tablet.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    assert_eq!(ids(&laptop).await, [laptop.device_id.as_str()]);
    laptop.prove("POST", DELETE_DEVICES, &json!({ "devices": ["NOBODYS"] })).await.good();
    laptop.prove("POST", DELETE_DEVICES, &json!({ "devices": [] })).await.good();
}

#[tokio::test]
async fn a_list_longer_than_a_session_can_remember_is_deleted_with_one_proof() {
    let town = Town::new().await;
    let (phone, laptop) = (town.alice_on("PHONE").await, town.alice().await);
    let many: Vec<_> = (0..400).map(|n| format!("DEVICE{n:04}")).chain(["PHONE".into()]).collect();
    let body = json!({ "devices": many });
    let session = laptop.challenged("POST", DELETE_DEVICES, &body).await;

    let auth = json!({ "session": session });
    let again = laptop.with_auth("POST", DELETE_DEVICES, &body, &auth).await.challenge();
    let proof = laptop.password_proof(&session);
    laptop.with_auth("POST", DELETE_DEVICES, &body, &proof).await.good();

    assert!(again == session, "one interactive session has one text");
    phone.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn the_devices_to_delete_are_a_list_of_ids() {
    let town = Town::new().await;
    let alice = town.alice().await;

    for body in [json!({}), json!({ "devices": "PHONE" }), json!({ "devices": [7] })] {
        alice.post(DELETE_DEVICES, &body).await.is(400, "M_BAD_JSON");
    }
}

#[tokio::test]
async fn a_device_of_another_user_is_not_touched() {
    let town = Town::new().await;
    let (alice, bob) = (town.alice().await, town.bob_with(&json!({ "device_id": "BOBS" })).await);

    alice.prove("DELETE", &at("BOBS"), &json!({})).await.good();
    alice.prove("POST", DELETE_DEVICES, &json!({ "devices": ["BOBS"] })).await.good();

    bob.whoami().await.good();
    assert_eq!(town.store.devices(Some(BOB)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_device_may_delete_itself() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;

    alice.prove("DELETE", &at("PHONE"), &json!({})).await.good();

    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_narrowed_token_does_to_devices_what_its_actions_say() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;
    let may = |actions: &str| alice.with(&narrow(&alice.token, &format!("action in {actions}")));

    let reader = may("read,account");
    reader.get(DEVICES).await.names_caveat("action");
    reader.get(&at("PHONE")).await.names_caveat("action");
    reader.send("PUT", &at("PHONE"), &named("x")).await.names_caveat("action");
    let namer = may("devices");
    namer.send("PUT", &at("PHONE"), &named("x")).await.good();
    namer.call("DELETE", &at("PHONE"), "").await.names_caveat("action");
    let body = json!({ "devices": ["PHONE"] });
    namer.post(DELETE_DEVICES, &body).await.names_caveat("action");
    may("account").prove("DELETE", &at("PHONE"), &json!({})).await.good();
}

#[tokio::test]
async fn without_a_store_devices_are_our_fault() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;
    let session = alice.challenged("DELETE", &at("PHONE"), &json!({})).await;
    let proof = alice.password_proof(&session);
    town.store.close().await;

    alice.get(DEVICES).await.unavailable();
    alice.send("PUT", &at("PHONE"), &named("x")).await.unavailable();
    alice.with_auth("DELETE", &at("PHONE"), &json!({}), &proof).await.unavailable();
    alice.at(&town.again().await).whoami().await.good();
}
