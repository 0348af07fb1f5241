//! The `Authorization` header: how it may be spelled, and where it is not looked at.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use serde_json::json;

use crate::support::{ALICES_PASSWORD, Answer, LOGIN, Town, WHOAMI};

/// Asks who somebody is whose `Authorization` header is exactly this.
async fn whoami_with(town: &Town, header: impl AsRef<[u8]>) -> Answer {
    let header = HeaderValue::from_bytes(header.as_ref()).unwrap();
    let request = Request::get(WHOAMI).header("authorization", header);
    town.anonymous().ask(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_login_looks_at_no_header() {
    let town = Town::new().await;
    let dead = town.alice().await;
    dead.logout().await.good();

    dead.password("alice", ALICES_PASSWORD, &json!({})).await.good();
    dead.spend(&town.login_token(), &json!({})).await.good();
    dead.get(LOGIN).await.good();
    let basic = town.anonymous().sending("authorization", "Basic YWxpY2U6eA==");
    basic.password("alice", ALICES_PASSWORD, &json!({})).await.good();
}

#[tokio::test]
async fn the_name_of_the_header_may_be_in_any_case() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let bearer = format!("Bearer {}", alice.token);

    for name in ["authorization", "AUTHORIZATION", "Authorization"] {
        town.anonymous().sending(name, &bearer).whoami().await.good();
    }
}

// RFC 9110, section 11.1: the scheme is case-insensitive.
#[tokio::test]
async fn the_scheme_may_be_in_any_case() {
    let town = Town::new().await;
    let token = town.alice().await.token;

    for scheme in ["Bearer", "bearer", "BEARER"] {
        whoami_with(&town, format!("{scheme} {token}")).await.good();
    }
}

// RFC 6750, section 2.1: one space or more.
#[tokio::test]
async fn more_spaces_than_one_do_not_matter() {
    let town = Town::new().await;
    let token = town.alice().await.token;

    whoami_with(&town, format!("Bearer  {token}")).await.good();
    whoami_with(&town, format!("Bearer    {token}")).await.good();
}

#[tokio::test]
async fn a_header_that_brings_no_bearer_token_is_a_missing_token() {
    let town = Town::new().await;
    let token = town.alice().await.token;

    for header in ["Bearer", "Basic YWxpY2U6eA==", &token, &format!("Bearer{token}"), ""] {
        whoami_with(&town, header).await.is(401, "M_MISSING_TOKEN");
    }
}

#[tokio::test]
async fn a_header_that_is_no_text_is_a_missing_token() {
    let town = Town::new().await;

    whoami_with(&town, b"Bearer \xff\xfe").await.is(401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn a_good_token_with_something_behind_it_never_makes_a_client_lose_its_keys() {
    let town = Town::new().await;
    let token = town.alice().await.token;

    for behind in [" x", "\t", ",", ", Basic x"] {
        let answer = whoami_with(&town, format!("Bearer {token}{behind}")).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_ne!(answer.json.get("soft_logout"), Some(&json!(false)), "{answer:?}");
    }
}
