//! Locked accounts: nothing goes but logging out, and nothing is lost.

use amaretti::service::Change;
use serde_json::json;

use crate::support::{
    ALICE, ALICES_PASSWORD, BOB, DEVICES, GET_TOKEN, LOGOUT_ALL, PASSWORD, SYNC, Town, WHOAMI,
    until,
};

#[tokio::test]
async fn a_locked_user_is_told_so_and_keeps_its_keys() {
    let town = Town::new().await;
    let (alice, refresh) = town.renewing_alice().await;
    let bob = town.bob().await;

    assert!(town.service.set_standing(ALICE, Change::Lock).await.unwrap());

    for path in [WHOAMI, SYNC, DEVICES] {
        alice.get(path).await.is(401, "M_USER_LOCKED").soft();
    }
    for path in [GET_TOKEN, PASSWORD] {
        alice.post(path, &json!({})).await.is(401, "M_USER_LOCKED").soft();
    }
    alice.refresh(&refresh).await.is(401, "M_USER_LOCKED").soft();
    bob.whoami().await.good();
}

#[tokio::test]
async fn a_locked_user_begins_no_session() {
    let town = Town::new().await;
    let token = town.login_token();
    town.service.set_standing(ALICE, Change::Lock).await.unwrap();
    let nobody = town.anonymous();

    let answers = [
        nobody.password("alice", ALICES_PASSWORD, &json!({})).await,
        nobody.spend(&token, &json!({})).await,
    ];

    for answer in answers {
        assert!(matches!(answer.status.as_u16(), 401 | 403), "{answer:?}");
    }
    nobody.password("alice", "guess", &json!({})).await.is(403, "M_FORBIDDEN");
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_locked_user_may_log_out() {
    let town = Town::new().await;
    let (phone, laptop, tablet) =
        (town.alice().await, town.alice().await, town.alice_on("TABLET").await);
    town.service.set_standing(ALICE, Change::Lock).await.unwrap();

    phone.logout().await.good();
    laptop.call("POST", LOGOUT_ALL, "{}").await.good();
    town.service.set_standing(ALICE, Change::Unlock).await.unwrap();

    for client in [phone, laptop, tablet] {
        client.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    }
}

#[tokio::test]
async fn once_unlocked_everything_is_as_it_was() {
    let town = Town::new().await;
    let (alice, refresh) = town.renewing_alice().await;
    town.service.set_standing(ALICE, Change::Lock).await.unwrap();
    town.service.set_standing(ALICE, Change::Lock).await.unwrap();

    town.service.set_standing(ALICE, Change::Unlock).await.unwrap();

    alice.whoami().await.good();
    alice.refresh(&refresh).await.good();
    alice.at(&town.again().await).whoami().await.good();
    town.alice().await.whoami().await.good();
}

#[tokio::test]
async fn a_second_process_hears_of_the_lock_and_of_its_end() {
    let town = Town::new().await;
    let (bob, beside) = (town.bob().await, town.again().await);
    let (_following, there) = (beside.follow(), bob.at(&beside));

    town.service.set_standing(BOB, Change::Lock).await.unwrap();
    until("bob is locked there", async || there.whoami().await.status == 401).await;
    there.whoami().await.is(401, "M_USER_LOCKED").soft();

    town.service.set_standing(BOB, Change::Unlock).await.unwrap();
    until("bob is free there", async || there.whoami().await.status == 200).await;
}

#[tokio::test]
async fn whoever_was_locked_meanwhile_changes_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let body = json!({ "new_password": "looking-glass" });
    let session = alice.challenged("POST", PASSWORD, &body).await;
    let auth = alice.password_proof(&session);
    town.again().await.service.set_standing(ALICE, Change::Lock).await.unwrap();

    let answer = alice.with_auth("POST", PASSWORD, &body, &auth).await;

    answer.is(401, "M_USER_LOCKED").soft();
}

#[tokio::test]
async fn whoever_was_locked_meanwhile_refreshes_nothing() {
    let town = Town::new().await;
    let (alice, refresh) = town.renewing_alice().await;
    town.again().await.service.set_standing(ALICE, Change::Lock).await.unwrap();

    alice.refresh(&refresh).await.is(401, "M_USER_LOCKED").soft();
}
