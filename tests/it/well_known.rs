//! `GET /.well-known/matrix/client`: where clients find this server.

use serde_json::json;

use crate::support::{ALICES_PASSWORD, Setting, Town};

const PATH: &str = "/.well-known/matrix/client";

#[tokio::test]
async fn clients_are_told_where_to_go_where_that_is_known() {
    let public_url = Some("https://matrix.example.com");
    let town = Town::with(Setting { public_url, ..Setting::default() }).await;

    let answer = town.anonymous().get(PATH).await;

    let expected = json!({ "m.homeserver": { "base_url": "https://matrix.example.com" } });
    assert_eq!(answer.good().json, expected);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn where_it_is_not_known_nothing_is_there() {
    let town = Town::new().await;

    let answer = town.anonymous().get(PATH).await;

    answer.is(404, "M_UNRECOGNIZED");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn it_is_only_read() {
    let public_url = Some("https://matrix.example.com");
    let town = Town::with(Setting { public_url, ..Setting::default() }).await;

    town.anonymous().call("POST", PATH, "{}").await.is(405, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn a_login_says_where_to_go_where_that_is_known() {
    let public_url = Some("https://matrix.example.com");
    let told = Town::with(Setting { public_url, ..Setting::default() }).await;
    let nobody = told.anonymous();
    let untold = Town::new().await;

    let with = nobody.password("alice", ALICES_PASSWORD, &json!({})).await;
    let without = untold.anonymous().password("alice", ALICES_PASSWORD, &json!({})).await;

    let url = &with.good()["well_known"]["m.homeserver"]["base_url"];
    assert_eq!(url, "https://matrix.example.com");
    assert_eq!(without.good().json.get("well_known"), None);
}
