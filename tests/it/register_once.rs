//! One registration is one account, whoever repeats it and however many at once.

use std::collections::HashSet;

use amaretti::config::Registration;
use serde_json::{Value, json};

use crate::register::town;
use crate::support::{Answer, Client, MINUTE, REGISTER, Town};

fn dummy(session: &str) -> Value {
    json!({ "type": "m.login.dummy", "session": session })
}

fn by_token(session: &str) -> Value {
    json!({ "type": "m.login.registration_token", "token": "friends", "session": session })
}

async fn users(town: &Town) -> i64 {
    let raw = town.raw_database().await;
    raw.number("SELECT COUNT(*) FROM users").await
}

/// The same bodies, all sent at once.
async fn all_at_once(nobody: &Client, bodies: Vec<Value>) -> Vec<Answer> {
    let mut sent = tokio::task::JoinSet::new();
    for body in bodies {
        let nobody = nobody.clone();
        sent.spawn(async move { nobody.post(REGISTER, &body).await });
    }
    sent.join_all().await
}

fn users_of(answers: &[Answer]) -> HashSet<String> {
    answers.iter().map(|answer| answer.good().text("user_id").to_owned()).collect()
}

#[tokio::test]
async fn a_finished_registration_that_is_repeated_gives_the_same_session() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let session = nobody.challenged("POST", REGISTER, &json!({ "username": "carol" })).await;
    let body = json!({ "auth": dummy(&session) });

    let first = nobody.post(REGISTER, &body).await;
    town.wait(MINUTE);
    let second = nobody.post(REGISTER, &body).await;

    assert_eq!(second.good()["access_token"], first.good()["access_token"]);
    assert_eq!(second["device_id"], first["device_id"]);
    assert_eq!(users(&town).await, 3);
}

#[tokio::test]
async fn a_repetition_after_its_session_was_used_names_the_user_and_gives_no_token() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let session = nobody.challenged("POST", REGISTER, &json!({ "username": "carol" })).await;
    let body = json!({ "auth": dummy(&session) });
    nobody.of(&nobody.post(REGISTER, &body).await).whoami().await.good();

    let again = nobody.post(REGISTER, &body).await;

    assert_eq!(again.good()["user_id"], "@carol:example.com");
    assert_eq!(again.json.get("access_token"), None);
}

#[tokio::test]
async fn a_repetition_says_the_same_to_who_wanted_no_session() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let first = json!({ "inhibit_login": true });
    let session = nobody.challenged("POST", REGISTER, &first).await;
    let body = json!({ "auth": dummy(&session) });

    let one = nobody.post(REGISTER, &body).await;
    let two = nobody.post(REGISTER, &body).await;

    assert_eq!(one.good().body, two.good().body);
    assert_eq!(users(&town).await, 3);
}

#[tokio::test]
async fn a_repetition_after_the_session_was_ended_gives_no_token_of_it() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let session = nobody.challenged("POST", REGISTER, &json!({ "username": "carol" })).await;
    let body = json!({ "auth": dummy(&session) });
    nobody.post(REGISTER, &body).await.good();
    town.service.end_sessions_of("@carol:example.com").await.unwrap().unwrap();

    let again = nobody.post(REGISTER, &body).await;

    assert_eq!(again.good()["user_id"], "@carol:example.com");
    assert_eq!(again.json.get("access_token"), None, "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_who_race_for_a_token_with_one_use_one_is_let_in() {
    let town = town(Registration::Token).await;
    town.add_registration_token("friends", Some(1), None).await;
    let nobody = town.anonymous();
    let mut bodies = Vec::new();
    for racer in 0..16 {
        let wanted = json!({ "username": format!("racer-{racer}") });
        let session = nobody.challenged("POST", REGISTER, &wanted).await;
        bodies.push(json!({ "auth": by_token(&session) }));
    }

    let answers = all_at_once(&nobody, bodies).await;

    assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 1);
    assert_eq!(users(&town).await, 3);
    assert_eq!(town.store.registration_tokens().await.unwrap()[0].uses_left, Some(0));
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        assert!(matches!(answer.status.as_u16(), 401 | 403), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_who_race_for_a_name_one_is_let_in() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol" });
    let mut bodies = Vec::new();
    for _ in 0..16 {
        let session = nobody.challenged("POST", REGISTER, &wanted).await;
        bodies.push(json!({ "auth": dummy(&session) }));
    }

    let answers = all_at_once(&nobody, bodies).await;

    assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 1);
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        answer.is(400, "M_USER_IN_USE");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_who_finish_one_registration_all_are_given_one_user() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let session = nobody.challenged("POST", REGISTER, &json!({})).await;
    let body = json!({ "auth": dummy(&session) });

    let answers = all_at_once(&nobody, vec![body; 64]).await;

    assert_eq!(users_of(&answers).len(), 1);
    assert_eq!(users(&town).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_who_finish_one_registration_and_say_it_all_again_all_are_given_one_user() {
    let town = town(Registration::Token).await;
    town.add_registration_token("friends", Some(1), None).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol", "password": "long-enough" });
    let session = nobody.challenged("POST", REGISTER, &wanted).await;
    let mut body = wanted.clone();
    body["auth"] = by_token(&session);

    let answers = all_at_once(&nobody, vec![body; 64]).await;

    assert_eq!(users_of(&answers), HashSet::from(["@carol:example.com".to_owned()]));
    assert_eq!(users(&town).await, 3);
}

#[tokio::test]
async fn a_registration_that_expired_makes_no_account_of_what_was_not_asked_for() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol", "password": "long-enough" });
    let session = nobody.challenged("POST", REGISTER, &wanted).await;
    town.wait(10 * MINUTE);

    let answer = nobody.post(REGISTER, &json!({ "auth": dummy(&session) })).await;

    assert_eq!(answer.status.as_u16(), 401, "{answer:?}");
    assert_eq!(users(&town).await, 2);
}

#[tokio::test]
async fn a_registration_that_begins_anew_after_its_session_expired_keeps_its_password() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol", "password": "long-enough" });
    let old = nobody.challenged("POST", REGISTER, &wanted).await;
    town.wait(10 * MINUTE);
    let auth = json!({ "session": old });
    let session = nobody.with_auth("POST", REGISTER, &wanted, &auth).await.challenge();
    assert_ne!(session, old);

    nobody.post(REGISTER, &json!({ "auth": dummy(&session) })).await.good();

    nobody.password("carol", "long-enough", &json!({})).await.good();
}

#[tokio::test]
async fn the_longest_names_are_remembered_like_short_ones() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let name = "\u{1}".repeat(512);
    let wanted = json!({ "username": "carol", "password": "long-enough",
        "device_id": "\"".repeat(255), "initial_device_display_name": name });
    let session = nobody.challenged("POST", REGISTER, &wanted).await;

    let answer = nobody.post(REGISTER, &json!({ "auth": dummy(&session) })).await;

    assert_eq!(answer.good()["user_id"], "@carol:example.com");
    nobody.password("carol", "long-enough", &json!({})).await.good();
}
