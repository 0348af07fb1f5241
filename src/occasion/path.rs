//! Reads the path of a request: splits it, then decodes each segment once.
//!
//! This file knows spellings: one that another program could read otherwise is refused. It refuses
//! to know endpoints, and allocates nothing.

use crate::ident::is_printable;

/// Most bytes of a path once it is decoded, its slashes not counted.
pub const MAX_PATH_BYTES: usize = 2048;

/// Most segments of a path; the longest pattern has nine.
pub const MAX_SEGMENTS: usize = 16;

/// Why a path is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with a slash.
    #[error("a path begins with /")]
    Relative,
    /// Longer than [`MAX_PATH_BYTES`].
    #[error("the path is longer than 2048 bytes")]
    TooLong,
    /// More than [`MAX_SEGMENTS`].
    #[error("the path has more than 16 segments")]
    TooDeep,
    /// Two slashes in a row, or one at the end where the specification has none.
    #[error("the path has an empty segment")]
    Empty,
    /// `.` or `..`, in whatever spelling.
    #[error("the path has a segment . or ..")]
    Dots,
    /// An encoded slash where no name can hold one.
    #[error("the path has an encoded slash in a segment that cannot hold one")]
    Slash,
    /// `%` without two hexadecimal digits.
    #[error("the path has a % that encodes nothing")]
    Escape,
    /// Text that could be decoded a second time.
    #[error("the path is encoded twice")]
    Twice,
    /// A `#` or a `\`, where some cut a path off and others see a slash.
    #[error(r"the path has a # or a \ that is not encoded")]
    Stray,
    /// A control character.
    #[error("the path has a control character")]
    Unprintable,
    /// Not UTF-8 once it is decoded.
    #[error("the path is not UTF-8")]
    NotUtf8,
}

/// Room for the decoded segments of one path: the caller's, so that judging allocates nothing.
///
/// It may be used again for the next path; the room of a request's judgement borrows from it.
pub struct PathScratch([u8; MAX_PATH_BYTES]);

impl PathScratch {
    /// Empty room.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; MAX_PATH_BYTES])
    }
}

impl Default for PathScratch {
    fn default() -> Self {
        Self::new()
    }
}

/// One decoded segment of a path, and what would be wrong with it at most places.
#[derive(Clone, Copy, Default)]
pub(super) struct Segment<'p> {
    pub(super) text: &'p str,
    pub(super) fault: Option<PathError>,
}

impl<'p> Segment<'p> {
    /// Takes a path apart.
    pub(super) fn split<'s>(
        path: &str,
        scratch: &'p mut PathScratch,
        room: &'s mut [Self; MAX_SEGMENTS],
    ) -> Result<&'s [Self], PathError> {
        let path = path.strip_prefix('/').ok_or(PathError::Relative)?;
        let mut free = scratch.0.as_mut_slice();
        let mut count = 0;
        for raw in path.as_bytes().split(|byte| *byte == b'/') {
            let slot = room.get_mut(count).ok_or(PathError::TooDeep)?;
            let (length, escaped) = decode(raw, free)?;
            let (text, rest) = free.split_at_mut_checked(length).ok_or(PathError::TooLong)?;
            *slot = Self::read(text, escaped)?;
            free = rest;
            count += 1;
        }
        Ok(room.get(..count).unwrap_or_default())
    }

    fn read(text: &'p [u8], escaped: bool) -> Result<Self, PathError> {
        let text = str::from_utf8(text).map_err(|_| PathError::NotUtf8)?;
        if !is_printable(text) {
            return Err(PathError::Unprintable);
        }
        if text == "." || text == ".." || escaped && climbs(text.as_bytes()) {
            return Err(PathError::Dots);
        }
        let fault = if text.is_empty() {
            Some(PathError::Empty)
        } else if escaped && text.contains('/') {
            Some(PathError::Slash)
        } else if escaped && text.as_bytes().windows(3).any(|three| escape(three).is_some()) {
            Some(PathError::Twice)
        } else {
            None
        };
        Ok(Self { text, fault })
    }

    /// Whether the fault does no harm where a pattern has `piece`.
    ///
    /// Event ids of room version 3, session ids of key backups, user ids, aliases, state keys and
    /// file names do hold slashes and percent signs. No verdict depends on these; see [`FREE`].
    pub(super) fn fits(&self, piece: &str) -> bool {
        match self.fault {
            None => true,
            Some(PathError::Empty) => piece.is_empty() || piece == "{stateKey}",
            Some(PathError::Slash | PathError::Twice) if piece == "{roomIdOrAlias}" => {
                self.text.starts_with('#')
            }
            Some(PathError::Slash | PathError::Twice) => FREE.contains(&piece),
            Some(_) => false,
        }
    }
}

