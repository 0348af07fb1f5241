//! The audit stream: what was done, by whom, from where, and never a token.

use std::collections::BTreeMap;
use std::time::Duration;

use amaretti::config::Registration;
use amaretti::service::{Change, EVENTS, Policy};
use serde_json::{Value, json};

use crate::support::{
    ALICE, ALICES_PASSWORD, BOB, DEACTIVATE, DELETE_DEVICES, MINUTE, PASSWORD, REGISTER, Setting,
    Town, Wanted, session_of, until,
};

async fn open_town() -> Town {
    let policy = Policy { guests: true, registration: Registration::Open, ..Policy::default() };
    Town::with(Setting { policy, ..Setting::default() }).await
}

/// The lines of one event.
fn told(town: &Town, event: &str) -> Vec<Value> {
    town.audited().into_iter().filter(|line| line["event"] == event).collect()
}

/// The one line of an event.
#[track_caller]
fn once(town: &Town, event: &str) -> Value {
    let mut lines = told(town, event);
    assert_eq!(lines.len(), 1, "{event}: {lines:#?}");
    lines.remove(0)
}

#[tokio::test]
async fn a_login_names_user_device_session_and_address() {
    let town = Town::new().await;

    let nobody = town.anonymous().from("192.0.2.7");
    let phone = json!({ "device_id": "PHONE" });
    let alice = nobody.of(&nobody.password(ALICE, ALICES_PASSWORD, &phone).await);

    let line = once(&town, "login");
    assert_eq!(line["user_id"], ALICE);
    assert_eq!(line["device_id"], "PHONE");
    assert_eq!(line["session"], session_of(&alice.token).to_string());
    assert_eq!((&line["by"], &line["address"]), (&"password".into(), &"192.0.2.7".into()));
    assert_eq!(line["time"], "2026-09-21T14:13:20.000Z");
    assert!(line["node"].is_string());
}

#[tokio::test]
async fn a_login_that_fails_says_why_and_keeps_what_was_typed_to_itself_unless_it_is_a_name() {
    let town = Town::new().await;
    let nobody = town.anonymous();

    nobody.password(ALICE, "guess", &json!({})).await.is(403, "M_FORBIDDEN");
    nobody.password("my secret, typed too early", "guess", &json!({})).await.is(403, "M_FORBIDDEN");
    let token = town.login_token();
    nobody.spend(&token, &json!({})).await.good();
    nobody.spend(&token, &json!({})).await.is(403, "M_FORBIDDEN");

    let lines = told(&town, "login_failed");
    let reasons: Vec<_> = lines.iter().map(|line| &line["reason"]).collect();
    assert_eq!(reasons, ["wrong_password", "wrong_password", "wrong_login_token"]);
    assert_eq!((&lines[0]["user_id"], lines[1].get("user_id")), (&ALICE.into(), None));
    assert!(lines[2]["words"].as_str().unwrap().contains("spent"), "{lines:#?}");
}

#[tokio::test]
async fn a_label_is_told_and_cannot_dress_up_a_line() {
    let town = Town::new().await;
    let caveats = ["label = kiosk \u{202e}in the hall"];
    let token = town.mint(Wanted { caveats: &caveats, ..Wanted::default() });

    town.anonymous().spend(&token, &json!({})).await.good();

    assert_eq!(once(&town, "login")["labels"], json!(["kiosk \u{202e}in the hall"]));
}

#[tokio::test]
async fn exchanges_and_what_is_presented_after_its_retirement_are_told() {
    let town = Town::new().await;
    let (alice, first) = town.renewing_alice().await;
    let second = alice.refresh(&first).await;
    alice.with(second.good().text("access_token")).whoami().await.good();
    alice.refresh(second.text("refresh_token")).await.good();

    alice.from("198.51.100.9").refresh(&first).await.is(401, "M_UNKNOWN_TOKEN");
    alice.refresh("mmr_rubbish").await.is(401, "M_UNKNOWN_TOKEN");

    let session = session_of(&alice.token).to_string();
    let generations: Vec<_> =
        told(&town, "refresh").iter().map(|line| line["generation"].clone()).collect();
    assert_eq!(generations, [0, 1]);
    let line = once(&town, "refresh_refused");
    assert_eq!((&line["session"], &line["generation"]), (&session.into(), &0.into()));
    assert_eq!(line["address"], "198.51.100.9");
    assert!(line["words"].as_str().unwrap().contains("retired"), "{line}");
}

#[tokio::test]
async fn what_is_done_is_told_though_its_client_hangs_up() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let held = town.raw_database().await.hold().await;

    let hung_up = tokio::time::timeout(Duration::ZERO, alice.logout()).await;

    assert!(hung_up.is_err(), "a logout waits for the store");
    held.let_go().await;
    until("the logout is told", async || told(&town, "logout").len() == 1).await;
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN").hard();
}

