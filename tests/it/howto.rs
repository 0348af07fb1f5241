//! The call that how-tos have shown since 2015, to the letter.

use axum::body::Body;
use axum::http::Request;

use crate::support::{ALICE, Town};

#[tokio::test]
async fn the_how_tos_call_logs_in() {
    let town = Town::new().await;
    let body = r#"{"identifier":{"type":"m.id.user","user":"alice"},"password":"wonderland","type":"m.login.password","device_id":"GHTYAJCE"}"#;
    let request = Request::post("/_matrix/client/r0/login")
        .header("host", "localhost:8009")
        .header("user-agent", "curl/8.5.0")
        .header("accept", "*/*")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body));

    let answer = town.anonymous().ask(request.unwrap()).await;

    assert_eq!(answer.good()["user_id"], ALICE);
    assert_eq!(answer["home_server"], "example.com");
    assert_eq!(answer["device_id"], "GHTYAJCE");
    assert!(answer.text("access_token").starts_with("mma_"), "{answer:?}");
    let who = town.anonymous().of(&answer).get("/_matrix/client/r0/account/whoami").await;
    assert_eq!(who.good()["device_id"], "GHTYAJCE");
}
