//! Paths that are not served, and methods that a path is not served for.

use crate::support::{LOGIN, LOGOUT, LOGOUT_ALL, SYNC, Town, VERSIONS, WHOAMI};

#[tokio::test]
async fn a_path_that_is_not_served_is_404() {
    let town = Town::new().await;
    let alice = town.alice().await;

    for path in [
        "/",
        "/_matrix",
        "/_matrix/client/v3",
        "/_matrix/client/v3/nothing",
        "/_matrix/client/v3/login/",
        "/_matrix/client/v3//login",
        "/_matrix/client/v3/account/../login",
        "/_matrix/client/v3/Login",
        "/_matrix/client/v3/%6Cogin",
        "/_matrix/client/v1/account/whoami",
        "/_matrix/client/v2/login",
        "/health/live",
    ] {
        alice.get(path).await.is(404, "M_UNRECOGNIZED");
    }
}

#[tokio::test]
async fn a_name_in_a_path_that_is_no_text_is_400() {
    let town = Town::new().await;
    let alice = town.alice().await;

    for path in [
        "/_matrix/client/v3/devices/%ff",
        "/_matrix/client/v3/auth/%ff/fallback/web",
        "/_matrix/static/client/login/%ff",
    ] {
        alice.get(path).await.is(400, "M_UNRECOGNIZED");
    }
}

#[tokio::test]
async fn a_method_that_a_path_is_not_served_for_is_405() {
    let town = Town::new().await;
    let alice = town.alice().await;

    for (method, path) in [
        ("POST", VERSIONS),
        ("PUT", LOGIN),
        ("DELETE", LOGIN),
        ("GET", LOGOUT),
        ("GET", LOGOUT_ALL),
        ("POST", WHOAMI),
        ("POST", SYNC),
        ("PATCH", SYNC),
        ("FROBNICATE", WHOAMI),
    ] {
        let answer = alice.call(method, path, "{}").await;
        answer.is(405, "M_UNRECOGNIZED");
        assert!(answer.header("allow").is_some(), "RFC 9110 wants Allow with a 405: {answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_method_does_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;

    alice.get(LOGOUT).await.is(405, "M_UNRECOGNIZED");
    alice.call("DELETE", LOGOUT_ALL, "").await.is(405, "M_UNRECOGNIZED");

    alice.whoami().await.good();
}
