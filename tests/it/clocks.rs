//! Several nodes on one store whose clocks differ by an hour: no clock orders anything.

use serde_json::json;

use crate::support::{ALICE, ALICES_PASSWORD, BEGINNING, HOUR, Town, until};

/// A node whose clock is right, and two on the same store that are an hour behind and ahead.
async fn three() -> (Town, Town, Town) {
    let town = Town::new().await;
    let slow = town.again_at(BEGINNING.minus(HOUR)).await;
    let fast = town.again_at(BEGINNING.plus(HOUR)).await;
    (town, slow, fast)
}

#[tokio::test]
async fn a_logout_everywhere_on_a_slow_node_ends_what_a_fast_one_began() {
    let (town, slow, fast) = three().await;
    let _following = (town.follow(), fast.follow());
    let (old, other) = (fast.alice().await, fast.alice().await);

    old.at(&slow).logout_all().await.good();

    for node in [&town, &slow, &fast] {
        for alice in [&old, &other] {
            let alice = alice.at(node);
            until("alice is out", async || alice.whoami().await.status == 401).await;
            alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
        }
    }
}

#[tokio::test]
async fn a_login_right_after_a_logout_lives_whichever_clocks_the_nodes_have() {
    let (town, slow, fast) = three().await;
    let _following = (town.follow(), slow.follow(), fast.follow());
    let nodes = [&fast, &slow, &town, &slow, &fast, &town];

    for (ends, begins) in nodes.iter().zip(nodes.iter().skip(1)) {
        let before = ends.alice_on("PHONE").await;
        before.logout_all().await.good();
        let after = begins.alice_on("PHONE").await;
        for node in [&town, &slow, &fast] {
            let before = before.at(node);
            until("the old one is out", async || before.whoami().await.status == 401).await;
            after.at(node).whoami().await.good();
        }
        let taken_over = begins.alice_on("PHONE").await;
        taken_over.whoami().await.good();
        after.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    }
}

#[tokio::test]
async fn a_node_that_has_not_heard_of_a_logout_does_not_refresh() {
    let town = Town::new().await;
    let beside = town.again_at(BEGINNING.minus(HOUR)).await;
    let (alice, refresh_token) = town.renewing_alice().await;
    alice.logout().await.good();

    alice.at(&beside).whoami().await.good();
    let answer = alice.at(&beside).refresh(&refresh_token).await;

    answer.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_user_who_is_new_to_a_slow_node_lives_after_the_end_of_all_sessions() {
    let (town, slow, fast) = three().await;
    let _following = (town.follow(), slow.follow());
    let (alice, bob) = (town.alice().await, fast.bob().await);

    fast.service.end_every_session().await.unwrap();

    for out in [alice.at(&town), bob.at(&slow)] {
        until("everybody is out", async || out.whoami().await.status == 401).await;
        out.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    }
    let hash = slow.store.password_hash(ALICE).await.unwrap().unwrap();
    let mut tx = slow.store.begin().await.unwrap();
    assert!(tx.add_user("@carol:example.com", &hash, slow.now()).await.unwrap());
    tx.commit().await.unwrap();
    let nobody = slow.anonymous();
    let carol = nobody.of(&nobody.password("carol", ALICES_PASSWORD, &json!({})).await);
    for back in [carol, slow.alice().await, town.bob().await] {
        back.at(&slow).whoami().await.good();
        back.at(&fast).whoami().await.good();
    }
}

#[tokio::test]
async fn a_clock_that_is_behind_grants_no_retired_refresh_token_a_grace() {
    let (town, slow, _) = three().await;
    let (alice, first) = town.renewing_alice().await;
    let second = alice.refresh(&first).await;
    alice.refresh(second.good().text("refresh_token")).await.good();

    let answer = alice.at(&slow).refresh(&first).await;

    answer.is(401, "M_UNKNOWN_TOKEN").soft();
}
