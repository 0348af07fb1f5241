//! Reads a token from the text of a header.
//!
//! This file knows how tokens are written and nothing else: no keys, no time, no users. Whatever it
//! returns is well formed and still untrusted. A token has exactly one spelling; every other one is
//! refused, so that a session can be counted and a log searched.

use std::sync::LazyLock;

use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, Engine, Simd};
use base64::{DecodeError, DecodeSliceError};

use super::identifier::IDENTIFIER_BYTES;
use super::{Identifier, Kind, MAX_CAVEATS, MAX_CHARS, Malformed, Refusal, TAG_BYTES, caveat};
use crate::ident::{DeviceId, UserId, is_printable};

/// Bytes that [`MAX_CHARS`] characters can hold, rounded up to whole groups of four characters.
pub(super) const SCRATCH_BYTES: usize = MAX_CHARS / 4 * 3;

pub(super) const VERSION: u8 = 2;
pub(super) const END: u8 = 0;
pub(super) const LOCATION: u8 = 1;
pub(super) const IDENTIFIER: u8 = 2;
pub(super) const VERIFICATION: u8 = 4;
pub(super) const SIGNATURE: u8 = 6;

const STRICT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone);
/// Kept, because making one copies its tables and asks what the processor can do: 20 ns.
pub(super) static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(STRICT));
const LENIENT: GeneralPurposeConfig = STRICT
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// Room for the bytes of one token: the caller's, so that reading allocates nothing.
///
/// It may be used again for the next token; what is read borrows from it.
pub struct Scratch(pub(super) [u8; SCRATCH_BYTES]);

impl Scratch {
    /// Empty room.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; SCRATCH_BYTES])
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// A token that is well formed, and nothing more: anybody can write one.
#[must_use = "a presented token is not yet an authentic one"]
pub struct Presented<'s> {
    pub(super) identifier: Identifier,
    pub(super) user: UserId<'s>,
    pub(super) device: Option<DeviceId<'s>>,
    /// The 45 bytes as they are signed.
    pub(super) signed: &'s [u8; IDENTIFIER_BYTES],
    /// Every caveat.
    pub(super) caveats: Caveats<'s>,
    /// Those behind the issuer's.
    pub(super) appended: Caveats<'s>,
    pub(super) tag: &'s [u8; TAG_BYTES],
}

impl<'s> Presented<'s> {
    /// Reads the text of a token.
    ///
    /// # Errors
    /// A [`Refusal`] up to and including [`Refusal::ReservedBits`], the most particular that fits.
    #[inline]
    pub fn read(text: &str, scratch: &'s mut Scratch) -> Result<Self, Refusal> {
        let (kind, body) = split_prefix(text).ok_or_else(|| foreign(text))?;
        if text.len() > MAX_CHARS {
            return Err(Refusal::TooLong);
        }
        let length = match ENGINE.decode_slice(body, &mut scratch.0) {
            Ok(length) => length,
            Err(error) => return Err(undecodable(body, error, scratch)),
        };
        let bytes = scratch.0.get(..length).unwrap_or_default();
        let frame = Frame::walk(bytes)?;
        let identifier = Identifier::read(frame.signed)?;
        if identifier.kind != kind {
            return Err(Refusal::WrongPrefix);
        }
        frame.presented(identifier)
    }

    /// Why a text is none of our tokens, if that can be told from how it begins.
    #[inline]
    #[must_use]
    pub fn foreign(text: &str) -> Option<Refusal> {
        if split_prefix(text).is_some() { None } else { Some(foreign(text)) }
    }

    /// Whose it claims to be.
    #[must_use]
    pub fn user_id(&self) -> UserId<'s> {
        self.user
    }

    /// On which device it claims to be, if on one.
    #[must_use]
    pub fn device_id(&self) -> Option<DeviceId<'s>> {
        self.device
    }

    /// What the identifier claims.
    #[must_use]
    pub fn claimed(&self) -> &Identifier {
        &self.identifier
    }
}

/// The kind that a text's prefix names, and what follows it.
#[inline]
pub(super) fn split_prefix(text: &str) -> Option<(Kind, &str)> {
    let kind = match text.as_bytes().first_chunk::<4>()? {
        b"mma_" => Kind::Access,
        b"mmr_" => Kind::Refresh,
        b"mml_" => Kind::Login,
        b"mmi_" => Kind::Inner,
        _ => return None,
    };
    text.get(4..).map(|body| (kind, body))
}

