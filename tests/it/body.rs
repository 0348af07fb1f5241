//! Bodies that do not say what a login must.

use axum::body::Body;
use serde_json::{Value, json};

use crate::support::{ALICE, ALICES_PASSWORD, LOGIN, Setting, Town};

#[tokio::test]
async fn what_is_not_json_is_told_so() {
    let town = Town::new().await;
    let bodies: [&[u8]; 7] = [
        b"",
        b"{",
        b"password=wonder",
        b"{}{}",
        b"{\"type\":\"m.login.password\",}",
        b"{\"type\":\"\xff\"}",
        b"\xef\xbb\xbf{}",
    ];

    for body in bodies {
        town.anonymous().call("POST", LOGIN, Body::from(body)).await.is(400, "M_NOT_JSON");
    }
}

#[tokio::test]
async fn json_without_an_object_is_told_so() {
    let town = Town::new().await;

    for body in ["[]", "null", "7", "\"x\"", "true"] {
        let answer = town.anonymous().call("POST", LOGIN, body).await;
        answer.is(400, "M_BAD_JSON").says("must be a JSON object");
    }
}

#[tokio::test]
async fn nesting_without_end_is_no_json() {
    let town = Town::new().await;
    let body = format!("{{\"a\":{}", "[".repeat(60_000));

    town.anonymous().call("POST", LOGIN, body).await.is(400, "M_NOT_JSON");
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large_whatever_is_in_it() {
    let town = Town::with(Setting { body_limit: 100, ..Setting::default() }).await;
    let of = |length: usize| format!("{:length$}", "{}");
    let nobody = town.anonymous();

    nobody.call("POST", LOGIN, of(100)).await.is(400, "M_BAD_JSON");
    nobody.call("POST", LOGIN, of(101)).await.is(413, "M_TOO_LARGE");
    nobody.call("POST", LOGIN, "x".repeat(101)).await.is(413, "M_TOO_LARGE");
}

/// A login that lacks nothing, with one key set to something else.
fn with(key: &str, value: Value) -> Value {
    let mut body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": "alice" },
        "password": ALICES_PASSWORD,
    });
    body.as_object_mut().unwrap().insert(key.to_owned(), value);
    body
}

fn without(key: &str) -> Value {
    let mut body = with(key, Value::Null);
    body.as_object_mut().unwrap().remove(key);
    body
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let town = Town::new().await;

    for key in ["type", "identifier", "password"] {
        let missing = town.anonymous().post(LOGIN, &without(key)).await;
        missing.is(400, "M_BAD_JSON").says(&format!("`{key}`"));
        let null = town.anonymous().post(LOGIN, &with(key, Value::Null)).await;
        null.is(400, "M_BAD_JSON").says(&format!("`{key}`"));
    }
    let token = json!({ "type": "m.login.token" });
    town.anonymous().post(LOGIN, &token).await.is(400, "M_BAD_JSON").says("`token`");
}

#[tokio::test]
async fn what_is_of_another_type_is_named() {
    let town = Town::new().await;

    for key in ["type", "identifier", "password", "device_id", "initial_device_display_name"] {
        for value in [json!(7), json!([]), json!(true)] {
            let answer = town.anonymous().post(LOGIN, &with(key, value)).await;
            answer.is(400, "M_BAD_JSON").says(&format!("`{key}`"));
        }
    }
}

#[tokio::test]
async fn an_identifier_that_names_nobody_in_any_known_way_is_told_so() {
    let town = Town::new().await;

    for identifier in [
        json!({}),
        json!({ "type": "m.id.user" }),
        json!({ "type": "m.id.user", "user": 7 }),
        json!({ "type": "m.id.user", "user": null }),
        json!({ "type": "m.id.horoscope", "user": "alice" }),
        json!({ "type": 7, "user": "alice" }),
    ] {
        let answer = town.anonymous().post(LOGIN, &with("identifier", identifier)).await;
        answer.is(400, "M_BAD_JSON").says("`identifier.");
    }
}

#[tokio::test]
async fn a_login_that_is_not_offered_is_told_so() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    for kind in ["m.login.sso", "m.login.dummy", "", "M.LOGIN.PASSWORD"] {
        nobody.post(LOGIN, &with("type", kind.into())).await.is(400, "M_UNKNOWN");
    }
    let appservice = with("type", "m.login.application_service".into());
    nobody.post(LOGIN, &appservice).await.is(400, "M_APPSERVICE_LOGIN_UNSUPPORTED");
}

#[tokio::test]
async fn a_device_id_has_one_to_255_bytes_and_no_control_characters() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    for bad in [String::new(), "d".repeat(256), "ü".repeat(128), "a\nb".into(), "a\0b".into()] {
        nobody.post(LOGIN, &with("device_id", bad.into())).await.is(400, "M_BAD_JSON");
    }
    for good in ["d".repeat(255), "ü".repeat(127), "My phone".into(), "' OR 1=1 --".into()] {
        let answer = nobody.post(LOGIN, &with("device_id", good.clone().into())).await;
        assert_eq!(answer.good()["device_id"], good);
        nobody.of(&answer).whoami().await.good();
    }
}

#[tokio::test]
async fn names_and_passwords_of_any_length_are_weighed_and_found_wrong() {
    let town = Town::with(Setting { body_limit: 1 << 20, ..Setting::default() }).await;
    let nobody = town.anonymous();
    let long = "x".repeat(100_000);

    nobody.password(&long, "x", &json!({})).await.is(403, "M_FORBIDDEN");
    nobody.password(ALICE, &long, &json!({})).await.is(403, "M_FORBIDDEN");
    nobody.password(ALICE, "", &json!({})).await.is(403, "M_FORBIDDEN");
    nobody.password("al\0ice", "x", &json!({})).await.is(403, "M_FORBIDDEN");
    nobody.password("alice:example.com", "x", &json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn the_content_type_does_not_matter() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded", "x"] {
        let client = nobody.sending("content-type", kind);
        client.password("alice", ALICES_PASSWORD, &json!({})).await.good();
    }
}
