//! `POST /register`: who may, what is asked first, and what is remembered from the first request to
//! the last.

use amaretti::config::Registration;
use amaretti::service::Policy;
use serde_json::{Value, json};

use crate::support::{ALICE, Answer, Client, HOUR, LOGIN, MINUTE, REGISTER, Setting, Town};

pub(crate) async fn town(registration: Registration) -> Town {
    let policy = Policy { registration, ..Policy::default() };
    Town::with(Setting { policy, ..Setting::default() }).await
}

fn dummy(session: &str) -> Value {
    json!({ "type": "m.login.dummy", "session": session })
}

fn by_token(token: &str, session: &str) -> Value {
    json!({ "type": "m.login.registration_token", "token": token, "session": session })
}

/// Registers in two requests, the second with nothing but the proof.
async fn registered(nobody: &Client, first: &Value) -> Answer {
    let session = nobody.challenged("POST", REGISTER, first).await;
    nobody.post(REGISTER, &json!({ "auth": dummy(&session) })).await
}

#[tokio::test]
async fn where_it_is_closed_nobody_registers() {
    let town = town(Registration::Closed).await;
    let nobody = town.anonymous();

    nobody.post(REGISTER, &json!({ "username": "carol" })).await.is(403, "M_FORBIDDEN");
    let auth = json!({ "auth": { "type": "m.login.dummy" }, "username": "carol" });
    nobody.post(REGISTER, &auth).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn where_a_token_is_asked_for_nothing_else_will_do() {
    let town = town(Registration::Token).await;
    let nobody = town.anonymous();
    let answer = nobody.post(REGISTER, &json!({ "username": "carol" })).await;
    let session = answer.challenge();
    assert_eq!(answer["flows"], json!([{ "stages": ["m.login.registration_token"] }]));

    let auth = json!({ "auth": dummy(&session) });

    assert_eq!(nobody.post(REGISTER, &auth).await.not_proved(), session);
    assert!(town.store.password_hash("@carol:example.com").await.unwrap().is_none());
}

#[tokio::test]
async fn a_registration_token_makes_an_account_that_can_log_in() {
    let town = town(Registration::Token).await;
    town.add_registration_token("friends", Some(1), None).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol", "password": "long-enough" });

    let session = nobody.challenged("POST", REGISTER, &wanted).await;
    let auth = by_token("friends", &session);
    let answer = nobody.with_auth("POST", REGISTER, &wanted, &auth).await;

    let carol = nobody.of(&answer);
    assert_eq!(carol.user_id, "@carol:example.com");
    assert_eq!(carol.whoami().await.good()["user_id"], "@carol:example.com");
    nobody.password("carol", "long-enough", &json!({})).await.good();
    assert_eq!(town.store.registration_tokens().await.unwrap()[0].used, 1);
}

#[tokio::test]
async fn a_wrong_registration_token_is_told_and_another_may_be_tried() {
    let town = town(Registration::Token).await;
    town.add_registration_token("friends", None, None).await;
    town.add_registration_token("spent", Some(0), None).await;
    town.add_registration_token("over", None, Some(town.now())).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol" });
    let session = nobody.challenged("POST", REGISTER, &wanted).await;

    for token in ["nonsense", "spent", "over", ""] {
        let auth = by_token(token, &session);
        let answer = nobody.with_auth("POST", REGISTER, &wanted, &auth).await;
        assert_eq!(answer.not_proved(), session, "one session keeps one name");
    }

    nobody.with_auth("POST", REGISTER, &wanted, &by_token("friends", &session)).await.good();
}

#[tokio::test]
async fn where_it_is_open_it_is_asked_for_all_the_same() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();

    let answer = nobody.post(REGISTER, &json!({ "username": "carol" })).await;

    let session = answer.challenge();
    assert!(answer["flows"].as_array().unwrap().contains(&json!({ "stages": ["m.login.dummy"] })));
    assert_eq!(
        nobody.post(REGISTER, &json!({ "auth": { "session": session } })).await.challenge(),
        session
    );
    nobody.post(REGISTER, &json!({ "auth": {} })).await.challenge();
}

#[tokio::test]
async fn a_proof_may_come_with_the_first_request() {
    let town = town(Registration::Open).await;
    let wanted = json!({ "username": "carol", "auth": { "type": "m.login.dummy" } });

    let answer = town.anonymous().post(REGISTER, &wanted).await;

    assert_eq!(answer.good()["user_id"], "@carol:example.com");
}

#[tokio::test]
async fn a_name_is_judged_before_anything_is_asked() {
    let town = town(Registration::Token).await;
    let long = "x".repeat(250);
    let nobody = town.anonymous();

    for name in ["alice", "Alice", "ALICE"] {
        nobody.post(REGISTER, &json!({ "username": name })).await.is(400, "M_USER_IN_USE");
    }
    for name in ["", "caf\u{e9}", "a b", "@carol:example.com", "a:b", "a!b", &long, "guest-1"] {
        nobody.post(REGISTER, &json!({ "username": name })).await.is(400, "M_INVALID_USERNAME");
    }
}

#[tokio::test]
async fn a_short_password_is_too_weak_before_anything_is_asked() {
    let town = town(Registration::Token).await;
    let wanted = json!({ "username": "carol", "password": "1234567" });

    town.anonymous().post(REGISTER, &wanted).await.is(400, "M_WEAK_PASSWORD");
}

#[tokio::test]
async fn upper_case_names_are_made_lower_case() {
    let town = town(Registration::Open).await;

    let answer = registered(&town.anonymous(), &json!({ "username": "CaRoL" })).await;

    assert_eq!(answer.good()["user_id"], "@carol:example.com");
}

