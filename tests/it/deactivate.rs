//! `POST /account/deactivate`: the end of an account, at once, everywhere, for ever.

use amaretti::config::Registration;
use amaretti::service::Change;
use serde_json::json;

use crate::register::town as open_to;
use crate::support::{ALICE, ALICES_PASSWORD, DEACTIVATE, REGISTER, Town, Wanted, until};

#[tokio::test]
async fn every_token_of_the_account_is_dead_at_once() {
    let town = Town::new().await;
    let (alice, refresh) = town.renewing_alice().await;
    let (other, aside) = (town.alice().await, town.bearing(Wanted::access()));
    let (token, bob) = (town.login_token(), town.bob().await);

    let answer = alice.prove("POST", DEACTIVATE, &json!({})).await;

    assert_eq!(answer.good().json, json!({ "id_server_unbind_result": "success" }));
    for client in [&alice, &other, &aside] {
        client.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    }
    alice.refresh(&refresh).await.is(401, "M_UNKNOWN_TOKEN").hard();
    alice.spend(&token, &json!({})).await.is(403, "M_FORBIDDEN");
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 0);
    bob.whoami().await.good();
}

#[tokio::test]
async fn nobody_logs_in_to_it_again() {
    let town = Town::new().await;
    town.alice().await.prove("POST", DEACTIVATE, &json!({})).await.good();

    let there = town.again().await;

    for node in [&town, &there] {
        let nobody = node.anonymous();
        nobody.password("alice", ALICES_PASSWORD, &json!({})).await.is(403, "M_FORBIDDEN");
        nobody.spend(&node.login_token(), &json!({})).await.is(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn a_second_process_hears_of_it() {
    let town = Town::new().await;
    let (alice, beside) = (town.alice().await, town.again().await);
    let _following = beside.follow();

    alice.prove("POST", DEACTIVATE, &json!({ "erase": true })).await.good();

    let there = alice.at(&beside);
    until("alice is gone there, too", async || there.whoami().await.status == 401).await;
    there.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn its_name_is_taken_for_ever() {
    let town = open_to(Registration::Open).await;
    town.alice().await.prove("POST", DEACTIVATE, &json!({})).await.good();
    let nobody = town.anonymous();

    let wanted = json!({ "username": "alice", "auth": { "type": "m.login.dummy" } });

    nobody.post(REGISTER, &wanted).await.is(400, "M_USER_IN_USE");
    let free = "/_matrix/client/v3/register/available?username=alice";
    nobody.get(free).await.is(400, "M_USER_IN_USE");
}

#[tokio::test]
async fn an_account_lives_on_until_its_user_has_proved_who_it_is() {
    let town = Town::new().await;
    let alice = town.alice().await;

    alice.call("POST", DEACTIVATE, "").await.challenge();
    alice.post(DEACTIVATE, &json!({})).await.challenge();

    alice.whoami().await.good();
}

#[tokio::test]
async fn what_an_operator_has_ended_is_not_opened_again() {
    let town = Town::new().await;
    let alice = town.alice().await;
    assert!(town.service.set_standing(ALICE, Change::Deactivate).await.unwrap());
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();

    for change in [Change::Lock, Change::Unlock] {
        town.service.set_standing(ALICE, change).await.unwrap();
    }

    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
    town.anonymous().password("alice", ALICES_PASSWORD, &json!({})).await.is(403, "M_FORBIDDEN");
    let there = alice.at(&town.again().await);
    there.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn an_operator_is_told_that_there_is_no_such_user() {
    let town = Town::new().await;

    for change in [Change::Lock, Change::Unlock, Change::Deactivate] {
        assert!(!town.service.set_standing("@carol:example.com", change).await.unwrap());
    }
}
