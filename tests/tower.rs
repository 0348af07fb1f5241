//! Rust programs that judge tokens in their own process: the layer request by request, and the
//! examples as they run.
#![cfg(test)]

#[path = "tower/example.rs"]
mod example;
#[path = "tower/tokens.rs"]
mod tokens;

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use amaretti::keyfile::{self, KeyFileError};
use amaretti::keyring::Keyring;
use amaretti::revocations::{Fact, Revocations, Standing};
use amaretti::time::ManualClock;
use amaretti::token::{Action, NoFacts};
use amaretti::tower::{Bearer, JudgeLayer};
use amaretti::verifier::Verifier;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use axum::routing::any;
use axum::{Extension, Router};
use tower::ServiceExt;

use example::Example;
use tokens::{ALICE, NOW, key, narrowed, ring, token};

const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
const DOWNLOAD: &str = "/_matrix/client/v1/media/download/hs/abc";
const PROFILE: &str = "/_matrix/client/v3/profile/@a:hs";

/// A program that says who has come in.
fn program(layer: impl FnOnce(JudgeLayer) -> JudgeLayer) -> Router {
    let verifier = Verifier::new(ring(), NoFacts).unwrap().with_clock(ManualClock::at(NOW));
    behind(layer(JudgeLayer::new(verifier.with_audience("media"))))
}

fn behind<F: amaretti::token::Facts + Send + Sync + 'static>(layer: JudgeLayer<F>) -> Router {
    let who = |bearer: Option<Bearer>| async {
        bearer.map_or_else(|| "nobody".to_owned(), |bearer| bearer.user_id)
    };
    let only = |bearer: Bearer| async { bearer.user_id };
    Router::new().route("/only", any(only)).fallback(who).layer(layer)
}

