//! Any web page may ask, and a preflight reaches no endpoint.

use crate::support::{Answer, LOGIN, LOGOUT, Setting, Town, VERSIONS, WHOAMI};

#[track_caller]
fn assert_open(answer: &Answer) {
    let header = |name| answer.header(name).unwrap_or_else(|| panic!("no {name}: {answer:?}"));
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("access-control-allow-methods"), "GET, POST, PUT, DELETE, OPTIONS");
    let headers = "X-Requested-With, Content-Type, Authorization";
    assert_eq!(header("access-control-allow-headers"), headers);
}

#[tokio::test]
async fn every_answer_may_be_read_by_any_web_page() {
    let town = Town::with(Setting { body_limit: 10, ..Setting::default() }).await;
    let nobody = town.anonymous();

    assert_open(nobody.get(VERSIONS).await.good());
    assert_open(nobody.get(WHOAMI).await.is(401, "M_MISSING_TOKEN"));
    assert_open(nobody.with("x").get(WHOAMI).await.is(401, "M_UNKNOWN_TOKEN"));
    assert_open(nobody.get("/_matrix/client/v3/nothing").await.is(404, "M_UNRECOGNIZED"));
    assert_open(nobody.call("PUT", LOGIN, "").await.is(405, "M_UNRECOGNIZED"));
    assert_open(nobody.call("POST", LOGIN, "{").await.is(400, "M_NOT_JSON"));
    assert_open(nobody.call("POST", LOGIN, "{          }").await.is(413, "M_TOO_LARGE"));
}

#[tokio::test]
async fn our_own_faults_may_be_read_by_any_web_page() {
    let town = Town::new().await;
    let alice = town.alice().await;
    town.store.close().await;

    assert_open(alice.logout().await.unavailable());
}

#[tokio::test]
async fn a_preflight_of_any_path_is_answered() {
    let town = Town::new().await;

    for path in [VERSIONS, LOGIN, LOGOUT, "/_matrix/client/v3/nothing", "/", "*"] {
        let answer = town.anonymous().call("OPTIONS", path, "").await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_open(&answer);
    }
}

#[tokio::test]
async fn a_preflight_does_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;

    alice.call("OPTIONS", LOGOUT, "").await;

    alice.whoami().await.good();
}