/// Placeholders whose text may be anything: were their slashes read as such, by a program that
/// decodes first and splits then, the request would lead to no row of another action or room.
#[rustfmt::skip] // as a paragraph
const FREE: &[&str] = &[
    "{deviceId}", "{eventId}", "{fileName}", "{roomAlias}", "{ruleId}", "{sessionId}",
    "{stateKey}", "{tag}", "{txnId}", "{type}", "{userId}",
];

/// Decodes a segment; says how long it became and whether there was anything to decode.
fn decode(raw: &[u8], free: &mut [u8]) -> Result<(usize, bool), PathError> {
    if !raw.iter().any(|byte| matches!(byte, b'#' | b'\\' | b'%')) {
        free.get_mut(..raw.len()).ok_or(PathError::TooLong)?.copy_from_slice(raw);
        return Ok((raw.len(), false));
    }
    let mut bytes = raw;
    let mut slots = free.iter_mut();
    let mut length = 0;
    while let [first, tail @ ..] = bytes {
        let (byte, rest) = match first {
            b'#' | b'\\' => return Err(PathError::Stray),
            b'%' => escape(bytes).ok_or(PathError::Escape)?,
            _ => (*first, tail),
        };
        *slots.next().ok_or(PathError::TooLong)? = byte;
        length += 1;
        bytes = rest;
    }
    Ok((length, length < raw.len()))
}

/// The byte that an escape at the beginning stands for, and what follows it.
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    match bytes {
        [b'%', high, low, rest @ ..] => Some((digit(high)? << 4 | digit(low)?, rest)),
        _ => None,
    }
}

