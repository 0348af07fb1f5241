//! Interactive auth: a proof is good for what was asked, by whom it was asked, and once.

use amaretti::service::Stage;
use serde_json::{Value, json};

use crate::support::{
    ALICE, ALICES_PASSWORD, BOB, BOBS_PASSWORD, Client, DEACTIVATE, DELETE_DEVICES, DEVICES,
    GET_TOKEN, MINUTE, PASSWORD, Town, by_password,
};

fn new_password() -> Value {
    json!({ "new_password": "looking-glass", "logout_devices": false })
}

fn nothing() -> Value {
    json!({})
}

async fn change(client: &Client, auth: &Value) -> crate::support::Answer {
    client.with_auth("POST", PASSWORD, &new_password(), auth).await
}

#[tokio::test]
async fn nothing_that_asks_for_a_proof_is_done_without_one() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;
    let many = json!({ "devices": ["PHONE"] });
    let asked = [
        ("POST", PASSWORD, new_password()),
        ("POST", DEACTIVATE, nothing()),
        ("POST", GET_TOKEN, nothing()),
        ("POST", DELETE_DEVICES, many),
        ("DELETE", &format!("{DEVICES}/PHONE"), nothing()),
    ];

    for (method, path, body) in asked {
        alice.challenged(method, path, &body).await;
        alice.with_auth(method, path, &body, &nothing()).await.challenge();
        let dummy = json!({ "type": "m.login.dummy" });
        alice.with_auth(method, path, &body, &dummy).await.not_proved();
    }
    alice.whoami().await.good();
}

#[tokio::test]
async fn a_wrong_password_may_be_tried_again_in_the_same_session() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let session = alice.challenged("POST", PASSWORD, &new_password()).await;

    for guess in ["guess", "", BOBS_PASSWORD] {
        let answer = change(&alice, &by_password(ALICE, guess, &session)).await;
        assert_eq!(answer.not_proved(), session);
    }

    change(&alice, &alice.password_proof(&session)).await.good();
}

#[tokio::test]
async fn every_spelling_of_the_user_is_understood() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;
    let spellings = [
        json!({ "identifier": { "type": "m.id.user", "user": "alice" } }),
        json!({ "identifier": { "user": ALICE } }),
        json!({ "user": ALICE }),
        json!({ "user": "alice" }),
        json!({}),
    ];

    for mut auth in spellings {
        auth["type"] = "m.login.password".into();
        auth["password"] = ALICES_PASSWORD.into();
        let session = alice.challenged("POST", DELETE_DEVICES, &json!({ "devices": [] })).await;
        auth["session"] = session.into();
        let body = json!({ "devices": [] });
        alice.with_auth("POST", DELETE_DEVICES, &body, &auth).await.good();
    }
}

#[tokio::test]
async fn a_proof_may_come_with_the_first_request() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let auth = json!({ "type": "m.login.password", "user": ALICE, "password": ALICES_PASSWORD });

    change(&alice, &auth).await.good();
}

#[tokio::test]
async fn an_interactive_session_is_for_one_operation() {
    let town = Town::new().await;
    let alice = town.alice_on("PHONE").await;
    let session = alice.challenged("POST", DELETE_DEVICES, &json!({ "devices": ["X"] })).await;
    let proof = alice.password_proof(&session);

    change(&alice, &proof).await.is(403, "M_FORBIDDEN");
    alice.with_auth("POST", GET_TOKEN, &nothing(), &proof).await.is(403, "M_FORBIDDEN");
    let other = json!({ "devices": ["PHONE"] });
    alice.with_auth("POST", DELETE_DEVICES, &other, &proof).await.is(403, "M_FORBIDDEN");
    let one = format!("{DEVICES}/PHONE");
    alice.with_auth("DELETE", &one, &nothing(), &proof).await.is(403, "M_FORBIDDEN");
    alice.whoami().await.good();
}

#[tokio::test]
async fn an_interactive_session_is_for_who_opened_it_and_where() {
    let town = Town::new().await;
    let (phone, laptop, bob) = (town.alice().await, town.alice().await, town.bob().await);
    let session = phone.challenged("POST", PASSWORD, &new_password()).await;

    change(&bob, &bob.password_proof(&session)).await.is(403, "M_FORBIDDEN");
    change(&laptop, &laptop.password_proof(&session)).await.is(403, "M_FORBIDDEN");
    change(&phone, &phone.password_proof(&session)).await.good();
}

#[tokio::test]
async fn the_right_password_of_another_user_is_none() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let session = alice.challenged("POST", PASSWORD, &new_password()).await;

    let answer = change(&alice, &by_password(BOB, BOBS_PASSWORD, &session)).await;

    answer.is(403, "M_FORBIDDEN");
    town.alice().await.whoami().await.good();
}

#[tokio::test]
async fn a_proof_is_good_once() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let session = alice.challenged("POST", PASSWORD, &new_password()).await;
    change(&alice, &alice.password_proof(&session)).await.good();

    let mut again = json!({ "new_password": "through-it", "logout_devices": false });
    again["auth"] = by_password(ALICE, "looking-glass", &session);
    let answer = alice.post(PASSWORD, &again).await;

    assert!(matches!(answer.status.as_u16(), 401 | 403), "{answer:?}");
    town.anonymous().password(ALICE, "looking-glass", &nothing()).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_who_use_one_proof_at_once_one_is_done() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let session = alice.challenged("POST", GET_TOKEN, &nothing()).await;
    let mut sent = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (alice, auth) = (alice.clone(), alice.password_proof(&session));
        let body = json!({ "auth": auth });
        sent.spawn(async move { alice.post(GET_TOKEN, &body).await.status.as_u16() });
    }

    let done = sent.join_all().await;

    assert_eq!(done.iter().filter(|status| **status == 200).count(), 1, "{done:?}");
}

