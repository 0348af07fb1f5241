//! `GET /sync` while no homeserver is linked: enough to see whether a token lives.

use crate::support::{SYNC, Town};

#[tokio::test]
async fn a_bearer_is_given_a_place_to_go_on_from() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let answer = alice.get(&format!("{SYNC}?timeout=30000&filter=0")).await;

    assert!(!answer.good().text("next_batch").is_empty());
    alice.get("/_matrix/client/r0/sync").await.good();
}

#[tokio::test]
async fn nobody_is_told_that_a_token_is_missing() {
    let town = Town::new().await;

    town.anonymous().sync().await.is(401, "M_MISSING_TOKEN");
}
