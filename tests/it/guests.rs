//! Guests: let in where they are wanted, and kept from what they may not do.

use amaretti::config::Registration;
use amaretti::service::Policy;
use serde_json::{Value, json};

use crate::support::{
    Client, DEACTIVATE, DELETE_DEVICES, DEVICES, GET_TOKEN, PASSWORD, REGISTER, Setting, Town,
};

const AS_GUEST: &str = "/_matrix/client/v3/register?kind=guest";

async fn town() -> Town {
    let policy = Policy { guests: true, registration: Registration::Open, ..Policy::default() };
    Town::with(Setting { policy, ..Setting::default() }).await
}

async fn guest(town: &Town) -> Client {
    let nobody = town.anonymous();
    nobody.of(&nobody.post(AS_GUEST, &json!({})).await)
}

#[tokio::test]
async fn guests_are_let_in_where_they_are_wanted_and_only_there() {
    let (with, without) = (town().await, Town::new().await);

    without.anonymous().post(AS_GUEST, &json!({})).await.is(403, "M_FORBIDDEN");
    let who = guest(&with).await.whoami().await;

    assert_eq!(who.good()["is_guest"], true);
    assert!(!who.text("device_id").is_empty());
}

#[tokio::test]
async fn a_guest_chooses_neither_name_nor_device() {
    let town = town().await;
    let wanted = json!({ "username": "alice", "device_id": "PHONE", "password": "long-enough" });

    let answer = town.anonymous().post(AS_GUEST, &wanted).await;

    assert_ne!(answer.good()["user_id"], "@alice:example.com");
    assert_ne!(answer["device_id"], "PHONE");
}

#[tokio::test]
async fn no_guest_is_another() {
    let town = town().await;

    assert_ne!(guest(&town).await.user_id, guest(&town).await.user_id);
}

#[tokio::test]
async fn a_guest_is_told_where_guests_may_not_go() {
    let town = town().await;
    let guest = guest(&town).await;

    guest.logout().await.is(403, "M_GUEST_ACCESS_FORBIDDEN");
    guest.logout_all().await.is(403, "M_GUEST_ACCESS_FORBIDDEN");
    for path in [GET_TOKEN, PASSWORD, DEACTIVATE, DELETE_DEVICES] {
        let body = json!({ "devices": [], "new_password": "long-enough" });
        guest.post(path, &body).await.is(403, "M_GUEST_ACCESS_FORBIDDEN");
    }
    let own = format!("{DEVICES}/{}", guest.device_id);
    guest.call("DELETE", &own, "").await.is(403, "M_GUEST_ACCESS_FORBIDDEN");
    guest.whoami().await.good();
}

#[tokio::test]
async fn a_guest_may_look_at_devices() {
    let town = town().await;

    guest(&town).await.get(DEVICES).await.good();
}

#[tokio::test]
async fn there_are_no_other_kinds() {
    let town = town().await;

    let answer = town.anonymous().post(&format!("{REGISTER}?kind=king"), &json!({})).await;

    assert_eq!(answer.status.as_u16(), 400, "{answer:?}");
}

/// What a guest sends to keep its name.
fn upgrade(guest: &Client) -> Value {
    let name = guest.user_id.strip_prefix('@').and_then(|id| id.split(':').next());
    json!({ "username": name, "password": "long-enough", "guest_access_token": guest.token })
}

fn dummy(session: &str) -> Value {
    json!({ "type": "m.login.dummy", "session": session })
}

#[tokio::test]
async fn a_guest_becomes_a_user_of_its_own_name_and_its_token_ends() {
    let town = town().await;
    let (guest, nobody) = (guest(&town).await, town.anonymous());
    let wanted = upgrade(&guest);

    let session = nobody.challenged("POST", REGISTER, &wanted).await;
    let answer = nobody.with_auth("POST", REGISTER, &wanted, &dummy(&session)).await;

    assert_eq!(answer.good()["user_id"], guest.user_id.as_str());
    assert_eq!(nobody.of(&answer).whoami().await.good()["is_guest"], false);
    guest.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    nobody.password(&guest.user_id, "long-enough", &json!({})).await.good();
}

#[tokio::test]
async fn a_guest_who_says_it_all_in_the_first_request_becomes_a_user_all_the_same() {
    let town = town().await;
    let (guest, nobody) = (guest(&town).await, town.anonymous());
    let session = nobody.challenged("POST", REGISTER, &upgrade(&guest)).await;

    let answer = nobody.post(REGISTER, &json!({ "auth": dummy(&session) })).await;

    assert_eq!(answer.good()["user_id"], guest.user_id.as_str());
    guest.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn the_name_of_a_guest_is_for_that_guest() {
    let town = town().await;
    let (one, two) = (guest(&town).await, guest(&town).await);
    let (alice, nobody) = (town.alice().await, town.anonymous());
    let mut taken = upgrade(&one);
    taken["guest_access_token"] = two.token.as_str().into();
    nobody.post(REGISTER, &taken).await.is(400, "M_INVALID_USERNAME");
    taken["guest_access_token"] = alice.token.as_str().into();
    assert!(nobody.post(REGISTER, &taken).await.status.is_client_error());
    taken["guest_access_token"] = json!(null);

    nobody.post(REGISTER, &taken).await.is(400, "M_INVALID_USERNAME");

    one.whoami().await.good();
}

#[tokio::test]
async fn a_guest_becomes_a_user_once() {
    let town = town().await;
    let (guest, nobody) = (guest(&town).await, town.anonymous());
    let wanted = upgrade(&guest);
    let one = nobody.challenged("POST", REGISTER, &wanted).await;
    let two = nobody.challenged("POST", REGISTER, &wanted).await;
    nobody.with_auth("POST", REGISTER, &wanted, &dummy(&one)).await.good();

    let again = nobody.with_auth("POST", REGISTER, &wanted, &dummy(&two)).await;

    assert!(again.status.is_client_error(), "{again:?}");
}
