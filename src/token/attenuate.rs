//! Narrows tokens without any key, and mends the spelling of those that other libraries narrowed.
//!
//! This file works on the holder's side; it refuses to know keys, and whether a token is good.

use super::anatomy::{Anatomy, Ending, Part};
use super::caveat::{Caveat, CaveatError};
use super::chain::Tag;
use super::pack::{Packer, ROOM};
use super::wire::{Presented, Scratch};
use super::{Identifier, Kind, MintError, Refusal, TAG_BYTES, Token};

/// Why a token was not narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttenuateError {
    /// The text is not a token.
    #[error(transparent)]
    Token(#[from] Refusal),
    /// A caveat would be understood by nobody.
    #[error(transparent)]
    Caveat(#[from] CaveatError),
    /// `user_id` and `device_id` are said by the issuer alone.
    #[error("`{0}` is the issuer's to say: append time, action, room_id, ip, audience or label")]
    Issuers(&'static str),
    /// The narrowed token does not fit.
    #[error(transparent)]
    Mint(#[from] MintError),
}

/// Appends caveats to a token. Needs no key; what comes out can do less and never more.
///
/// # Errors
/// [`AttenuateError`]; a caveat outside the vocabulary is refused here, because it would make a
/// token that nobody admits.
///
/// # Example
/// ```
/// # use amaretti::{ident::UserId, time::Timestamp, token::*};
/// # let key = Key::from_bytes(&core::array::from_fn(|i| i as u8 ^ 0x80)).unwrap();
/// # let grant = Grant {
/// #     kind: Kind::Access, user: UserId::parse("@alice:example.com").unwrap(), device: None,
/// #     guest: false, session: SessionId::new(Timestamp::ZERO, [0; 10]), generation: 0,
/// #     issued_at: Timestamp::ZERO, expires_at: None, carried: &[],
/// # };
/// # let token = grant.mint(&key.subkey(Kind::Access)).unwrap();
/// let narrowed = attenuate(token.reveal(), &["action in read", "time < 1790000000000"])?;
/// assert!(narrowed.reveal().starts_with("mma_"));
/// # Ok::<(), AttenuateError>(())
/// ```
pub fn attenuate(text: &str, caveats: &[&str]) -> Result<Token, AttenuateError> {
    let mut scratch = Scratch::new();
    let presented = Presented::read(text, &mut scratch)?;
    let kind = presented.identifier.kind;
    let mut room = ROOM;
    let mut packer = Packer::new(&mut room, presented.signed);
    for caveat in presented.caveats {
        packer.caveat(caveat)?;
    }
    let mut tag = Tag::from_bytes(presented.tag);
    for text in caveats {
        match Caveat::read(text)? {
            Caveat::UserId(_) => return Err(AttenuateError::Issuers("user_id")),
            Caveat::DeviceId(_) => return Err(AttenuateError::Issuers("device_id")),
            caveat if kind == Kind::Refresh && !caveat.goes_on_refresh() => {
                return Err(MintError::Sealed.into());
            }
            _ => {}
        }
        packer.caveat(text)?;
        tag = tag.extend(text.as_bytes());
    }
    Ok(packer.finish(kind, &tag.to_bytes())?)
}

/// Why the spelling of a token could not be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NormalizeError {
    /// Neither base64 nor a V2 macaroon.
    #[error("not a macaroon of version 2 in base64: {0}")]
    NotAMacaroon(&'static str),
    /// The text ends early.
    #[error("truncated: the text ends before the macaroon does")]
    Truncated,
    /// A third party's caveat cannot be kept and must not be dropped.
    #[error("it has a caveat of a third party, which no token of ours may have")]
    ThirdParty,
    /// It is a macaroon, but not one of ours.
    #[error("a macaroon, but not a token of this issuer: {0}")]
    NotOurs(Refusal),
}

/// Writes a token in the one spelling that is read: any library may have padded it, added an empty
/// location or written a length in more bytes than it needs, and the prefix may be off.
///
/// Nothing that is signed changes.
///
/// # Errors
/// [`NormalizeError`] when the text is not a token of ours in any spelling.
pub fn normalize(text: &str) -> Result<Token, NormalizeError> {
    let anatomy = Anatomy::of(text.trim());
    match anatomy.ending {
        Ending::Whole => {}
        Ending::Truncated { .. } => return Err(NormalizeError::Truncated),
        Ending::Broken { why, .. } => return Err(NormalizeError::NotAMacaroon(why)),
    }
    let not_ours = NormalizeError::NotOurs;
    let signed = anatomy.first(Part::Identifier).and_then(|bytes| bytes.try_into().ok());
    let signed = signed.ok_or(not_ours(super::Malformed::Identifier.into()))?;
    let kind = anatomy.prefix.map_or_else(|| Identifier::read(signed).map(|id| id.kind), Ok);
    let kind = kind.map_err(not_ours)?;
    let mut room = ROOM;
    let mut packer = Packer::new(&mut room, signed);
    for piece in &anatomy.pieces {
        match piece.part {
            Part::VerificationId | Part::CaveatLocation => return Err(NormalizeError::ThirdParty),
            Part::Caveat => {
                let text = str::from_utf8(anatomy.bytes_of(piece)).unwrap_or_default();
                packer.caveat(text).map_err(|why| match why {
                    MintError::TooLong => not_ours(Refusal::TooLong),
                    MintError::TooManyCaveats => not_ours(super::Malformed::TooManyCaveats.into()),
                    _ => not_ours(super::Malformed::Unprintable.into()),
                })?;
            }
            _ => {}
        }
    }
    let tag = anatomy.first(Part::Tag).and_then(|bytes| <[u8; TAG_BYTES]>::try_from(bytes).ok());
    let tag = tag.ok_or(NormalizeError::NotAMacaroon("the signature is not 32 bytes long"))?;
    let token = packer.finish(kind, &tag).map_err(|_| not_ours(Refusal::TooLong))?;
    let mut scratch = Scratch::new();
    let _untrusted = Presented::read(token.reveal(), &mut scratch).map_err(not_ours)?;
    Ok(token)
}
