//! Texts that one engine could keep and the other could not: they are nobody's fault of ours.

use serde_json::json;

use crate::support::{ALICE, DEVICES, REGISTER, Town};

#[tokio::test]
async fn a_nul_in_the_name_of_a_device_is_replaced() {
    let town = Town::new().await;
    let alice = town.alice_with(&json!({ "initial_device_display_name": "a\0b" })).await;

    let devices = alice.get(DEVICES).await;

    assert_eq!(devices.good()["devices"][0]["display_name"], "a\u{fffd}b");
}

#[tokio::test]
async fn a_nul_in_what_is_looked_for_finds_nothing_and_is_not_our_fault() {
    let town = Town::new().await;
    town.add_registration_token("friends", None, None).await;
    let nobody = town.anonymous();

    nobody.password("ali\0ce", "guess", &json!({})).await.is(403, "M_FORBIDDEN");
    nobody.spend(&town.login_token(), &json!({ "txn_id": "a\0b" })).await.good();
    let path = "/_matrix/client/v1/register/m.login.registration_token/validity?token=friends%00";
    assert_eq!(nobody.get(path).await.good()["valid"], false);
    let session = nobody.challenged("POST", REGISTER, &json!({ "username": "carol" })).await;
    let auth =
        json!({ "type": "m.login.registration_token", "token": "friends\0", "session": session });
    nobody.post(REGISTER, &json!({ "auth": auth })).await.not_proved();
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 1);
}
