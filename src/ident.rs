//! Matrix names: user ids, device ids, localparts and server names.
//!
//! This file knows their grammar and their length limits; it refuses to know whether anybody bears
//! them. A name is parsed once and borrowed ever after.

use core::fmt;

/// Longest user id and longest device id, in bytes (client-server specification, appendix 4.2.1).
pub const MAX_ID_BYTES: usize = 255;

/// Why a text is not the name it was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentError {
    /// A user id without its sigil or without a server name.
    #[error("a user id looks like @localpart:server.name")]
    NotAUserId,
    /// Longer than [`MAX_ID_BYTES`].
    #[error("longer than 255 bytes")]
    TooLong,
    /// Nothing where a name should be.
    #[error("empty")]
    Empty,
    /// A control character, or white space in a user id.
    #[error("holds a control character or white space")]
    Unprintable,
    /// A localpart outside `a-z 0-9 . _ = - / +`.
    #[error("a new localpart may hold only a-z, 0-9 and . _ = - / +")]
    Localpart,
    /// Not `host` or `host:port`.
    #[error("a server name looks like example.com or example.com:8448")]
    ServerName,
}

/// A user id: `@localpart:server.name`, at most 255 bytes.
///
/// The localpart may be any that the specification's appendix calls historical, because tokens are
/// issued for users that exist already; [`Localpart`] is the stricter grammar for new ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId<'a>(&'a str);

impl<'a> UserId<'a> {
    /// Takes a text for a user id.
    ///
    /// # Errors
    /// Names what is wrong with the text; see [`IdentError`].
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, IdentError> {
        let (localpart, server) = text
            .strip_prefix('@')
            .and_then(|rest| rest.split_once(':'))
            .ok_or(IdentError::NotAUserId)?;
        if localpart.is_empty() || server.is_empty() {
            return Err(IdentError::NotAUserId);
        }
        if text.len() > MAX_ID_BYTES {
            return Err(IdentError::TooLong);
        }
        // One pass that the compiler turns into vector code settles the usual, ASCII case.
        let plain = text.bytes().fold(true, |ok, b| ok & (0x21..0x7f).contains(&b));
        if plain || !text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            Ok(Self(text))
        } else {
            Err(IdentError::Unprintable)
        }
    }

    /// The whole id as text.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// What stands between `@` and the first `:`.
    pub fn localpart(self) -> &'a str {
        self.0.strip_prefix('@').and_then(|rest| rest.split_once(':')).map_or("", |(name, _)| name)
    }

    /// What stands after the first `:`.
    pub fn server_name(self) -> &'a str {
        self.0.split_once(':').map_or("", |(_, server)| server)
    }
}

impl fmt::Display for UserId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for UserId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A device id: opaque, 1 to 255 bytes, no control characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId<'a>(&'a str);

impl<'a> DeviceId<'a> {
    /// Takes a text for a device id.
    ///
    /// # Errors
    /// Names what is wrong with the text; see [`IdentError`].
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, IdentError> {
        match text.len() {
            0 => Err(IdentError::Empty),
            1..=MAX_ID_BYTES if is_printable(text) => Ok(Self(text)),
            1..=MAX_ID_BYTES => Err(IdentError::Unprintable),
            _ => Err(IdentError::TooLong),
        }
    }

    /// The id as text.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for DeviceId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for DeviceId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A localpart that a new account may have: `[a-z0-9._=\-/+]+` (specification, appendix 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Localpart<'a>(&'a str);

impl<'a> Localpart<'a> {
    /// Takes a text for the localpart of a new user of `server`.
    ///
    /// # Errors
    /// Names what is wrong; the whole user id has to fit 255 bytes.
    pub fn parse(text: &'a str, server: &ServerName) -> Result<Self, IdentError> {
        if text.is_empty() {
            return Err(IdentError::Empty);
        }
        if text.len() + server.as_str().len() + 2 > MAX_ID_BYTES {
            return Err(IdentError::TooLong);
        }
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._=-/+".contains(&b);
        if text.bytes().all(allowed) { Ok(Self(text)) } else { Err(IdentError::Localpart) }
    }

