//! How often something may be tried: from one address, on one account, and when again.

use amaretti::config::Registration;
use amaretti::service::{Limits, Policy};
use serde_json::{Value, json};

use crate::support::{
    ALICE, ALICES_PASSWORD, Answer, Client, MINUTE, PASSWORD, REGISTER, Setting, Town, by_password,
};

const HOME: &str = "192.0.2.1";
const AWAY: &str = "198.51.100.1";
const PROXY: &str = "127.0.0.1";

async fn town(limits: Limits) -> Town {
    let policy = Policy { limits, registration: Registration::Open, ..Policy::default() };
    Town::with(Setting { policy, ..Setting::default() }).await
}

fn passwords(a_minute: u32) -> Limits {
    Limits { passwords: a_minute, ..Limits::NONE }
}

async fn guess(client: &Client, user: &str) -> Answer {
    client.password(user, "guess", &json!({})).await
}

/// The try was one too many, and when another may be made is said twice.
#[track_caller]
fn too_many(answer: &Answer) -> u64 {
    answer.is(429, "M_LIMIT_EXCEEDED");
    let ms = answer["retry_after_ms"].as_u64().unwrap();
    let seconds = answer.header("retry-after").and_then(|value| value.parse::<u64>().ok());
    assert_eq!(seconds, Some(ms.div_ceil(1000)), "{answer:?}");
    assert!(ms > 0 && ms <= MINUTE, "{answer:?}");
    assert_eq!(answer.json.get("soft_logout"), None);
    ms
}

#[tokio::test]
async fn who_tries_too_many_passwords_has_to_wait_as_long_as_is_told() {
    let town = town(passwords(3)).await;
    let home = town.anonymous().from(HOME);
    for _ in 0..3 {
        guess(&home, "alice").await.is(403, "M_FORBIDDEN");
    }

    let wait = too_many(&guess(&home, "alice").await);
    too_many(&home.password("alice", ALICES_PASSWORD, &json!({})).await);

    town.wait(wait);
    home.password("alice", ALICES_PASSWORD, &json!({})).await.good();
}

#[tokio::test]
async fn one_address_does_not_use_up_the_tries_of_another() {
    let town = town(passwords(2)).await;
    let (home, away) = (town.anonymous().from(HOME), town.anonymous().from(AWAY));
    for _ in 0..3 {
        guess(&home, "alice").await;
    }

    too_many(&guess(&home, "bob").await);

    away.password("alice", ALICES_PASSWORD, &json!({})).await.good();
}

#[tokio::test]
async fn the_addresses_of_one_subscriber_are_one() {
    let town = town(passwords(1)).await;
    let from = |address: &str| town.anonymous().from(address);
    guess(&from("2001:db8:0:1::1"), "alice").await.is(403, "M_FORBIDDEN");

    too_many(&guess(&from("2001:db8:0:1:ffff::1"), "alice").await);

    guess(&from("2001:db8:0:2::1"), "alice").await.is(403, "M_FORBIDDEN");
    guess(&from("192.0.2.1"), "alice").await.is(403, "M_FORBIDDEN");
    too_many(&guess(&from("::ffff:192.0.2.1"), "alice").await);
}

