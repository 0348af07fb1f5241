//! One name for each way in which a request ends: what metrics and audit lines call it.
//!
//! The names are exhaustive over refusals, what is declined, and failures, without a catch-all: a
//! new one does not compile until it has a name. This file refuses to know who asks.

use super::{Declined, Denial, Failure};
use crate::token::{EndedBy, Refusal};

macro_rules! reasons {
    ($($variant:ident $name:literal,)+) => {
        /// How a request ended, as metrics and audit lines name it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $(#[doc = concat!("`", $name, "`.")] $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the checks.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name, in letters and underscores; it never changes.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

reasons! {
    Admitted "admitted",
    Foreign "foreign",
    Predecessor "predecessor",
    TooLong "too_long",
    Truncated "truncated",
    Malformed "malformed",
    UnknownFormat "unknown_format",
    WrongPrefix "wrong_prefix",
    ReservedBits "reserved_bits",
    UnknownKey "unknown_key",
    KeyNotHeld "key_not_held",
    Forged "forged",
    WrongKind "wrong_kind",
    EndedSession "ended_session",
    EndedDevice "ended_device",
    EndedUser "ended_user",
    EndedServer "ended_server",
    Deactivated "deactivated",
    Locked "locked",
    Expired "expired",
    UnknownCaveat "unknown_caveat",
    Sealed "sealed",
    Unmet "unmet",
    Stale "stale",
    ClockOff "clock_off",
    NoFeed "no_feed",
    Store "store",
    NoMintingKey "no_minting_key",
    NoStore "no_store",
    Busy "busy",
    Homeserver "homeserver",
    Internal "internal",
    Challenged "challenged",
    WrongPassword "wrong_password",
    WrongLoginToken "wrong_login_token",
    WrongRefreshToken "wrong_refresh_token",
    OtherOperation "other_operation",
    OtherUser "other_user",
    AlreadyDone "already_done",
    Guest "guest",
    NoGuest "no_guest",
    Closed "closed",
    SpentRegistrationToken "spent_registration_token",
    UserInUse "user_in_use",
    InvalidUsername "invalid_username",
    WeakPassword "weak_password",
    NoDevice "no_device",
    NotAdopted "not_adopted",
    NobodyToAdopt "nobody_to_adopt",
    TooSoon "too_soon",
    BadDeviceId "bad_device_id",
}

impl Reason {
    /// How many of them, from the first on, a verdict on a token can have.
    pub(super) const VERDICTS: usize = Self::NoFeed as usize + 1;
}

impl From<&Denial> for Reason {
    fn from(denial: &Denial) -> Self {
        match denial {
            Denial::Refused(refusal) => refusal.into(),
            Denial::Declined(declined) => declined.into(),
            Denial::Challenged(_) => Self::Challenged,
            Denial::Failed(failure) => failure.into(),
        }
    }
}

impl From<&Refusal> for Reason {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Foreign => Self::Foreign,
            Refusal::Predecessor => Self::Predecessor,
            Refusal::TooLong => Self::TooLong,
            Refusal::Truncated => Self::Truncated,
            Refusal::Malformed(_) => Self::Malformed,
            Refusal::UnknownFormat => Self::UnknownFormat,
            Refusal::WrongPrefix => Self::WrongPrefix,
            Refusal::ReservedBits => Self::ReservedBits,
            Refusal::UnknownKey(_) => Self::UnknownKey,
            Refusal::KeyNotHeld(_) => Self::KeyNotHeld,
            Refusal::Forged => Self::Forged,
            Refusal::WrongKind(_) => Self::WrongKind,
            Refusal::Ended(ended) => ended.into(),
            Refusal::Locked => Self::Locked,
            Refusal::Expired => Self::Expired,
            Refusal::UnknownCaveat(_) => Self::UnknownCaveat,
            Refusal::Sealed(_) => Self::Sealed,
            Refusal::Unmet(_) => Self::Unmet,
        }
    }
}

impl From<&EndedBy> for Reason {
    fn from(ended: &EndedBy) -> Self {
        match ended {
            EndedBy::Session => Self::EndedSession,
            EndedBy::Device => Self::EndedDevice,
            EndedBy::User => Self::EndedUser,
            EndedBy::Server => Self::EndedServer,
            EndedBy::Deactivated => Self::Deactivated,
        }
    }
}

impl From<&Declined> for Reason {
    fn from(declined: &Declined) -> Self {
        match declined {
            Declined::WrongPassword => Self::WrongPassword,
            Declined::WrongLoginToken(_) => Self::WrongLoginToken,
            Declined::WrongRefreshToken(_) => Self::WrongRefreshToken,
            Declined::OtherOperation => Self::OtherOperation,
            Declined::OtherUser => Self::OtherUser,
            Declined::AlreadyDone => Self::AlreadyDone,
            Declined::Guest => Self::Guest,
            Declined::NoGuest => Self::NoGuest,
            Declined::Closed => Self::Closed,
            Declined::SpentRegistrationToken => Self::SpentRegistrationToken,
            Declined::UserInUse => Self::UserInUse,
            Declined::InvalidUsername => Self::InvalidUsername,
            Declined::WeakPassword => Self::WeakPassword,
            Declined::NoDevice => Self::NoDevice,
            Declined::NotAdopted => Self::NotAdopted,
            Declined::NobodyToAdopt => Self::NobodyToAdopt,
            Declined::TooSoon(_) => Self::TooSoon,
            Declined::BadDeviceId => Self::BadDeviceId,
        }
    }
}

impl From<&Failure> for Reason {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Store(_) => Self::Store,
            Failure::Stale => Self::Stale,
            Failure::ClockOff(_) => Self::ClockOff,
            Failure::KeyNotHeld(_) => Self::KeyNotHeld,
            Failure::NoMintingKey | Failure::NoKey | Failure::NoInnerKey => Self::NoMintingKey,
            Failure::NoStore => Self::NoStore,
            Failure::NoFeed => Self::NoFeed,
            Failure::Busy => Self::Busy,
            Failure::Homeserver(_) => Self::Homeserver,
            Failure::Randomness(_) | Failure::Sealing | Failure::Mint(_) => Self::Internal,
        }
    }
}
