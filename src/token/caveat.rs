//! The vocabulary of caveats: which there are and how each is written.
//!
//! One table, [`VOCABULARY`], is what the documentation and its test are made from. This file
//! refuses to know on which occasion a caveat clears: that is `clear.rs`.
//!
//! A caveat is `key operator value` with single spaces between, as in Matrix's own draft of 2015
//! (`drafts/macaroons_caveats.rst`). It narrows a token; none can widen one.

use ipnet::{IpNet, Ipv4Net};

use super::clear::Action;
use crate::time::Timestamp;

/// How the caveat at place 0 begins.
pub(super) const USER_ID: &str = "user_id = ";
/// How the caveat at place 1 begins when the token has a device.
pub(super) const DEVICE_ID: &str = "device_id = ";

/// A row of the vocabulary.
#[derive(Debug)]
pub struct Term {
    /// What the caveat is about.
    pub key: &'static str,
    /// How key and value stand to each other.
    pub operator: &'static str,
    /// One whole caveat.
    pub example: &'static str,
    /// When it clears, in words.
    pub clears_when: &'static str,
    /// Whether a holder may append it; the others are the issuer's.
    pub appendable: bool,
}

/// Every caveat there is.
pub const VOCABULARY: &[Term] = &[
    Term {
        key: "user_id",
        operator: "=",
        example: "user_id = @alice:example.com",
        clears_when: "the issuer's first caveat names the same user",
        appendable: false,
    },
    Term {
        key: "device_id",
        operator: "=",
        example: "device_id = ABCDEFGHIJ",
        clears_when: "the issuer's second caveat names the same device",
        appendable: false,
    },
    Term {
        key: "time",
        operator: "<",
        example: "time < 1790000000000",
        clears_when: "it is earlier than that instant, in milliseconds since 1970 UTC",
        appendable: true,
    },
    Term {
        key: "action",
        operator: "in",
        example: "action in read,send",
        clears_when: "what the request does is listed",
        appendable: true,
    },
    Term {
        key: "room_id",
        operator: "in",
        example: "room_id in !a:example.com,!b:example.com",
        clears_when: "the request names one of these rooms and no other",
        appendable: true,
    },
    Term {
        key: "ip",
        operator: "in",
        example: "ip in 192.0.2.0/24,2001:db8::/32",
        clears_when: "the caller's address is known and inside one of these networks",
        appendable: true,
    },
    Term {
        key: "audience",
        operator: "=",
        example: "audience = media",
        clears_when: "the service that judges bears this name",
        appendable: true,
    },
    Term {
        key: "label",
        operator: "=",
        example: "label = ansible on host7",
        clears_when: "always; it is shown to operators and narrows nothing",
        appendable: true,
    },
];

/// Why a text is not a caveat of the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaveatError {
    /// Not three parts with single spaces between.
    #[error("a caveat is `key operator value` with single spaces between")]
    Form,
    /// A key that is not in the vocabulary.
    #[error(
        "unknown caveat: there are time, action, room_id, ip, audience and label (user_id and device_id are the issuer's)"
    )]
    Key,
    /// A key with an operator that it does not take.
    #[error("`{0}` takes the operator `{1}`")]
    Operator(&'static str, &'static str),
    /// A value that the key does not take.
    #[error("`{0}` does not take this value; an example: {1}")]
    Value(&'static str, &'static str),
}

