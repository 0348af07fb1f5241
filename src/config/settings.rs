//! The one definition of every setting: name, variable, default, meaning, bounds.
//!
//! The comments are what operators read in the example and in the reference. Nothing is read or
//! looked up here.

use core::net::SocketAddr;
use core::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use super::address::Address;
use super::database::{DatabaseUrl, Postgresql};
use super::forward_auth::ForwardAuth;
use super::units::{Bytes, DAY, KIB, Life, MIB, MINUTE, Millis, Networks, SECOND};
use super::values::{
    address, audit, database, duration, file, folder, homeserver, life, log_filter, log_format,
    networks, node_name, number, registration, server_name, size, socket, switch, url,
};
use crate::ident::ServerName;

const YEAR: u64 = 365 * DAY;

/// The settings of a node, every one of them valid.
#[derive(Clone, Debug, PartialEq, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Config {
    /// What operators call this node, up to 64 of A-Z a-z 0-9 . _ : -, such as web1; no other node
    /// of the same database may bear it. Else it is the name of the machine and the port of `listen`.
    #[config(env = "AMARETTI_NODE_NAME", deserialize_with = node_name)]
    pub node_name: Option<String>,

    /// Address and port where clients are served.
    #[config(env = "AMARETTI_LISTEN", default = "127.0.0.1:8009", deserialize_with = address)]
    pub listen: SocketAddr,

    /// Address and port for proxies, the homeserver and operators, or `unix:` and the path of a
    /// socket, which is made with mode 0660 and the group of its folder; clients must not reach it.
    #[config(env = "AMARETTI_INTERNAL", default = "127.0.0.1:8010", deserialize_with = socket)]
    pub internal: Address,

    /// URL of a PostgreSQL database, such as <postgres://amaretti@db.example.com/amaretti>, for more
    /// than one node; without it a SQLite file in `data` is used. A secret when it holds a password.
    #[config(env = "AMARETTI_DATABASE", deserialize_with = database)]
    pub database: Option<DatabaseUrl>,

    /// Folder of the SQLite database and of what is kept beside it; made when it is missing.
    #[config(env = "AMARETTI_DATA", default = "data", deserialize_with = folder)]
    pub data: PathBuf,

    /// Folder of the key files; made with the first key.
    #[config(env = "AMARETTI_KEYS", default = "keys", deserialize_with = folder)]
    pub keys: PathBuf,

    /// Name of the homeserver: what stands behind the first colon of every user id.
    #[config(env = "AMARETTI_SERVER_NAME", default = "localhost", deserialize_with = server_name)]
    pub server_name: ServerName,

    /// Life of an access token (a duration) in a session that has a refresh token.
    #[config(
        env = "AMARETTI_ACCESS_TOKEN_LIFETIME",
        default = "15m",
        deserialize_with = duration::<_, SECOND, YEAR>
    )]
    pub access_token_lifetime: Millis,

    /// Longest life of any access token (a duration), also of one that would never expire.
    #[config(
        env = "AMARETTI_ACCESS_TOKEN_CAP",
        deserialize_with = duration::<_, SECOND, { 100 * YEAR }>
    )]
    pub access_token_cap: Option<Millis>,

    /// Life of a refresh token (a duration) from its minting, so from the last use of its session.
    #[config(
        env = "AMARETTI_REFRESH_TOKEN_LIFETIME",
        default = "365d",
        deserialize_with = duration::<_, MINUTE, { 100 * YEAR }>
    )]
    pub refresh_token_lifetime: Millis,

    /// Time (a duration) for which a refresh token is still answered after a newer one has been
    /// used: for clients whose second process was frozen meanwhile.
    #[config(
        env = "AMARETTI_REFRESH_GRACE",
        default = "0s",
        deserialize_with = duration::<_, 0, DAY>
    )]
    pub refresh_grace: Millis,

    /// Time (a duration) after its login from which on a session cannot be renewed.
    #[config(
        env = "AMARETTI_SESSION_LIFETIME",
        deserialize_with = duration::<_, MINUTE, { 100 * YEAR }>
    )]
    pub session_lifetime: Option<Millis>,

    /// Whether the `/tokenrefresh` that was drafted in 2015 is served, for clients as old as that.
    #[config(env = "AMARETTI_TOKENREFRESH", default = false, deserialize_with = switch)]
    pub tokenrefresh: bool,

    /// Life of a login token (a duration).
    #[config(
        env = "AMARETTI_LOGIN_TOKEN_LIFETIME",
        default = "2m",
        deserialize_with = duration::<_, SECOND, DAY>
    )]
    pub login_token_lifetime: Millis,

    /// Who may register: closed for nobody, token for whoever has a registration token, open for
    /// everybody.
    #[config(env = "AMARETTI_REGISTRATION", default = "token", deserialize_with = registration)]
    pub registration: Registration,

    /// Whether guests are let in, who have no account and no password.
    #[config(env = "AMARETTI_GUESTS", default = false, deserialize_with = switch)]
    pub guests: bool,

    /// Where clients reach this server, such as <https://matrix.example.com>; told to those that
    /// look for it.
    #[config(env = "AMARETTI_PUBLIC_URL", deserialize_with = url)]
    pub public_url: Option<String>,

    /// Whether a token is also taken from `?access_token=`, for clients that send no header.
    #[config(env = "AMARETTI_QUERY_TOKEN", default = true, deserialize_with = switch)]
    pub query_token: bool,

    /// Age of the facts (a duration) past which a node that cannot follow them answers 503.
    #[config(
        env = "AMARETTI_MAX_STALENESS",
        default = "5m",
        deserialize_with = duration::<_, SECOND, { 7 * DAY }>
    )]
    pub max_staleness: Millis,

    /// How far (a duration) this machine's clock may be off the database's; beyond it the node is
    /// not ready and answers 503 for tokens that end.
    #[config(
        env = "AMARETTI_MAX_CLOCK_SKEW",
        default = "30s",
        deserialize_with = duration::<_, SECOND, DAY>
    )]
    pub max_clock_skew: Millis,

    /// Longest life left to a token (a duration, or any) that a node started with `--no-feed`
    /// accepts: so long may a token live there after its logout.
    #[config(env = "AMARETTI_NO_FEED_LIFETIME", default = "5m", deserialize_with = life)]
    pub no_feed_lifetime: Life,

    /// Largest body of a request (a size); more is answered 413.
    #[config(
        env = "AMARETTI_REQUEST_BODY_LIMIT",
        default = "64KiB",
        deserialize_with = size::<_, { 4 * KIB }, { 16 * MIB }>
    )]
    pub request_body_limit: Bytes,

    /// Time (a duration) after which a request that is still unanswered is given up.
    #[config(
        env = "AMARETTI_REQUEST_TIMEOUT",
        default = "30s",
        deserialize_with = duration::<_, SECOND, { 10 * MINUTE }>
    )]
    pub request_timeout: Millis,

    /// What is logged: a level (off, error, warn, info, debug, trace), then `target=level` at will.
    #[config(env = "AMARETTI_LOG", default = "info", deserialize_with = log_filter)]
    pub log: String,

    /// How a line is logged: `text` for people, `json` for machines.
    #[config(env = "AMARETTI_LOG_FORMAT", default = "text", deserialize_with = log_format)]
    pub log_format: LogFormat,

    /// Where the audit stream goes, a JSON object a line: a file, stdout or stderr. Opened before
    /// anything is done, and anew on SIGHUP.
    #[config(env = "AMARETTI_AUDIT", deserialize_with = audit)]
    pub audit: Option<AuditTo>,

    /// Networks (with commas between) whose word is taken for where a request comes from: the last
    /// address in X-Forwarded-For that is not in one of them. From elsewhere the header is ignored.
    #[config(
        env = "AMARETTI_TRUSTED_PROXIES",
        default = "127.0.0.0/8,::1/128",
        deserialize_with = networks
    )]
    pub trusted_proxies: Networks,

    /// How a PostgreSQL database is spoken to.
    #[config(nested)]
    pub postgresql: Postgresql,

    /// The homeserver that stands behind.
    #[config(nested)]
    pub homeserver: Homeserver,

    /// How a proxy in front asks whether a request may pass.
    #[config(nested)]
    pub forward_auth: ForwardAuth,

    /// How often things may be tried.
    #[config(nested)]
    pub tries_per_minute: Tries,

    /// Cost of password hashing (argon2id); a change applies to passwords set from then on.
    #[config(nested)]
    pub password_hashing: PasswordHashing,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Nobody.
    Closed,
    /// Whoever has a registration token.
    Token,
    /// Everybody.
    Open,
}

