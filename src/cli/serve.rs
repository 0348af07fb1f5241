//! `amaretti serve`: puts a node together, runs it, and stops it gracefully.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::outcome::note;
use super::{Done, Place, Trouble, linked, open_store, passwords, place_of, say};
use crate::config::{Address, Config, Foreign, HomeserverKind, LogFormat};
use crate::homeserver::Link;
use crate::http::{self, Behind, Face, ForwardAuth, Listener};
use crate::keyfile::{self, KeyFile};
use crate::secret::Secret;
use crate::service::{Audit, Event, Following, KeyCare, Limits, Policy, Service, make_key};
use crate::store::{Store, StoreError};
use crate::time::{Clock, SystemClock};

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti serve
  amaretti serve --server-name example.com --listen 127.0.0.1:8009 --data /var/lib/amaretti
  amaretti serve --verify-only --keys exported
  amaretti serve --no-feed --keys exported --listen 127.0.0.1:8019 --internal 127.0.0.1:8020")]
pub(super) struct Serve {
    /// Address for clients [default: 127.0.0.1:8009]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Address for proxies and operators alone [default: 127.0.0.1:8010]
    #[arg(long, value_name = "ADDR")]
    internal: Option<Address>,
    /// Verify only, by access subkeys and a database role that reads the feed
    #[arg(long, conflicts_with = "no_feed")]
    verify_only: bool,
    /// Verify only, from the keys alone: no database, and no logout is heard of
    #[arg(long)]
    no_feed: bool,
    #[command(flatten)]
    place: Place,
}

/// A node, put together.
struct Node {
    service: Arc<Service>,
    care: Arc<KeyCare>,
    following: Option<Following>,
    /// What the homeserver behind proves itself by.
    secret: Option<Arc<Secret>>,
    link: Option<Arc<Link>>,
}

impl Serve {
    pub(super) fn run(self) -> Done {
        let config = self.place.resolve(self.listen, self.internal.clone())?;
        logs(&config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.serve(config))
    }

