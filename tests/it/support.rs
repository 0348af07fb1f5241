//! A town: a node over a real store in a folder of its own, with alice and bob living in it.
//!
//! Its clock stands where it was put. Another town in the same folder is the node after a restart,
//! or a second process beside it.

mod answer;
mod client;
mod home;
mod log;
mod mint;
mod proof;
mod proxy;
mod setting;
mod synapse;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use amaretti::config::{AuditTo, Networks};
use amaretti::homeserver::Link;
use amaretti::http::{self, Behind, Face};
use amaretti::ident::ServerName;
use amaretti::revocations::{Fact, Standing};
use amaretti::secret::Secret;
use amaretti::service::{
    Audit, Following, HashCost, KeyCare, Passwords, Policy, Service, make_key,
};
use amaretti::store::{Store, StoreError};
use amaretti::time::{Clock, ManualClock, Timestamp};
use amaretti::token::{Account, AccountState};
use axum::Router;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use answer::Answer;
pub(crate) use client::Client;
pub(crate) use home::{Home, Raw};
pub(crate) use log::logged;
pub(crate) use mint::{Wanted, append, narrow, session_of};
pub(crate) use proof::*;
pub(crate) use proxy::{Asking, SECRET};
pub(crate) use setting::Setting;
pub(crate) use synapse::{SHARED, Synapse};

pub(crate) const SERVER: &str = "example.com";
pub(crate) const ALICE: &str = "@alice:example.com";
pub(crate) const BOB: &str = "@bob:example.com";
pub(crate) const ALICES_PASSWORD: &str = "wonderland";
pub(crate) const BOBS_PASSWORD: &str = "yes-we-can";

pub(crate) const VERSIONS: &str = "/_matrix/client/versions";
pub(crate) const LOGIN: &str = "/_matrix/client/v3/login";
pub(crate) const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
pub(crate) const LOGOUT: &str = "/_matrix/client/v3/logout";
pub(crate) const LOGOUT_ALL: &str = "/_matrix/client/v3/logout/all";
pub(crate) const SYNC: &str = "/_matrix/client/v3/sync";

/// When every town begins.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_millis(1_790_000_000_000);
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;

const CHEAP: HashCost = HashCost { memory_kib: 64, iterations: 1, parallelism: 1 };

/// A node and where it lives.
pub(crate) struct Town {
    home: Arc<Home>,
    keys: PathBuf,
    /// The name of the node.
    pub(crate) name: String,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    pub(crate) service: Arc<Service>,
    pub(crate) care: Arc<KeyCare>,
    following: Mutex<Option<Following>>,
    routers: Routers,
    /// The link to a homeserver, if there is one.
    pub(crate) link: Option<Arc<Link>>,
}

/// Both faces of a node.
#[derive(Clone)]
struct Routers {
    public: Router,
    internal: Router,
}

impl Routers {
    fn of(service: &Arc<Service>, setting: Setting) -> Self {
        let Setting { query_token, body_limit, patience, token_refresh, public_url, .. } = setting;
        let face = Arc::new(Face {
            service: service.clone(),
            query_token,
            token_refresh,
            public_url: public_url.map(str::to_owned),
            homeserver: setting.homeserver.map(|text| Arc::new(Secret::parse(text).unwrap())),
            trusted_proxies: Networks::parse("127.0.0.0/8,::1/128").unwrap(),
            body_limit,
            patience,
            forward_auth: setting.asking.map(Asking::settings),
            behind: setting
                .behind
                .map(|port| Behind::new(&format!("http://127.0.0.1:{port}")).unwrap()),
            latencies: http::Latencies::default(),
        });
        Self { public: http::public(face.clone()), internal: http::internal(face) }
    }
}

