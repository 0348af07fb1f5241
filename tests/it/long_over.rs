//! What is long over is swept, by whichever node writes that it is there; nothing sooner.

use amaretti::store::Node;
use serde_json::json;

use crate::support::{HOUR, MINUTE, Town};

/// A node of this name writes that it is there.
async fn beat(town: &Town, name: &str) {
    let node = Node {
        name: name.to_owned(),
        run: String::new(),
        seen_at: town.now(),
        answers_until: town.now(),
        keys: Vec::new(),
        excused: Vec::new(),
    };
    town.store.heartbeat(&node).await.unwrap();
}

async fn claims(town: &Town) -> i64 {
    town.raw_database().await.number("SELECT COUNT(*) FROM claims").await
}

#[tokio::test]
async fn a_claim_is_kept_for_an_hour_after_its_expiry_and_then_swept() {
    let town = Town::new().await;
    let token = town.login_token();
    town.anonymous().spend(&token, &json!({})).await.good();

    town.wait(HOUR);
    beat(&town, "sweeper").await;
    assert_eq!(claims(&town).await, 1, "its token has been dead for less than an hour");

    town.wait(10 * MINUTE);
    beat(&town, "sweeper").await;
    assert_eq!(claims(&town).await, 0);
}

#[tokio::test]
async fn a_node_that_has_not_written_for_long_is_forgotten() {
    let town = Town::new().await;
    beat(&town, "one").await;
    town.wait(HOUR);

    beat(&town, "another").await;

    let nodes = town.raw_database().await.number("SELECT COUNT(*) FROM nodes").await;
    assert_eq!(nodes, 1);
}
