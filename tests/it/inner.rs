//! Inner tokens: what speaks upstream for a narrowed token.

use amaretti::config::Proxy;
use amaretti::token::{Kind, Presented, Scratch};
use serde_json::json;

use crate::support::{ALICE, Asking, HOUR, SYNC, Town, Wanted, narrow, session_of};

/// The token that goes upstream for this one at `/sync`.
async fn upstream(town: &Town, token: &str) -> String {
    let answer = town.operator().with(token).may("GET", SYNC).await;
    answer.good().upstream().strip_prefix("Bearer ").unwrap().to_owned()
}

#[tokio::test]
async fn a_narrowed_token_goes_upstream_as_an_inner_one() {
    let town = Town::asked().await;
    let token = town.alice_on("PHONE").await.token;

    let inner = upstream(&town, &narrow(&token, "action in sync")).await;

    let mut scratch = Scratch::new();
    let read = Presented::read(&inner, &mut scratch).unwrap();
    assert_eq!(read.claimed().kind, Kind::Inner);
    assert_eq!(session_of(&inner), session_of(&token));
    let day = 24 * HOUR;
    let tomorrow = (town.now().millis() / day + 2) * day;
    assert_eq!(read.claimed().expires_at.map(|end| end.millis()), Some(tomorrow));
}

#[tokio::test]
async fn what_introspection_takes_goes_upstream_as_it_is() {
    let town = Town::asked().await;
    let token = town.alice().await.token;
    let until = format!("time < {}", town.now().plus(HOUR).millis());

    for kept in [token.clone(), narrow(&token, &until), narrow(&token, "label = a bot")] {
        assert_eq!(upstream(&town, &kept).await, kept);
    }
}

#[tokio::test]
async fn one_over_a_kibibyte_goes_upstream_as_an_inner_one() {
    let town = Town::asked().await;
    let token = narrow(&town.alice().await.token, &format!("label = {}", "x".repeat(240)));
    let long =
        (0..3).fold(token, |token, _| narrow(&token, &format!("label = {}", "y".repeat(240))));
    assert!(long.len() > 1024);

    assert!(upstream(&town, &long).await.starts_with("mmi_"));
}

#[tokio::test]
async fn a_session_has_one_inner_token_a_day_whatever_was_presented() {
    let town = Town::asked().await;
    let alice = town.alice_with(&json!({ "refresh_token": true })).await;
    let first = upstream(&town, &narrow(&alice.token, "action in sync")).await;

    let sync = narrow(&narrow(&alice.token, "action in sync,read"), "ip in 192.0.2.0/24");
    town.wait(10 * 60_000);
    assert_eq!(upstream(&town, &sync).await, first);
    let other = town.asked_again().await;
    assert_eq!(upstream(&other, &sync).await, first);
    let bob = town.bob().await.token;
    assert_ne!(upstream(&town, &narrow(&bob, "action in sync")).await, first);

    let lasting = town.alice().await.token;
    let lasting = narrow(&lasting, "action in sync");
    let today = upstream(&town, &lasting).await;
    town.wait(24 * HOUR);
    assert_ne!(upstream(&town, &lasting).await, today);
}

#[tokio::test]
async fn a_rotation_does_not_change_the_inner_token_of_a_session() {
    let town = Town::asked().await;
    let token = narrow(&town.alice().await.token, "action in sync");
    let before = upstream(&town, &token).await;

    amaretti::service::make_key(&town.store, &town.keys_folder(), town.now().plus(1))
        .await
        .unwrap();
    let after = town.asked_again().await;

    assert_eq!(upstream(&after, &token).await, before);
}

#[tokio::test]
async fn an_inner_token_is_refused_to_clients() {
    let town = Town::asked().await;
    let inner = upstream(&town, &narrow(&town.alice().await.token, "action in sync")).await;

    town.operator().with(&inner).may("GET", SYNC).await.is(401, "M_UNKNOWN_TOKEN").soft();
    town.anonymous().with(&inner).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn a_node_with_access_and_inner_subkeys_passes_narrowed_tokens_on() {
    let town = Town::asked().await;
    let asking = Asking::by(Proxy::Haproxy);
    let token = town.mint(Wanted { life: Some(HOUR), ..Wanted::access() });
    let token = narrow(&token, "action in sync");

    let verifier = town.verifier_of(&[Kind::Access, Kind::Inner], asking).await;
    let answer = verifier.operator().with(&token).may("GET", SYNC).await;

    assert_eq!(answer.good().header("x-amaretti-user-id"), Some(ALICE));
    assert_eq!(answer.upstream(), format!("Bearer {}", upstream(&town, &token).await));
    let verifier = town.verifier_of(&[Kind::Access], asking).await;
    verifier.operator().with(&token).may("GET", SYNC).await.unavailable();
}
