//! `GET /account/whoami`: the answer is in the token.

use amaretti::token::Kind;

use crate::support::{ALICE, BOB, LOCKED, Town, WHOAMI, Wanted};

#[tokio::test]
async fn a_bearer_is_told_who_it_is() {
    let town = Town::new().await;
    let bob = town.bob().await;

    let answer = bob.whoami().await;

    assert_eq!(answer.good()["user_id"], BOB);
    assert_eq!(answer["device_id"], bob.device_id);
    assert_eq!(answer["is_guest"], false);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn both_versions_of_the_path_answer_alike() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let of_old = alice.get("/_matrix/client/r0/account/whoami").await;

    assert_eq!(of_old.good().json, alice.whoami().await.json);
}

#[tokio::test]
async fn nobody_is_told_that_a_token_is_missing() {
    let town = Town::new().await;

    let answer = town.anonymous().get(WHOAMI).await;

    answer.is(401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn a_session_without_a_device_names_none() {
    let town = Town::new().await;

    let answer = town.bearing(Wanted { device: None, ..Wanted::access() }).whoami().await;

    assert_eq!(answer.good().json.get("device_id"), None);
}

#[tokio::test]
async fn a_guest_is_told_so() {
    let town = Town::new().await;

    let answer = town.bearing(Wanted { guest: true, ..Wanted::access() }).whoami().await;

    assert_eq!(answer.good()["is_guest"], true);
}

#[tokio::test]
async fn a_user_without_an_account_here_is_believed_to_the_token() {
    let town = Town::new().await;

    let answer =
        town.bearing(Wanted { user: "@bot:example.com", ..Wanted::access() }).whoami().await;

    assert_eq!(answer.good()["user_id"], "@bot:example.com");
}

#[tokio::test]
async fn a_locked_account_keeps_its_keys_and_comes_back_once_unlocked() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let locked = town.after(ALICE, LOCKED).await;
    alice.at(&locked).whoami().await.is(401, "M_USER_LOCKED").soft();

    locked.wait(1);
    let unlocked = locked.after(ALICE, amaretti::revocations::Standing::default()).await;

    alice.at(&unlocked).whoami().await.good();
}

#[tokio::test]
async fn an_inner_token_is_not_for_requests() {
    let town = Town::new().await;

    let answer = town.bearing(Wanted { kind: Kind::Inner, ..Wanted::access() }).whoami().await;

    answer.is(401, "M_UNKNOWN_TOKEN").soft();
}
