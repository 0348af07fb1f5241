//! Takes a token apart as far as it goes: whole, truncated, or spelled by another library.
//!
//! For people who look at a token. It refuses nothing and therefore knows nothing of trust; what
//! arrives over a network is read by `wire.rs` alone.

use super::Kind;
use super::wire::{
    END, IDENTIFIER, LOCATION, SIGNATURE, VERIFICATION, VERSION, decode_loosely, split_prefix,
};

/// What a piece of a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The version byte.
    Version,
    /// A location, which no MAC covers.
    Location,
    /// The identifier.
    Identifier,
    /// A first party's caveat, or the id of a third party's.
    Caveat,
    /// The location of a third party.
    CaveatLocation,
    /// The verification id of a third party's caveat.
    VerificationId,
    /// The tag.
    Tag,
}

/// A piece: what it is and where its content lies, in bytes from the start of the macaroon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub part: Part,
    /// Where its content begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// How a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Where the macaroon does.
    Whole,
    /// Before it does.
    Truncated {
        /// How many bytes there are.
        at: usize,
        /// What was being read.
        within: &'static str,
        /// How many bytes more that piece needs, if it says.
        missing: Option<usize>,
    },
    /// In something that is not a macaroon.
    Broken {
        /// Where, in bytes.
        at: usize,
        /// What is wrong there.
        why: &'static str,
    },
}

/// A token taken apart.
pub struct Anatomy {
    /// The kind its prefix names, if it has one of ours.
    pub prefix: Option<Kind>,
    /// The macaroon in binary form.
    pub bytes: Vec<u8>,
    /// Its pieces, in order.
    pub pieces: Vec<Piece>,
    /// How it ends.
    pub ending: Ending,
}

impl Anatomy {
    /// Takes a text apart, with or without one of our prefixes.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (prefix, body) = split_prefix(text).map_or((None, text), |(k, body)| (Some(k), body));
        let Some(bytes) = decode_loosely(body) else {
            let ending = Ending::Broken { at: 0, why: "not base64" };
            return Self { prefix, bytes: Vec::new(), pieces: Vec::new(), ending };
        };
        let mut walk = Walk { bytes: &bytes, at: 0, pieces: Vec::new() };
        let ending = walk.macaroon().err().unwrap_or(Ending::Whole);
        let pieces = walk.pieces;
        Self { prefix, bytes, pieces, ending }
    }

    /// The content of a piece.
    #[must_use]
    pub fn bytes_of(&self, piece: &Piece) -> &[u8] {
        self.bytes.get(piece.start..piece.end).unwrap_or_default()
    }

    /// The content of the first piece of this sort.
    #[must_use]
    pub fn first(&self, part: Part) -> Option<&[u8]> {
        self.pieces.iter().find(|piece| piece.part == part).map(|piece| self.bytes_of(piece))
    }
}

struct Walk<'b> {
    bytes: &'b [u8],
    at: usize,
    pieces: Vec<Piece>,
}

impl Walk<'_> {
    fn macaroon(&mut self) -> Result<(), Ending> {
        if self.byte("the version")? != VERSION {
            return Err(Ending::Broken { at: 0, why: "no version byte 2 at the start" });
        }
        self.pieces.push(Piece { part: Part::Version, start: 0, end: 1 });
        let mut field = self.byte("the header")?;
        if field == LOCATION {
            self.packet(Part::Location, "the location")?;
            field = self.byte("the header")?;
        }
        if field != IDENTIFIER {
            return Err(self.broken("no identifier where one must be"));
        }
        self.packet(Part::Identifier, "the identifier")?;
        if self.byte("the header")? != END {
            return Err(self.broken("the header does not end behind its identifier"));
        }
        while self.caveat()? {}
        if self.byte("the tag")? != SIGNATURE {
            return Err(self.broken("no tag where it must be"));
        }
        self.packet(Part::Tag, "the tag")?;
        if self.at < self.bytes.len() {
            return Err(Ending::Broken { at: self.at, why: "bytes behind the tag" });
        }
        Ok(())
    }

    /// One caveat; `false` at the end of them.
    fn caveat(&mut self) -> Result<bool, Ending> {
        let mut field = self.byte("the list of caveats")?;
        if field == END {
            return Ok(false);
        }
        if field == LOCATION {
            self.packet(Part::CaveatLocation, "a caveat's location")?;
            field = self.byte("a caveat")?;
        }
        if field != IDENTIFIER {
            return Err(self.broken("no caveat where one must be"));
        }
        self.packet(Part::Caveat, "a caveat")?;
        match self.byte("a caveat")? {
            END => {}
            VERIFICATION => {
                self.packet(Part::VerificationId, "a verification id")?;
                if self.byte("a caveat")? != END {
                    return Err(self.broken("a caveat that does not end"));
                }
            }
            _ => return Err(self.broken("a caveat that does not end")),
        }
        Ok(true)
    }

    /// A length and as many bytes.
    fn packet(&mut self, part: Part, within: &'static str) -> Result<(), Ending> {
        let mut length = 0_usize;
        for shift in [0, 7, 14] {
            let byte = self.byte(within)?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let (start, end) = (self.at, self.at + length);
                if end > self.bytes.len() {
                    let missing = Some(end - self.bytes.len());
                    self.pieces.push(Piece { part, start, end: self.bytes.len() });
                    return Err(Ending::Truncated { at: self.bytes.len(), within, missing });
                }
                self.pieces.push(Piece { part, start, end });
                self.at = end;
                return Ok(());
            }
        }
        Err(self.broken("a length beyond all bounds"))
    }

    fn byte(&mut self, within: &'static str) -> Result<u8, Ending> {
        let byte = self.bytes.get(self.at);
        let cut = Ending::Truncated { at: self.bytes.len(), within, missing: None };
        self.at += 1;
        byte.copied().ok_or(cut)
    }

    fn broken(&self, why: &'static str) -> Ending {
        Ending::Broken { at: self.at.saturating_sub(1), why }
    }
}
