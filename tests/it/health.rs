//! Health pages: alive, can verify, can log in.

use crate::support::{Town, VERSIONS, until};

#[tokio::test]
async fn a_node_in_health_says_so_on_every_page() {
    let town = Town::new().await;

    for page in ["/health/live", "/health/ready", "/health/issue"] {
        let answer = town.operator().get(page).await;
        assert_eq!(answer.good()["status"], "ok", "{page}");
    }
}

#[tokio::test]
async fn the_version_is_told() {
    let town = Town::new().await;

    let answer = town.operator().get("/health/live").await;

    assert_eq!(answer.good()["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn without_a_store_a_node_verifies_and_does_not_issue() {
    let town = Town::new().await;
    town.store.close().await;
    let operator = town.operator();

    operator.get("/health/live").await.good();
    operator.get("/health/ready").await.good();
    let issue = operator.get("/health/issue").await;

    assert_eq!((issue.status.as_u16(), issue.text("status")), (503, "unable"), "{issue:?}");
    assert!(!issue.text("reason").is_empty());
}

#[tokio::test]
async fn a_node_without_a_feed_says_what_that_means() {
    let town = Town::new().await;
    let verifier = town.verifier(None).await;

    let ready = verifier.operator().get("/health/ready").await;

    assert_eq!(ready.good()["feed"], false);
    assert!(ready.text("warning").contains("logouts do not reach this node"), "{ready:?}");
    assert_eq!(verifier.operator().get("/health/issue").await.status.as_u16(), 503);
}

#[tokio::test]
async fn what_will_be_wrong_at_the_next_start_is_noted() {
    let town = Town::new().await;
    let _tending = town.tend_keys();
    let page = async || town.operator().get("/health/ready").await;
    assert_eq!(page().await.good().json.get("notes"), None);

    std::fs::remove_dir_all(town.keys_folder()).unwrap();
    std::fs::create_dir(town.keys_folder()).unwrap();
    town.care.look();

    until("the vanished key is noted", async || page().await.body.contains("is gone")).await;
    page().await.good();
}

#[tokio::test]
async fn each_face_serves_its_own_pages_alone() {
    let town = Town::new().await;

    town.operator().get(VERSIONS).await.is(404, "M_UNRECOGNIZED");
    town.anonymous().get("/health/live").await.is(404, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn web_pages_may_not_read_the_internal_face() {
    let town = Town::new().await;

    let answer = town.operator().get("/health/ready").await;

    assert_eq!(answer.good().header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn what_was_read_at_a_start_is_proven_fresh_once_it_is_read() {
    let town = Town::new().await;

    let beats = town.raw_database().await.number("SELECT MAX(beat) FROM beats").await;

    assert_eq!(beats, 2, "one before everything is read, for logouts, one after it, for logins");
}