    async fn serve(self, config: Config) -> Done {
        // What can fail without leaving anything behind comes first.
        let signals = Signals::new()?;
        let public = bind(&Address::Tcp(config.listen), "--listen").await?;
        let internal = bind(&config.internal, "--internal").await?;
        let (listen, health) = (public.address()?, internal.address()?);
        let name = node_name(&config, &listen);
        let audit = Audit::open(config.audit.clone(), "node", &name)?;
        let (node, first_run) = if self.no_feed {
            (verifier(&config, name, audit).await?, false)
        } else if self.verify_only {
            (follower(&config, name, audit).await?, false)
        } else {
            issuer(&config, name, audit).await?
        };
        if first_run {
            say(&welcome(&config, &listen)?)?;
        }
        tracing::info!(%listen, internal = %health, server = %config.server_name, "serving");
        node.run(&config, public, internal, signals).await?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// A node with a store. On the very first run, with a database of its own, it makes its key, which
/// the answer tells; of many nodes on one database each would make another.
async fn issuer(config: &Config, name: String, audit: Audit) -> Result<(Node, bool), Trouble> {
    let secret = linked::secret(config)?;
    let files = keyfile::read_folder(&config.keys)?;
    let store = store_or_later(config, &files).await?;
    let clock = Arc::new(SystemClock::default());
    let alone = config.database.is_none();
    let first_run = alone && files.is_empty() && !store.read().await?.has_had_key().await?;
    if first_run {
        let (key, _) = make_key(&store, &config.keys, clock.now()).await?;
        audit.tell(clock.now(), &Event::KeyMade { key });
    }
    let link = linked::link(config, &store, secret.clone())?;
    let server = config.server_name.clone();
    let service = Service::new(server, Some(store), passwords(config)?, policy(config), clock);
    let service = Arc::new(service.audited(audit).linked(link.clone()));
    let (care, following) = following(config, name, &service).await?;
    Ok((Node { service, care, following: Some(following), secret, link }, first_run))
}

/// A node that follows the feed of others, and neither mints nor ends anything.
async fn follower(config: &Config, name: String, audit: Audit) -> Result<Node, Trouble> {
    if config.database.is_none() {
        return Err(Trouble::new(
            "--verify-only wants a PostgreSQL database, in which its role has few rights: see \
             docs/verify-only.sql; without a database there is --no-feed",
        ));
    }
    let secret = linked::secret(config)?;
    let files = keyfile::read_folder(&config.keys)?;
    let store = store_or_later(config, &files).await?.for_verifying();
    let (server, clock) = (config.server_name.clone(), Arc::new(SystemClock::default()));
    let service = Service::new(server, Some(store), passwords(config)?, policy(config), clock);
    let service = Arc::new(service.audited(audit));
    let (care, following) = following(config, name, &service).await?;
    Ok(Node { service, care, following: Some(following), secret, link: None })
}

/// What looks after the keys of a node and what follows the feed for it, once all of it is read.
async fn following(
    config: &Config,
    name: String,
    service: &Arc<Service>,
) -> Result<(Arc<KeyCare>, Following), Trouble> {
    let care = KeyCare::new(config.keys.clone(), name);
    let care = Arc::new(care.answering_for(config.max_staleness.get()));
    let (staleness, folder) = (config.max_staleness.duration(), Some(config.data.clone()));
    let following = Following::start(service.clone(), care.clone(), staleness, folder).await?;
    care.start(service).await?;
    Ok((care, following))
}

/// The store; one that is away is asked later by a node that has its keys, and knows by them which
/// store it has to be. Without a snapshot it does not come to that: then its start fails.
async fn store_or_later(config: &Config, files: &[KeyFile]) -> Result<Store, Trouble> {
    let opened = open_store(config).await;
    let away = match &opened {
        Err(StoreError::Server { source, .. }) => {
            matches!(**source, StoreError::Engine(_) | StoreError::Silent)
        }
        Err(error) => matches!(error, StoreError::Engine(_) | StoreError::Silent),
        Ok(_) => false,
    };
    let known = files.first().filter(|_| away);
    match known.and_then(|file| Store::later(&place_of(config).ok()?, file.store)) {
        Some(store) => {
            note("The database does not answer: starting from the snapshot, if there is one.");
            Ok(store)
        }
        None => Ok(opened?),
    }
}

/// A node that verifies by its keys alone.
async fn verifier(config: &Config, name: String, audit: Audit) -> Result<Node, Trouble> {
    let secret = linked::secret(config)?;
    let service = Service::new(
        config.server_name.clone(),
        None,
        passwords(config)?,
        policy(config),
        Arc::new(SystemClock::default()),
    );
    let service = Arc::new(service.audited(audit));
    let care = Arc::new(KeyCare::new(config.keys.clone(), name));
    care.start(&service).await?;
    note(&format!("This node has no feed: {}.", http::NO_FEED));
    Ok(Node { service, care, following: None, secret, link: None })
}

pub(super) fn policy(config: &Config) -> Policy {
    let tries = &config.tries_per_minute;
    Policy {
        access_life: config.access_token_lifetime.get(),
        access_cap: config.access_token_cap.map(|cap| cap.get()),
        refresh_life: config.refresh_token_lifetime.get(),
        refresh_grace: config.refresh_grace.get(),
        login_life: config.login_token_lifetime.get(),
        registration: config.registration,
        guests: config.guests,
        limits: Limits {
            passwords: tries.passwords,
            registrations: tries.registrations,
            login_tokens: tries.login_tokens,
            refreshes: tries.refreshes,
            probes: tries.probes,
        },
        session_life: config.session_lifetime.map(|life| life.get()),
        no_feed_life: config.no_feed_lifetime.bound(),
        max_clock_skew: Some(config.max_clock_skew.get()),
    }
}

/// The proxy that may ask; its secret is read once.
fn forward_auth(config: &Config) -> Result<Option<ForwardAuth>, Trouble> {
    let settings = &config.forward_auth;
    let (Some(proxy), Some(file)) = (settings.proxy, &settings.secret_file) else {
        return Ok(None);
    };
    let secret = Secret::read(file)?;
    let linked = config.homeserver.kind == HomeserverKind::Synapse;
    let unset = if linked { Foreign::Pass } else { Foreign::Refuse };
    let foreign = settings.foreign.unwrap_or(unset);
    Ok(Some(ForwardAuth { proxy, secret, foreign, linked }))
}

impl Node {
    async fn run(
        self,
        config: &Config,
        public: Listener,
        internal: Listener,
        signals: Signals,
    ) -> Result<(), Trouble> {
        let (stop, stopped) = watch::channel(false);
        let face = Arc::new(Face {
            service: self.service.clone(),
            query_token: config.query_token,
            token_refresh: config.tokenrefresh,
            public_url: config.public_url.clone(),
            homeserver: self.secret,
            trusted_proxies: config.trusted_proxies.clone(),
            body_limit: usize::try_from(config.request_body_limit.get()).unwrap_or(usize::MAX),
            patience: config.request_timeout.duration(),
            forward_auth: forward_auth(config)?,
            behind: (config.homeserver.kind == HomeserverKind::Synapse)
                .then(|| Behind::new(&config.homeserver.url))
                .transpose()?,
            latencies: http::Latencies::default(),
        });
        let following = self.following.map(|f| tokio::spawn(f.run(stopped.clone())));
        let telling = self.link.map(|link| tokio::spawn(link.run(stopped.clone())));
        let care = tokio::spawn(self.care.clone().run(self.service.clone(), stopped.clone()));
        let faces = tokio::spawn(http::serve(public, http::public(face.clone()), stopped.clone()));
        let health = tokio::spawn(http::serve(internal, http::internal(face), stopped));
        signals.wait(&self.care, &self.service).await;
        tracing::info!("stopping: requests under way are answered");
        stop.send_replace(true);
        let all = async {
            faces.await?;
            health.await?;
            care.await?;
            if let Some(telling) = telling {
                telling.await?;
            }
            match following {
                Some(following) => Ok::<_, Trouble>(following.await?),
                None => Ok(()),
            }
        };
        tokio::time::timeout(GRACE, all).await.unwrap_or(Ok(()))
    }
}

/// How long requests under way may take once the node is to stop.
const GRACE: Duration = Duration::from_secs(20);

async fn bind(address: &Address, flag: &str) -> Result<Listener, Trouble> {
    Listener::bind(address).await.map_err(|error| {
        Trouble::new(format!("cannot listen on {address}: {error}; choose another by {flag}"))
    })
}

/// What the operating system may tell a node.
struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on a signal is not the end of the process but a word to it.
    fn new() -> Result<Self, Trouble> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits until the process is told to stop; a SIGHUP on the way has the keys looked at and the
    /// audit file opened anew.
    async fn wait(mut self, care: &KeyCare, service: &Service) {
        loop {
            tokio::select! {
                _ = self.hang_up.recv() => {
                    care.look();
                    if let Err(error) = service.audit().reopen() {
                        tracing::error!(%error, "lines go on to the file that was open");
                    }
                }
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
            }
        }
    }
}

fn logs(config: &Config) -> Result<(), Trouble> {
    let filter = tracing_subscriber::EnvFilter::builder().with_regex(false).parse(&config.log)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that cannot be written would otherwise be complained of on the same full disk, which
    // panics, and the request would have no answer.
    let logs = logs.log_internal_errors(false);
    match config.log_format {
        LogFormat::Text => logs.with_ansi(false).init(),
        LogFormat::Json => logs.json().init(),
    }
    Ok(())
}

/// What operators call this node: as they have set, or the machine's name and the port of clients,
/// which no other process of the machine has.
fn node_name(config: &Config, listen: &Address) -> String {
    config.node_name.clone().unwrap_or_else(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let fits = |c: &char| c.is_ascii_alphanumeric() || ".-_".contains(*c);
        let host: String = host.trim().chars().filter(fits).take(56).collect();
        let host = if host.is_empty() { "node" } else { &host };
        match listen {
            Address::Tcp(listen) => format!("{host}:{}", listen.port()),
            Address::Unix(_) => host.to_owned(),
        }
    })
}

