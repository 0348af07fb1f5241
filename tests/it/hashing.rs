//! What a login costs: the same number of hashes, whoever is named.

use serde_json::{Value, json};

use crate::support::{ALICE, ALICES_PASSWORD, LOGIN, Town};

/// How many hashes one login takes, and what comes of it.
async fn cost(town: &Town, body: &Value) -> (u64, u16) {
    let before = town.service.hashes();
    let answer = town.anonymous().post(LOGIN, body).await;
    (town.service.hashes() - before, answer.status.as_u16())
}

fn login(identifier: &Value, password: &str) -> Value {
    json!({ "type": "m.login.password", "identifier": identifier, "password": password })
}

fn user(name: &str) -> Value {
    json!({ "type": "m.id.user", "user": name })
}

#[tokio::test]
async fn a_right_password_costs_one_hash() {
    let town = Town::new().await;

    assert_eq!(cost(&town, &login(&user("alice"), ALICES_PASSWORD)).await, (1, 200));
}

#[tokio::test]
async fn a_wrong_password_costs_one_hash() {
    let town = Town::new().await;

    assert_eq!(cost(&town, &login(&user("alice"), "guess")).await, (1, 403));
    assert_eq!(cost(&town, &login(&user(ALICE), "")).await, (1, 403));
}

#[tokio::test]
async fn whoever_is_not_here_costs_one_hash_like_anybody() {
    let town = Town::new().await;
    let long = "x".repeat(300);

    for name in ["carol", "@carol:example.com", "@alice:example.org", "", "@", "@:", "a b", &long] {
        assert_eq!(cost(&town, &login(&user(name), "guess")).await, (1, 403), "{name}");
    }
}

#[tokio::test]
async fn an_address_or_a_phone_number_costs_one_hash_like_anybody() {
    let town = Town::new().await;

    for identifier in [
        json!({ "type": "m.id.thirdparty", "medium": "email", "address": "alice@example.com" }),
        json!({ "type": "m.id.phone", "country": "GB", "phone": "07700900001" }),
    ] {
        assert_eq!(cost(&town, &login(&identifier, "guess")).await, (1, 403), "{identifier}");
    }
    let of_old = json!({
        "type": "m.login.password", "medium": "email", "address": "a@b.c", "password": "guess",
    });
    assert_eq!(cost(&town, &of_old).await, (1, 403));
}

#[tokio::test]
async fn what_is_no_login_costs_no_hash() {
    let town = Town::new().await;
    let mut bad_device = login(&user("alice"), ALICES_PASSWORD);
    bad_device["device_id"] = "".into();

    assert_eq!(cost(&town, &bad_device).await, (0, 400));
    assert_eq!(cost(&town, &json!({})).await, (0, 400));
    assert_eq!(
        cost(&town, &json!({ "type": "m.login.password", "user": "alice" })).await,
        (0, 400)
    );
}

#[tokio::test]
async fn tokens_cost_no_hash() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let before = town.service.hashes();

    alice.whoami().await.good();
    town.anonymous().spend(&town.login_token(), &json!({})).await.good();
    alice.logout().await.good();

    assert_eq!(town.service.hashes(), before);
}