    /// The localpart as text.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// The name of a homeserver: a host name or address, with or without a port, at most 230 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName(String);

impl ServerName {
    /// Takes a text for a server name (specification, appendix 4.1).
    ///
    /// # Errors
    /// [`IdentError::ServerName`] when it is none.
    pub fn parse(text: &str) -> Result<Self, IdentError> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((inner, "")) => (inner, None),
                Some((inner, port)) => (inner, Some(port.strip_prefix(':').unwrap_or(""))),
                None => return Err(IdentError::ServerName),
            },
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let host_ok = if text.starts_with('[') {
            host.parse::<core::net::Ipv6Addr>().is_ok()
        } else {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        };
        let digits = |p: &str| (1..=5).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit());
        if host_ok && port.is_none_or(digits) && text.len() <= 230 {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentError::ServerName)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user id of `localpart` on this server, as text; not checked.
    pub fn user_id(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.0)
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is free of control characters (Unicode category Cc).
#[inline]
pub(crate) fn is_printable(text: &str) -> bool {
    let plain = text.bytes().fold(true, |ok, b| ok & (0x20..0x7f).contains(&b));
    plain || !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_are_taken_apart_at_the_first_colon() {
        let id = UserId::parse("@alice:example.com:8448").unwrap();

        assert_eq!((id.localpart(), id.server_name()), ("alice", "example.com:8448"));
    }

    #[test]
    fn what_is_no_user_id_is_refused_by_name() {
        assert_eq!(UserId::parse("alice"), Err(IdentError::NotAUserId));
        assert_eq!(UserId::parse("@alice"), Err(IdentError::NotAUserId));
        assert_eq!(UserId::parse("@:hs"), Err(IdentError::NotAUserId));
        assert_eq!(UserId::parse("@alice:"), Err(IdentError::NotAUserId));
        assert_eq!(UserId::parse("@al ice:hs"), Err(IdentError::Unprintable));
        assert_eq!(UserId::parse("@al\u{85}ice:hs"), Err(IdentError::Unprintable));
        assert_eq!(UserId::parse(&format!("@{}:hs", "a".repeat(252))), Err(IdentError::TooLong));
        assert!(UserId::parse(&format!("@{}:hs", "a".repeat(251))).is_ok());
    }

    #[test]
    fn device_ids_are_opaque_between_one_and_255_bytes() {
        assert!(DeviceId::parse("My phone ü").is_ok());
        assert!(DeviceId::parse(&"d".repeat(255)).is_ok());
        assert_eq!(DeviceId::parse(""), Err(IdentError::Empty));
        assert_eq!(DeviceId::parse(&"d".repeat(256)), Err(IdentError::TooLong));
        assert_eq!(DeviceId::parse("a\nb"), Err(IdentError::Unprintable));
    }

    #[test]
    fn new_localparts_follow_the_strict_grammar() {
        let hs = ServerName::parse("hs").unwrap();

        assert!(Localpart::parse("alice/0=._-+z", &hs).is_ok());
        assert_eq!(Localpart::parse("Alice", &hs), Err(IdentError::Localpart));
        assert_eq!(Localpart::parse("", &hs), Err(IdentError::Empty));
        assert_eq!(Localpart::parse(&"a".repeat(252), &hs), Err(IdentError::TooLong));
        assert!(Localpart::parse(&"a".repeat(251), &hs).is_ok());
    }

    #[test]
    fn server_names_are_hosts_with_or_without_a_port() {
        for good in ["localhost", "example.com:8448", "1.2.3.4", "[::1]", "[::1]:8448"] {
            assert!(ServerName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ":1", "a b", "example.com:", "a:123456", "[::1", "[x]", "[::1]8448", "a/b"]
        {
            assert_eq!(ServerName::parse(bad), Err(IdentError::ServerName), "{bad}");
        }
    }
}
