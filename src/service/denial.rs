//! Why something was not done, by whose fault: the token's, the caller's, or ours.
//!
//! What a client hears of it is decided by the map of answers; this file refuses to know HTTP.

use super::Challenge;
use crate::homeserver::LinkError;
use crate::random::NoRandomness;
use crate::store::StoreError;
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
    /// The homeserver has an account of this name, and nobody has said that it is this one.
    #[error("the homeserver has another account of this name: an operator can adopt it")]
    NotAdopted,
    /// There is no account at the homeserver to be adopted.
    #[error("the homeserver has no account of this name")]
    NobodyToAdopt,
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
    /// This node's clock cannot be trusted: so far it runs ahead of the database's, in
    /// milliseconds, or behind it when negative.
    #[error("the clock of this node is {} ms {} the database's: set it right", .0.unsigned_abs(), if *.0 < 0 { "behind" } else { "ahead of" })]
    ClockOff(i64),
    /// There is no key here at all.
    #[error("this node holds no key")]
    NoKey,
    /// The token's key is announced by another node and not held here.
    #[error("{0}")]
    KeyNotHeld(Refusal),
    /// Nothing can be minted: this node holds no whole key.
    #[error("this node has no key to mint with")]
    NoMintingKey,
    /// No inner token can be signed: this node holds access subkeys alone.
    #[error("this node has no inner subkey to pass a narrowed token on with: export it, too")]
    NoInnerKey,
    /// This node only verifies.
    #[error("this node has no store: it only verifies")]
    NoStore,
    /// This node hears of no logout and does not answer for tokens that live long.
    #[error("this node has no feed: it does not answer for tokens that live longer than its limit")]
    NoFeed,
    /// The homeserver could not be told.
    #[error("{0}")]
    Homeserver(Box<LinkError>),
    /// Too many passwords are waiting to be hashed.
    #[error("too many passwords are waiting to be checked")]
    Busy,
    /// The operating system has no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
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

impl From<NoRandomness> for Denial {
    fn from(error: NoRandomness) -> Self {
        Self::Failed(error.into())
    }
}

impl From<MintError> for Denial {
    fn from(error: MintError) -> Self {
        Self::Failed(error.into())
    }
}