/// A caveat that has been read. Lists have been checked and are kept as text, so that reading
/// allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caveat<'t> {
    /// The bearer is this user.
    UserId(&'t str),
    /// The bearer is on this device.
    DeviceId(&'t str),
    /// Only before this instant.
    Time(Timestamp),
    /// Only for these actions.
    Action(List<'t>),
    /// Only in these rooms.
    RoomId(List<'t>),
    /// Only from these networks.
    Ip(List<'t>),
    /// Only before the service of this name.
    Audience(&'t str),
    /// A note.
    Label(&'t str),
}

/// The members of a comma-separated list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<'t>(&'t str);

impl<'t> List<'t> {
    /// Each member, in order.
    pub fn members(self) -> impl Iterator<Item = &'t str> {
        self.0.split(',')
    }

    fn checked(text: &'t str, member: impl Fn(&str) -> bool) -> Option<Self> {
        text.split(',').all(member).then_some(Self(text))
    }
}

impl<'t> Caveat<'t> {
    /// Reads the text of a caveat.
    ///
    /// # Errors
    /// [`CaveatError`] names the part that is not understood.
    pub fn read(text: &'t str) -> Result<Self, CaveatError> {
        let (key, rest) = text.split_once(' ').ok_or(CaveatError::Form)?;
        let (operator, value) = rest.split_once(' ').ok_or(CaveatError::Form)?;
        if key.is_empty()
            || operator.is_empty()
            || value.is_empty()
            || value.starts_with(' ')
            || value.ends_with(' ')
        {
            return Err(CaveatError::Form);
        }
        let term = VOCABULARY.iter().find(|term| term.key == key).ok_or(CaveatError::Key)?;
        if operator != term.operator {
            return Err(CaveatError::Operator(term.key, term.operator));
        }
        let caveat = match term.key {
            "user_id" => Some(Self::UserId(value)),
            "device_id" => Some(Self::DeviceId(value)),
            "time" => instant(value).map(Self::Time),
            "action" => {
                List::checked(value, |name| Action::from_name(name).is_some()).map(Self::Action)
            }
            "room_id" => List::checked(value, is_room_id).map(Self::RoomId),
            "ip" => List::checked(value, |name| network(name).is_some()).map(Self::Ip),
            "audience" => (!value.contains(' ')).then_some(Self::Audience(value)),
            "label" => Some(Self::Label(value)),
            _ => None,
        };
        caveat.ok_or(CaveatError::Value(term.key, term.example))
    }

    /// The caveat's key.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::UserId(_) => "user_id",
            Self::DeviceId(_) => "device_id",
            Self::Time(_) => "time",
            Self::Action(_) => "action",
            Self::RoomId(_) => "room_id",
            Self::Ip(_) => "ip",
            Self::Audience(_) => "audience",
            Self::Label(_) => "label",
        }
    }

    /// Whether it may be appended to a refresh token.
    pub(super) fn goes_on_refresh(&self) -> bool {
        matches!(self, Self::Time(_) | Self::Ip(_))
    }
}

fn instant(value: &str) -> Option<Timestamp> {
    let digits = value.len() <= 15 && value.bytes().all(|b| b.is_ascii_digit());
    let ms = value.parse().ok().filter(|_| digits)?;
    (ms <= Timestamp::MAX.millis()).then_some(Timestamp::from_millis(ms))
}

fn is_room_id(text: &str) -> bool {
    text.len() > 1 && text.starts_with('!') && !text.contains(' ')
}

/// A network or a single address; IPv4 written as IPv6 (`::ffff:192.0.2.1`) counts as IPv4.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let net = match text.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => IpNet::from(text.parse::<core::net::IpAddr>().ok()?),
    };
    if let IpNet::V6(six) = net
        && let Some(four) = six.addr().to_ipv4_mapped()
        && let Some(length) = six.prefix_len().checked_sub(96)
    {
        return Ipv4Net::new(four, length).ok().map(IpNet::V4);
    }
    Some(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_of_the_vocabulary_is_read_under_its_own_key() {
        for term in VOCABULARY {
            assert_eq!(Caveat::read(term.example).unwrap().key(), term.key);
        }
    }

    #[test]
    fn a_caveat_has_three_parts_and_single_spaces() {
        for text in
            ["time", "time <", "time < ", "time  < 5", "time <  5", " time < 5", "time < 5 "]
        {
            assert_eq!(Caveat::read(text), Err(CaveatError::Form), "{text:?}");
        }
        for text in ["Time < 5", "tenant = x", "\u{fb01}me < 5"] {
            assert_eq!(Caveat::read(text), Err(CaveatError::Key), "{text:?}");
        }
        assert_eq!(Caveat::read("time > 5"), Err(CaveatError::Operator("time", "<")));
        assert_eq!(Caveat::read("user_id != @a:b"), Err(CaveatError::Operator("user_id", "=")));
    }

    #[test]
    fn values_are_checked_when_they_are_read() {
        for text in [
            "time < 5s",
            "time < -5",
            "time < +5",
            "time < 281474976710656",
            "time < 99999999999999999999",
            "action in read,",
            "action in Read",
            "action in read, send",
            "room_id in a:hs",
            "room_id in !",
            "room_id in !a:hs,,!b:hs",
            "ip in 192.0.2.0/33",
            "ip in localhost",
            "ip in 1.2.3.4,",
            "audience = a b",
        ] {
            assert!(matches!(Caveat::read(text), Err(CaveatError::Value(..))), "{text:?}");
        }
    }

    #[test]
    fn mapped_networks_count_as_ipv4() {
        assert_eq!(network("::ffff:192.0.2.0/120"), network("192.0.2.0/24"));
        assert_eq!(network("192.0.2.7"), network("192.0.2.7/32"));
        assert!(matches!(network("::ffff:0:0/90"), Some(IpNet::V6(_))));
    }
}