/// Status and body of an answer.
async fn told(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 4096).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn asked(program: &Router, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let request = Request::builder().method(method).uri(path);
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    told(program.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
}

async fn get(program: &Router, path: &str, token: &str) -> (u16, String) {
    asked(program, "GET", path, Some(token)).await
}

fn names(answer: (u16, String), caveat: &str) {
    let error = format!("The token's caveat `{caveat}` does not allow this");
    assert_eq!(answer, (403, format!(r#"{{"errcode":"M_FORBIDDEN","error":"{error}"}}"#)));
}

#[tokio::test]
async fn a_good_token_reaches_the_service_with_its_bearer() {
    assert_eq!(get(&program(|l| l), WHOAMI, &token()).await, (200, ALICE.to_owned()));
}

#[tokio::test]
async fn a_bearer_knows_device_session_and_label() {
    let verifier = Verifier::new(ring(), NoFacts).unwrap().with_clock(ManualClock::at(NOW));
    let told = |bearer: Bearer| async move {
        format!("{:?} {} {:?}", bearer.device_id, bearer.session, bearer.labels)
    };
    let program = Router::new().fallback(told).layer(JudgeLayer::new(verifier));

    let answer = get(&program, WHOAMI, &narrowed("label = night job")).await;

    let session = tokens::session();
    assert_eq!(answer.1, format!(r#"Some("ABCDEFGHIJ") {session} ["night job"]"#));
}

#[tokio::test]
async fn without_a_token_a_request_is_told_so() {
    let body = r#"{"errcode":"M_MISSING_TOKEN","error":"Missing access token"}"#;

    let program = program(|l| l);
    for path in [WHOAMI, DOWNLOAD, "/elsewhere"] {
        assert_eq!(asked(&program, "GET", path, None).await, (401, body.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn an_expired_token_keeps_the_client_its_keys() {
    let verifier = Verifier::new(ring(), NoFacts).unwrap();
    let later = ManualClock::at(NOW.plus(900_000));
    let program = behind(JudgeLayer::new(verifier.with_clock(later)));

    let body = r#"{"errcode":"M_UNKNOWN_TOKEN","error":"The access token has expired","soft_logout":true}"#;
    assert_eq!(get(&program, WHOAMI, &token()).await, (401, body.to_owned()));
}

#[tokio::test]
async fn a_forged_token_and_a_text_that_is_none_are_refused() {
    let program = program(|l| l);
    let soft = r#"{"errcode":"M_UNKNOWN_TOKEN","error":"Unknown access token","soft_logout":true}"#;

    assert_eq!(get(&program, WHOAMI, &tokens::forged()).await, (401, soft.to_owned()));
    let hard = soft.replace("true", "false");
    assert_eq!(get(&program, WHOAMI, "abc").await, (401, hard));
}

#[tokio::test]
async fn a_key_that_is_missing_here_is_our_fault_and_says_when_to_try_again() {
    let request = Request::get(WHOAMI)
        .header("authorization", format!("Bearer {}", tokens::by_another_key()))
        .body(Body::empty());

    let response = program(|l| l).oneshot(request.unwrap()).await.unwrap();

    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = r#"{"errcode":"M_UNKNOWN","error":"This cannot be decided here now"}"#;
    assert_eq!(told(response).await, (503, body.to_owned()));
}

#[tokio::test]
async fn a_narrowed_token_does_what_it_may_and_nothing_else() {
    let program = program(|l| l);
    let media = narrowed("action in media");

    assert_eq!(get(&program, DOWNLOAD, &media).await.0, 200);
    names(get(&program, WHOAMI, &media).await, "action");
    names(get(&program, DOWNLOAD, &narrowed("room_id in !a:hs")).await, "room_id");
    let room = "/_matrix/client/v3/rooms/!a:hs/messages";
    assert_eq!(get(&program, room, &narrowed("room_id in !a:hs")).await.0, 200);
    assert_eq!(get(&program, WHOAMI, &narrowed("audience = media")).await.0, 200);
    names(get(&program, WHOAMI, &narrowed("audience = mail")).await, "audience");
}

#[tokio::test]
async fn a_path_of_the_programs_own_has_the_action_that_the_program_says() {
    let media = narrowed("action in media");

    names(get(&program(|l| l), "/own", &media).await, "action");
    let named = program(|l| l.with_action(Action::Media));
    assert_eq!(get(&named, "/own", &media).await.0, 200);
    names(get(&named, WHOAMI, &media).await, "action");
}

#[tokio::test]
async fn an_address_counts_when_the_program_knows_it() {
    let home = narrowed("ip in 192.0.2.0/24");
    let at = |address: &'static str| {
        let address: IpAddr = address.parse().unwrap();
        program(move |layer| layer.with_address(move |_| Some(address)))
    };

    names(get(&program(|l| l), WHOAMI, &home).await, "ip");
    names(get(&at("192.0.3.1"), WHOAMI, &home).await, "ip");
    assert_eq!(get(&at("192.0.2.1"), WHOAMI, &home).await.0, 200);
}

#[tokio::test]
async fn where_no_token_is_needed_none_is_asked_for() {
    let program = program(|l| l);
    let nobody = (200, "nobody".to_owned());

    assert_eq!(asked(&program, "OPTIONS", WHOAMI, None).await, nobody);
    assert_eq!(asked(&program, "POST", "/_matrix/client/v3/login", Some("abc")).await, nobody);
    assert_eq!(asked(&program, "GET", PROFILE, None).await, nobody);
}

#[tokio::test]
async fn a_bad_token_is_refused_where_none_would_do() {
    let program = program(|l| l);

    assert_eq!(get(&program, PROFILE, &token()).await.1, ALICE);
    assert_eq!(get(&program, PROFILE, &tokens::forged()).await.0, 401);
}

#[tokio::test]
async fn two_headers_or_another_scheme_are_no_token() {
    let with = |values: &[&str]| {
        let request = Request::get(WHOAMI);
        let request = values.iter().fold(request, |r, value| r.header("authorization", *value));
        request.body(Body::empty()).unwrap()
    };
    let good = format!("bearer   {}", token());
    for (values, status) in
        [(vec![good.as_str()], 200), (vec![&good, &good], 401), (vec!["Basic YTpi"], 401)]
    {
        let response = program(|l| l).oneshot(with(&values)).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{values:?}");
    }
}

#[tokio::test]
async fn a_path_that_others_could_read_otherwise_goes_no_further() {
    let path = "/_matrix/client/v3/rooms/!a:hs/../!b:hs/messages";

    assert_eq!(get(&program(|l| l), path, &token()).await.0, 400);
}

#[tokio::test]
async fn a_program_that_hears_of_logouts_and_locks_acts_on_them() {
    let facts = Arc::new(Revocations::default());
    let verifier = Verifier::new(ring(), facts.clone()).unwrap();
    let program = behind(JudgeLayer::new(verifier.with_clock(ManualClock::at(NOW))));
    assert_eq!(get(&program, WHOAMI, &token()).await.0, 200);

    let account = amaretti::token::Account {
        state: amaretti::token::AccountState::Locked,
        ..Default::default()
    };
    let standing = Standing::Open(account);
    facts.append(&Fact::Account { user: ALICE.into(), at: NOW, standing });
    let locked = get(&program, WHOAMI, &token()).await;
    assert!(locked.0 == 401 && locked.1.contains("M_USER_LOCKED"), "{locked:?}");
    let logout = asked(&program, "POST", "/_matrix/client/v3/logout", Some(&token())).await;
    assert_eq!(logout.0, 200);

    facts.append(&Fact::User { user: ALICE.into(), from: NOW.plus(1), exempt: None });
    let ended = get(&program, WHOAMI, &token()).await;
    assert!(ended.0 == 401 && ended.1.contains(r#""soft_logout":false"#), "{ended:?}");
}

#[tokio::test]
async fn a_handler_that_wants_a_bearer_gets_one_or_says_why_not() {
    assert_eq!(get(&program(|l| l), "/only", &token()).await, (200, ALICE.to_owned()));
    let optional = Router::new().route(PROFILE, any(|b: Bearer| async { b.user_id }));
    let verifier = Verifier::new(ring(), NoFacts).unwrap();
    let optional = optional.layer(JudgeLayer::new(verifier));
    assert_eq!(asked(&optional, "GET", PROFILE, None).await.0, 401);

    let bare = Router::new().fallback(|bearer: Bearer| async { bearer.user_id });
    assert_eq!(get(&bare, WHOAMI, &token()).await.0, 500);
}

#[tokio::test]
async fn a_bearer_that_stands_among_the_extensions_was_put_there_by_the_layer() {
    let told = |bearer: Option<Extension<Bearer>>| async move {
        bearer.map_or_else(|| "nobody".to_owned(), |bearer| bearer.user_id.clone())
    };
    let verifier = Verifier::new(ring(), NoFacts).unwrap().with_clock(ManualClock::at(NOW));
    let program = Router::new().fallback(told).layer(JudgeLayer::new(verifier));

    assert_eq!(get(&program, WHOAMI, &token()).await.1, ALICE);
    assert_eq!(asked(&program, "GET", PROFILE, None).await.1, "nobody");
}

#[test]
fn a_folder_without_a_key_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();

    for path in [folder.path().to_owned(), folder.path().join("missing")] {
        let error = keyfile::ring(&path).err().unwrap();
        assert!(matches!(error, KeyFileError::Empty { .. }), "{error}");
        assert!(error.to_string().contains("amaretti keys export"), "{error}");
    }
    assert!(Verifier::new(Keyring::default(), NoFacts).is_err());
}

#[test]
fn an_exported_subkey_is_read_into_a_ring() {
    let folder = tokens::exported();

    assert_eq!(keyfile::ring(folder.path()).unwrap().ids(), [key().id()]);
}

#[test]
fn the_examples_are_under_40_lines() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 40, "{}: {lines} lines", path.display());
        files += 1;
    }
    assert_eq!(files, 2);
}

#[test]
fn the_media_store_lets_in_whom_it_should() {
    let store = Example::start("axum_media");
    let upload = "/_matrix/media/v3/upload";

    let put = store.ask("POST", upload, Some(&tokens::lasting(&["audience = media"])), "a cat");
    assert_eq!(put.0, 200, "{put:?}");
    assert!(put.1.contains("mxc://media.example/0--alice-example.com"), "{put:?}");

    let path = "/_matrix/client/v1/media/download/media.example/0--alice-example.com";
    let got = store.ask("GET", path, Some(&tokens::lasting(&["ip in 127.0.0.1"])), "");
    assert_eq!(got, (200, "a cat".to_owned()));

    assert_eq!(store.ask("GET", path, None, "").0, 401);
    names(store.ask("GET", path, Some(&tokens::lasting(&["action in read"])), ""), "action");
    names(store.ask("GET", path, Some(&tokens::lasting(&["ip in 192.0.2.1"])), ""), "ip");
    let expired = store.ask("GET", path, Some(&token()), "");
    assert!(expired.0 == 401 && expired.1.contains("soft_logout\":true"), "{expired:?}");
    assert_eq!(store.ask("GET", path, Some(&tokens::by_another_key()), "").0, 503);
}

#[test]
fn the_greeter_greets_whom_it_should() {
    let greeter = Example::start("hyper_greeter");

    let greeted = greeter.ask("GET", "/hello", Some(&tokens::lasting(&["action in media"])), "");
    assert_eq!(greeted, (200, format!("hello {ALICE}\n")));
    assert_eq!(greeter.ask("GET", "/hello", None, "").0, 401);
    names(greeter.ask("GET", "/hello", Some(&tokens::lasting(&["action in read"])), ""), "action");
    assert_eq!(greeter.ask("GET", PROFILE, None, "").1, "hello stranger\n");
}

#[test]
fn an_example_does_not_start_without_a_key() {
    for name in ["axum_media", "hyper_greeter"] {
        let folder = tempfile::tempdir().unwrap();
        let error = example::fails(name, folder.path());
        assert!(error.contains("Empty"), "{name}: {error}");
    }
}