/// Where the audit stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditTo {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
}

/// How a line is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeserverKind {
    /// Nothing that wants to be told of anybody.
    None,
    /// Synapse, with `matrix_authentication_service` pointing here.
    Synapse,
}

/// The homeserver that is told of users and devices, and that asks here about tokens.
#[derive(Clone, Debug, PartialEq, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Homeserver {
    /// Which homeserver it is: `none`, or `synapse` (1.136 or later, unmodified).
    #[config(env = "AMARETTI_HOMESERVER_KIND", default = "none", deserialize_with = homeserver)]
    pub kind: HomeserverKind,

    /// Where it is reached from here, past every proxy. Over https its certificate has to be one
    /// that this machine trusts; SSL_CERT_FILE names a file of authorities.
    #[config(
        env = "AMARETTI_HOMESERVER_URL",
        default = "http://127.0.0.1:8008",
        deserialize_with = url
    )]
    pub url: String,

    /// File whose first line is the secret that both share; nobody else may read it. Synapse is
    /// given the same file as `secret_path`.
    #[config(env = "AMARETTI_HOMESERVER_SECRET_FILE", deserialize_with = file)]
    pub secret_file: Option<PathBuf>,
}

/// How often one address may try things in a minute; 0 for no limit. On one account passwords may
/// be tried five times as often. Each node counts for itself.
#[derive(Clone, Debug, PartialEq, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Tries {
    /// Passwords that may be tried from one address in a minute; 0 for any number.
    #[config(
        env = "AMARETTI_TRIES_PER_MINUTE_PASSWORDS",
        default = 10,
        deserialize_with = number::<_, 0, 1_000_000>
    )]
    pub passwords: u32,

    /// Registrations, finished or not, from one address in a minute; 0 for any number.
    #[config(
        env = "AMARETTI_TRIES_PER_MINUTE_REGISTRATIONS",
        default = 10,
        deserialize_with = number::<_, 0, 1_000_000>
    )]
    pub registrations: u32,

    /// Login tokens from one address in a minute; 0 for any number.
    #[config(
        env = "AMARETTI_TRIES_PER_MINUTE_LOGIN_TOKENS",
        default = 60,
        deserialize_with = number::<_, 0, 1_000_000>
    )]
    pub login_tokens: u32,

    /// Refresh tokens that do not hold, from one address in a minute; 0 for any number.
    #[config(
        env = "AMARETTI_TRIES_PER_MINUTE_REFRESHES",
        default = 30,
        deserialize_with = number::<_, 0, 1_000_000>
    )]
    pub refreshes: u32,

    /// Questions whether a username is free or a registration token good, from one address in a
    /// minute; 0 for any number.
    #[config(
        env = "AMARETTI_TRIES_PER_MINUTE_PROBES",
        default = 30,
        deserialize_with = number::<_, 0, 1_000_000>
    )]
    pub probes: u32,
}

