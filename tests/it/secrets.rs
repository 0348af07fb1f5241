//! What is written to the log: the session, and no secret.
//!
//! Every request of this suite is checked for secrets in the log; here is checked that there is a
//! log to be checked, and what else must not be in it.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::{
    ALICE, ALICES_PASSWORD, LOGIN, SYNC, Town, WHOAMI, Wanted, logged, session_of,
};

#[tokio::test]
async fn every_request_writes_a_line_with_its_path_and_outcome() {
    let town = Town::new().await;

    town.anonymous().get("/_matrix/client/v3/a-path-of-its-own").await;

    let lines = logged("/_matrix/client/v3/a-path-of-its-own");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("status=404") && lines[0].contains("method=GET"), "{lines:?}");
}

#[tokio::test]
async fn a_login_and_a_request_name_their_session() {
    let town = Town::new().await;
    let alice = town.alice().await;
    alice.whoami().await.good();
    alice.sync().await.good();

    let lines = logged(&format!("session=\"{}\"", session_of(&alice.token)));

    for path in [LOGIN, WHOAMI, SYNC] {
        assert!(lines.iter().any(|line| line.contains(path)), "no line for {path}: {lines:?}");
    }
}

#[tokio::test]
async fn a_logout_names_the_session_that_it_ended() {
    let town = Town::new().await;
    let (alice, bob) = (town.alice().await, town.bob().await);
    alice.logout().await.good();
    bob.logout_all().await.good();

    for client in [alice, bob] {
        let lines = logged(&format!("session=\"{}\"", session_of(&client.token)));
        assert!(lines.iter().any(|line| line.contains("/logout")), "{lines:?}");
    }
}

#[tokio::test]
async fn no_query_is_written() {
    let town = Town::new().await;
    let alice = town.alice().await;

    alice.get(&format!("{WHOAMI}?find=needle-in-a-query-1")).await.good();
    alice.get("/_matrix/client/v3/nothing?find=needle-in-a-query-2").await;
    alice.call("POST", &format!("{LOGIN}?find=needle-in-a-query-3"), "{").await;
    town.anonymous().get(&format!("{WHOAMI}?access_token={}", alice.token)).await.good();

    assert_eq!(logged("needle-in-a-query"), [""; 0]);
}

#[tokio::test]
async fn nothing_of_a_body_or_a_header_is_written() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    nobody.password("alice", "needle-in-a-body-1", &json!({})).await;
    nobody.password("needle-in-a-body-2", "x", &json!({ "txn_id": "needle-in-a-body-3" })).await;
    nobody.call("POST", LOGIN, "needle-in-a-body-4").await;
    nobody.spend("mml_needle-in-a-body-5", &json!({})).await;
    nobody.with("needle-in-a-body-6").whoami().await;
    nobody.sending("cookie", "needle-in-a-body-7").whoami().await;

    assert_eq!(logged("needle-in-a-body"), [""; 0]);
}

#[tokio::test]
async fn no_text_of_a_token_is_written_whatever_becomes_of_it() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let login_token = town.login_token();
    let granted = town.anonymous().spend(&login_token, &json!({ "txn_id": "t1" })).await;
    town.anonymous().spend(&login_token, &json!({ "txn_id": "t2" })).await;
    let expired = town.bearing(Wanted { life: Some(0), ..Wanted::access() });
    expired.whoami().await;
    alice.with(alice.token.get(..90).unwrap()).whoami().await;
    alice.logout().await.good();
    alice.whoami().await;
    town.store.close().await;
    let broken = town.anonymous().of(&granted);
    broken.logout().await.unavailable();

    for token in [&alice.token, &login_token, &expired.token, &broken.token] {
        // Any 24 characters of it would be too many.
        for at in (0..token.len() - 24).step_by(12) {
            let part = token.get(at..at + 24).unwrap();
            assert_eq!(logged(part), [""; 0], "part of a token");
        }
    }
}

#[tokio::test]
async fn no_hash_of_a_password_is_written() {
    let town = Town::new().await;
    town.alice().await;
    let hash = town.store.password_hash(ALICE).await.unwrap().unwrap();

    assert_eq!(logged(&hash), [""; 0]);
    assert_eq!(logged("$argon2"), [""; 0]);
    assert_eq!(logged(ALICES_PASSWORD), [""; 0]);
}

#[tokio::test]
async fn nothing_secret_is_written_by_a_request_that_names_it_twice() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let request = Request::get(format!("{WHOAMI}?access_token={0}&access_token={0}", alice.token))
        .header("authorization", format!("Bearer {}", alice.token))
        .body(Body::empty());

    alice.ask(request.unwrap()).await.good();

    assert_eq!(logged(&alice.token), [""; 0]);
}
