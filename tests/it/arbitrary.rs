//! Whatever anybody sends, it is never our fault, and what is refused says so in JSON.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::support::{Client, Town, narrow};

/// What somebody sends.
#[derive(Clone, Debug)]
struct Sent {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

fn methods() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec!["GET", "POST"]).prop_map(String::from),
        2 => prop::sample::select(vec!["PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"])
            .prop_map(String::from),
        1 => "[A-Z]{1,12}",
    ]
}

fn paths() -> impl Strategy<Value = String> {
    let served = prop::sample::select(vec![
        "login",
        "account/whoami",
        "logout",
        "logout/all",
        "sync",
        "versions",
        "refresh",
    ]);
    let version = prop::sample::select(vec!["v3/", "r0/", "v1/", ""]);
    let query = prop_oneof![
        3 => Just(String::new()),
        1 => r"\?[!-~&&[^#<>`\\{}|^]]{0,40}",
        1 => r"\?access_token=[A-Za-z0-9%_+-]{0,40}",
    ];
    prop_oneof![
        6 => (version, served, query).prop_map(|(v, s, q)| format!("/_matrix/client/{v}{s}{q}")),
        1 => r"/_matrix/client/(v3|r0)/[!-~&&[^#<>`\\{}|^?]]{0,60}",
        1 => r"/[!-~&&[^#<>`\\{}|^]]{0,80}",
    ]
}

/// Texts that stand where tokens do, ours among them.
fn tokens(good: Vec<String>) -> impl Strategy<Value = String> {
    let ours = prop::sample::select(good);
    prop_oneof![
        2 => ours.clone(),
        2 => (ours.clone(), any::<prop::sample::Index>(), "[ -~]{0,3}").prop_map(|(mut text, at, with)| {
            let at = at.index(text.len());
            text.replace_range(at..(at + 1).min(text.len()), &with);
            text
        }),
        1 => (ours, any::<prop::sample::Index>()).prop_map(|(mut text, at)| {
            text.truncate(at.index(text.len()));
            text
        }),
        1 => "(mma|mmr|mml|mmi|syt|mct|mmx)_[A-Za-z0-9_-]{0,200}",
        1 => "[ -~]{0,40}",
    ]
}

fn headers(good: Vec<String>) -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let bearer = tokens(good).prop_map(|t| ("authorization".into(), format!("Bearer {t}").into()));
    let value =
        || prop::collection::vec(prop_oneof![Just(b'\t'), b' '..0x7f, 0x80..=0xff_u8], 0..40);
    let names = vec![
        "authorization",
        "content-type",
        "content-length",
        "transfer-encoding",
        "forwarded",
        "x-forwarded-for",
        "origin",
        "host",
        "accept",
        "expect",
        "cookie",
        "x-http-method-override",
    ];
    let other = (prop::sample::select(names), value()).prop_map(|(n, v)| (n.to_owned(), v));
    (prop::option::weighted(0.7, bearer), prop::collection::vec(other, 0..3))
        .prop_map(|(bearer, others)| bearer.into_iter().chain(others).collect())
}

fn values(good: Vec<String>) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<String>().prop_map(|s| json!(s)),
        prop::sample::select(vec![
            "alice",
            "m.id.user",
            "m.login.token",
            "m.id.thirdparty",
            "PHONE"
        ])
        .prop_map(|s| json!(s)),
        tokens(good).prop_map(|t| json!(t)),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let key = prop::sample::select(vec!["type", "user", "address", "x"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|v| json!(v)),
            prop::collection::vec((key, inner), 0..3).prop_map(|pairs| {
                let pairs = pairs.into_iter().map(|(key, value)| (key.to_owned(), value));
                serde_json::Value::Object(pairs.collect())
            }),
        ]
    })
}

fn bodies(good: Vec<String>) -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(vec!["m.login.password", "m.login.token", "m.login.dummy"]);
    let keys = prop::sample::select(vec![
        "type",
        "identifier",
        "user",
        "password",
        "token",
        "device_id",
        "txn_id",
        "initial_device_display_name",
        "refresh_token",
        "address",
        "medium",
    ]);
    let login =
        (kinds, prop::collection::vec((keys, values(good)), 0..6)).prop_map(|(kind, more)| {
            let mut body = json!({ "type": kind });
            body.as_object_mut().unwrap().extend(more.into_iter().map(|(k, v)| (k.to_owned(), v)));
            body.to_string().into_bytes()
        });
    prop_oneof![
        6 => login,
        1 => Just(Vec::new()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (0_usize..100_000).prop_map(|length| vec![b'['; length]),
    ]
}

fn sent(good: &[String]) -> impl Strategy<Value = Sent> {
    (methods(), paths(), headers(good.to_vec()), bodies(good.to_vec()))
        .prop_map(|(method, path, headers, body)| Sent { method, path, headers, body })
}

/// Asks, and holds the answer to the law; what cannot even be a request is passed over.
async fn check(nobody: &Client, sent: &Sent) -> Result<(), TestCaseError> {
    let mut request = Request::builder().method(sent.method.as_str()).uri(&sent.path);
    for (name, value) in &sent.headers {
        let value =
            HeaderValue::from_bytes(value).map_err(|e| TestCaseError::reject(e.to_string()))?;
        request = request.header(name, value);
    }
    let request = request.body(Body::from(sent.body.clone()));
    let request = request.map_err(|e| TestCaseError::reject(e.to_string()))?;
    let answer = nobody.ask(request).await;
    prop_assert!(!answer.status.is_server_error(), "{answer:?}");
    if answer.status.is_client_error() && sent.method != "HEAD" {
        prop_assert_eq!(answer.header("content-type"), Some("application/json"), "{:?}", answer);
        prop_assert!(answer.errcode().starts_with("M_"), "{answer:?}");
        prop_assert!(!answer.text("error").is_empty(), "{answer:?}");
    }
    Ok(())
}

#[test]
fn nothing_that_is_sent_is_ever_our_fault() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (nobody, good, _town) = runtime.block_on(async {
        let town = Town::new().await;
        let (access, login) = (town.alice().await.token, town.login_token());
        let narrowed = narrow(&access, "action in identify");
        (town.anonymous(), [access, login, narrowed], town)
    });
    let config = Config { cases: 1000, failure_persistence: None, ..Config::default() };

    let law = |sent: Sent| runtime.block_on(check(&nobody, &sent));

    TestRunner::new(config).run(&sent(&good), law).unwrap_or_else(|error| panic!("{error}"));
}
