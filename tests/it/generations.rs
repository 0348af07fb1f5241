//! Refreshing twice, late, at once and behind each other's back: a lost answer logs nobody out, and
//! of a thief and an owner one lives on.

use std::collections::HashSet;

use amaretti::service::Policy;
use serde_json::json;

use crate::support::{Answer, Client, MINUTE, Setting, Town, until};

const WINDOW: u64 = 30_000;

fn pair(answer: &Answer) -> (String, String) {
    let text = |key| answer.good().text(key).to_owned();
    (text("access_token"), text("refresh_token"))
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_30_seconds() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;

    let first = pair(&alice.refresh(&token).await);
    town.wait(WINDOW - 1);
    let second = pair(&alice.refresh(&token).await);
    town.wait(1);
    let third = pair(&alice.refresh(&token).await);

    assert_eq!(first, second);
    assert_ne!(first, third);
    for (access, _) in [first, third] {
        alice.with(&access).whoami().await.good();
    }
}

#[tokio::test]
async fn a_pair_that_is_given_again_is_told_how_long_it_has_left() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    town.wait(MINUTE);
    alice.refresh(&token).await.good();
    town.wait(1000);

    let again = alice.refresh(&token).await;

    assert_eq!(again.good()["expires_in_ms"], 15 * MINUTE - 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_at_once_in_two_processes_all_are_given_the_same_pair() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    let there = alice.at(&town.again().await);
    let mut exchanges = tokio::task::JoinSet::new();

    for turn in 0..64 {
        let (client, token) = (if turn % 2 == 0 { &alice } else { &there }.clone(), token.clone());
        exchanges.spawn(async move { pair(&client.refresh(&token).await) });
    }
    let pairs: HashSet<_> = exchanges.join_all().await.into_iter().collect();

    assert_eq!(pairs.len(), 1);
    for (access, refresh) in pairs {
        alice.with(&access).whoami().await.good();
        there.with(&access).whoami().await.good();
        alice.refresh(&refresh).await.good();
    }
}

#[tokio::test]
async fn presenting_a_refresh_token_retires_the_one_before() {
    let town = Town::new().await;
    let (alice, first) = town.renewing_alice().await;
    let (_, second) = pair(&alice.refresh(&first).await);
    alice.refresh(&second).await.good();

    alice.refresh(&first).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

/// Once a token has been used and the store has been told of it.
async fn settled(town: &Town, client: &Client) {
    client.whoami().await.good();
    let raw = town.raw_database().await;
    until("the store is told of the first use", async || {
        raw.number("SELECT COUNT(*) FROM refreshes WHERE branches <> ''").await == 0
    })
    .await;
}

#[tokio::test]
async fn the_first_use_of_an_access_token_retires_the_refresh_token_before() {
    let town = Town::new().await;
    let _following = town.follow();
    let (alice, first) = town.renewing_alice().await;
    let (access, second) = pair(&alice.refresh(&first).await);

    settled(&town, &alice.with(&access)).await;

    alice.refresh(&first).await.is(401, "M_UNKNOWN_TOKEN").soft();
    alice.refresh(&second).await.good();
    alice.whoami().await.good();
}

#[tokio::test]
async fn using_the_old_access_token_retires_nothing() {
    let town = Town::new().await;
    let (alice, first) = town.renewing_alice().await;
    let lost = pair(&alice.refresh(&first).await);
    alice.whoami().await.good();

    assert_eq!(pair(&alice.refresh(&first).await), lost);
}

#[tokio::test]
async fn a_thief_who_goes_on_first_ends_the_owner() {
    let town = Town::new().await;
    let (owner, stolen) = town.renewing_alice().await;
    let (_, thiefs) = pair(&town.anonymous().refresh(&stolen).await);
    town.wait(WINDOW);
    let (_, owners) = pair(&owner.refresh(&stolen).await);

    town.anonymous().refresh(&thiefs).await.good();

    owner.refresh(&owners).await.is(401, "M_UNKNOWN_TOKEN").soft();
    owner.refresh(&stolen).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn an_owner_who_goes_on_first_ends_the_thief() {
    let town = Town::new().await;
    let _following = town.follow();
    let (owner, stolen) = town.renewing_alice().await;
    let (_, thiefs) = pair(&town.anonymous().refresh(&stolen).await);
    town.wait(WINDOW);
    let (access, owners) = pair(&owner.refresh(&stolen).await);

    settled(&town, &owner.with(&access)).await;

    town.anonymous().refresh(&thiefs).await.is(401, "M_UNKNOWN_TOKEN").soft();
    town.anonymous().refresh(&stolen).await.is(401, "M_UNKNOWN_TOKEN").soft();
    owner.refresh(&owners).await.good();
}

#[tokio::test]
async fn a_thief_whose_access_token_is_still_good_does_not_get_back_in() {
    let town = Town::new().await;
    let _following = town.follow();
    let (owner, stolen) = town.renewing_alice().await;
    let (thiefs, thiefs_next) = pair(&town.anonymous().refresh(&stolen).await);
    town.wait(WINDOW);
    let (access, owners) = pair(&owner.refresh(&stolen).await);
    settled(&town, &owner.with(&access)).await;

    owner.with(&thiefs).whoami().await.good();

    owner.refresh(&thiefs_next).await.is(401, "M_UNKNOWN_TOKEN").soft();
    owner.refresh(&owners).await.good();
}

#[tokio::test]
async fn a_sixth_branch_is_refused_until_one_is_used() {
    let town = Town::new().await;
    let (alice, token) = town.renewing_alice().await;
    let mut newest = String::new();
    for _ in 0..5 {
        newest = pair(&alice.refresh(&token).await).1;
        town.wait(WINDOW);
    }

    alice.refresh(&token).await.is(401, "M_UNKNOWN_TOKEN").soft();

    alice.refresh(&newest).await.good();
    alice.refresh(&token).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn a_process_that_was_frozen_is_answered_as_long_as_the_grace_lasts() {
    let policy = Policy { refresh_grace: 10_000, ..Policy::default() };
    let town = Town::with(Setting { policy, ..Setting::default() }).await;
    let (alice, first) = town.renewing_alice().await;
    let (_, second) = pair(&alice.refresh(&first).await);
    alice.refresh(&second).await.good();

    town.wait(9_999);
    let (_, again) = pair(&alice.refresh(&first).await);
    town.wait(1);

    assert_eq!(again, second);
    alice.refresh(&first).await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn what_was_retired_is_retired_after_a_restart() {
    let town = Town::new().await;
    let (alice, first) = town.renewing_alice().await;
    let (_, second) = pair(&alice.refresh(&first).await);
    let (_, third) = pair(&alice.refresh(&second).await);

    let alice = alice.at(&town.again().await);

    alice.refresh(&first).await.is(401, "M_UNKNOWN_TOKEN").soft();
    assert_eq!(pair(&alice.refresh(&second).await).1, third);
}

#[tokio::test]
async fn refreshing_ends_the_repetition_of_the_login() {
    let town = Town::new().await;
    let (token, more) = (town.login_token(), json!({ "txn_id": "t1", "refresh_token": true }));
    let login = town.anonymous().spend(&token, &more).await;
    town.anonymous().refresh(login.good().text("refresh_token")).await.good();

    let again = town.anonymous().spend(&token, &more).await;

    again.is(403, "M_FORBIDDEN");
}
