//! What the program decides: who may come in, who logs in, what ends, which key mints.
//!
//! This floor knows tokens, facts and the store; it refuses to know HTTP and the command line.
//! Everything that can go wrong is said by whose fault it is: the token's, the caller's, or ours.

mod account;
mod admit;
mod aside;
mod audit;
mod begin;
mod compact;
mod denial;
mod devices;
mod events;
mod explain;
mod feed;
mod freshness;
mod generation;
mod guests;
mod import;
mod inner;
mod interactive;
mod introspect;
mod keeper;
mod keys;
mod linked;
mod login;
mod lost;
mod metrics;
mod mint;
mod password;
mod predecessor;
mod proof;
mod provision;
mod pulse;
mod reason;
mod refresh;
mod register;
mod rotation;
mod sealed;
mod session;
mod tell;
mod throttle;
mod uses;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use account::{Change, Others};
pub use admit::Caller;
pub use audit::{Audit, AuditError, asked_from};
pub use begin::Granted;
pub use compact::Compaction;
pub use denial::{Declined, Denial, Failure, LoginTokenFault, RefreshFault};
pub use events::{EVENTS, Event, EventSort, labels};
pub use explain::{Claimed, Explanation};
pub use feed::Following;
pub use import::{Rehearsal, TakenOver};
pub use inner::is_narrowed;
pub use interactive::{Asked, Challenge, Passed, Stage};
pub use introspect::{Acting, Unfit};
pub use keys::{KeyCare, KeyCareError, make_key};
pub use login::{Credentials, Login, LoginToken};
pub use metrics::{KeySight, KeySights, Metrics, Part};
pub use mint::Pair;
pub use password::{HashCost, Passwords};
pub use predecessor::is_predecessors;
pub use provision::{ProvisionError, Provisioned, Wanted, device_of_label};
pub use reason::Reason;
pub use register::{Register, Registered};
pub use session::Ended;
pub use throttle::{Limits, Try};

use freshness::Freshness;
use mint::Minting;
use throttle::Throttle;
use uses::Uses;

use crate::config::Registration;
use crate::homeserver::Link;
use crate::ident::ServerName;
use crate::imports::Imports;
use crate::keyring::Keyring;
use crate::random::random;
use crate::revocations::Revocations;
use crate::store::Store;
use crate::time::{Clock, Timestamp};

/// How long tokens and sessions live, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Access tokens of sessions that renew.
    pub access_life: u64,
    /// The most any access token may live, also one that would never expire; `None` for no bound.
    pub access_cap: Option<u64>,
    /// Refresh tokens, from their minting.
    pub refresh_life: u64,
    /// How long after its retirement a refresh token is still answered.
    pub refresh_grace: u64,
    /// Login tokens that a session asks for.
    pub login_life: u64,
    /// Who may register.
    pub registration: Registration,
    /// Whether guests are let in.
    pub guests: bool,
    /// How often things may be tried.
    pub limits: Limits,
    /// How long a session may be renewed; `None` for ever.
    pub session_life: Option<u64>,
    /// On a node without a feed, the longest remaining life of a token it answers for; `None` for
    /// any.
    pub no_feed_life: Option<u64>,
    /// How far the clock may be off the database's; `None` when nobody compares them.
    pub max_clock_skew: Option<u64>,
}

impl Default for Policy {
    /// Fifteen minutes for access tokens that can be renewed, a year for refresh tokens, and no
    /// other bound.
    fn default() -> Self {
        Self {
            access_life: 15 * 60_000,
            access_cap: None,
            refresh_life: 365 * 86_400_000,
            refresh_grace: 0,
            login_life: 2 * 60_000,
            registration: Registration::Token,
            guests: false,
            limits: Limits::NONE,
            session_life: None,
            no_feed_life: Some(5 * 60_000),
            max_clock_skew: None,
        }
    }
}

/// Everything one node knows and may do.
pub struct Service {
    server: ServerName,
    clock: Arc<dyn Clock>,
    policy: Policy,
    ring: ArcSwap<Keyring>,
    facts: Revocations,
    imports: Imports,
    /// `None` on a node that only verifies.
    store: Option<Store>,
    passwords: Passwords,
    uses: Uses,
    throttle: Throttle,
    freshness: Freshness,
    metrics: Metrics,
    audit: Audit,
    /// The homeserver behind, if there is one.
    link: Option<Arc<Link>>,
}

impl Service {
    /// A node with a store. It has heard nothing yet: see [`Following::start`].
    #[must_use]
    pub fn new(
        server: ServerName,
        store: Option<Store>,
        passwords: Passwords,
        policy: Policy,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let throttle = Throttle::new(policy.limits, &clock);
        let metrics = Metrics::new(clock.now());
        Self {
            server,
            clock,
            policy,
            ring: ArcSwap::default(),
            facts: Revocations::default(),
            imports: Imports::default(),
            store,
            passwords,
            uses: Uses::default(),
            throttle,
            freshness: Freshness::default(),
            metrics,
            audit: Audit::default(),
            link: None,
        }
    }

    /// The same node, telling what it does on this stream.
    #[must_use]
    pub fn audited(self, audit: Audit) -> Self {
        Self { audit, ..self }
    }

    /// The stream on which is told what is done here.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Tells of something that was done.
    pub fn tell(&self, event: &Event<'_>) {
        self.audit.tell(self.now(), event);
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The name of the homeserver whose users these are.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// The ring of keys as it is now.
    #[must_use]
    pub fn ring(&self) -> Arc<Keyring> {
        self.ring.load_full()
    }

    /// Whether this node has a store whose feed it follows.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.store.is_some()
    }

    /// How many password hashes this process has computed.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.passwords.hashes()
    }

    /// What is counted here.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How many users something is known of.
    #[must_use]
    pub fn known_users(&self) -> usize {
        self.facts.users()
    }

    fn store(&self) -> Result<&Store, Failure> {
        self.store.as_ref().ok_or(Failure::NoStore)
    }
}
