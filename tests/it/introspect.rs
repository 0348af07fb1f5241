//! What the homeserver behind is told of tokens, in the words that Synapse reads.

use amaretti::revocations::{Fact, Standing};
use amaretti::service::Change;
use amaretti::token::{Account, AccountState, Kind};
use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;

use crate::support::{
    ALICE, Answer, BOB, Client, LOCKED, MINUTE, SHARED, Setting, Town, Wanted, append, logged,
    narrow, session_of,
};

const ONE: &str = "/oauth2/introspect";
const MANY: &str = "/_amaretti/introspect";
const DISCOVERY: &str = "/.well-known/openid-configuration";

fn linked() -> Setting {
    Setting { homeserver: Some(SHARED), ..Setting::default() }
}

/// The question as Synapse puts it.
fn question(bearer: &str, form: String) -> Request<Body> {
    Request::post(ONE)
        .header(header::AUTHORIZATION, format!("Bearer {bearer}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .header("x-mas-supports-device-id", "1")
        .body(Body::from(form))
        .unwrap()
}

async fn asked(town: &Town, token: &str) -> Answer {
    let form = format!("token={token}&token_type_hint=access_token");
    town.operator().ask(question(SHARED, form)).await
}

async fn inactive(town: &Town, token: &str) {
    let answer = asked(town, token).await;
    assert_eq!(answer.good().json, json!({ "active": false }), "{answer:?}");
}

async fn undecided(town: &Town, token: &str) {
    asked(town, token).await.unavailable();
}

fn scopes(answer: &Answer) -> Vec<&str> {
    answer.good().text("scope").split(' ').collect()
}

#[tokio::test]
async fn an_access_token_is_active_with_both_names_of_the_scope_and_its_device() {
    let town = Town::with(linked()).await;
    let alice = town.alice_on("PHONE").await;

    let answer = asked(&town, &alice.token).await;

    assert_eq!(answer.good()["active"], true);
    assert_eq!(
        scopes(&answer),
        ["urn:matrix:client:api:*", "urn:matrix:org.matrix.msc2967.client:api:*"]
    );
    assert_eq!((answer.text("username"), answer.text("device_id")), ("alice", "PHONE"));
    assert_eq!(answer.json.get("expires_in"), None, "one that does not expire says nothing");
}

#[tokio::test]
async fn what_is_left_is_told_in_whole_seconds() {
    let town = Town::with(linked()).await;
    let alice = town.alice_with(&json!({ "refresh_token": true })).await;
    town.wait(500);

    assert_eq!(asked(&town, &alice.token).await.good()["expires_in"], 899);
    let end = town.now().plus(MINUTE).millis();
    let shorter = narrow(&alice.token, &format!("time < {end}"));
    assert_eq!(asked(&town, &shorter).await.good()["expires_in"], 60);
    town.wait(20 * MINUTE);
    inactive(&town, &alice.token).await;
}

#[tokio::test]
async fn whoever_does_not_know_the_secret_is_told_nothing() {
    let town = Town::with(linked()).await;
    let alice = town.alice().await;
    let form = format!("token={}", alice.token);

    for wrong in ["", "0", &SHARED[1..], &format!("{SHARED}0"), &SHARED.to_uppercase()] {
        let answer = town.operator().ask(question(wrong, form.clone())).await;
        assert_eq!(answer.status.as_u16(), 401, "{answer:?}");
        assert_eq!(answer.json.get("active"), None, "{answer:?}");
    }
    let nobody = town.operator().call("POST", ONE, form).await;
    assert_eq!(nobody.status.as_u16(), 401);
    let many = town.operator().with("guess").call("POST", MANY, alice.token).await;
    assert_eq!(many.status.as_u16(), 401);
}

#[tokio::test]
async fn without_a_homeserver_there_is_nobody_to_ask() {
    let town = Town::new().await;

    for (method, path) in [("POST", ONE), ("POST", MANY), ("GET", DISCOVERY)] {
        town.operator().with(SHARED).call(method, path, "").await.is(404, "M_UNRECOGNIZED");
    }
}

#[tokio::test]
async fn clients_cannot_ask() {
    let town = Town::with(linked()).await;

    for path in [ONE, MANY] {
        let client = town.anonymous().with(SHARED);
        client.call("POST", path, "token=x").await.is(404, "M_UNRECOGNIZED");
    }
}

#[tokio::test]
async fn what_was_logged_out_is_inactive_and_so_is_an_old_token_of_a_device_that_came_back() {
    let town = Town::with(linked()).await;
    let before = town.alice_on("PHONE").await;
    before.logout().await.good();
    inactive(&town, &before.token).await;

    let after = town.alice_on("PHONE").await;

    inactive(&town, &before.token).await;
    assert_eq!(asked(&town, &after.token).await.good()["active"], true);
}

#[tokio::test]
async fn what_is_no_token_is_inactive_whatever_it_is() {
    let town = Town::with(linked()).await;
    let alice = town.alice().await;
    let cut = &alice.token[..alice.token.len() - 3];
    let long = format!("mma_{}", "A".repeat(60_000));
    let escaped = "%00".repeat(5000);

    for token in
        ["", "x", "syt_x", "mma_", "mmr_x", "%F0%9F%92%A9", "a=b", "+", cut, &long, &escaped]
    {
        inactive(&town, token).await;
    }
}

#[tokio::test]
async fn tokens_of_other_kinds_are_inactive_and_inner_ones_are_taken_here_alone() {
    let town = Town::with(linked()).await;
    for kind in [Kind::Refresh, Kind::Login] {
        inactive(&town, &town.mint(Wanted { kind, ..Wanted::access() })).await;
    }
    let inner = town.mint(Wanted { kind: Kind::Inner, ..Wanted::access() });

    assert_eq!(asked(&town, &inner).await.good()["device_id"], "ASIDE");
    town.anonymous().with(&inner).whoami().await.is(401, "M_UNKNOWN_TOKEN").soft();
}

#[tokio::test]
async fn a_token_that_wants_to_know_the_request_is_inactive() {
    let town = Town::with(linked()).await;
    let alice = town.alice().await;
    for caveat in [
        "action in read,send",
        "room_id in !a:example.com",
        "ip in 0.0.0.0/0,::/0",
        "audience = media",
    ] {
        inactive(&town, &narrow(&alice.token, caveat)).await;
    }
    inactive(&town, &append(&alice.token, "colour = blue")).await;

    let labelled = narrow(&alice.token, "label = ansible on host7");

    assert_eq!(asked(&town, &labelled).await.good()["active"], true);
}

#[tokio::test]
async fn a_token_that_no_index_of_a_database_could_hold_is_inactive() {
    let town = Town::with(linked()).await;
    let alice = town.alice().await;
    let room = |length: usize| format!("label = {}", "x".repeat(length));
    let fits = narrow(&narrow(&alice.token, &room(200)), &room(200));
    let long = narrow(&narrow(&fits, &room(200)), &room(200));
    assert!(fits.len() < 1024 && long.len() > 1024, "{} {}", fits.len(), long.len());

    assert_eq!(asked(&town, &fits).await.good()["active"], true);
    inactive(&town, &long).await;
    town.anonymous().with(&long).whoami().await.good();
}

#[tokio::test]
async fn a_guest_and_a_token_without_a_device_are_inactive() {
    let town = Town::with(linked()).await;

    inactive(&town, &town.mint(Wanted { guest: true, ..Wanted::access() })).await;
    inactive(&town, &town.mint(Wanted { device: None, ..Wanted::access() })).await;
}

#[tokio::test]
async fn a_user_of_another_server_is_nobody_here() {
    let town = Town::with(linked()).await;
    let user = "@alice:elsewhere.example";

    inactive(&town, &town.mint(Wanted { user, ..Wanted::access() })).await;
}

#[tokio::test]
async fn an_administrator_has_the_scope_of_one_with_a_whole_token_alone() {
    const ADMIN: &str = "urn:synapse:admin:*";
    let town = Town::with(linked()).await;
    let alice = town.alice().await;
    assert!(!scopes(&asked(&town, &alice.token).await).contains(&ADMIN));
    assert!(town.service.set_standing(ALICE, Change::Admin(true)).await.unwrap());

    assert!(scopes(&asked(&town, &alice.token).await).contains(&ADMIN));
    let end = town.now().plus(MINUTE).millis();
    let caveats = [format!("time < {end}"), "label = x".into(), format!("user_id = {ALICE}")];
    for caveat in caveats {
        let narrowed = asked(&town, &append(&alice.token, &caveat)).await;
        assert!(!scopes(&narrowed).contains(&ADMIN), "{caveat}: {narrowed:?}");
    }
    let inner = town.mint(Wanted { kind: Kind::Inner, ..Wanted::access() });
    assert!(!scopes(&asked(&town, &inner).await).contains(&ADMIN));
    let script = town.mint(Wanted { device: None, ..Wanted::access() });
    assert!(scopes(&asked(&town, &script).await).contains(&ADMIN), "without a device, too");
    inactive(&town, &narrow(&script, "label = x")).await;

    assert!(town.service.set_standing(ALICE, Change::Admin(false)).await.unwrap());
    assert!(!scopes(&asked(&town, &alice.token).await).contains(&ADMIN));
    inactive(&town, &script).await;
}

#[tokio::test]
async fn an_account_that_is_locked_or_suspended_loses_no_client_its_keys() {
    let town = Town::with(linked()).await;
    let alice = town.alice().await;
    let suspended = Account { state: AccountState::Suspended, admin: false };

    for standing in [LOCKED, Standing::Open(suspended)] {
        let at = town.now().plus(1);
        town.wait(2);
        let fact = Fact::Account { user: ALICE.into(), at, standing };
        town.write_unheard(&fact).await;
        let town = town.again_with(linked()).await;
        undecided(&town, &alice.token).await;
    }
}

#[tokio::test]
async fn a_deactivated_account_is_inactive() {
    let town = Town::with(linked()).await;
    let alice = town.alice().await;

    assert!(town.service.set_standing(ALICE, Change::Deactivate).await.unwrap());

    inactive(&town, &alice.token).await;
}

#[tokio::test]
async fn a_node_that_cannot_judge_says_so() {
    let town = Town::with(linked()).await;
    let alice = town.alice().await;
    let verifier = town.verifier_with(Some(MINUTE), linked()).await;

    let form = format!("token={}", alice.token);
    verifier.operator().ask(question(SHARED, form)).await.unavailable();
    let minute = town.mint(Wanted { life: Some(MINUTE), ..Wanted::access() });
    let answer = verifier.operator().ask(question(SHARED, format!("token={minute}"))).await;
    assert_eq!(answer.good()["active"], true);
}

#[tokio::test]
async fn a_question_that_is_none_is_told_so() {
    let town = Town::with(linked()).await;
    let large = format!("token={}", "x".repeat(70_000));

    for form in ["", "tokens=x", "{\"token\":\"x\"}", &large] {
        let answer = town.operator().ask(question(SHARED, form.into())).await;
        assert_eq!(answer.status.as_u16(), 400, "{answer:?}");
    }
    town.operator().with(SHARED).get(ONE).await.is(405, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn many_tokens_are_answered_a_line_each_in_their_order() {
    let town = Town::with(linked()).await;
    let (alice, bob) = (town.alice_on("A").await, town.bob().await);
    assert!(town.service.set_standing(BOB, Change::Lock).await.unwrap());
    let guess = format!("{}x", alice.token);
    let body = [&alice.token, "", &guess, &bob.token, &alice.token].join("\n");

    let answer = homeserver(&town).call("POST", MANY, body).await;

    let lines: Vec<serde_json::Value> =
        answer.good().body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5, "{answer:?}");
    assert_eq!(lines[0], asked(&town, &alice.token).await.json);
    assert_eq!(lines[1], json!({ "active": false }));
    assert_eq!(lines[2], json!({ "active": false }));
    assert_eq!(lines[3], json!({ "error": "undecided" }));
    assert_eq!(lines[4], lines[0]);
    let too_many = homeserver(&town).call("POST", MANY, "x\n".repeat(10_001)).await;
    assert_eq!(too_many.status.as_u16(), 400);
}

fn homeserver(town: &Town) -> Client {
    town.operator().with(SHARED)
}

#[tokio::test]
async fn discovery_says_what_synapse_wants_to_read() {
    let setting = Setting { public_url: Some("https://matrix.example.com"), ..linked() };
    let named = Town::with(setting).await.operator().get(DISCOVERY).await;
    let unnamed = Town::with(linked()).await.operator().get(DISCOVERY).await;

    assert_eq!(named.good().text("issuer"), "https://matrix.example.com/");
    assert!(named.text("account_management_uri").starts_with("https://matrix.example.com/"));
    assert_eq!(unnamed.good().text("issuer"), "https://example.com/");
}

#[tokio::test]
async fn the_log_names_the_session_and_why_nobody_acts() {
    let town = Town::with(linked()).await;
    let alice = town.alice_on("NEEDLE").await;
    asked(&town, &alice.token).await.good();
    inactive(&town, &format!("{}A", alice.token)).await;

    let lines = logged(ONE);

    let session = session_of(&alice.token).to_string();
    assert!(lines.iter().any(|line| line.contains(&session)), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("status=200") && line.contains("reason=")));
}
