//! Settings: command-line flags over environment variables over a file over defaults.
//!
//! One definition ([`Config`]) gives the names, the defaults, the documented example and the
//! reference. This module knows what may be written where; it refuses to know what a setting does.
//!
//! Values travel as text with their origin until they are parsed, so that every error says which
//! value is wrong, where it was written and what may stand there instead.

mod address;
mod catalog;
mod database;
mod error;
mod forward_auth;
mod load;
mod settings;
mod source;
mod units;
mod values;

pub use address::Address;
pub use database::{DatabaseUrl, Postgresql};
pub use error::{ConfigError, Origin};
pub use forward_auth::{Foreign, ForwardAuth, Proxy};
pub use settings::{
    AuditTo, Config, Homeserver, HomeserverKind, LogFormat, PasswordHashing, Registration, Tries,
};
pub use source::Overrides;
pub use units::{
    Bytes, DurationError, Life, Millis, Networks, SizeError, parse_duration, parse_size,
};

/// The file that is read from the current folder when none is named.
pub const DEFAULT_FILE: &str = "amaretti.toml";

/// What the names of all environment variables of ours begin with.
pub const PREFIX: &str = "AMARETTI_";

/// The environment variable that names the file to be read.
pub const FILE_VARIABLE: &str = "AMARETTI_CONFIG";
