//! An operator asks why a token is good or not on a running node.

use serde_json::{Value, json};

use crate::support::{ALICE, Answer, Town, Wanted, narrow, session_of};

const EXPLAIN: &str = "/_amaretti/explain";

async fn explain(town: &Town, token: &str, more: Value) -> Answer {
    let mut question = more;
    question["token"] = token.into();
    town.operator().post(EXPLAIN, &question).await
}

async fn reason(town: &Town, token: &str) -> Value {
    explain(town, token, json!({})).await.good()["reason"].clone()
}

#[tokio::test]
async fn a_good_token_is_admitted_and_told_apart_from_its_session() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let answer = explain(&town, &alice.token, json!({})).await;

    assert_eq!((&answer.good()["admitted"], &answer["reason"]), (&true.into(), &"admitted".into()));
    let claimed = &answer["claimed"];
    assert_eq!((&claimed["user_id"], &claimed["kind"]), (&ALICE.into(), &"access".into()));
    assert_eq!(claimed["session"], session_of(&alice.token).to_string());
    assert_eq!(claimed["key"], town.service.ring().minting_id().unwrap().to_string());
    assert!(!answer.body.contains("mma_"), "{answer:?}");
}

#[tokio::test]
async fn whatever_is_wrong_is_named_with_what_to_do() {
    let town = Town::new().await;
    let (alice, gone) = (town.alice().await, town.alice().await);
    gone.logout().await.good();
    let token = &alice.token;

    assert_eq!(reason(&town, &gone.token).await, "ended_device");
    assert_eq!(reason(&town, &token[..token.len() - 4]).await, "truncated");
    assert_eq!(reason(&town, "syt_somebody_else").await, "predecessor");
    assert_eq!(reason(&town, &narrow(token, "time < 9")).await, "unmet");
    let short = town.mint(Wanted { life: Some(5), ..Wanted::access() });
    town.wait(6);
    assert_eq!(reason(&town, &short).await, "expired");
    let answer = explain(&town, &gone.token, json!({})).await;
    assert!(answer.text("advice").contains("audit"), "{answer:?}");
}

#[tokio::test]
async fn a_caveat_is_judged_by_the_request_that_is_told() {
    let town = Town::new().await;
    let narrowed = narrow(&town.alice().await.token, "action in identify");

    let asked = |path: &'static str| explain(&town, &narrowed, json!({ "path": path }));
    let allowed = asked("/_matrix/client/v3/account/whoami").await;
    let denied = asked("/_matrix/client/v3/sync").await;

    assert_eq!(allowed.good()["admitted"], true);
    assert_eq!((&denied.good()["admitted"], &denied["caveat"]), (&false.into(), &2.into()));
}

#[tokio::test]
async fn an_ending_of_all_sessions_is_told_with_its_instant() {
    let town = Town::new().await;
    let alice = town.alice().await;
    alice.logout_all().await.good();

    let answer = explain(&town, &alice.token, json!({})).await;

    let began = answer.good()["claimed"]["began"].as_u64().unwrap();
    assert!(answer["ended_before"].as_u64().unwrap() > began, "{answer:?}");
}

#[tokio::test]
async fn a_question_uses_nothing_up_and_counts_nothing() {
    let town = Town::new().await;
    let login_token = town.login_token();
    let body = json!({ "txn_id": "one" });
    let login = town.anonymous().spend(&login_token, &body).await;
    let judged = || town.service.metrics().verdicts().map(|(_, count)| count).sum::<u64>();
    let before = judged();

    explain(&town, login.good().text("access_token"), json!({})).await.good();

    assert_eq!(judged(), before);
    // A session that nobody has used is still given again to who repeats the login.
    town.anonymous().spend(&login_token, &body).await.good();
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_told_so_and_clients_cannot_ask() {
    let town = Town::new().await;
    let operator = town.operator();

    operator.post(EXPLAIN, &json!({})).await.is(400, "M_BAD_JSON");
    operator.call("POST", EXPLAIN, "{").await.is(400, "M_NOT_JSON");
    explain(&town, "x", json!({ "address": "here" })).await.is(400, "M_BAD_JSON");
    explain(&town, "x", json!({ "purpose": "fun" })).await.is(400, "M_BAD_JSON");
    explain(&town, "x", json!({ "path": "/a/../b" })).await.is(400, "M_UNRECOGNIZED");
    explain(&town, &"x".repeat(70_000), json!({})).await.is(413, "M_TOO_LARGE");
    town.anonymous().post(EXPLAIN, &json!({ "token": "x" })).await.is(404, "M_UNRECOGNIZED");
}
