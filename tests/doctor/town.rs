//! An installation of one machine: a store and keys that are real, and a node, a Synapse and a proxy
//! that answer as the real ones were seen to, unless a test has them answer otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use amaretti::config::Config;
use amaretti::doctor::{Finding, Installation};
use amaretti::service::make_key;
use amaretti::store::{Node, Place, Store};
use amaretti::time::{Clock, ManualClock, SystemClock};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

type Said = Arc<Mutex<BTreeMap<String, (u16, String)>>>;

pub(crate) struct Town {
    folder: TempDir,
    settings: BTreeMap<String, String>,
    pub(crate) clock: ManualClock,
    pub(crate) url: Option<String>,
    said: Said,
}

impl Town {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let said = Said::default();
        let [node, synapse, proxy] = ["node", "synapse", "proxy"].map(|who| start(who, &said));
        let (node, synapse, proxy) = (node.await, synapse.await, proxy.await);
        let internal = start("node", &said).await;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let settings = [
            ("server_name", "example.com".to_owned()),
            ("data", path("data")),
            ("keys", path("keys")),
            ("listen", node),
            ("internal", internal.clone()),
            ("homeserver.kind", "synapse".to_owned()),
            ("homeserver.url", format!("http://{synapse}")),
            ("homeserver.secret_file", path("secret")),
        ];
        let settings = settings.map(|(key, value)| (key.to_owned(), value)).into();
        let url = Some(format!("http://{proxy}"));
        let clock = ManualClock::at(SystemClock::default().now());
        said.lock().unwrap().insert("url".to_owned(), (0, url.clone().unwrap()));
        let town = Self { folder, settings, clock, url, said };
        town.write("secret", SECRET);
        town.write(
            "homeserver.yaml",
            &format!(
                "server_name: example.com\ndatabase: {{name: sqlite3, args: {{database: a.db}}}}\n\
                 matrix_authentication_service:\n  enabled: true\n  endpoint: http://{internal}/\n  \
                 secret_path: {}\nlisteners:\n  - port: 8008\n    x_forwarded: true\n    \
                 resources: [{{names: [client]}}]\n",
                town.path("secret").display()
            ),
        );
        town.settle().await;
        town
    }

    /// A store, a key, and a node that has just been heard of.
    async fn settle(&self) {
        let config = self.config();
        let (place, now) = (Place::Folder(config.data.clone()), self.clock.now());
        let store = Store::open(&place, &config.server_name).await.unwrap();
        let (key, _) = make_key(&store, &config.keys, now).await.unwrap();
        let node = Node {
            name: "web1".to_owned(),
            run: "run".to_owned(),
            seen_at: now,
            answers_until: now.plus(300_000),
            keys: vec![key],
            excused: Vec::new(),
        };
        store.heartbeat(&node).await.unwrap();
        store.close().await;
    }

    fn config(&self) -> Config {
        let line = |(key, value): (&String, &String)| format!("{key} = \"{value}\"\n");
        let text: String = self.settings.iter().map(line).collect();
        Config::parse(&text).unwrap()
    }

    pub(crate) async fn examined(&self) -> Vec<Finding> {
        let config = self.config();
        let installation = Installation {
            config: &config,
            place: Place::Folder(config.data.clone()),
            homeserver_yaml: Some(&self.path("homeserver.yaml")),
            url: self.url.as_deref(),
            clock: &self.clock,
        };
        installation.examine().await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.settings.insert(key.to_owned(), value.to_owned());
    }

    /// Somebody answers otherwise from now on: at a path, with a method, or to a header.
    pub(crate) fn says(&self, where_: &str, status: u16, body: &str) {
        self.said.lock().unwrap().insert(where_.to_owned(), (status, body.to_owned()));
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn yaml(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("homeserver.yaml")).unwrap();
        assert!(text.contains(from), "{from} is not in\n{text}");
        self.write("homeserver.yaml", &text.replacen(from, to, 1));
    }

    pub(crate) fn open_data(&self) {
        fs::set_permissions(self.path("data"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn take_keys_away(&self) {
        fs::remove_dir_all(self.path("keys")).unwrap();
    }

    pub(crate) fn open_key(&self) {
        let mut files = fs::read_dir(self.path("keys")).unwrap().map(|entry| entry.unwrap().path());
        let key = files.find(|path| path.extension().is_some_and(|e| e == "key")).unwrap();
        fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    }
}

async fn start(who: &'static str, said: &Said) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let said = said.clone();
    let router = Router::new().fallback(move |request: Request| {
        let answer = answer(who, &said, &request);
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn answer(who: &str, said: &Said, request: &Request) -> Response<Body> {
    let said = said.lock().unwrap();
    let headers = ["x-original-uri", "x-forwarded-uri"].into_iter();
    let mut about: Vec<_> = headers.filter(|name| request.headers().contains_key(*name)).collect();
    about.extend([request.method().as_str(), request.uri().path()]);
    let told = about.iter().find_map(|what| said.get(&format!("{who} {what}")).cloned());
    let usual = || {
        let url = said.get("url").map_or("", |(_, url)| url.as_str());
        usual(who, request.method().as_str(), request.uri().path(), url)
    };
    let (status, body) = told.unwrap_or_else(usual);
    let response = Response::builder().status(status).header("content-type", "application/json");
    let open = if status == 200 { "*" } else { "null" };
    response.header("access-control-allow-origin", open).body(Body::from(body)).unwrap()
}

/// Status and body where no test wants them otherwise.
fn usual(who: &str, method: &str, path: &str, url: &str) -> (u16, String) {
    let error = |status, errcode: &str, error: &str| {
        (status, format!(r#"{{"errcode":"{errcode}","error":"{error}"}}"#))
    };
    let path = path.strip_prefix("/_matrix/client/v3/").unwrap_or(path);
    match (who, method, path) {
        (_, "OPTIONS", _) => (200, String::new()),
        ("node", _, "/health/live") => {
            (200, format!(r#"{{"status":"ok","version":"{}"}}"#, env!("CARGO_PKG_VERSION")))
        }
        ("node", _, "/health/ready" | "/health/issue") => (200, r#"{"status":"ok"}"#.to_owned()),
        ("node", _, "/_matrix/client/versions") => (200, r#"{"versions":["v1.11"]}"#.to_owned()),
        (_, _, "/_matrix/client/versions") => (200, r#"{"versions":["v1.12"]}"#.to_owned()),
        ("synapse", _, "/_matrix/federation/v1/version") => {
            (200, r#"{"server":{"name":"Synapse","version":"1.163.2"}}"#.to_owned())
        }
        ("synapse", _, "/_synapse/mas/query_user") => error(404, "M_NOT_FOUND", "User not found"),
        ("synapse", _, "account/whoami") => error(401, "M_UNKNOWN_TOKEN", "Token is not active"),
        ("synapse" | "proxy", _, "register") => error(401, "M_UNKNOWN_TOKEN", "no such service"),
        ("node" | "proxy", "GET", "login") => {
            (200, r#"{"flows":[{"type":"m.login.password"}]}"#.to_owned())
        }
        ("node" | "proxy", _, "capabilities" | "account/whoami") => {
            error(401, "M_UNKNOWN_TOKEN", "Unrecognised access token")
        }
        ("proxy", _, "/.well-known/matrix/client") => {
            (200, format!(r#"{{"m.homeserver":{{"base_url":"{url}"}}}}"#))
        }
        _ => error(404, "M_UNRECOGNIZED", "Unrecognized request"),
    }
}
