//! Guests: let in where they are wanted, and kept from what they may not do.

use amaretti::service::Policy;
use serde_json::json;

use crate::support::{
    Client, DEACTIVATE, DELETE_DEVICES, DEVICES, GET_TOKEN, PASSWORD, REGISTER, Setting, Town,
};

const AS_GUEST: &str = "/_matrix/client/v3/register?kind=guest";

async fn town() -> Town {
    let policy = Policy { guests: true, ..Policy::default() };
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