/// What a newcomer reads on the very first run: everything needed to log in, to be pasted.
fn welcome(config: &Config, listen: &Address) -> Result<String, Trouble> {
    let absolute = |path: &Path| -> Result<String, Trouble> {
        Ok(std::path::absolute(path)?.display().to_string())
    };
    let (data, keys) = (absolute(&config.data)?, absolute(&config.keys)?);
    let (program, server) = (absolute(&std::env::current_exe()?)?, &config.server_name);
    Ok(format!(
        r#"This is the first run. Keys and data were made:
  keys  {keys}
  data  {data}
Keep a copy of the keys: whoever holds them can make tokens, and without them no token is good.

Paste this into another terminal. A user, with a password that nobody knows but this terminal:
  PASSWORD=$(head -c 18 /dev/urandom | base64)
  echo "$PASSWORD" | "{program}" user add alice --password-stdin --data "{data}" --server-name {server}

Log in:
  LOGIN=$(curl -s -XPOST -d '{{"type":"m.login.password","identifier":{{"type":"m.id.user","user":"alice"}},"password":"'"$PASSWORD"'"}}' http://{listen}/_matrix/client/r0/login); echo "$LOGIN"

Ask who you are:
  TOKEN=$(echo "$LOGIN" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -s -H "Authorization: Bearer $TOKEN" http://{listen}/_matrix/client/v3/account/whoami
"#
    ))
}