/// A task that is told to end when this is dropped.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn of<F>(task: impl FnOnce(watch::Receiver<bool>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: Some(tokio::spawn(task(stopped))) }
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn end(mut self) {
        self.stop.send_replace(true);
        self.task.take().unwrap().await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Town {
    /// A new town: a key was made, alice and bob were added, nobody has logged in.
    pub(crate) async fn new() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        log::listen();
        let home = Arc::new(Home::new());
        let store = open_store(&home).await.unwrap();
        make_key(&store, &home.keys(), BEGINNING).await.unwrap();
        let passwords = Passwords::new(1, CHEAP).unwrap();
        for (user, password) in [(ALICE, ALICES_PASSWORD), (BOB, BOBS_PASSWORD)] {
            let hash = passwords.hash(password).await.unwrap();
            let mut tx = store.begin().await.unwrap();
            assert!(tx.add_user(user, &hash, BEGINNING).await.unwrap());
            tx.commit().await.unwrap();
        }
        store.close().await;
        Self::open(home, Arc::new(ManualClock::at(BEGINNING)), setting).await.unwrap()
    }

    /// The same town after a restart, or a second process in the same folder.
    pub(crate) async fn again(&self) -> Self {
        self.again_with(Setting::default()).await
    }

    pub(crate) async fn again_with(&self, setting: Setting) -> Self {
        Self::open(self.home.clone(), self.clock.clone(), setting).await.unwrap()
    }

    /// The same town after a restart with the clock put to another instant.
    pub(crate) async fn again_at(&self, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        Self::open(self.home.clone(), clock, Setting::default()).await.unwrap()
    }

    /// A node in the same folder whose clock stands elsewhere, to see whether it starts.
    pub(crate) async fn starts_at(
        &self,
        now: Timestamp,
        setting: Setting,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        Self::open(self.home.clone(), Arc::new(ManualClock::at(now)), setting).await
    }

    /// Another node on the same store that bears the same name.
    pub(crate) async fn namesake(&self) -> Self {
        let (home, keys, name) = (self.home.clone(), self.keys.clone(), self.name.clone());
        Self::open_named(home, keys, name, self.clock.clone(), Setting::default()).await.unwrap()
    }

    /// Another node on the same store, with a folder of keys of its own: a copy.
    pub(crate) async fn beside(&self) -> Self {
        let name = node_name();
        let keys = self.home.path().join(&name);
        copy_keys(&self.keys, &keys);
        let (home, clock) = (self.home.clone(), self.clock.clone());
        Self::open_named(home, keys, name, clock, Setting::default()).await.unwrap()
    }

    /// Hands the keys of this node to another, as its operator does.
    pub(crate) fn hand_keys_to(&self, other: &Self) {
        copy_keys(&self.keys, &other.keys);
    }

    /// Starts a node in the folder once more, to see whether it does.
    pub(crate) async fn starts(&self) -> Result<Self, Box<dyn std::error::Error>> {
        Self::open(self.home.clone(), self.clock.clone(), Setting::default()).await
    }

    async fn open(
        home: Arc<Home>,
        clock: Arc<ManualClock>,
        setting: Setting,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let keys = home.keys();
        Self::open_named(home, keys, node_name(), clock, setting).await
    }

    async fn open_named(
        home: Arc<Home>,
        keys: PathBuf,
        name: String,
        clock: Arc<ManualClock>,
        setting: Setting,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let store = open_store(&home).await.unwrap();
        let service = Service::new(
            ServerName::parse(SERVER).unwrap(),
            Some(store.clone()),
            Passwords::new(1, CHEAP).unwrap().peppered("pepper".to_owned().into()),
            setting.policy,
            clock.clone(),
        );
        let audit = Audit::open(Some(AuditTo::File(audit_of(&home))), "node", &name).unwrap();
        let link = synapse::link(setting, &store);
        let service = Arc::new(service.audited(audit).linked(link.clone()));
        let staleness = u64::try_from(setting.max_staleness.as_millis()).unwrap();
        let care = KeyCare::new(keys.clone(), name.clone()).answering_for(staleness);
        let care = Arc::new(care);
        let following = Following::start(
            service.clone(),
            care.clone(),
            setting.max_staleness,
            setting.snapshot.map(|name| home.path().join(name)),
        );
        let following = Mutex::new(Some(following.await?));
        care.start(&service).await?;
        let routers = Routers::of(&service, setting);
        Ok(Self { home, keys, name, clock, store, service, care, following, routers, link })
    }

    /// A node beside this one that holds the same keys and has neither store nor feed.
    pub(crate) async fn verifier(&self, longest_life: Option<u64>) -> Verifier {
        self.verifier_with(longest_life, Setting::default()).await
    }

    pub(crate) async fn verifier_with(
        &self,
        longest_life: Option<u64>,
        setting: Setting,
    ) -> Verifier {
        self.verifier_holding(self.keys_folder(), longest_life, setting).await
    }

    async fn verifier_holding(
        &self,
        keys: PathBuf,
        longest_life: Option<u64>,
        setting: Setting,
    ) -> Verifier {
        let service = Arc::new(Service::new(
            ServerName::parse(SERVER).unwrap(),
            None,
            Passwords::new(1, CHEAP).unwrap(),
            Policy { no_feed_life: longest_life, ..Policy::default() },
            self.clock.clone(),
        ));
        KeyCare::new(keys, node_name()).start(&service).await.unwrap();
        Verifier { routers: Routers::of(&service, setting), _home: self.home.clone() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The internal face, to be served.
    pub(crate) fn internal(&self) -> Router {
        self.routers.internal.clone()
    }

    /// Moves the clock on.
    pub(crate) fn wait(&self, ms: u64) {
        self.clock.advance(ms);
    }

    /// The file of the snapshot that a node of this town keeps in a folder of this name.
    pub(crate) fn snapshot(&self, name: &str) -> PathBuf {
        self.home.path().join(name).join("feed.snapshot")
    }

    pub(crate) fn keys_folder(&self) -> PathBuf {
        self.keys.clone()
    }

    /// What was told on the audit stream of every node in this folder, oldest first.
    pub(crate) fn audited(&self) -> Vec<serde_json::Value> {
        let lines = std::fs::read_to_string(audit_of(&self.home)).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Opens the store of this town under a server name of one's own.
    pub(crate) async fn open_store_as(&self, server: &str) -> Result<Store, StoreError> {
        Store::open(&self.home.place(), &ServerName::parse(server).unwrap()).await
    }

    /// The database itself, for what no program of ours does to it.
    pub(crate) async fn raw_database(&self) -> Raw {
        self.home.raw().await
    }

    /// Follows the feed from now on.
    pub(crate) fn follow(&self) -> Running {
        let following = self.following.lock().unwrap().take().expect("follows once");
        Running::of(|stopped| following.run(stopped))
    }

    /// Looks after the keys from now on.
    pub(crate) fn tend_keys(&self) -> Running {
        Running::of(|stopped| self.care.clone().run(self.service.clone(), stopped))
    }

    /// Writes a fact as another process would: this node has not heard it yet.
    pub(crate) async fn write_unheard(&self, fact: &Fact) {
        let mut tx = self.store.begin().await.unwrap();
        tx.append(fact, None, &[]).unwrap();
        tx.commit().await.unwrap();
    }

    /// This town once an operator has said how an account stands.
    pub(crate) async fn after(&self, user: &str, standing: Standing) -> Self {
        let at = self.now().plus(1);
        self.write_unheard(&Fact::Account { user: user.into(), at, standing }).await;
        self.again().await
    }
}

/// A node without store and feed.
pub(crate) struct Verifier {
    routers: Routers,
    _home: Arc<Home>,
}

/// The standing of an account that is locked.
pub(crate) const LOCKED: Standing =
    Standing::Open(Account { state: AccountState::Locked, admin: false });

async fn open_store(home: &Home) -> Result<Store, StoreError> {
    Store::open(&home.place(), &ServerName::parse(SERVER).unwrap()).await
}

fn copy_keys(from: &Path, to: &Path) {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn audit_of(home: &Home) -> PathBuf {
    home.path().join("audit")
}

fn node_name() -> String {
    static NODES: AtomicU64 = AtomicU64::new(0);
    format!("node-{}", NODES.fetch_add(1, Relaxed))
}

/// Asks again and again until `done`, and gives how long that took.
///
/// For what happens in a task of its own; everything else goes by the town's clock.
pub(crate) async fn until(what: &str, done: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(10), "after ten seconds still not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}
