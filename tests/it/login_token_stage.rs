//! The login token as a proof of who one is, as specifications up to r0.6.1 had it.

use serde_json::{Value, json};

use crate::support::{
    Answer, BOB, Client, DELETE_DEVICES, DEVICES, PASSWORD, Town, Wanted, narrow,
};

fn by_token(session: &str, token: &str, txn_id: &str) -> Value {
    json!({ "type": "m.login.token", "token": token, "txn_id": txn_id, "session": session })
}

fn new_password() -> Value {
    json!({ "new_password": "looking-glass", "logout_devices": false })
}

/// Asks for another password, with a login token for proof.
async fn change(client: &Client, token: &str, txn_id: &str) -> Answer {
    let session = client.challenged("POST", PASSWORD, &new_password()).await;
    let auth = by_token(&session, token, txn_id);
    client.with_auth("POST", PASSWORD, &new_password(), &auth).await
}

#[tokio::test]
async fn a_login_token_proves_who_its_bearer_is() {
    let town = Town::new().await;
    let alice = town.alice().await;

    change(&alice, &town.login_token(), "t1").await.good();

    town.anonymous().password("alice", "looking-glass", &json!({})).await.good();
}

#[tokio::test]
async fn a_login_token_without_a_transaction_will_do() {
    let town = Town::new().await;
    let alice = town.alice().await;

    change(&alice, &town.login_token(), "").await.good();
}

#[tokio::test]
async fn a_login_token_of_another_user_proves_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let bobs = town.mint(Wanted { user: BOB, ..Wanted::default() });

    change(&alice, &bobs, "t1").await.not_proved();

    let spent = town.anonymous().spend(&bobs, &json!({})).await;
    assert_eq!(spent.good()["user_id"], BOB);
}

#[tokio::test]
async fn what_is_no_whole_login_token_proves_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let narrowed = narrow(&town.login_token(), "label = lent to a kiosk");
    let expired = town.mint(Wanted { life: Some(0), ..Wanted::default() });

    for token in [&narrowed, &expired, &alice.token, "", "x"] {
        change(&alice, token, "t1").await.not_proved();
    }
}

#[tokio::test]
async fn a_login_token_that_was_spent_proves_nothing() {
    let town = Town::new().await;
    let (alice, token) = (town.alice().await, town.login_token());
    town.anonymous().spend(&token, &json!({ "txn_id": "t1" })).await.good();

    for txn_id in ["t1", "txn_id t1", ""] {
        change(&alice, &token, txn_id).await.not_proved();
    }
}

#[tokio::test]
async fn a_login_token_that_proved_something_logs_nobody_in() {
    let town = Town::new().await;
    let (alice, token) = (town.alice().await, town.login_token());
    change(&alice, &token, "txn_id t1").await.good();

    for more in [json!({ "txn_id": "t1" }), json!({ "txn_id": "txn_id t1" }), json!({})] {
        town.anonymous().spend(&token, &more).await.is(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn who_repeats_a_transaction_in_its_session_is_let_through() {
    let town = Town::new().await;
    let (alice, token) = (town.alice().await, town.login_token());
    let session = alice.challenged("POST", PASSWORD, &new_password()).await;
    let auth = by_token(&session, &token, "t1");
    let raw = town.raw_database().await;
    raw.run("ALTER TABLE users RENAME TO users_away").await;
    alice.with_auth("POST", PASSWORD, &new_password(), &auth).await.unavailable();
    raw.run("ALTER TABLE users_away RENAME TO users").await;

    let stranger = by_token(&session, &token, "t2");
    alice.with_auth("POST", PASSWORD, &new_password(), &stranger).await.not_proved();

    alice.with_auth("POST", PASSWORD, &new_password(), &auth).await.good();
}

#[tokio::test]
async fn a_login_token_proves_one_thing() {
    let town = Town::new().await;
    let (alice, token) = (town.alice().await, town.login_token());
    change(&alice, &token, "t1").await.good();
    let body = json!({ "devices": [alice.device_id] });
    let session = alice.challenged("POST", DELETE_DEVICES, &body).await;

    let auth = by_token(&session, &token, "t1");
    alice.with_auth("POST", DELETE_DEVICES, &body, &auth).await.not_proved();

    alice.get(DEVICES).await.good();
}

#[tokio::test]
async fn a_login_token_that_a_session_asked_for_proves_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let token = alice.get_token().await.good().text("login_token").to_owned();

    change(&alice, &token, "t1").await.not_proved();

    town.anonymous().spend(&token, &json!({})).await.good();
}
