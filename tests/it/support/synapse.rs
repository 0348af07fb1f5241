//! What stands in for Synapse: its `/_synapse/mas` over a socket, with users and devices of its own.
//!
//! It answers as Synapse was seen to answer. What the real one does is for a suite to show.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use amaretti::homeserver::{self, Link};
use amaretti::ident::ServerName;
use amaretti::secret::Secret;
use amaretti::store::Store;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{SERVER, Setting};

pub(crate) const SHARED: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// The link of a town to the Synapse of its setting.
pub(super) fn link(setting: Setting, store: &Store) -> Option<Arc<Link>> {
    let secret = Arc::new(Secret::parse(SHARED).ok().unwrap());
    let synapse =
        homeserver::Synapse::new(&format!("http://{}", setting.synapse?), secret).unwrap();
    Some(Link::new(synapse, store.clone(), ServerName::parse(SERVER).unwrap()))
}

#[derive(Clone, Default)]
pub(crate) struct Account {
    pub(crate) deactivated: bool,
    /// Ids and display names.
    pub(crate) devices: BTreeMap<String, Option<String>>,
}

#[derive(Default)]
struct Inside {
    users: BTreeMap<String, Account>,
    /// What was asked, in order.
    calls: Vec<String>,
    /// Calls that are answered with this status.
    failing: BTreeSet<String>,
    /// Calls that wait until the gate is open.
    waiting: BTreeSet<String>,
}

/// A Synapse of the test's own.
#[derive(Clone)]
pub(crate) struct Synapse {
    inside: Arc<Mutex<Inside>>,
    gate: watch::Sender<bool>,
    pub(crate) address: SocketAddr,
}

impl Synapse {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let synapse = Self { inside: Arc::default(), gate: watch::channel(false).0, address };
        let router = Router::new()
            .route("/_synapse/mas/{call}", axum::routing::any(answer))
            .with_state(synapse.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        synapse
    }

    /// The setting of a town that stands before this Synapse.
    pub(crate) fn setting(&self) -> Setting {
        Setting { homeserver: Some(SHARED), synapse: Some(self.address), ..Setting::default() }
    }

    pub(crate) fn has(&self, localpart: &str) {
        self.inside.lock().unwrap().users.insert(localpart.to_owned(), Account::default());
    }

    pub(crate) fn deactivate(&self, localpart: &str) {
        let mut inside = self.inside.lock().unwrap();
        inside.users.entry(localpart.to_owned()).or_default().deactivated = true;
    }

    pub(crate) fn account(&self, localpart: &str) -> Option<Account> {
        self.inside.lock().unwrap().users.get(localpart).cloned()
    }

    pub(crate) fn devices(&self, localpart: &str) -> Vec<String> {
        let account = self.account(localpart).unwrap_or_default();
        account.devices.into_keys().collect()
    }

    /// What was asked since this was asked last.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inside.lock().unwrap().calls)
    }

    /// From now on these calls fail.
    pub(crate) fn fails_at(&self, calls: &[&str]) {
        self.inside.lock().unwrap().failing = calls.iter().map(|call| (*call).into()).collect();
    }

    /// From now on these calls wait, until [`Self::goes_on`].
    pub(crate) fn hangs_at(&self, calls: &[&str]) {
        self.gate.send_replace(false);
        self.inside.lock().unwrap().waiting = calls.iter().map(|call| (*call).into()).collect();
    }

    pub(crate) fn goes_on(&self) {
        self.inside.lock().unwrap().waiting.clear();
        self.gate.send_replace(true);
    }
}

async fn answer(
    State(synapse): State<Synapse>,
    Path(call): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: String,
) -> Response {
    if headers["authorization"] != format!("Bearer {SHARED}") {
        return error(403, "M_UNKNOWN");
    }
    let (fails, waits) = {
        let mut inside = synapse.inside.lock().unwrap();
        inside.calls.push(call.clone());
        (inside.failing.contains(&call), inside.waiting.contains(&call))
    };
    if fails {
        return error(500, "M_UNKNOWN");
    }
    if waits {
        let mut gate = synapse.gate.subscribe();
        drop(gate.wait_for(|open| *open).await.map(|_| ()));
    }
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let asked = query.unwrap_or_default().replace("localpart=", "").replace("%2D", "-");
    let name = body["localpart"].as_str().unwrap_or(&asked).replace("%5F", "_");
    let mut inside = synapse.inside.lock().unwrap();
    act(&mut inside.users, &call, &name, &body)
}

fn act(users: &mut BTreeMap<String, Account>, call: &str, name: &str, body: &Value) -> Response {
    let known = users.get_mut(name);
    match (call, known) {
        ("is_localpart_available", Some(_)) => error(400, "M_USER_IN_USE"),
        ("is_localpart_available", None) if name.starts_with("_") => {
            error(400, "M_INVALID_USERNAME")
        }
        ("is_localpart_available", None) if name.starts_with("bridge-") => {
            error(400, "M_EXCLUSIVE")
        }
        ("is_localpart_available", None) => done(200),
        ("provision_user", Some(_)) => done(200),
        ("provision_user", None) => {
            users.insert(name.to_owned(), Account::default());
            done(201)
        }
        (_, None) => error(404, "M_NOT_FOUND"),
        ("query_user", Some(account)) => {
            Json(json!({ "is_deactivated": account.deactivated, "is_suspended": false }))
                .into_response()
        }
        (call, Some(account)) => change(account, call, body),
    }
}

fn change(account: &mut Account, call: &str, body: &Value) -> Response {
    let device = body["device_id"].as_str().unwrap_or_default().to_owned();
    match call {
        "upsert_device" => {
            let name = body["display_name"].as_str().map(str::to_owned);
            let known = account.devices.entry(device).or_default();
            *known = name.or(known.take());
            done(201)
        }
        "delete_device" => {
            account.devices.remove(&device);
            StatusCode::NO_CONTENT.into_response()
        }
        "sync_devices" => {
            let ids = body["devices"].as_array().unwrap();
            let ids: Vec<_> = ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
            account.devices.retain(|id, _| ids.contains(id));
            for id in ids {
                account.devices.entry(id).or_default();
            }
            done(200)
        }
        "delete_user" => {
            assert_eq!(body["erase"], false);
            account.deactivated = true;
            account.devices.clear();
            done(200)
        }
        "reactivate_user" => {
            account.deactivated = false;
            done(200)
        }
        _ => error(404, "M_UNRECOGNIZED"),
    }
}

fn done(status: u16) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({}))).into_response()
}

fn error(status: u16, errcode: &str) -> Response {
    let body = json!({ "errcode": errcode, "error": "words" });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}
