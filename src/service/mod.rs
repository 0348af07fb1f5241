//! What the program decides: who may come in, who logs in, what ends, which key mints.
//!
//! This floor knows tokens, facts and the store; it refuses to know HTTP and the command line.
//! Everything that can go wrong is said by whose fault it is: the token's, the caller's, or ours.

mod account;
mod admit;
mod begin;
mod devices;
mod feed;
mod generation;
mod interactive;
mod keys;
mod login;
mod mint;
mod password;
mod refresh;
mod register;
mod sealed;
mod session;
mod throttle;
mod uses;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;

pub use account::{Change, Others};
pub use admit::Caller;
pub use begin::Granted;
pub use feed::Following;
pub use interactive::{Asked, Challenge, Passed, Stage};
pub use keys::{KeyCare, KeyCareError, make_key};
pub use login::{Credentials, Login, LoginToken};
pub use mint::Pair;
pub use password::{HashCost, Passwords};
pub use register::{Register, Registered};
pub use session::Ended;
pub use throttle::{Limits, Try};

use mint::Minting;
use throttle::Throttle;
use uses::Uses;

use crate::config::Registration;
use crate::ident::ServerName;
use crate::keyring::Keyring;
use crate::revocations::Revocations;
use crate::store::{Store, StoreError};
use crate::time::{Clock, Timestamp};
use crate::token::{MintError, Refusal};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Denial {
    /// The token's fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The caller's fault.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// Something is to be proved first.
    #[error(transparent)]
    Challenged(Box<Challenge>),
    /// Our fault; never a verdict on anybody.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// What a caller asked for and does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// The password is wrong or there is no such user; nobody is told which.
    #[error("invalid username or password")]
    WrongPassword,
    /// The login token will not do; clients are not told why.
    #[error("invalid login token: {0}")]
    WrongLoginToken(LoginTokenFault),
    /// The refresh token will not do; clients are not told why.
    #[error("invalid refresh token: {0}")]
    WrongRefreshToken(RefreshFault),
    /// An interactive session that was opened for another operation or another caller.
    #[error("this interactive session was opened for something else")]
    OtherOperation,
    /// The proof is of another user than the one who asks.
    #[error("this is the password of another user")]
    OtherUser,
    /// The success of an interactive session has been used.
    #[error("this interactive session has been used: begin another")]
    AlreadyDone,
    /// Guests may not do this.
    #[error("guests may not do this")]
    Guest,
    /// The token that was to be a guest's is not.
    #[error("`guest_access_token` is not a guest's")]
    NoGuest,
    /// Nobody may register, or not in this way.
    #[error("registration is closed here")]
    Closed,
    /// The registration token has been used up meanwhile.
    #[error("this registration token has been used up")]
    SpentRegistrationToken,
    /// The username is taken.
    #[error("this username is taken")]
    UserInUse,
    /// No user could bear this name.
    #[error("a username may hold only a-z, 0-9 and . _ = - / +")]
    InvalidUsername,
    /// The password is too short.
    #[error("a password needs at least 8 characters")]
    WeakPassword,
    /// There is no such device.
    #[error("there is no such device")]
    NoDevice,
    /// It was asked for too often.
    #[error("too many requests: wait {0} ms")]
    TooSoon(u64),
    /// A device id that cannot be one.
    #[error("`device_id` must have 1 to 255 bytes and no control characters")]
    BadDeviceId,
}

/// Why a refresh token will not do, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshFault {
    /// It does not hold or clear.
    #[error("{0}")]
    Refused(Refusal),
    /// A newer one of its session has been used.
    #[error("it has been retired by a newer one of its session")]
    Retired,
    /// It has been exchanged too often without any of the results being used.
    #[error("it has been exchanged five times and none of the results was used")]
    TooManyBranches,
    /// Its session may not go on.
    #[error("its session is too old to be renewed")]
    TooOld,
}

/// Why a login token will not do, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginTokenFault {
    /// It does not hold or clear.
    #[error("{0}")]
    Refused(Refusal),
    /// Somebody has logged in with it.
    #[error("it has been spent")]
    Spent,
    /// It names one device and the client another.
    #[error("it is for another device")]
    OtherDevice,
    /// It is narrowed and would take over a device that exists.
    #[error("it is narrowed and would take over an existing device")]
    TakesOver,
    /// It is a guest's, who has no account to log in to.
    #[error("it is a guest's")]
    Guest,
    /// It carries so much that no access token could carry it on.
    #[error("{0}")]
    TooNarrow(MintError),
    /// There is no such user here.
    #[error("there is no such user")]
    NoUser,
}

/// What is wrong with us.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store is away or damaged.
    #[error("{0}")]
    Store(Box<StoreError>),
    /// The feed has not been heard of for longer than `max_staleness`.
    #[error("the feed of revocations is too old to judge by")]
    Stale,
    /// The token's key is announced by another node and not held here.
    #[error("{0}")]
    KeyNotHeld(Refusal),
    /// Nothing can be minted: this node holds no whole key.
    #[error("this node has no key to mint with")]
    NoMintingKey,
    /// This node only verifies.
    #[error("this node has no store: it only verifies")]
    NoStore,
    /// This node hears of no logout and does not answer for tokens that live long.
    #[error("this node has no feed: it does not answer for tokens that live longer than its limit")]
    NoFeed,
    /// Too many passwords are waiting to be hashed.
    #[error("too many passwords are waiting to be checked")]
    Busy,
    /// The operating system has no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
    /// An interactive session could not be sealed.
    #[error("an interactive session could not be sealed")]
    Sealing,
    /// A grant did not fit a token.
    #[error("{0}")]
    Mint(#[from] MintError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<StoreError> for Denial {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<MintError> for Denial {
    fn from(error: MintError) -> Self {
        Self::Failed(error.into())
    }
}

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
    /// `None` on a node that only verifies.
    store: Option<Store>,
    passwords: Passwords,
    uses: Uses,
    throttle: Throttle,
    stale: AtomicBool,
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
        Self {
            server,
            clock,
            policy,
            ring: ArcSwap::default(),
            facts: Revocations::default(),
            store,
            passwords,
            uses: Uses::default(),
            throttle,
            stale: AtomicBool::new(false),
        }
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

    /// Whether tokens can be verified here: there are keys and the feed is fresh.
    #[must_use]
    pub fn can_verify(&self) -> bool {
        !self.is_stale() && !self.ring.load().ids().is_empty()
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

    fn store(&self) -> Result<&Store, Failure> {
        self.store.as_ref().ok_or(Failure::NoStore)
    }
}

/// Bytes from the operating system's source of randomness.
fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Failure::Randomness)?;
    Ok(bytes)
}