#[tokio::test]
async fn an_account_is_guessed_at_so_often_from_all_addresses_together() {
    let town = town(passwords(2)).await;
    let from = |n: u8| town.anonymous().from(&format!("192.0.2.{n}"));
    for n in 0..10 {
        let user = ["alice", ALICE, "Alice"][usize::from(n % 3)];
        guess(&from(n), user).await.is(403, "M_FORBIDDEN");
    }

    for user in ["alice", ALICE, "ALICE"] {
        too_many(&guess(&from(99), user).await);
    }

    guess(&from(98), "bob").await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn names_that_nobody_bears_are_limited_like_others() {
    let town = town(passwords(1)).await;
    let from = |n: u8| town.anonymous().from(&format!("192.0.2.{n}"));

    for (turn, user) in ["carol", "@carol:example.org", "no body"].into_iter().enumerate() {
        let first = u8::try_from(turn).unwrap() * 10;
        for n in first..first + 5 {
            guess(&from(n), user).await.is(403, "M_FORBIDDEN");
        }
        too_many(&guess(&from(first + 5), user).await);
    }
}

#[tokio::test]
async fn a_password_that_proves_something_is_a_try_like_others() {
    let town = town(passwords(2)).await;
    let alice = town.alice().await.from(HOME);
    let body = json!({ "new_password": "looking-glass" });
    let session = alice.challenged("POST", PASSWORD, &body).await;
    let guess = by_password(ALICE, "guess", &session);
    for _ in 0..2 {
        alice.with_auth("POST", PASSWORD, &body, &guess).await.not_proved();
    }

    let wait = too_many(&alice.with_auth("POST", PASSWORD, &body, &guess).await);

    town.wait(wait);
    let proof = alice.password_proof(&session);
    alice.with_auth("POST", PASSWORD, &body, &proof).await.good();
}

#[tokio::test]
async fn a_proxy_that_is_trusted_says_who_asks() {
    let town = town(passwords(1)).await;
    let proxy = town.anonymous().from(PROXY);
    let by_proxy = |hops: &str| proxy.sending("x-forwarded-for", hops);
    guess(&by_proxy(HOME), "alice").await.is(403, "M_FORBIDDEN");

    too_many(&guess(&by_proxy(HOME), "alice").await);
    too_many(&guess(&by_proxy(&format!("203.0.113.9, {HOME}")), "alice").await);
    too_many(&guess(&by_proxy(&format!("203.0.113.9,{HOME}, 127.0.0.2")), "alice").await);

    guess(&by_proxy(AWAY), "alice").await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn nobody_else_says_who_asks() {
    let town = town(passwords(1)).await;
    let home = town.anonymous().from(HOME);
    guess(&home, "alice").await.is(403, "M_FORBIDDEN");

    let disguised = home.sending("x-forwarded-for", AWAY);

    too_many(&guess(&disguised, "alice").await);
    guess(&town.anonymous().from(AWAY), "alice").await.is(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn a_refresh_token_that_holds_is_never_limited() {
    let town = town(Limits { refreshes: 1, ..Limits::NONE }).await;
    let (alice, mut token) = town.renewing_alice().await;
    let home = alice.from(HOME);

    for _ in 0..3 {
        home.refresh("mmr_no").await;
        let answer = home.refresh(&token).await;
        answer.good().text("refresh_token").clone_into(&mut token);
    }
}

#[tokio::test]
async fn refresh_tokens_that_do_not_hold_are_limited_without_a_verdict() {
    let town = town(Limits { refreshes: 2, ..Limits::NONE }).await;
    let home = town.anonymous().from(HOME);
    for _ in 0..2 {
        home.refresh("mmr_no").await.is(401, "M_UNKNOWN_TOKEN").soft();
    }

    let answer = home.refresh("mmr_no").await;

    assert_eq!((answer.status.as_u16(), &answer.json), (429, &Value::Null), "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    town.anonymous().from(AWAY).refresh("mmr_no").await.is(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn login_tokens_and_registrations_and_questions_are_limited_each_for_itself() {
    let limits = Limits { registrations: 1, login_tokens: 1, probes: 1, ..Limits::NONE };
    let town = town(limits).await;
    let home = town.anonymous().from(HOME);
    let available = "/_matrix/client/v3/register/available?username=carol";
    let valid = "/_matrix/client/v1/register/m.login.registration_token/validity?token=x";

    home.spend("mml_no", &json!({})).await.is(403, "M_FORBIDDEN");
    home.post(REGISTER, &json!({})).await.challenge();
    home.get(available).await.good();

    too_many(&home.spend(&town.login_token(), &json!({})).await);
    too_many(&home.post(REGISTER, &json!({})).await);
    too_many(&home.get(available).await);
    too_many(&home.get(valid).await);
    home.password("alice", ALICES_PASSWORD, &json!({})).await.good();
}

#[tokio::test]
async fn whoever_brings_an_access_token_is_not_limited() {
    let limits =
        Limits { registrations: 1, login_tokens: 1, probes: 1, refreshes: 1, passwords: 1 };
    let town = town(limits).await;
    let alice = town.alice().await.from(HOME);

    for _ in 0..20 {
        alice.whoami().await.good();
    }
    alice.logout().await.good();
}
