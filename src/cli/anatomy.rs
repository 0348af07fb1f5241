//! Draws the anatomy of a token from its real bytes, as far as they go.
//!
//! Needs no key and judges nothing. The tag is shown in part: the rest of the picture is no secret.

use super::outcome::instant;
use crate::time::Timestamp;
use crate::token::{
    Anatomy, Ending, IDENTIFIER_BYTES, Identifier, Part, Piece, Presented, Scratch,
};

/// How many bytes a line shows before it says "…".
const SHOWN: usize = 6;

/// The picture of a token.
pub(super) fn draw(text: &str) -> String {
    let anatomy = Anatomy::of(text);
    let mut lines = vec![heading(text, &anatomy), String::new()];
    let mut caveats = 0;
    for piece in &anatomy.pieces {
        let whole = anatomy.bytes_of(piece);
        match piece.part {
            Part::Version => lines.push(line(piece.start, whole, "version 2")),
            Part::Identifier => identifier(&mut lines, piece, whole),
            Part::Caveat => {
                lines.push(field(&anatomy, piece, &format!("caveat {caveats}: {}", shown(whole))));
                caveats += 1;
            }
            Part::Location | Part::CaveatLocation => {
                let what = format!("location, signed by nobody: {}", shown(whole));
                lines.push(field(&anatomy, piece, &what));
            }
            Part::VerificationId => {
                lines.push(field(&anatomy, piece, "verification id of a third party"));
            }
            Part::Tag => {
                lines.push(field(&anatomy, piece, "tag, the secret part"));
                lines.push(line(piece.start, whole, ""));
            }
        }
    }
    lines.push(String::new());
    lines.push(ending(text, &anatomy));
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

fn heading(text: &str, anatomy: &Anatomy) -> String {
    let kind = match anatomy.prefix {
        Some(kind) => format!("{}  {kind} token", kind.prefix()),
        None => "no prefix of ours".to_owned(),
    };
    format!("{kind}, {} characters, {} bytes", text.len(), anatomy.bytes.len())
}

/// The header of a packet, which stands before its content, and what it holds.
fn field(anatomy: &Anatomy, piece: &Piece, what: &str) -> String {
    let length = piece.end - piece.start;
    let header = if length < 0x80 { 2 } else { 3 };
    let start = piece.start.saturating_sub(header);
    let bytes = anatomy.bytes.get(start..piece.start).unwrap_or_default();
    line(start, bytes, what)
}

/// One line: where, which bytes, what they say.
fn line(at: usize, bytes: &[u8], what: &str) -> String {
    let digits: Vec<_> = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > SHOWN { " …" } else { "" };
    format!("{at:>5}  {:<20} {what}", digits.join(" ") + more)
}

fn identifier(lines: &mut Vec<String>, piece: &Piece, bytes: &[u8]) {
    let start = piece.start;
    lines.push(format!("{:>5}  {:<20} identifier, {} bytes", start - 2, "02 2d", bytes.len()));
    let read = <&[u8; IDENTIFIER_BYTES]>::try_from(bytes).ok();
    let says = |read: &Identifier| {
        let guest = if read.guest { ", guest" } else { "" };
        let device = if read.has_device { "has a device" } else { "no device" };
        let began = instant(read.session.beginning());
        let expires = read.expires_at.map_or("never".to_owned(), instant);
        [
            (0, 1, "format 1".to_owned()),
            (1, 1, format!("kind: {}", read.kind)),
            (2, 1, format!("flags: {device}{guest}")),
            (3, 6, "route, for load balancers".to_owned()),
            (9, 4, format!("key {}", read.key_id)),
            (13, 16, format!("session {}", read.session)),
            (13, 6, format!("  its beginning: {began}")),
            (29, 4, format!("generation {}", read.generation)),
            (33, 6, format!("issued at {}", instant(read.issued_at))),
            (39, 6, format!("expires {expires}")),
        ]
    };
    match read.map(Identifier::read) {
        Some(Ok(read)) => lines.extend(says(&read).map(|(offset, length, what)| {
            let bytes = bytes.get(offset..offset + length).unwrap_or_default();
            line(start + offset, bytes, &format!("  {what}"))
        })),
        Some(Err(refusal)) => lines.push(line(start, bytes, &format!("  {refusal}"))),
        None => lines.push(line(start, bytes, "  not one of ours, or not all of it")),
    }
}

fn ending(text: &str, anatomy: &Anatomy) -> String {
    match anatomy.ending {
        Ending::Whole => match Presented::read(text, &mut Scratch::new()) {
            Ok(_) => "whole; whether it is good is for `amaretti token verify` to say".to_owned(),
            Err(refusal) => format!("whole, but no node reads it: {refusal}"),
        },
        Ending::Truncated { at, within, missing } => {
            let missing = match missing {
                Some(bytes) => format!(", which lacks {bytes} bytes"),
                None => String::new(),
            };
            format!(
                "truncated: it ends after {at} bytes ({} characters), in {within}{missing}; copy all of it",
                text.len()
            )
        }
        Ending::Broken { at, why } => format!("not a token: {why} (byte {at})"),
    }
}

/// Bytes of a caveat as text in which nothing moves the cursor.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// The text of a token's caveat, counted from 0.
pub(super) fn caveat(text: &str, index: u8) -> Option<String> {
    let anatomy = Anatomy::of(text);
    let mut caveats = anatomy.pieces.iter().filter(|piece| piece.part == Part::Caveat);
    caveats.nth(usize::from(index)).map(|piece| shown(anatomy.bytes_of(piece)))
}

/// How long a token lives, in words.
pub(super) fn life(expires_at: Option<Timestamp>) -> String {
    expires_at.map_or("never expires".to_owned(), |end| format!("expires {}", instant(end)))
}
