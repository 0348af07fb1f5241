//! `GET /_amaretti/token`: what a bearer is told about its own token.

use serde_json::{Value, json};

use crate::support::{ALICE, Answer, Client, MINUTE, Town, Wanted, append, narrow};

const ITSELF: &str = "/_amaretti/token";

async fn asked(client: &Client) -> Answer {
    client.get(ITSELF).await
}

/// What a client with these caveats is told.
async fn told(town: &Town, caveats: &[&str]) -> Value {
    let alice = town.alice().await;
    let token = caveats.iter().fold(alice.token.clone(), |token, caveat| narrow(&token, caveat));
    asked(&alice.with(&token)).await.good().json.clone()
}

const ALL: [&str; 11] = [
    "identify",
    "read",
    "sync",
    "send",
    "state",
    "membership",
    "keys",
    "media",
    "profile",
    "devices",
    "account",
];

#[tokio::test]
async fn a_token_as_it_was_minted_may_do_everything() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let told = asked(&alice).await.good().json.clone();

    let expected = json!({
        "user_id": ALICE,
        "device_id": alice.device_id,
        "session_id": crate::support::session_of(&alice.token).to_string(),
        "kind": "access",
        "is_guest": false,
        "caveats": [],
        "actions": ALL,
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn each_caveat_is_told_in_parts_and_in_words() {
    let town = Town::new().await;
    let end = town.now().plus(MINUTE).millis();
    let time = format!("time < {end}");

    let told =
        told(&town, &["action in read,send", "room_id in !a:hs", &time, "label = kiosk 7"]).await;

    let caveat = |text: &str, key, operator, value: &str, means| json!({ "caveat": text, "key": key, "operator": operator, "value": value, "means": means });
    let words = "only before 2026-09-21 14:14:20Z";
    let expected = json!([
        caveat("action in read,send", "action", "in", "read,send", "only to read, send"),
        caveat("room_id in !a:hs", "room_id", "in", "!a:hs", "only in !a:hs"),
        caveat(&time, "time", "<", &end.to_string(), words),
        caveat("label = kiosk 7", "label", "=", "kiosk 7", "a note, which narrows nothing"),
    ]);
    assert_eq!(told["caveats"], expected);
    assert_eq!(told["actions"], json!(["read", "send"]));
    assert_eq!(told["rooms"], json!(["!a:hs"]));
    assert_eq!((&told["expires_at"], &told["expires_in_ms"]), (&json!(end), &json!(MINUTE)));
}

#[tokio::test]
async fn a_token_for_one_service_is_told_which() {
    let town = Town::new().await;

    assert_eq!(told(&town, &["audience = media"]).await["audience"], "media");
}

#[tokio::test]
async fn what_a_token_is_told_that_it_may_do_is_what_it_may_do() {
    let town = Town::new().await;
    for caveats in [&["action in identify"][..], &["action in sync,identify", "action in sync"]] {
        let alice = town.alice().await;
        let token = caveats.iter().fold(alice.token.clone(), |t, caveat| narrow(&t, caveat));
        let client = alice.with(&token);
        let told = asked(&client).await.good().json.clone();

        let may = |action: &str| told["actions"].as_array().unwrap().contains(&json!(action));
        assert_eq!(client.whoami().await.status == 200, may("identify"), "{caveats:?}");
        assert_eq!(client.sync().await.status == 200, may("sync"), "{caveats:?}");
    }
}

#[tokio::test]
async fn time_and_address_are_judged() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let brief =
        alice.with(&narrow(&alice.token, &format!("time < {}", town.now().plus(1).millis())));
    let home = alice.with(&narrow(&alice.token, "ip in 192.0.2.0/24"));

    asked(&brief).await.good();
    town.wait(1);
    asked(&brief).await.names_caveat("time");
    asked(&home).await.names_caveat("ip");
    asked(&home.from("192.0.2.7")).await.good();
}

#[tokio::test]
async fn a_caveat_that_nobody_knows_refuses_here_too() {
    let town = Town::new().await;
    let alice = town.alice().await;

    asked(&alice.with(&append(&alice.token, "tenant = north"))).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_token_that_is_not_good_is_told_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let refresh = town.mint(Wanted { kind: amaretti::token::Kind::Refresh, ..Wanted::default() });

    asked(&alice.with(&refresh)).await.is(401, "M_UNKNOWN_TOKEN").soft();
    alice.logout().await.good();
    asked(&alice).await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_node_that_only_verifies_tells_it_too() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let verifier = town.verifier(None).await;

    let told = asked(&alice.at_verifier(&verifier)).await.good().json.clone();

    assert_eq!(told["user_id"], ALICE);
}
