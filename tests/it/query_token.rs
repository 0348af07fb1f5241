//! `?access_token=`: as old clients bring a token, where that is allowed.

use crate::support::{ALICE, LOGIN, LOGOUT, SYNC, Setting, Town, WHOAMI};

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_token_in_the_query_is_as_good_as_one_in_the_header() {
    let town = Town::new().await;
    let token = town.alice().await.token;
    let nobody = town.anonymous();

    let answer = nobody.get(&format!("{WHOAMI}?access_token={token}")).await;
    assert_eq!(answer.good()["user_id"], ALICE);
    nobody.get(&format!("{SYNC}?timeout=0&access_token={token}&full_state=true")).await.good();
    nobody.call("POST", &format!("{LOGOUT}?access_token={token}"), "").await.good();

    let dead = nobody.get(&format!("{WHOAMI}?access_token={token}")).await;
    dead.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn a_token_that_was_escaped_is_decoded() {
    let town = Town::new().await;
    let token = town.alice().await.token;

    let path = format!("{WHOAMI}?access_token={}", percent_encoded(&token));

    town.anonymous().get(&path).await.good();
}

#[tokio::test]
async fn escapes_that_are_none_are_no_token() {
    let town = Town::new().await;

    for value in ["%", "%zz", "%ff%fe", "+", "%00"] {
        let answer = town.anonymous().get(&format!("{WHOAMI}?access_token={value}")).await;
        answer.is(401, "M_UNKNOWN_TOKEN");
    }
}

#[tokio::test]
async fn another_key_that_ends_alike_brings_no_token() {
    let town = Town::new().await;
    let token = town.alice().await.token;

    let answer = town.anonymous().get(&format!("{WHOAMI}?my_access_token={token}")).await;

    answer.is(401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn an_empty_token_in_the_query_is_an_unknown_one() {
    let town = Town::new().await;

    let answer = town.anonymous().get(&format!("{WHOAMI}?access_token=")).await;

    answer.is(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn header_and_query_may_bring_the_same_token() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let escaped = percent_encoded(&alice.token);

    alice.get(&format!("{WHOAMI}?access_token={}", alice.token)).await.good();
    alice.get(&format!("{WHOAMI}?access_token={escaped}")).await.good();
}

#[tokio::test]
async fn two_different_tokens_are_one_too_many() {
    let town = Town::new().await;
    let (alice, bob) = (town.alice().await, town.bob().await);

    let answer = alice.get(&format!("{WHOAMI}?access_token={}", bob.token)).await;

    answer.is(401, "M_MISSING_TOKEN");
    alice.whoami().await.good();
    bob.whoami().await.good();
}

#[tokio::test]
async fn where_queries_bring_no_tokens_only_the_header_counts() {
    let town = Town::with(Setting { query_token: false, ..Setting::default() }).await;
    let (alice, bob) = (town.alice().await, town.bob().await);

    let query = format!("{WHOAMI}?access_token={}", bob.token);
    town.anonymous().get(&query).await.is(401, "M_MISSING_TOKEN");
    let answer = alice.get(&query).await;

    assert_eq!(answer.good()["user_id"], ALICE);
}

#[tokio::test]
async fn a_login_looks_at_no_token_in_the_query() {
    let town = Town::new().await;
    let body = r#"{"type":"m.login.password","user":"alice","password":"wonderland"}"#;

    let path = format!("{LOGIN}?access_token=mma_nonsense");

    town.anonymous().call("POST", &path, body).await.good();
}