/// The cost of password hashing.
#[derive(Clone, Debug, PartialEq, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct PasswordHashing {
    /// How many passwords are hashed at once; 0 means one for each core.
    #[config(
        env = "AMARETTI_PASSWORD_HASHING_AT_ONCE",
        default = 2,
        deserialize_with = number::<_, 0, 1024>
    )]
    pub at_once: u32,

    /// Memory for one hash, in KiB; at least 8 for each of `parallelism`.
    #[config(
        env = "AMARETTI_PASSWORD_HASHING_MEMORY_KIB",
        default = 19456,
        deserialize_with = number::<_, 8, 4_194_304>
    )]
    pub memory_kib: u32,

    /// Passes over the memory.
    #[config(
        env = "AMARETTI_PASSWORD_HASHING_ITERATIONS",
        default = 2,
        deserialize_with = number::<_, 1, 1000>
    )]
    pub iterations: u32,

    /// Lanes of the memory.
    #[config(
        env = "AMARETTI_PASSWORD_HASHING_PARALLELISM",
        default = 1,
        deserialize_with = number::<_, 1, 64>
    )]
    pub parallelism: u32,

    /// File whose first line was put behind every password that Synapse hashed (its
    /// `password_config.pepper`); needed as long as such hashes are left.
    #[config(env = "AMARETTI_PASSWORD_HASHING_PEPPER_FILE", deserialize_with = file)]
    pub pepper_file: Option<PathBuf>,
}

impl PasswordHashing {
    /// How many passwords may be hashed at once: `at_once`, or as many as there are cores.
    #[must_use]
    pub fn slots(&self) -> NonZeroUsize {
        let chosen = usize::try_from(self.at_once).ok().and_then(NonZeroUsize::new);
        chosen.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}
