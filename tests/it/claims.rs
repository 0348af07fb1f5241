//! A login token is claimed before anything is done: one session comes of it, whoever asks and
//! however often, and a repetition is known by its proof.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{ALICE, Answer, HOUR, MINUTE, Town, Wanted, session_of, until};

fn txn(id: &str) -> Value {
    json!({ "txn_id": id })
}

/// 64 clients who present one token at once.
async fn all_at_once(town: &Town, token: &str, more: &Value) -> Vec<Answer> {
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (nobody, token, more) = (town.anonymous(), token.to_owned(), more.clone());
        logins.spawn(async move { nobody.spend(&token, &more).await });
    }
    logins.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_at_once_without_a_proof_one_is_let_in() {
    let town = Town::new().await;

    let answers = all_at_once(&town, &town.login_token(), &json!({})).await;

    let (good, others): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status.is_success());
    assert_eq!(good.len(), 1, "{good:?}");
    for answer in others {
        answer.is(403, "M_FORBIDDEN");
    }
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_at_once_with_one_proof_all_are_given_the_same_session() {
    let town = Town::new().await;

    let answers = all_at_once(&town, &town.login_token(), &txn("t1")).await;

    let given: HashSet<_> = answers.iter().map(|answer| answer.good().body.clone()).collect();
    assert_eq!(given.len(), 1, "{given:?}");
    assert_eq!(town.store.devices(Some(ALICE)).await.unwrap().len(), 1);
    town.anonymous().of(&answers[0]).whoami().await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_in_two_processes_one_is_let_in() {
    let town = Town::new().await;
    let (beside, token, nothing) = (town.again().await, town.login_token(), json!({}));

    let (here, there) =
        tokio::join!(all_at_once(&town, &token, &nothing), all_at_once(&beside, &token, &nothing),);

    let good = here.iter().chain(&there).filter(|answer| answer.status.is_success()).count();
    assert_eq!(good, 1);
}

#[tokio::test]
async fn a_repetition_later_is_given_the_same_token() {
    let town = Town::new().await;
    let token = town.login_token();

    let first = town.anonymous().spend(&token, &txn("t1")).await;
    town.wait(MINUTE);
    let second = town.anonymous().spend(&token, &txn("t1")).await;

    assert_eq!(second.good()["access_token"], first.good()["access_token"]);
    assert_eq!(second["device_id"], first["device_id"]);
}

#[tokio::test]
async fn a_chosen_device_is_a_proof_like_a_transaction() {
    let town = Town::new().await;
    let token = town.login_token();
    let device = json!({ "device_id": "KIOSK" });

    let first = town.anonymous().spend(&token, &device).await;
    let second = town.anonymous().spend(&token, &device).await;

    assert_eq!(second.good()["access_token"], first.good()["access_token"]);
}

#[tokio::test]
async fn one_proof_of_two_is_enough() {
    let town = Town::new().await;
    let token = town.login_token();
    let of = |device: &str, txn: &str| json!({ "device_id": device, "txn_id": txn });
    let first = town.anonymous().spend(&token, &of("KIOSK", "t1")).await;

    for more in [of("KIOSK", "t2"), of("OTHER", "t1"), txn("t1"), json!({ "device_id": "KIOSK" })] {
        let again = town.anonymous().spend(&token, &more).await;
        assert_eq!(again.good()["access_token"], first.good()["access_token"], "{more}");
    }
}

#[tokio::test]
async fn another_proof_is_none() {
    let town = Town::new().await;
    let token = town.login_token();
    town.anonymous().spend(&token, &txn("t1")).await.good();

    for more in [txn("t2"), txn("T1"), txn("t1 "), txn(""), json!({ "device_id": "t1" })] {
        town.anonymous().spend(&token, &more).await.is(403, "M_FORBIDDEN");
    }
    town.anonymous().spend(&token, &txn("t1")).await.good();
}

#[tokio::test]
async fn nothing_never_equals_nothing() {
    let town = Town::new().await;

    for nothing in [json!({}), json!({ "txn_id": null }), txn(""), json!({ "device_id": null })] {
        let token = town.login_token();
        town.anonymous().spend(&token, &nothing).await.good();
        town.anonymous().spend(&token, &nothing).await.is(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn a_proof_over_several_lines_proves_nothing() {
    let town = Town::new().await;
    let token = town.login_token();
    let several = txn("t1\ndevice_id KIOSK");
    town.anonymous().spend(&token, &several).await.good();

    for more in [several, txn("t1"), json!({ "device_id": "KIOSK" })] {
        town.anonymous().spend(&token, &more).await.is(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn a_proof_of_one_token_is_none_of_another() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    let one = nobody.spend(&town.login_token(), &txn("t1")).await;
    let other = nobody.spend(&town.login_token(), &txn("t1")).await;

    assert_ne!(one.good()["access_token"], other.good()["access_token"]);
    assert_ne!(one["device_id"], other["device_id"]);
}

#[tokio::test]
async fn once_the_session_was_used_nobody_is_given_it_again() {
    let town = Town::new().await;
    let token = town.login_token();
    let nobody = town.anonymous();
    let first = nobody.spend(&token, &txn("t1")).await;
    nobody.of(&first).whoami().await.good();

    nobody.spend(&token, &txn("t1")).await.is(403, "M_FORBIDDEN");
    nobody.of(&first).whoami().await.good();
}

#[tokio::test]
async fn a_use_that_was_refused_by_a_caveat_is_none() {
    let town = Town::new().await;
    let token = crate::support::narrow(&town.login_token(), "action in sync");
    let first = town.anonymous().spend(&token, &txn("t1")).await;
    town.anonymous().of(&first).whoami().await.names_caveat("action");

    let again = town.anonymous().spend(&token, &txn("t1")).await;

    assert_eq!(again.good()["access_token"], first["access_token"]);
}

#[tokio::test]
async fn once_the_session_was_logged_out_nobody_is_given_it_again() {
    let town = Town::new().await;
    let token = town.login_token();
    let first = town.anonymous().spend(&token, &txn("t1")).await;
    town.anonymous().of(&first).logout().await.good();

    town.anonymous().spend(&token, &txn("t1")).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_session_ended_by_others_before_its_use_is_not_given_again() {
    let town = Town::new().await;
    let token = town.login_token();
    let first = town.anonymous().spend(&token, &txn("t1")).await;
    let session = session_of(first.good().text("access_token"));
    let beside = town.again().await;
    beside.service.end_session(ALICE, session).await.unwrap();

    town.anonymous().spend(&token, &txn("t1")).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_session_whose_device_was_taken_over_is_not_given_again() {
    let town = Town::new().await;
    let token = town.login_token();
    let device = json!({ "device_id": "KIOSK" });
    town.anonymous().spend(&token, &device).await.good();
    town.alice_on("KIOSK").await;

    town.anonymous().spend(&token, &device).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn the_memory_of_a_spent_token_outlives_the_token() {
    let town = Town::new().await;
    let token = town.mint(Wanted { life: Some(3 * HOUR), ..Wanted::default() });
    let endless = town.mint(Wanted { life: None, ..Wanted::default() });
    town.anonymous().spend(&token, &json!({})).await.good();
    town.anonymous().spend(&endless, &json!({})).await.good();

    for _ in 0..10 {
        town.wait(HOUR);
        town.anonymous().spend(&town.login_token(), &json!({})).await.good();
        town.anonymous().spend(&token, &json!({})).await.is(403, "M_FORBIDDEN");
        town.anonymous().spend(&endless, &json!({})).await.is(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn a_result_that_was_never_used_survives_a_restart() {
    let town = Town::new().await;
    let token = town.login_token();
    let first = town.anonymous().spend(&token, &txn("t1")).await;

    let town = town.again().await;
    let again = town.anonymous().spend(&token, &txn("t1")).await;

    assert_eq!(again.good()["access_token"], first.good()["access_token"]);
    town.anonymous().of(&again).whoami().await.good();
    town.anonymous().spend(&token, &txn("t1")).await.is(403, "M_FORBIDDEN");
}

/// Until the store knows that the session of a login has been used.
async fn use_written(town: &Town) {
    let raw = town.raw_database().await;
    until("the use is written", async || {
        raw.number("SELECT COUNT(*) FROM claims WHERE state = 'used'").await > 0
    })
    .await;
}

#[tokio::test]
async fn a_use_is_remembered_over_a_restart() {
    let town = Town::new().await;
    let _following = town.follow();
    let token = town.login_token();
    let first = town.anonymous().spend(&token, &txn("t1")).await;
    town.anonymous().of(&first).whoami().await.good();
    use_written(&town).await;

    let town = town.again().await;

    town.anonymous().spend(&token, &txn("t1")).await.is(403, "M_FORBIDDEN");
    town.anonymous().of(&first).whoami().await.good();
}

#[tokio::test]
async fn a_use_here_counts_in_another_process_that_had_not_heard_of_it() {
    let town = Town::new().await;
    let _following = town.follow();
    let token = town.login_token();
    let first = town.anonymous().spend(&token, &txn("t1")).await;
    let beside = town.again().await;
    town.anonymous().of(&first).whoami().await.good();
    use_written(&town).await;

    beside.anonymous().spend(&token, &txn("t1")).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_use_at_another_node_ends_the_repetition_of_the_login_here() {
    let town = Town::new().await;
    let beside = town.again().await;
    let _following = beside.follow();
    let token = town.login_token();
    let first = town.anonymous().spend(&token, &txn("t1")).await;

    town.anonymous().of(&first).at(&beside).whoami().await.good();
    use_written(&town).await;

    town.anonymous().spend(&token, &txn("t1")).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_login_is_not_repeated_once_nobody_would_notice_its_first_use() {
    let town = Town::new().await;
    let token = town.mint(Wanted { life: Some(24 * HOUR), ..Wanted::default() });
    town.anonymous().spend(&token, &txn("t1")).await.good();

    town.wait(HOUR - 10);
    town.anonymous().spend(&token, &txn("t1")).await.good();
    town.wait(20);

    town.anonymous().spend(&token, &txn("t1")).await.is(403, "M_FORBIDDEN");
}
