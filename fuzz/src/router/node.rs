//! A node over a real store in a folder of its own, with a clock that stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use amaretti::config::{Networks, Registration};
use amaretti::http::{self, Face};
use amaretti::ident::ServerName;
use amaretti::service::{Following, HashCost, KeyCare, Passwords, Policy, Service, make_key};
use amaretti::store::{Place, RegistrationToken, Store};
use amaretti::time::{Clock, ManualClock, Timestamp};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use super::Answer;
use super::words::{PASSWORD, REGISTRATION_TOKEN, Words};

const CHEAP: HashCost = HashCost { memory_kib: 8, iterations: 1, parallelism: 1 };

/// Both faces of a node, and what they stand on.
pub(super) struct Node {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    store: Store,
    /// The hash of everybody's password.
    hash: String,
    public: Router,
    internal: Router,
    _folder: TempDir,
}

impl Node {
    pub(super) fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_790_000_000_000)));
        let (service, store) = runtime.block_on(service(&folder, clock.clone()));
        let hash = runtime
            .block_on(async { Passwords::new(1, CHEAP).unwrap().hash(PASSWORD).await.unwrap() });
        let face = Arc::new(Face {
            service,
            query_token: true,
            token_refresh: true,
            public_url: Some("https://matrix.example.com".to_owned()),
            homeserver: None,
            trusted_proxies: Networks::parse("127.0.0.0/8,::1/128").unwrap(),
            body_limit: 64 * 1024,
            patience: Duration::from_secs(30),
            forward_auth: None,
            behind: None,
            latencies: http::Latencies::default(),
        });
        let (public, internal) = (http::public(face.clone()), http::internal(face));
        Self { runtime, clock, store, hash, public, internal, _folder: folder }
    }

    pub(super) fn wait(&self, ms: u64) {
        self.clock.advance(ms);
    }

    /// Somebody new, who is logged in and renews. What others did before does not matter then.
    pub(super) fn newcomer(&self) -> Words {
        static NEWCOMERS: AtomicU64 = AtomicU64::new(0);
        let number = NEWCOMERS.fetch_add(1, Relaxed);
        let user = format!("@u{number}:example.com");
        self.runtime.block_on(async {
            let mut tx = self.store.begin().await.unwrap();
            assert!(tx.add_user(&user, &self.hash, self.clock.now()).await.unwrap());
            tx.commit().await.unwrap();
        });
        let login = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": user },
            "password": PASSWORD,
            "refresh_token": true,
        });
        let request = Request::post("/_matrix/client/v3/login").body(login.to_string().into());
        let answer = self.ask_public(request.unwrap());
        assert!(answer.status.is_success(), "no login: {} {}", answer.status, answer.body);
        let mut words = Words::new(format!("n{number}"));
        words.learn(&answer.json);
        words
    }

    pub(super) fn ask_public(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(ask(&self.public, request))
    }

    pub(super) fn ask_internal(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(ask(&self.internal, request))
    }
}

/// A service that everybody may register at, and its store.
async fn service(folder: &TempDir, clock: Arc<ManualClock>) -> (Arc<Service>, Store) {
    let server = ServerName::parse("example.com").unwrap();
    let store = Store::open(&Place::Folder(folder.path().join("data")), &server).await.unwrap();
    let keys = folder.path().join("keys");
    make_key(&store, &keys, clock.now()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let token = REGISTRATION_TOKEN.to_owned();
    let token = RegistrationToken { token, uses_left: None, used: 0, expires_at: None };
    assert!(tx.add_registration_token(&token, clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    let policy = Policy {
        registration: Registration::Open,
        guests: true,
        refresh_life: 50 * 60_000,
        ..Policy::default()
    };
    let passwords = Passwords::new(1, CHEAP).unwrap();
    let service = Arc::new(Service::new(server, Some(store.clone()), passwords, policy, clock));
    let care = Arc::new(KeyCare::new(keys, "node".to_owned()));
    let heard =
        Following::start(service.clone(), care.clone(), Duration::from_secs(300), None).await;
    // Nobody else writes to this store, so there is nothing more to follow.
    drop(heard.unwrap());
    care.start(&service).await.unwrap();
    (service, store)
}

async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = match router.clone().oneshot(request).await {
        Ok(response) => response.into_parts(),
        Err(never) => match never {},
    };
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).expect("an answer is UTF-8");
    let json = serde_json::from_str(&body).unwrap_or_default();
    Answer { status: parts.status, headers: parts.headers, body, json }
}
