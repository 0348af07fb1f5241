//! Packs the fields of a token into text: the mirror image of reading one.
//!
//! This file knows how tokens are written and nothing else: no keys, no time, no users.

use base64::engine::Engine;

use super::identifier::IDENTIFIER_BYTES;
use super::wire::{END, ENGINE, IDENTIFIER, SCRATCH_BYTES, SIGNATURE, VERSION};
use super::{Kind, MAX_CAVEATS, MAX_CHARS, MintError, TAG_BYTES, Token};
use crate::ident::is_printable;

/// The fields of a token, one behind the other; in borrowed room, so that none is copied as it moves.
pub(super) struct Packer<'r> {
    room: &'r mut [u8],
    length: usize,
    count: usize,
}

/// Room for any token.
pub(super) const ROOM: [u8; SCRATCH_BYTES] = [0; SCRATCH_BYTES];

impl<'r> Packer<'r> {
    pub(super) fn new(room: &'r mut [u8], signed: &[u8; IDENTIFIER_BYTES]) -> Self {
        let mut packer = Self { room, length: 0, count: 0 };
        packer.put(&[VERSION, IDENTIFIER, IDENTIFIER_BYTES as u8]);
        packer.put(signed);
        packer.put(&[END]);
        packer
    }

    pub(super) fn caveat(&mut self, text: &str) -> Result<(), MintError> {
        if text.is_empty() || !is_printable(text) {
            return Err(MintError::Unprintable);
        }
        self.line(&[text])
    }

    /// One of the issuer's caveats, whose id has been read as one; gives what is signed.
    #[inline]
    pub(super) fn issuers(&mut self, key: &str, id: &str) -> Result<&[u8], MintError> {
        self.line(&[key, id])?;
        let end = self.length - 1;
        let start = end - key.len() - id.len();
        self.room.get(start..end).ok_or(MintError::TooLong)
    }

    #[inline]
    fn line(&mut self, parts: &[&str]) -> Result<(), MintError> {
        self.count += 1;
        if self.count > MAX_CAVEATS {
            return Err(MintError::TooManyCaveats);
        }
        let length: usize = parts.iter().map(|part| part.len()).sum();
        match u8::try_from(length) {
            Ok(short @ ..0x80) => self.put(&[IDENTIFIER, short]),
            _ if length < 1 << 14 => {
                self.put(&[IDENTIFIER, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
            }
            _ => return Err(MintError::TooLong),
        }
        parts.iter().for_each(|part| self.put(part.as_bytes()));
        self.put(&[END]);
        Ok(())
    }

    pub(super) fn finish(mut self, kind: Kind, tag: &[u8; TAG_BYTES]) -> Result<Token, MintError> {
        self.put(&[END, SIGNATURE, TAG_BYTES as u8]);
        self.put(tag);
        let bytes = self.room.get(..self.length).ok_or(MintError::TooLong)?;
        let prefix = kind.prefix().as_bytes();
        // Exactly as long as the text, so that no second buffer and no second wiping is needed; and
        // not asked for as zeros, which would pass the C library's own cache by: 10 ns.
        let length = prefix.len() + (bytes.len() * 4).div_ceil(3);
        let mut text = Vec::with_capacity(length);
        text.extend(prefix);
        text.resize(length, 0);
        let body = text.get_mut(prefix.len()..).ok_or(MintError::TooLong)?;
        ENGINE.encode_slice(bytes, body).map_err(|_| MintError::TooLong)?;
        match String::from_utf8(text) {
            Ok(text) if text.len() <= MAX_CHARS => Ok(Token::new(text)),
            _ => Err(MintError::TooLong),
        }
    }

    /// Counts on when the room is full, so that `finish` finds out once for all.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.room.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
        }
        self.length = end;
    }
}