#[tokio::test]
async fn the_last_request_needs_to_say_nothing_again() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let name = "carol's phone";
    let first = json!({ "username": "carol", "password": "long-enough", "device_id": "PHONE",
        "initial_device_display_name": name, "refresh_token": true });

    let answer = registered(&nobody, &first).await;

    assert_eq!(answer.good()["user_id"], "@carol:example.com");
    assert_eq!(answer["device_id"], "PHONE");
    assert!(answer.text("refresh_token").starts_with("mmr_"), "{answer:?}");
    nobody.password("carol", "long-enough", &json!({})).await.good();
    let devices = town.store.devices(Some("@carol:example.com")).await.unwrap();
    assert!(devices.iter().any(|device| device.display_name.as_deref() == Some(name)));
}

#[tokio::test]
async fn what_the_first_request_said_holds_against_the_last() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let first = json!({ "username": "carol", "password": "long-enough", "inhibit_login": true });
    let session = nobody.challenged("POST", REGISTER, &first).await;
    let other = json!({ "username": "mallory", "password": "another-one" });

    let answer = nobody.with_auth("POST", REGISTER, &other, &dummy(&session)).await;

    assert_eq!(answer.good()["user_id"], "@carol:example.com");
    nobody.password("carol", "long-enough", &json!({})).await.good();
    nobody.password("carol", "another-one", &json!({})).await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn an_interactive_session_has_one_text_however_often_it_is_repeated() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let wanted = json!({ "username": "carol", "password": "long-enough" });
    let session = nobody.challenged("POST", REGISTER, &wanted).await;

    for _ in 0..3 {
        let auth = json!({ "session": session });
        let again = nobody.with_auth("POST", REGISTER, &wanted, &auth).await;
        assert_eq!(again.challenge(), session);
    }
}

#[tokio::test]
async fn whoever_wants_no_session_is_given_none() {
    let town = town(Registration::Open).await;
    let first = json!({ "username": "carol", "inhibit_login": true });

    let answer = registered(&town.anonymous(), &first).await;

    assert_eq!(answer.good()["user_id"], "@carol:example.com");
    for absent in ["access_token", "device_id", "refresh_token", "expires_in_ms"] {
        assert_eq!(answer.json.get(absent), None, "{answer:?}");
    }
    assert_eq!(town.store.devices(Some("@carol:example.com")).await.unwrap().len(), 0);
}

#[tokio::test]
async fn whoever_asks_for_no_name_is_given_one() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();

    let one = registered(&nobody, &json!({ "password": "long-enough" })).await;
    let two = registered(&nobody, &json!({})).await;

    assert_ne!(one.good()["user_id"], two.good()["user_id"]);
    nobody.password(one.text("user_id"), "long-enough", &json!({})).await.good();
}

#[tokio::test]
async fn an_account_without_a_password_lets_nobody_in_by_one() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    registered(&nobody, &json!({ "username": "carol" })).await.good();

    for password in ["", "none", "null"] {
        nobody.password("carol", password, &json!({})).await.is(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn application_services_are_told_that_they_cannot() {
    let town = town(Registration::Open).await;
    let wanted = json!({ "type": "m.login.application_service", "username": "_irc_carol" });

    let answer = town.anonymous().post(REGISTER, &wanted).await;

    answer.is(400, "M_APPSERVICE_LOGIN_UNSUPPORTED");
}

#[tokio::test]
async fn whether_a_name_is_free_is_told() {
    let town = town(Registration::Token).await;
    let nobody = town.anonymous();
    let path = "/_matrix/client/v3/register/available";

    let answer = nobody.get(&format!("{path}?username=carol")).await;
    assert_eq!(answer.good().json, json!({ "available": true }));
    nobody.get(&format!("{path}?username=alice")).await.is(400, "M_USER_IN_USE");
    nobody.get(&format!("{path}?username=Alice")).await.is(400, "M_USER_IN_USE");
    nobody.get(&format!("{path}?username=a%20b")).await.is(400, "M_INVALID_USERNAME");
    assert_eq!(nobody.get(path).await.status, 400);
}

#[tokio::test]
async fn whether_a_registration_token_is_good_is_told() {
    let town = town(Registration::Token).await;
    town.add_registration_token("friends", Some(1), Some(town.now().plus(HOUR))).await;
    let nobody = town.anonymous();
    let path = "/_matrix/client/v1/register/m.login.registration_token/validity";
    let good = |token: &str| format!("{path}?token={token}");

    assert_eq!(nobody.get(&good("friends")).await.good().json, json!({ "valid": true }));
    assert_eq!(nobody.get(&good("enemies")).await.good().json, json!({ "valid": false }));
    assert_eq!(nobody.get(path).await.status, 400);
    town.wait(HOUR);
    assert_eq!(nobody.get(&good("friends")).await.good().json, json!({ "valid": false }));
}

#[tokio::test]
async fn where_it_is_closed_nothing_is_told_of_names_and_tokens() {
    let town = town(Registration::Closed).await;
    let nobody = town.anonymous();
    let token = "/_matrix/client/v1/register/m.login.registration_token/validity?token=x";

    nobody.get(token).await.is(403, "M_FORBIDDEN");
    nobody.get("/_matrix/client/v3/register/available?username=c").await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn an_account_made_by_registering_can_do_what_others_can() {
    let town = town(Registration::Open).await;
    let nobody = town.anonymous();
    let first = json!({ "username": "carol", "refresh_token": true });
    let answer = registered(&nobody, &first).await;
    let carol = nobody.of(&answer);
    town.wait(15 * MINUTE);

    carol.whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
    carol.refresh(answer.text("refresh_token")).await.good();
    nobody.get(LOGIN).await.good();
    assert_ne!(carol.user_id, ALICE);
}
