//! Why a token was turned away.
//!
//! The most particular reason is kept, for operators; what a client hears of it is decided by the
//! map of answers. This file refuses to know HTTP.

use super::{KeyId, Kind};

/// What about a text is not how a token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A character outside `A-Z a-z 0-9 - _`, or padding.
    #[error("a character that base64url without padding does not have")]
    Alphabet,
    /// The last character carries bits that are not part of any byte.
    #[error("loose bits in the last character")]
    LooseBits,
    /// Not the framing of a libmacaroons V2 macaroon without location.
    #[error("not the framing of a V2 macaroon")]
    Framing,
    /// A location, which no MAC covers.
    #[error("a location: `amaretti token normalize` takes it out")]
    Location,
    /// A length written with more bytes than it needs.
    #[error("a length that is not in its shortest form")]
    Length,
    /// A caveat with a location or a verification id, that is, of a third party.
    #[error("a caveat with a location or a verification id")]
    ThirdParty,
    /// Bytes behind the tag.
    #[error("bytes behind the tag")]
    TrailingBytes,
    /// The identifier does not have its 45 bytes.
    #[error("an identifier that is not 45 bytes long")]
    Identifier,
    /// An empty caveat, one with control characters, or one that is not UTF-8.
    #[error("an empty or unprintable caveat")]
    Unprintable,
    /// The issuer's caveats are not where they must be, or do not name what they must name.
    #[error("user_id or device_id is not in its place")]
    Identity,
    /// More than 32 caveats.
    #[error("more than 32 caveats")]
    TooManyCaveats,
}

/// Which fact ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndedBy {
    /// This one session was ended.
    #[error("this session was logged out")]
    Session,
    /// Sessions of this device that began before an instant were ended.
    #[error("the device was logged out, deleted or logged in anew")]
    Device,
    /// Sessions of this user that began before an instant were ended.
    #[error("all sessions of the user were ended")]
    User,
    /// Every session that began before an instant was ended.
    #[error("all sessions of this server were ended")]
    Server,
    /// The account is deactivated.
    #[error("the account is deactivated")]
    Deactivated,
}

/// Which caveat did not let a token pass: its place, counted from 0, and its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaveatAt {
    /// Place among all caveats of the token; the issuer's come first.
    pub index: u8,
    /// The caveat's key, or `None` when it is not in the vocabulary or cannot be read.
    pub key: Option<&'static str>,
}

/// Why a token was turned away, in the order in which the checks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No prefix of ours.
    #[error("not a token of this issuer: no prefix that it uses")]
    Foreign,
    /// A prefix of another issuer that may have served these users before us.
    #[error("a token of another issuer, which has not been imported")]
    Predecessor,
    /// Over 2048 characters.
    #[error("longer than 2048 characters")]
    TooLong,
    /// The text ends before the token does.
    #[error("truncated: the text ends before the token does")]
    Truncated,
    /// Not written as a token is.
    #[error("malformed: {0}")]
    Malformed(Malformed),
    /// A format or kind of the future, or of nobody.
    #[error("unknown format or kind")]
    UnknownFormat,
    /// The prefix does not go with the kind in the identifier.
    #[error("the prefix does not match the kind")]
    WrongPrefix,
    /// A reserved flag is set.
    #[error("a reserved flag is set")]
    ReservedBits,
    /// No key of this name was ever announced, or it has been retired.
    #[error("signed with key {0}, which was retired or never announced")]
    UnknownKey(KeyId),
    /// The key is announced, but this node does not hold it: our fault, not the bearer's.
    #[error("signed with key {0}, which is announced but not held here")]
    KeyNotHeld(KeyId),
    /// The chain of HMACs does not hold.
    #[error("forged: the signature does not hold")]
    Forged,
    /// A good token of a kind that is not for this use.
    #[error("a token of kind {0} is not for this use")]
    WrongKind(Kind),
    /// A fact ended the session or its account.
    #[error("ended: {0}")]
    Ended(EndedBy),
    /// The account is locked.
    #[error("the account is locked")]
    Locked,
    /// Past the instant in the identifier.
    #[error("expired")]
    Expired,
    /// A caveat is not in the vocabulary, or its value cannot be read.
    #[error("caveat {} is not known", .0.index)]
    UnknownCaveat(CaveatAt),
    /// A refresh token carries a caveat that may not be appended to it.
    #[error("caveat {} may not be appended to a refresh token", .0.index)]
    Sealed(CaveatAt),
    /// A caveat does not allow this occasion.
    #[error("caveat {} ({}) does not allow this", .0.index, .0.key.unwrap_or("unknown"))]
    Unmet(CaveatAt),
}

impl From<Malformed> for Refusal {
    fn from(what: Malformed) -> Self {
        Self::Malformed(what)
    }
}

/// A token that could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// The subkey signs another kind.
    #[error("the subkey is for tokens of kind {0}")]
    WrongSubkey(Kind),
    /// Over 2048 characters.
    #[error("the token would be longer than 2048 characters: append fewer or shorter caveats")]
    TooLong,
    /// More than 32 caveats.
    #[error("the token would have more than 32 caveats")]
    TooManyCaveats,
    /// An appended caveat is empty or unprintable.
    #[error("a caveat is empty or holds control characters")]
    Unprintable,
    /// Only `time` and `ip` may be appended to a refresh token.
    #[error("only `time` and `ip` may be appended to a refresh token")]
    Sealed,
}
