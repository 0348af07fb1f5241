//! A node with keys and nothing else: it answers for tokens that live briefly, and what it cannot
//! know is never held against anybody.

use serde_json::json;

use crate::support::{
    ALICE, ALICES_PASSWORD, Client, HOUR, MINUTE, Town, Verifier, Wanted, narrow,
};

/// The bearer of a token at a node without a feed.
fn bearer(town: &Town, verifier: &Verifier, life: Option<u64>) -> Client {
    town.bearing(Wanted { life, ..Wanted::access() }).at_verifier(verifier)
}

#[tokio::test]
async fn a_token_that_lives_briefly_is_answered_for() {
    let town = Town::new().await;
    let verifier = town.verifier(Some(5 * MINUTE)).await;

    let answer = bearer(&town, &verifier, Some(5 * MINUTE)).whoami().await;

    assert_eq!(answer.good()["user_id"], ALICE);
}

#[tokio::test]
async fn a_token_that_lives_longer_is_not_and_that_is_our_fault() {
    let town = Town::new().await;
    let verifier = town.verifier(Some(5 * MINUTE)).await;

    bearer(&town, &verifier, Some(5 * MINUTE + 1)).whoami().await.unavailable();
    bearer(&town, &verifier, None).whoami().await.unavailable();
    bearer(&town, &verifier, None).sync().await.unavailable();
}

#[tokio::test]
async fn what_is_left_of_a_life_counts_and_not_what_is_over() {
    let town = Town::new().await;
    let verifier = town.verifier(Some(5 * MINUTE)).await;
    let alice = bearer(&town, &verifier, Some(HOUR));
    alice.whoami().await.unavailable();

    town.wait(55 * MINUTE);

    alice.whoami().await.good();
}

#[tokio::test]
async fn a_token_shortened_by_its_holder_lives_briefly() {
    let town = Town::new().await;
    let verifier = town.verifier(Some(5 * MINUTE)).await;
    let alice = bearer(&town, &verifier, None);
    let caveat = format!("time < {}", town.now().plus(MINUTE).millis());

    alice.with(&narrow(&alice.token, &caveat)).whoami().await.good();
}

#[tokio::test]
async fn without_a_limit_every_life_is_answered_for() {
    let town = Town::new().await;
    let verifier = town.verifier(None).await;

    bearer(&town, &verifier, None).whoami().await.good();
    bearer(&town, &verifier, Some(HOUR)).sync().await.good();
}

#[tokio::test]
async fn what_the_keys_alone_decide_is_decided() {
    let town = Town::new().await;
    let verifier = town.verifier(Some(5 * MINUTE)).await;
    let alice = bearer(&town, &verifier, Some(MINUTE));
    let reader = alice.with(&narrow(&alice.token, "action in read"));
    let cut = alice.token.get(..100).unwrap();

    reader.whoami().await.names_caveat("action");
    alice.with(cut).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    verifier.anonymous().whoami().await.is(401, "M_MISSING_TOKEN");
    town.wait(MINUTE);
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn nobody_logs_in_there() {
    let town = Town::new().await;
    let verifier = town.verifier(None).await;
    let nobody = verifier.anonymous();

    nobody.password("alice", ALICES_PASSWORD, &json!({})).await.unavailable();
    nobody.password("carol", "guess", &json!({})).await.unavailable();
    nobody.spend(&town.login_token(), &json!({})).await.unavailable();
}

#[tokio::test]
async fn nobody_logs_out_there() {
    let town = Town::new().await;
    let verifier = town.verifier(None).await;
    let alice = bearer(&town, &verifier, Some(MINUTE));

    alice.logout().await.unavailable();
    alice.logout_all().await.unavailable();

    alice.whoami().await.good();
}
