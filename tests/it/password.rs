//! `POST /account/password`: another password, and what it does to the user's other sessions.

use serde_json::{Value, json};

use crate::support::{
    ALICE, ALICES_PASSWORD, Answer, Client, HOUR, PASSWORD, Town, Wanted, by_password, narrow,
};

const NEW: &str = "looking-glass";

async fn change(client: &Client, more: Value) -> Answer {
    let mut body = more;
    body["new_password"] = NEW.into();
    client.prove("POST", PASSWORD, &body).await
}

#[tokio::test]
async fn the_new_password_lets_in_and_the_old_one_does_not() {
    let town = Town::new().await;

    let answer = change(&town.alice().await, json!({})).await;

    assert_eq!(answer.good().json, json!({}));
    town.anonymous().password("alice", NEW, &json!({})).await.good();
    town.anonymous().password("alice", ALICES_PASSWORD, &json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn other_sessions_end_and_their_devices_go_and_the_callers_lives_on() {
    let town = Town::new().await;
    let (caller, callers) = town.renewing_alice_on(json!({ "device_id": "PHONE" })).await;
    let (other, others) = town.renewing_alice().await;
    let (aside, bob) = (town.bearing(Wanted::access()), town.bob().await);

    change(&caller, json!({})).await.good();

    other.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    other.refresh(&others).await.is(401, "M_UNKNOWN_TOKEN").hard();
    aside.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    let devices = town.store.devices(Some(ALICE)).await.unwrap();
    assert_eq!(devices.iter().map(|d| d.device_id.as_str()).collect::<Vec<_>>(), ["PHONE"]);
    caller.whoami().await.good();
    town.wait(HOUR);
    let next = caller.refresh(&callers).await;
    caller.with(next.good().text("access_token")).whoami().await.good();
    bob.whoami().await.good();
}

#[tokio::test]
async fn the_session_that_was_spared_is_spared_after_a_restart_and_elsewhere() {
    let town = Town::new().await;
    let (caller, refresh) = town.renewing_alice().await;
    let other = town.alice().await;
    change(&caller, json!({ "logout_devices": true })).await.good();

    let there = town.again().await;

    caller.at(&there).whoami().await.good();
    caller.at(&there).refresh(&refresh).await.good();
    other.at(&there).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn the_session_spared_before_is_not_spared_by_the_next_change() {
    let town = Town::new().await;
    let phone = town.alice().await;
    change(&phone, json!({})).await.good();
    let nobody = town.anonymous();
    let laptop = nobody.of(&nobody.password("alice", NEW, &json!({})).await);
    phone.whoami().await.good();
    let body = json!({ "new_password": "through-it-all" });
    let session = laptop.challenged("POST", PASSWORD, &body).await;

    let auth = by_password(ALICE, NEW, &session);
    laptop.with_auth("POST", PASSWORD, &body, &auth).await.good();

    phone.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    laptop.whoami().await.good();
}

#[tokio::test]
async fn the_session_that_was_spared_can_be_ended_like_others() {
    let town = Town::new().await;
    let (phone, tablet) = (town.alice().await, town.alice_on("TABLET").await);
    change(&phone, json!({})).await.good();
    phone.logout().await.good();
    phone.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    tablet.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();

    let nobody = town.anonymous();
    let laptop = nobody.of(&nobody.password("alice", NEW, &json!({})).await);
    laptop.logout_all().await.good();

    phone.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn logging_out_everywhere_ends_the_session_that_was_spared() {
    let town = Town::new().await;
    let phone = town.alice().await;
    change(&phone, json!({})).await.good();
    let nobody = town.anonymous();
    let laptop = nobody.of(&nobody.password("alice", NEW, &json!({})).await);

    laptop.logout_all().await.good();

    phone.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    phone.at(&town.again().await).whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn whoever_asks_to_leave_other_sessions_alone_is_heard() {
    let town = Town::new().await;
    let (caller, (other, others)) = (town.alice().await, town.renewing_alice().await);

    change(&caller, json!({ "logout_devices": false })).await.good();

    other.whoami().await.good();
    other.refresh(&others).await.good();
    caller.whoami().await.good();
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn unspent_login_tokens_end_with_the_other_sessions() {
    let town = Town::new().await;
    let (caller, other) = (town.alice().await, town.alice().await);
    let asked = other.get_token().await.good().text("login_token").to_owned();
    let aside = town.login_token();

    change(&caller, json!({})).await.good();

    for token in [asked, aside] {
        town.anonymous().spend(&token, &json!({})).await.is(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn a_short_password_is_too_weak_before_a_proof_is_asked_for() {
    let town = Town::new().await;
    let alice = town.alice().await;

    for weak in ["", "1234567", "üüüüüüü"] {
        let body = json!({ "new_password": weak });
        alice.post(PASSWORD, &body).await.is(400, "M_WEAK_PASSWORD");
    }

    alice.post(PASSWORD, &json!({ "new_password": "üüüüüüüü" })).await.challenge();
}

#[tokio::test]
async fn a_body_that_does_not_say_what_it_must_changes_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let answer = alice.prove("POST", PASSWORD, &json!({ "logout_devices": false })).await;
    assert_eq!(answer.status.as_u16(), 400, "{answer:?}");
    alice.post(PASSWORD, &json!({ "new_password": 12_345_678 })).await.is(400, "M_BAD_JSON");
    let body = json!({ "new_password": NEW, "logout_devices": "yes" });
    alice.post(PASSWORD, &body).await.is(400, "M_BAD_JSON");

    town.alice().await.whoami().await.good();
}

#[tokio::test]
async fn a_change_needs_a_token() {
    let town = Town::new().await;

    let answer = town.anonymous().post(PASSWORD, &json!({ "new_password": NEW })).await;

    answer.is(401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn a_change_that_fails_halfway_has_not_happened() {
    let town = Town::new().await;
    let (caller, other) = (town.alice().await, town.alice().await);
    let raw = town.raw_database().await;
    let body = json!({ "new_password": NEW });
    let session = caller.challenged("POST", PASSWORD, &body).await;
    let auth = caller.password_proof(&session);
    raw.run("ALTER TABLE devices RENAME TO devices_away").await;
    caller.with_auth("POST", PASSWORD, &body, &auth).await.unavailable();
    raw.run("ALTER TABLE devices_away RENAME TO devices").await;

    town.alice().await.whoami().await.good();
    other.whoami().await.good();
    caller.with_auth("POST", PASSWORD, &body, &auth).await.good();
}

#[tokio::test]
async fn a_narrowed_token_of_the_caller_is_judged_before_its_proof() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let reader = alice.with(&narrow(&alice.token, "action in read,devices"));

    let body = json!({ "new_password": NEW });
    let proof = reader.password_proof("");
    reader.with_auth("POST", PASSWORD, &body, &proof).await.names_caveat("action");
    town.alice().await.whoami().await.good();
}
