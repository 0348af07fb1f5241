//! The grammar of the command line, and who does what it says.
//!
//! Only what was typed is known here; the files beside this one resolve it and act.

mod anatomy;
mod ask;
mod bench;
mod config;
mod doctor;
mod explain;
mod feed;
mod import;
mod keys;
mod linked;
mod outcome;
mod provision;
mod proxy;
mod registration;
mod serve;
mod session;
mod token;
mod user;
mod verify;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use zeroize::Zeroizing;

use outcome::{Done, Trouble, say};

use crate::config::{Address, Config, Overrides};
use crate::secret;
use crate::service::{Audit, HashCost, Passwords, Policy, Service};
use crate::store::{self, Server, Store, StoreError};
use crate::time::SystemClock;

/// Matrix access tokens and login tokens as macaroons, verified by cryptography alone.
#[derive(Parser)]
#[command(name = "amaretti", version, max_term_width = 100, after_help = EXAMPLES)]
struct Amaretti {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  amaretti serve                                   run a node; keys and data are made on first run
  amaretti user add alice                          asks for a password
  amaretti token mint --kind login --user alice    a token for one login within two minutes
  amaretti token inspect                           reads a token from standard input and draws it
  amaretti keys rotate                             a new key; nobody is logged out";

#[derive(Subcommand)]
enum Command {
    /// Run a node
    Serve(serve::Serve),
    /// Make, list, rotate, retire and export signing keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Mint, look at, check, narrow and revoke tokens
    #[command(subcommand)]
    Token(token::Token),
    /// Say why a token is good or not on a running node
    Explain(explain::Explain),
    /// List sessions
    #[command(subcommand)]
    Session(session::Session),
    /// Look after the feed of what has ended
    #[command(subcommand)]
    Feed(feed::Feed),
    /// Add users, set passwords, end sessions, lock and deactivate accounts
    #[command(subcommand)]
    User(user::User),
    /// Make devices for a list of users and write their tokens to a file
    Provision(provision::Provision),
    /// Say who may register
    #[command(subcommand)]
    RegistrationToken(registration::Registration),
    /// Take over what another server has
    #[command(subcommand)]
    Import(import::Import),
    /// Look at an installation and say what to mend; nothing is changed
    Doctor(doctor::Doctor),
    /// Measure how fast this machine verifies and mints
    Bench(bench::Bench),
    /// Show every setting there is, and make configurations of proxies
    #[command(subcommand)]
    Config(config::Settings),
}

/// Where things are: every command that needs them takes the same flags.
#[derive(Args)]
struct Place {
    /// Folder of the database [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder of the key files [default: keys]
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Name of the homeserver whose users these are [default: localhost]
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Configuration file [default: amaretti.toml if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration that these flags, the environment and the file make together.
    fn resolve(
        &self,
        listen: Option<SocketAddr>,
        internal: Option<Address>,
    ) -> Result<Config, Trouble> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let overrides = Overrides::default()
            .with("listen", listen.map(|address| address.to_string()))
            .with("internal", internal.map(|address| address.to_string()))
            .with("data", path(&self.data))
            .with("keys", path(&self.keys))
            .with("server_name", self.server_name.clone());
        Ok(Config::load(overrides, std::env::vars_os(), self.config.clone())?)
    }
}

/// Where the configuration says that the store lies.
fn place_of(config: &Config) -> Result<store::Place, StoreError> {
    let Some(url) = &config.database else { return Ok(store::Place::Folder(config.data.clone())) };
    let how = &config.postgresql;
    let server = Server::new(url.expose(), how.connections, how.timeout.duration())?;
    Ok(store::Place::Server(server.behind_pooler(how.pooler)))
}

/// The store, made when it is not there.
async fn open_store(config: &Config) -> Result<Store, StoreError> {
    Store::open(&place_of(config)?, &config.server_name).await
}

/// The store, which must be there.
async fn existing_store(config: &Config) -> Result<Store, StoreError> {
    Store::open_existing(&place_of(config)?, &config.server_name).await
}

/// A service over the store alone: it follows nothing and mints nothing, and ends sessions. Where a
/// homeserver is linked, it is told.
async fn service(config: &Config, store: Store) -> Result<Service, Trouble> {
    let policy = Policy::default();
    let (server, clock) = (config.server_name.clone(), SystemClock::default());
    let passwords = passwords(config)?;
    let link = linked::link(config, &store, linked::secret(config)?)?;
    let service = Service::new(server, Some(store), passwords, policy, std::sync::Arc::new(clock));
    Ok(service.audited(audit(config)?).linked(link))
}

/// The audit stream of whoever gives this command, opened before anything is done.
fn audit(config: &Config) -> Result<Audit, Trouble> {
    let names = ["SUDO_USER", "USER", "LOGNAME"].into_iter();
    let name = names.filter_map(|name| std::env::var(name).ok()).find(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "unknown".to_owned());
    Ok(Audit::open(config.audit.clone(), "operator", &name)?)
}

fn passwords(config: &Config) -> Result<Passwords, Trouble> {
    let hashing = &config.password_hashing;
    let cost = HashCost {
        memory_kib: hashing.memory_kib,
        iterations: hashing.iterations,
        parallelism: hashing.parallelism,
    };
    let passwords = Passwords::new(hashing.slots().get(), cost)?;
    Ok(match pepper(config)? {
        Some(pepper) => passwords.peppered(pepper),
        None => passwords,
    })
}

/// What Synapse put behind passwords before it hashed them.
fn pepper(config: &Config) -> Result<Option<Zeroizing<String>>, Trouble> {
    let file = config.password_hashing.pepper_file.as_deref();
    Ok(file.map(secret::first_line).transpose()?)
}

/// Parses the command line of this process and does what it says.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Amaretti::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Keys(keys) => keys.run(),
        Command::Token(token) => token.run(),
        Command::Explain(explain) => explain.run(),
        Command::Session(session) => session.run(),
        Command::Feed(feed) => feed.run(),
        Command::User(user) => user.run(),
        Command::Provision(provision) => block_on(provision.run()),
        Command::RegistrationToken(registration) => registration.run(),
        Command::Import(import) => import.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Bench(bench) => bench.run(),
        Command::Config(settings) => settings.run(),
    };
    outcome::exit(done)
}

/// Runs asynchronous work of a command to its end.
fn block_on(work: impl Future<Output = Done>) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}
