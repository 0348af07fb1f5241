//! Macaroons on `hmac` and `base64` alone, independent of how the crate packs and signs.
//!
//! It takes good tokens apart, narrows them as any other library would, and spells them as others
//! do. It refuses to know what a caveat says.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The tag that follows from a tag and one more caveat.
fn link(tag: &[u8], caveat: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(tag).unwrap();
    mac.update(caveat);
    mac.finalize().into_bytes().to_vec()
}

/// How to write a macaroon; the default is the one spelling that is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spelling {
    /// With `=` at the end.
    pub(crate) padded: bool,
    /// With `+` and `/`.
    pub(crate) standard: bool,
    /// With a location packet of this many bytes.
    pub(crate) location: Option<usize>,
    /// How many bytes more than needed each length takes.
    pub(crate) spare: usize,
    /// Without prefix.
    pub(crate) bare: bool,
}

/// A macaroon in its parts.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) prefix: String,
    pub(crate) signed: Vec<u8>,
    pub(crate) caveats: Vec<Vec<u8>>,
    pub(crate) tag: Vec<u8>,
}

impl Raw {
    /// Takes a good token apart.
    pub(crate) fn of(text: &str) -> Self {
        let (prefix, body) = text.split_at(4);
        let bytes = URL_SAFE_NO_PAD.decode(body).unwrap();
        let mut rest = bytes.strip_prefix(&[2, 2]).unwrap();
        let signed = content(&mut rest);
        rest = rest.strip_prefix(&[0]).unwrap();
        let mut caveats = Vec::new();
        while let Some(caveat) = rest.strip_prefix(&[2]) {
            rest = caveat;
            caveats.push(content(&mut rest));
            rest = rest.strip_prefix(&[0]).unwrap();
        }
        rest = rest.strip_prefix(&[0, 6]).unwrap();
        let tag = content(&mut rest);
        assert!(rest.is_empty(), "{} bytes behind the tag", rest.len());
        Self { prefix: prefix.into(), signed, caveats, tag }
    }

    /// Appends a caveat as a holder does, without any key.
    pub(crate) fn append(&mut self, caveat: &[u8]) {
        self.tag = link(&self.tag, caveat);
        self.caveats.push(caveat.to_vec());
    }

    /// The token in the spelling that is read.
    pub(crate) fn text(&self) -> String {
        self.spelled(Spelling::default())
    }

    /// The token as another library may write it.
    pub(crate) fn spelled(&self, how: Spelling) -> String {
        let mut bytes = vec![2];
        if let Some(length) = how.location {
            put(&mut bytes, 1, &vec![b'x'; length], how.spare);
        }
        put(&mut bytes, 2, &self.signed, how.spare);
        bytes.push(0);
        for caveat in &self.caveats {
            put(&mut bytes, 2, caveat, how.spare);
            bytes.push(0);
        }
        bytes.push(0);
        put(&mut bytes, 6, &self.tag, how.spare);
        let body = match (how.standard, how.padded) {
            (false, false) => URL_SAFE_NO_PAD.encode(bytes),
            (false, true) => URL_SAFE.encode(bytes),
            (true, false) => STANDARD_NO_PAD.encode(bytes),
            (true, true) => STANDARD.encode(bytes),
        };
        if how.bare { body } else { format!("{}{body}", self.prefix) }
    }
}

/// The bytes of a token without its prefix.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.split_at(4).1).unwrap()
}

/// The text of such bytes.
pub(crate) fn text_of(prefix: &str, bytes: &[u8]) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn content(rest: &mut &[u8]) -> Vec<u8> {
    let mut length = 0;
    for shift in [0, 7] {
        let (low, behind) = rest.split_first().unwrap();
        *rest = behind;
        length |= usize::from(low & 0x7f) << shift;
        if *low < 0x80 {
            break;
        }
    }
    let (content, behind) = rest.split_at(length);
    *rest = behind;
    content.to_vec()
}

fn put(bytes: &mut Vec<u8>, field: u8, content: &[u8], spare: usize) {
    bytes.push(field);
    let mut length = content.len();
    let groups = 1 + usize::from(length >= 1 << 7) + usize::from(length >= 1 << 14) + spare;
    for group in 1..=groups {
        let more = if group < groups { 0x80 } else { 0 };
        bytes.push((length & 0x7f) as u8 | more);
        length >>= 7;
    }
    bytes.extend_from_slice(content);
}
