//! `GET /login`: the kinds of login there are.

use serde_json::json;

use crate::support::{LOGIN, Town};

#[tokio::test]
async fn password_and_token_are_offered_under_both_versions() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    let now = nobody.get(LOGIN).await;
    let of_old = nobody.get("/_matrix/client/r0/login").await;

    let flows = json!([
        { "type": "m.login.password" },
        { "type": "m.login.token", "get_login_token": true },
    ]);
    assert_eq!(now.good()["flows"], flows);
    assert_eq!(of_old.good()["flows"], flows);
}

#[tokio::test]
async fn whatever_is_offered_is_understood() {
    let town = Town::new().await;
    let nobody = town.anonymous();
    let offered = nobody.get(LOGIN).await;

    for flow in offered["flows"].as_array().unwrap() {
        let answer = nobody.post(LOGIN, &json!({ "type": flow["type"] })).await;
        answer.is(400, "M_BAD_JSON").says("is missing");
    }
}

#[tokio::test]
async fn a_token_that_is_no_good_does_not_keep_the_flows_from_anybody() {
    let town = Town::new().await;

    town.anonymous().with("mma_nonsense").get(LOGIN).await.good();
}