#[tokio::test]
async fn what_is_not_done_is_not_told() {
    let town = Town::new().await;
    let alice = town.alice().await;
    town.store.close().await;

    alice.logout().await.unavailable();
    alice.logout_all().await.unavailable();

    assert_eq!(town.audited().len(), 2, "the key that mints, the login: {:#?}", town.audited());
}

#[tokio::test]
async fn every_event_of_a_node_has_the_fields_that_are_documented() {
    let town = open_town().await;
    let _tending = town.tend_keys();
    do_everything(&town).await;
    std::fs::remove_dir_all(town.keys_folder()).unwrap();
    std::fs::create_dir(town.keys_folder()).unwrap();
    town.care.look();
    until("the vanished key is told", async || !told(&town, "key_vanished").is_empty()).await;

    let lines = town.audited();

    let always = ["time", "event", "node", "address"];
    let mut seen: BTreeMap<_, _> = EVENTS.iter().map(|event| (event.name, 0)).collect();
    for line in &lines {
        let event = EVENTS.iter().find(|event| line["event"] == event.name).unwrap();
        let mut fields = line.as_object().unwrap().keys().map(String::as_str);
        let known = |name: &str| always.contains(&name) || event.fields.contains(&name);
        assert!(fields.all(known), "{line}");
        *seen.get_mut(event.name).unwrap() += 1;
    }
    let unseen: Vec<_> = seen.iter().filter(|(_, count)| **count == 0).map(|(n, _)| *n).collect();
    // These come from the command line alone, and are in its transcripts.
    let commands = [
        "every_session_ended",
        "key_made",
        "key_retired",
        "keys_exported",
        "minted",
        "registration_token_made",
        "registration_token_revoked",
        "user_added",
    ];
    assert_eq!(unseen, commands, "{lines:#?}");
}

#[tokio::test]
async fn no_line_holds_a_token_or_a_password() {
    let town = open_town().await;
    do_everything(&town).await;

    let lines: Vec<_> = town.audited().iter().map(Value::to_string).collect();

    assert!(lines.len() > 15, "{lines:#?}");
    let secrets = ["mma_", "mmr_", "mml_", "mmu_", ALICES_PASSWORD, "looking-glass", "guess"];
    for line in lines {
        assert!(secrets.iter().all(|secret| !line.contains(secret)), "{line}");
    }
}

/// Whatever can be done over HTTP and what operators do to sessions and accounts.
async fn do_everything(town: &Town) {
    let nobody = town.anonymous();
    nobody.password(ALICE, "guess", &json!({})).await.is(403, "M_FORBIDDEN");
    nobody.post(&format!("{REGISTER}?kind=guest"), &json!({})).await.good();
    let session = nobody.challenged("POST", REGISTER, &json!({ "username": "carol" })).await;
    let auth = json!({ "type": "m.login.dummy", "session": session });
    nobody.post(REGISTER, &json!({ "auth": auth })).await.good();

    let (alice, refresh_token) = town.renewing_alice().await;
    let next = alice.refresh(&refresh_token).await;
    let alice = alice.with(next.good().text("access_token"));
    alice.whoami().await.good();
    alice.refresh(next.text("refresh_token")).await.good();
    alice.refresh(&refresh_token).await.is(401, "M_UNKNOWN_TOKEN");
    let login_token = alice.get_token().await;
    nobody.spend(login_token.good().text("login_token"), &json!({})).await.good();
    let guess = json!({ "type": "m.login.password", "user": ALICE, "password": "guess" });
    let new = json!({ "new_password": "looking-glass" });
    let session = alice.challenged("POST", PASSWORD, &new).await;
    let mut proof = guess;
    proof["session"] = session.into();
    alice.with_auth("POST", PASSWORD, &new, &proof).await.not_proved();
    alice.prove("POST", DELETE_DEVICES, &json!({ "devices": ["X"] })).await.good();
    town.alice().await.logout().await.good();
    town.alice().await.logout_all().await.good();
    town.alice().await.prove("POST", PASSWORD, &new).await.good();

    let bob = town.bob().await;
    town.service.end_session(BOB, session_of(&bob.token)).await.unwrap();
    town.service.end_sessions_of(BOB).await.unwrap();
    town.service.set_standing(BOB, Change::Lock).await.unwrap();
    town.service.set_standing(BOB, Change::Unlock).await.unwrap();
    town.wait(MINUTE);
    town.bob().await.prove("POST", DEACTIVATE, &json!({})).await.good();
    town.service.replace_password(ALICE, "none").await.unwrap();
}
