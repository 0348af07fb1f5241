//! Durations and sizes as people write them: a whole number and a unit.
//!
//! It refuses fractions, spaces and sums of units: a value has one meaning at a glance.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use crate::time::Timestamp;

/// One second, in milliseconds.
pub(super) const SECOND: u64 = 1000;
/// One minute, in milliseconds.
pub(super) const MINUTE: u64 = 60 * SECOND;
/// One hour, in milliseconds.
pub(super) const HOUR: u64 = 60 * MINUTE;
/// One day, in milliseconds.
pub(super) const DAY: u64 = 24 * HOUR;
/// One kibibyte, in bytes.
pub(super) const KIB: u64 = 1024;
/// One mebibyte, in bytes.
pub(super) const MIB: u64 = 1024 * KIB;

/// Units of time from the greatest to the least, with their milliseconds.
const TIMES: [(&str, u64); 5] = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)];

/// Units of size from the greatest to the least, with their bytes; none means bytes.
const SIZES: [(&str, u64); 3] = [("MiB", MIB), ("KiB", KIB), ("", 1)];

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a whole number and a unit.
    #[error("a duration is a whole number and a unit without a space: 250ms, 30s, 15m, 1h or 7d")]
    Form,
    /// Ends after the greatest instant there is.
    #[error("longer than instants go: a token lives forever when it has no expiry at all")]
    TooLong,
}

/// Why a text is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a whole number, alone or with a unit.
    #[error("a size is a whole number of bytes, or one with a unit: 65536, 64KiB or 1MiB")]
    Form,
    /// Past 2^64 bytes.
    #[error("larger than any memory")]
    TooLarge,
}

/// A length of time in milliseconds; written `250ms`, `30s`, `15m`, `1h` or `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(u64);

impl Millis {
    /// This many milliseconds.
    #[must_use]
    pub const fn new(ms: u64) -> Self {
        Self(ms)
    }

    /// The number of milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same length for those who wait.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, &TIMES, f)
    }
}

/// The longest life that is accepted; written as a duration, or `any`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// However long, for ever too.
    Any,
    /// No longer than this.
    AtMost(Millis),
}

impl Life {
    /// The bound in milliseconds, if there is one.
    #[must_use]
    pub const fn bound(self) -> Option<u64> {
        match self {
            Self::Any => None,
            Self::AtMost(life) => Some(life.get()),
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::AtMost(life) => life.fmt(f),
        }
    }
}

/// A list of networks, written with commas between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads networks and single addresses.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let network = |text: &str| {
            let text = text.trim();
            text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
        };
        let texts = text.split(',').filter(|text| !text.trim().is_empty());
        texts.map(network).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether an address is inside one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(IpNet::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

/// A size in bytes; written `65536`, `64KiB` or `1MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(u64);

impl Bytes {
    /// This many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, &SIZES, f)
    }
}

/// Reads a duration such as `250ms`, `30s`, `15m`, `1h` or `7d` and returns its milliseconds.
///
/// # Errors
/// [`DurationError`] for any other form, and past [`Timestamp::MAX`].
pub fn parse_duration(text: &str) -> Result<u64, DurationError> {
    let (number, unit) = split(text, &TIMES).ok_or(DurationError::Form)?;
    let ms = number.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    ms.filter(|ms| *ms <= Timestamp::MAX.millis()).ok_or(DurationError::TooLong)
}

/// Reads a size such as `65536`, `64KiB` or `1MiB` and returns its bytes.
///
/// # Errors
/// [`SizeError`] for any other form, and past 2^64.
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let (number, unit) = split(text, &SIZES).ok_or(SizeError::Form)?;
    let bytes = number.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    bytes.ok_or(SizeError::TooLarge)
}

/// The digits of a text and what its unit stands for.
fn split<'t>(text: &'t str, units: &[(&str, u64)]) -> Option<(&'t str, u64)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, name) = text.split_at(end);
    let (_, unit) = units.iter().find(|(unit, _)| *unit == name)?;
    (!number.is_empty()).then_some((number, *unit))
}

/// Writes a number in the greatest unit that divides it.
fn write(number: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fits = |unit: u64| number >= unit && number.is_multiple_of(unit);
    match units.iter().find(|(_, unit)| fits(*unit)).or(units.last()) {
        Some((name, unit)) => write!(f, "{}{name}", number / unit),
        None => write!(f, "{number}"),
    }
}