/// Whether a decoded segment holds `.` or `..` between slashes, be they encoded once more or not.
fn climbs(mut bytes: &[u8]) -> bool {
    let (mut dots, mut others) = (0, 0);
    loop {
        let (byte, rest) = match (escape(bytes), bytes) {
            (Some(found), _) => found,
            (None, [first, tail @ ..]) => (*first, tail),
            (None, []) => (b'/', bytes),
        };
        match byte {
            b'/' if others == 0 && (1..=2).contains(&dots) => return true,
            b'/' if bytes.is_empty() => return false,
            b'/' => (dots, others) = (0, 0),
            b'.' => dots += 1,
            _ => others += 1,
        }
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occasion::request;

    const ROOM: &str = "/_matrix/client/v3/rooms/!a:hs";

    fn passes(method: &str, path: &str) {
        let mut scratch = PathScratch::new();
        let found = request(method, path, &mut scratch);
        assert!(found.is_ok_and(|found| found.known), "{path}: {found:?}");
    }

    fn refused(path: &str) -> PathError {
        let mut scratch = PathScratch::new();
        request("PUT", path, &mut scratch).map(|found| panic!("{path}: {found:?}")).unwrap_err()
    }

    #[test]
    fn a_slash_at_the_end_is_taken_where_the_specification_has_it() {
        passes("GET", "/_matrix/client/v3/pushrules/");
        passes("GET", "/_matrix/client/v3/pushrules/global/");
        passes("GET", "/_matrix/static/client/login/");
        passes("GET", &format!("{ROOM}/state/m.room.name/"));
        passes("PUT", &format!("{ROOM}/state/m.room.name/"));
        assert_eq!(refused("/_matrix/client/v3/sync/"), PathError::Empty);
        assert_eq!(refused(&format!("{ROOM}/send/m.room.message/")), PathError::Empty);
    }

    #[test]
    fn hostile_spellings_are_refused_by_name() {
        for (path, error) in [
            ("_matrix/client/v3/sync", PathError::Relative),
            ("http://hs/_matrix/client/v3/sync", PathError::Relative),
            ("", PathError::Relative),
            ("/", PathError::Empty),
            ("//_matrix/client/v3/sync", PathError::Empty),
            ("/_matrix/client/v3/rooms//!a:hs/leave", PathError::Empty),
            ("/_matrix/client/v3/rooms/!a:hs/../!b:hs/leave", PathError::Dots),
            ("/_matrix/client/v3/rooms/!a:hs/%2e%2E/!b:hs/leave", PathError::Dots),
            ("/_matrix/client/v3/rooms/!a:hs/.%2e/leave", PathError::Dots),
            ("/_matrix/client/v3/./sync", PathError::Dots),
            ("/_matrix/client/v3/rooms/!a:hs/send/x/..%2F1", PathError::Dots),
            ("/_matrix/client/v3/rooms/!a:hs/send/x/1%2f%2e%2e%2f2", PathError::Dots),
            ("/_matrix/client/v3/rooms/!a:hs/send/x/%252e%252E", PathError::Dots),
            ("/_matrix/client/v3/rooms/!a:hs/send/x/1%252F..", PathError::Dots),
            ("/_matrix/client/v3/rooms/!a%2Fb:hs/send/x/1", PathError::Slash),
            ("/_matrix/client/v3/rooms%2F!a:hs/send/x/1", PathError::Slash),
            ("/_matrix%2fclient/v3/sync", PathError::Slash),
            ("/_matrix/client/v3/rooms/%2521a:hs/send/x/1", PathError::Twice),
            ("/_matrix/client/v3/rooms/!a%25%33%41hs/send/x/1", PathError::Twice),
            ("/_matrix/client/v3/%2573ync", PathError::Twice),
            ("/_matrix/client/v3/rooms/%2/leave", PathError::Escape),
            ("/_matrix/client/v3/rooms/%g1/leave", PathError::Escape),
            ("/_matrix/client/v3/rooms/%+1/leave", PathError::Escape),
            ("/_matrix/client/v3/rooms/a%", PathError::Escape),
            ("/_matrix/client/v3/rooms/!a%00:hs/leave", PathError::Unprintable),
            ("/_matrix/client/v3/sync%0a", PathError::Unprintable),
            ("/_matrix/client/v3/sync\t", PathError::Unprintable),
            ("/_matrix/client/v3/sync%c2%85", PathError::Unprintable),
            ("/_matrix/client/v3/rooms/%ff/leave", PathError::NotUtf8),
            ("/_matrix/client/v3/sync#/x", PathError::Stray),
            ("/_matrix/client/v3\\..\\sync", PathError::Stray),
        ] {
            assert_eq!(refused(path), error, "{path}");
        }
    }

    #[test]
    fn a_path_has_limits() {
        let long = |length| format!("{ROOM}/send/x/{}", "t".repeat(length));

        passes("PUT", &long(2000));
        assert_eq!(refused(&long(2048)), PathError::TooLong);
        assert_eq!(refused(&"/a".repeat(17)), PathError::TooDeep);
        assert!(request("PUT", &"/a".repeat(16), &mut PathScratch::new()).is_ok());
    }

    #[test]
    fn names_that_do_hold_slashes_and_percent_signs_pass() {
        for (method, path) in [
            ("GET", "v3/rooms/!a:hs/context/$ab%2Fcd%2F%2Fef"),
            ("GET", "v3/room_keys/keys/!a:hs/2F%2FbGF%2BcA"),
            ("PUT", "v3/rooms/!a:hs/typing/%40a%2Fb%3Ahs"),
            ("PUT", "v3/rooms/!a:hs/state/m.bridge/irc%3A%2F%2Flibera%2F%252523matrix"),
            ("POST", "v3/join/%23a%2Fb%3Ahs"),
            ("GET", "v1/media/download/hs/abc/100%2525%2520sure.png"),
            ("GET", "v3/pushrules/global/override/.m.rule.master"),
        ] {
            passes(method, &format!("/_matrix/client/{path}"));
        }
        assert_eq!(refused("/_matrix/client/v3/join/!a%2Fb"), PathError::Slash);
    }
}