/// What Synapse and MAS begin their tokens with; `MDA` is a macaroon of version 1, whose next letter
/// says how long its location is.
const PREDECESSORS: [&str; 9] =
    ["syt_", "syr_", "syl_", "mat_", "mar_", "mct_", "mcr_", "mpt_", "MDA"];

#[cold]
fn foreign(text: &str) -> Refusal {
    let known = PREDECESSORS.iter().any(|prefix| text.starts_with(prefix));
    if known { Refusal::Predecessor } else { Refusal::Foreign }
}

/// Why a body is not base64. A token that was cut off anywhere is *truncated*, whatever its last
/// characters happen to decode to.
#[cold]
fn undecodable(body: &str, error: DecodeSliceError, scratch: &mut Scratch) -> Refusal {
    if !body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Malformed::Alphabet.into();
    }
    let loose =
        matches!(error, DecodeSliceError::DecodeError(DecodeError::InvalidLastSymbol { .. }));
    let whole = if body.len() % 4 == 1 { body.len() - 1 } else { body.len() };
    let body = body.get(..whole).unwrap_or_default();
    let length = Simd::url_safe(LENIENT).decode_slice(body, &mut scratch.0).unwrap_or_default();
    match Frame::walk(scratch.0.get(..length).unwrap_or_default()) {
        Err(refusal) => refusal,
        Ok(_) if loose => Malformed::LooseBits.into(),
        Ok(_) => Malformed::TrailingBytes.into(),
    }
}

/// Decodes either alphabet, padded or not, loose bits or not: for people's tools, never for what
/// arrives over a network.
pub(super) fn decode_loosely(body: &str) -> Option<Vec<u8>> {
    let mut body = body.trim_end_matches('=').replace('+', "-").replace('/', "_");
    if body.len() % 4 == 1 {
        body.pop();
    }
    Simd::url_safe(LENIENT).decode(body).ok()
}

/// The fields of a macaroon in binary form, found but not yet read.
struct Frame<'s> {
    signed: &'s [u8; IDENTIFIER_BYTES],
    lines: Lines<'s>,
    tag: &'s [u8; TAG_BYTES],
}

/// The caveats, found and checked for framing and printability.
struct Lines<'s> {
    all: Caveats<'s>,
    count: usize,
    /// The first two, which are the issuer's; empty where there are fewer.
    first: [&'s str; 2],
}

impl<'s> Frame<'s> {
    #[inline]
    fn walk(bytes: &'s [u8]) -> Result<Self, Refusal> {
        let rest = match bytes {
            [] | [VERSION] => return Err(Refusal::Truncated),
            [VERSION, IDENTIFIER, rest @ ..] => rest,
            [VERSION, LOCATION, ..] => return Err(Malformed::Location.into()),
            _ => return Err(Malformed::Framing.into()),
        };
        let (length, rest) = split_length(rest)?;
        if length != IDENTIFIER_BYTES {
            return Err(Malformed::Identifier.into());
        }
        let (signed, rest) = rest.split_first_chunk().ok_or(Refusal::Truncated)?;
        let rest = match rest {
            [END, rest @ ..] => rest,
            [] => return Err(Refusal::Truncated),
            _ => return Err(Malformed::Framing.into()),
        };
        let (lines, rest) = walk_caveats(rest)?;
        let tag = match rest {
            [SIGNATURE, 32, tag @ ..] => tag,
            [] | [SIGNATURE] => return Err(Refusal::Truncated),
            _ => return Err(Malformed::Framing.into()),
        };
        let (tag, behind) = tag.split_first_chunk().ok_or(Refusal::Truncated)?;
        if !behind.is_empty() {
            return Err(Malformed::TrailingBytes.into());
        }
        Ok(Self { signed, lines, tag })
    }