#[tokio::test]
async fn what_is_not_our_session_or_not_any_more_is_answered_with_a_new_one() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let session = alice.challenged("POST", PASSWORD, &new_password()).await;
    let (start, end) = session.split_at(session.len() - 8);
    let touched = format!("{start}{}", end.chars().rev().collect::<String>());

    for text in [touched.as_str(), start, "", "nonsense", "mmu_", &"m".repeat(5000)] {
        let fresh = change(&alice, &json!({ "session": text })).await.challenge();
        assert_ne!(fresh, text);
    }
    town.wait(10 * MINUTE);
    assert_ne!(change(&alice, &json!({ "session": session })).await.challenge(), session);
}

#[tokio::test]
async fn a_session_lasts_for_ten_minutes_also_after_a_restart() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let session = alice.challenged("POST", PASSWORD, &new_password()).await;
    town.wait(10 * MINUTE - 1);

    let there = alice.at(&town.again().await);

    assert_eq!(change(&there, &json!({ "session": session })).await.challenge(), session);
    change(&there, &there.password_proof(&session)).await.good();
}

#[tokio::test]
async fn the_text_of_a_session_says_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;

    let one = alice.challenged("POST", PASSWORD, &new_password()).await;
    let two = alice.challenged("POST", PASSWORD, &new_password()).await;

    assert_ne!(one, two);
    assert!(one.starts_with("mmu_"), "{one}");
    assert!(one.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{one}");
}

async fn rows(town: &Town) -> Vec<i64> {
    let raw = town.raw_database().await;
    let mut counts = Vec::new();
    for count in [
        "SELECT COUNT(*) FROM users",
        "SELECT COUNT(*) FROM devices",
        "SELECT COUNT(*) FROM feed",
        "SELECT COUNT(*) FROM claims",
        "SELECT COUNT(*) FROM refreshes",
        "SELECT COUNT(*) FROM stages",
    ] {
        counts.push(raw.number(count).await);
    }
    counts
}

#[tokio::test]
async fn opening_a_session_writes_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let before = rows(&town).await;

    for _ in 0..3 {
        let session = alice.challenged("POST", PASSWORD, &new_password()).await;
        change(&alice, &by_password(ALICE, "guess", &session)).await.not_proved();
        change(&alice, &json!({ "session": session })).await.challenge();
    }

    assert_eq!(rows(&town).await, before);
}

#[tokio::test]
async fn a_stage_that_was_passed_elsewhere_needs_no_proof_in_the_request() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let session = alice.challenged("POST", PASSWORD, &new_password()).await;
    let auth = json!({ "session": session });

    let pass = |password: &str| {
        let proof = by_password(ALICE, password, &session);
        let (service, session) = (town.service.clone(), session.clone());
        async move {
            let proof = proof.as_object().unwrap().clone();
            service.pass_out_of_band(&session, Stage::Password, &proof, None).await.unwrap()
        }
    };
    assert!(pass("guess").await.is_err());
    change(&alice, &auth).await.challenge();
    assert_eq!(pass(ALICES_PASSWORD).await, Ok(()));

    let answer = change(&alice, &auth).await;

    answer.good();
    town.anonymous().password(ALICE, "looking-glass", &nothing()).await.good();
    assert!(matches!(change(&alice, &auth).await.status.as_u16(), 401 | 403));
}

#[tokio::test]
async fn a_stage_that_nobody_asked_for_passes_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let session = alice.challenged("POST", PASSWORD, &new_password()).await;
    let (dummy, none) = (Stage::Dummy, serde_json::Map::new());

    let _ignored = town.service.pass_out_of_band(&session, dummy, &none, None).await.unwrap();

    change(&alice, &json!({ "session": session })).await.challenge();
}

#[tokio::test]
async fn whoever_was_logged_out_meanwhile_proves_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let session = alice.challenged("POST", PASSWORD, &new_password()).await;
    alice.at(&town.again().await).logout_all().await.good();

    let answer = change(&alice, &alice.password_proof(&session)).await;

    answer.is(401, "M_UNKNOWN_TOKEN").hard();
    town.anonymous().password(ALICE, ALICES_PASSWORD, &nothing()).await.good();
}

#[tokio::test]
async fn what_stands_under_auth_may_be_anything_and_breaks_nothing() {
    let town = Town::new().await;
    let alice = town.alice().await;

    for auth in [json!("x"), json!([]), json!(7)] {
        change(&alice, &auth).await.is(400, "M_BAD_JSON");
    }
    for auth in [json!({ "type": 7 }), json!({ "type": "m.login.saml" })] {
        change(&alice, &auth).await.not_proved();
    }
    for auth in [json!({ "session": 7 }), json!({ "type": null }), json!(null)] {
        change(&alice, &auth).await.challenge();
    }
}
