//! `POST /login/get_token`: another device, logged in by one that is.

use serde_json::json;

use crate::support::{
    ALICE, GET_TOKEN, HOUR, LOGIN, MINUTE, PASSWORD, Town, Wanted, narrow, session_of,
};

#[tokio::test]
async fn a_login_token_logs_another_device_in() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let answer = alice.get_token().await;

    assert_eq!(answer.good()["expires_in_ms"], 2 * MINUTE);
    let login = town.anonymous().spend(answer.text("login_token"), &json!({})).await;
    let tablet = town.anonymous().of(&login);
    assert_eq!(tablet.whoami().await.good()["user_id"], ALICE);
    assert_ne!(tablet.device_id, alice.device_id);
    alice.whoami().await.good();
}

#[tokio::test]
async fn a_proof_is_asked_for_each_time() {
    let town = Town::new().await;
    let alice = town.alice().await;
    alice.get_token().await.good();
    town.wait(MINUTE);

    let session = alice.challenged("POST", GET_TOKEN, &json!({})).await;
    let dummy = json!({ "type": "m.login.dummy", "session": session });
    alice.with_auth("POST", GET_TOKEN, &json!({}), &dummy).await.not_proved();

    alice.call("POST", GET_TOKEN, "").await.challenge();
}

#[tokio::test]
async fn a_login_token_of_a_session_is_good_once_and_for_two_minutes() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let first = alice.get_token().await.good().text("login_token").to_owned();
    town.anonymous().spend(&first, &json!({})).await.good();
    town.anonymous().spend(&first, &json!({})).await.is(403, "M_FORBIDDEN");
    town.wait(MINUTE);
    let second = alice.get_token().await.good().text("login_token").to_owned();

    town.wait(2 * MINUTE);

    town.anonymous().spend(&second, &json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_user_is_given_one_a_minute() {
    let town = Town::new().await;
    let (phone, laptop, bob) = (town.alice().await, town.alice().await, town.bob().await);
    phone.get_token().await.good();
    town.wait(1500);

    for alice in [&phone, &laptop] {
        let answer = alice.get_token().await;
        answer.is(429, "M_LIMIT_EXCEEDED");
        assert_eq!(answer["retry_after_ms"], MINUTE - 1500);
        assert_eq!(answer.header("retry-after"), Some("59"));
    }
    bob.get_token().await.good();
    town.wait(MINUTE - 1500);
    laptop.get_token().await.good();
}

#[tokio::test]
async fn a_proof_that_came_too_soon_is_not_used_up() {
    let town = Town::new().await;
    let alice = town.alice().await;
    alice.get_token().await.good();
    let session = alice.challenged("POST", GET_TOKEN, &json!({})).await;
    let auth = alice.password_proof(&session);
    alice.with_auth("POST", GET_TOKEN, &json!({}), &auth).await.is(429, "M_LIMIT_EXCEEDED");
    town.wait(MINUTE);

    alice.with_auth("POST", GET_TOKEN, &json!({}), &auth).await.good();
}

#[tokio::test]
async fn both_paths_are_served_and_told_of() {
    let town = Town::new().await;
    let alice = town.alice().await;

    alice.get_token().await.good();
    town.wait(MINUTE);
    let path = "/_matrix/client/unstable/org.matrix.msc3882/login/get_token";
    alice.prove("POST", path, &json!({})).await.good();

    let flows = town.anonymous().get(LOGIN).await;
    let flow = json!({ "type": "m.login.token", "get_login_token": true });
    assert!(flows.good()["flows"].as_array().unwrap().contains(&flow), "{flows:?}");
    let answer = alice.get("/_matrix/client/v3/capabilities").await;
    assert_eq!(answer.good()["capabilities"]["m.get_login_token"]["enabled"], true);
}

#[tokio::test]
async fn the_new_session_is_as_narrow_as_the_token_that_asked() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let narrowed = alice.with(&narrow(&alice.token, "action in account,sync"));
    let token = narrowed.get_token().await.good().text("login_token").to_owned();

    let login = town.anonymous().spend(&token, &json!({ "refresh_token": true })).await;

    let tablet = town.anonymous().of(&login);
    tablet.sync().await.good();
    tablet.whoami().await.names_caveat("action");
    let next = tablet.refresh(login.text("refresh_token")).await;
    tablet.with(next.good().text("access_token")).whoami().await.names_caveat("action");
}

#[tokio::test]
async fn no_login_token_outlives_the_time_of_the_token_that_asked() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let end = town.now().plus(MINUTE).millis();
    let brief = alice.with(&narrow(&alice.token, &format!("time < {end}")));

    let answer = brief.get_token().await;

    assert_eq!(answer.good()["expires_in_ms"], MINUTE);
    town.wait(MINUTE);
    let token = answer.text("login_token");
    town.anonymous().spend(token, &json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_token_that_may_do_nothing_to_the_account_is_given_none() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let reader = alice.with(&narrow(&alice.token, "action in read"));

    reader.post(GET_TOKEN, &json!({})).await.names_caveat("action");
}

#[tokio::test]
async fn logging_out_everywhere_ends_the_login_tokens_of_all_sessions() {
    let town = Town::new().await;
    let (phone, laptop) = (town.alice().await, town.alice().await);
    let token = phone.get_token().await.good().text("login_token").to_owned();

    laptop.logout_all().await.good();

    town.anonymous().spend(&token, &json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_login_token_is_as_old_as_the_session_it_comes_from() {
    let town = Town::new().await;
    let alice = town.alice().await;
    town.wait(HOUR);

    let token = alice.get_token().await.good().text("login_token").to_owned();

    assert_eq!(session_of(&token).beginning(), session_of(&alice.token).beginning());
    assert_ne!(session_of(&token), session_of(&alice.token));
}

#[tokio::test]
async fn a_session_that_a_change_of_password_spared_can_still_log_another_in() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let body = json!({ "new_password": "looking-glass" });
    alice.prove("POST", PASSWORD, &body).await.good();
    let session = alice.challenged("POST", GET_TOKEN, &json!({})).await;
    let auth = crate::support::by_password(ALICE, "looking-glass", &session);

    let answer = alice.with_auth("POST", GET_TOKEN, &json!({}), &auth).await;

    let login = town.anonymous().spend(answer.good().text("login_token"), &json!({})).await;
    town.anonymous().of(&login).whoami().await.good();
}

#[tokio::test]
async fn a_session_that_was_minted_aside_may_ask_for_one() {
    let town = Town::new().await;
    let mut aside = town.bearing(Wanted::access());
    aside.user_id = ALICE.to_owned();

    let token = aside.get_token().await.good().text("login_token").to_owned();

    town.anonymous().spend(&token, &json!({})).await.good();
}