    /// Takes the issuer's caveats from their places.
    #[inline]
    fn presented(self, identifier: Identifier) -> Result<Presented<'s>, Refusal> {
        let Self { signed, lines, tag } = self;
        let Lines { all: caveats, count, first: [user, device] } = lines;
        if count > MAX_CAVEATS {
            return Err(Malformed::TooManyCaveats.into());
        }
        let mut appended = caveats;
        appended.next_signed();
        let user = user.strip_prefix(caveat::USER_ID).and_then(|id| UserId::parse(id).ok());
        let user = user.ok_or(Malformed::Identity)?;
        let device = if identifier.has_device {
            appended.next_signed();
            let id = device.strip_prefix(caveat::DEVICE_ID);
            Some(id.and_then(|id| DeviceId::parse(id).ok()).ok_or(Malformed::Identity)?)
        } else {
            None
        };
        Ok(Presented { identifier, user, device, signed, caveats, appended, tag })
    }
}

/// Bytes of a token behind its caveats.
const BEHIND_CAVEATS: usize = 3 + TAG_BYTES;

/// Finds where the caveats end; each is checked for framing and printability on the way.
#[inline]
fn walk_caveats(bytes: &[u8]) -> Result<(Lines<'_>, &[u8]), Refusal> {
    let mut rest = bytes;
    let (mut count, mut first) = (0, [""; 2]);
    let all = bytes.split_at_checked(bytes.len().saturating_sub(BEHIND_CAVEATS));
    // Validated once, where no length takes two bytes: 6 ns less than each caveat by itself.
    let all = all.and_then(|(caveats, _)| str::from_utf8(caveats).ok()).unwrap_or_default();
    loop {
        match rest {
            [IDENTIFIER, tail @ ..] => {
                let (length, tail) = split_length(tail)?;
                let start = bytes.len() - tail.len();
                let valid = all.get(start..start + length);
                let (text, tail) = tail.split_at_checked(length).ok_or(Refusal::Truncated)?;
                rest = match tail {
                    [END, tail @ ..] => tail,
                    [] => return Err(Refusal::Truncated),
                    [VERIFICATION, ..] => return Err(Malformed::ThirdParty.into()),
                    _ => return Err(Malformed::Framing.into()),
                };
                let text = valid.map_or_else(|| str::from_utf8(text), Ok);
                let text = text.map_err(|_| Malformed::Unprintable)?;
                if text.is_empty() || !is_printable(text) {
                    return Err(Malformed::Unprintable.into());
                }
                if let Some(place) = first.get_mut(count) {
                    *place = text;
                }
                count += 1;
            }
            [END, tail @ ..] => {
                let length = bytes.len() - rest.len();
                let all = Caveats(bytes.get(..length).unwrap_or_default());
                return Ok((Lines { all, count, first }, tail));
            }
            [LOCATION, ..] => return Err(Malformed::ThirdParty.into()),
            [] => return Err(Refusal::Truncated),
            _ => return Err(Malformed::Framing.into()),
        }
    }
}

/// A length of at most two bytes in its shortest form, seven bits a byte, low bits first.
#[inline]
fn split_length(bytes: &[u8]) -> Result<(usize, &[u8]), Refusal> {
    match *bytes {
        [low @ ..0x80, ref rest @ ..] => Ok((usize::from(low), rest)),
        [] | [_] => Err(Refusal::Truncated),
        [low, high @ 1..0x80, ref rest @ ..] => {
            Ok((usize::from(low & 0x7f) | usize::from(high) << 7, rest))
        }
        _ => Err(Malformed::Length.into()),
    }
}

/// The caveats of a token as text, in order.
#[derive(Clone, Copy)]
pub struct Caveats<'s>(pub(super) &'s [u8]);

impl<'s> Caveats<'s> {
    /// The next caveat as the bytes that are signed. The framing has been checked, so whatever
    /// does not fit it can only be the end.
    #[inline]
    pub(super) fn next_signed(&mut self) -> Option<&'s [u8]> {
        let (length, rest) = split_length(self.0.get(1..)?).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        self.0 = rest.get(1..)?;
        Some(text)
    }
}

impl<'s> Iterator for Caveats<'s> {
    type Item = &'s str;

    /// A caveat that is not UTF-8 cannot get here; it would read as empty, which clears nowhere.
    #[inline]
    fn next(&mut self) -> Option<&'s str> {
        self.next_signed().map(|text| str::from_utf8(text).unwrap_or_default())
    }
}
