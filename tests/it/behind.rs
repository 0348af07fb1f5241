//! What a node asks of the homeserver behind in a client's place: capabilities, and what
//! application services do where the proxy sends it to the node.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::support::{Setting, Town, narrow};

const CAPABILITIES: &str = "/_matrix/client/v3/capabilities";
const REGISTER: &str = "/_matrix/client/v3/register";
const DEVICE: &str = "/_matrix/client/v3/devices/BRIDGE";

/// What reached the homeserver: line, credential and body of each request.
type Heard = Arc<Mutex<Vec<(String, String, String)>>>;

/// A homeserver that answers everything with this status and body.
async fn homeserver(status: u16, answer: Value) -> (u16, Heard) {
    let heard = Heard::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hears = heard.clone();
    let router = Router::new().fallback(move |request: Request| {
        let (hears, answer) = (hears.clone(), answer.clone());
        async move {
            let line = format!("{} {}", request.method(), request.uri());
            let credential = request.headers().get("authorization");
            let credential = credential.map_or("", |value| value.to_str().unwrap()).to_owned();
            let body = to_bytes(request.into_body(), 65_536).await.unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            hears.lock().unwrap().push((line, credential, body));
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            (status, axum::Json(answer)).into_response()
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (port, heard)
}

async fn town(port: u16) -> Town {
    Town::with(Setting { behind: Some(port), ..Setting::default() }).await
}

#[tokio::test]
async fn capabilities_are_the_homeservers_with_three_of_ours() {
    let told = json!({ "capabilities": {
        "m.change_password": { "enabled": false },
        "m.get_login_token": { "enabled": false },
        "m.3pid_changes": { "enabled": true },
        "m.room_versions": { "default": "12", "available": { "12": "stable" } },
    } });
    let (port, heard) = homeserver(200, told).await;
    let town = town(port).await;
    let alice = town.alice().await;

    let answer = alice.get(CAPABILITIES).await;

    let capabilities = &answer.good()["capabilities"];
    assert_eq!(capabilities["m.change_password"]["enabled"], true);
    assert_eq!(capabilities["m.get_login_token"]["enabled"], true);
    assert_eq!(capabilities["m.3pid_changes"]["enabled"], false);
    assert_eq!(capabilities["m.room_versions"]["default"], "12");
    let asked = heard.lock().unwrap().clone();
    assert_eq!(asked[0].0, format!("GET {CAPABILITIES}"));
    assert_eq!(asked[0].1, format!("Bearer {}", alice.token));
}

#[tokio::test]
async fn for_a_narrowed_token_the_homeserver_is_asked_by_an_inner_one() {
    let (port, heard) = homeserver(200, json!({ "capabilities": {} })).await;
    let town = town(port).await;
    let alice = town.alice().await;

    alice.with(&narrow(&alice.token, "action in read")).get(CAPABILITIES).await.good();
    let denied = alice.with(&narrow(&alice.token, "action in send")).get(CAPABILITIES).await;

    denied.names_caveat("action");
    let asked = heard.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].1.starts_with("Bearer mmi_"), "{}", asked[0].0);
}

#[tokio::test]
async fn a_homeserver_that_refuses_or_is_away_logs_nobody_out() {
    let (port, _) = homeserver(401, json!({ "errcode": "M_UNKNOWN_TOKEN" })).await;
    let town = town(port).await;
    town.alice().await.get(CAPABILITIES).await.unavailable();

    let away = Town::with(Setting { behind: Some(1), ..Setting::default() }).await;
    away.alice().await.get(CAPABILITIES).await.unavailable();
}

#[tokio::test]
async fn what_an_application_service_registers_is_handed_on_as_it_came() {
    let (port, heard) = homeserver(200, json!({ "user_id": "@ghost:example.com" })).await;
    let town = town(port).await;
    let body = json!({ "type": "m.login.application_service", "username": "ghost" });
    let bridge = town.anonymous().with("as-secret");

    let answer = bridge.post(&format!("{REGISTER}?kind=user"), &body).await;

    assert_eq!(answer.good()["user_id"], "@ghost:example.com");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let asked = heard.lock().unwrap().clone();
    assert_eq!(asked[0].0, format!("POST {REGISTER}?kind=user"));
    assert_eq!(
        (asked[0].1.as_str(), asked[0].2.as_str()),
        ("Bearer as-secret", &*body.to_string())
    );
}

#[tokio::test]
async fn devices_of_an_application_service_are_the_homeservers_to_delete() {
    let (port, heard) = homeserver(200, json!({})).await;
    let town = town(port).await;
    let bridge = town.anonymous().with("as-secret");

    bridge.call("DELETE", &format!("{DEVICE}?user_id=@ghost:example.com"), "{}").await.good();
    let challenged = town.alice().await.call("DELETE", DEVICE, "{}").await;
    assert!(challenged.json["flows"].is_array(), "{challenged:?}");

    let asked = heard.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].0, format!("DELETE {DEVICE}?user_id=@ghost:example.com"));
}

#[tokio::test]
async fn without_a_homeserver_an_application_service_is_told_that_it_cannot_register() {
    let town = Town::new().await;
    let body = json!({ "type": "m.login.application_service", "username": "ghost" });

    let answer = town.anonymous().with("as-secret").post(REGISTER, &body).await;

    answer.is(400, "M_APPSERVICE_LOGIN_UNSUPPORTED");
}
