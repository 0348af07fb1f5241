//! How a PostgreSQL database is reached: a URL whose password nobody sees, and limits.
//!
//! It refuses what would only look safe. Nothing is connected to here.

use core::fmt;
use std::env;

use super::units::{MINUTE, Millis};
use super::values::{duration, number, switch};

/// The parameters of a URL that are understood.
const KNOWN: [&str; 9] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "dbname",
    "user",
    "application_name",
];

/// The URL of a PostgreSQL database. It may hold a password and is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("postgres://").or(text.strip_prefix("postgresql://"));
        let Some(rest) = rest.filter(|_| text.bytes().all(|b| b.is_ascii_graphic())) else {
            let why = "a URL is wanted, such as postgres://amaretti@db.example.com/amaretti";
            return Err(why.to_owned());
        };
        let (mut mode, mut root) = (env::var("PGSSLMODE").ok(), env::var("PGSSLROOTCERT").ok());
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "sslmode" => mode = Some(value.to_owned()),
                "sslrootcert" => root = Some(value.to_owned()),
                known if KNOWN.contains(&known) => {}
                _ => return Err(format!("its parameters may be {}", KNOWN.join(", "))),
            }
        }
        let modes = ["disable", "prefer", "require", "verify-ca", "verify-full"];
        let mode = mode.as_deref().unwrap_or("prefer");
        if !modes.contains(&mode) {
            return Err(format!("sslmode may be {}", modes.join(", ")));
        }
        if root.is_some() && !mode.starts_with("verify-") {
            // Other programs take the certificate for a wish to have it verified; here nobody would.
            let why = "with sslrootcert, sslmode has to be verify-full (or verify-ca): any other \
                       verifies nothing";
            return Err(why.to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL itself, for whoever connects. It may hold a password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(not shown)")
    }
}

/// How a PostgreSQL database is spoken to.
#[derive(Clone, Debug, PartialEq, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Postgresql {
    /// Most connections that a node has open at once; with listening to the feed, one more.
    #[config(
        env = "AMARETTI_POSTGRESQL_CONNECTIONS",
        default = 8,
        deserialize_with = number::<_, 1, 1000>
    )]
    pub connections: u32,

    /// Longest time (a duration) that a connection, a wait for one or a statement may take, on the
    /// server as on this side; a wait for a lock may take half of it.
    #[config(
        env = "AMARETTI_POSTGRESQL_TIMEOUT",
        default = "5s",
        deserialize_with = duration::<_, 100, MINUTE>
    )]
    pub timeout: Millis,

    /// Whether a pooler (PgBouncer) stands between that gives each transaction another connection:
    /// then no statement is prepared, and the feed is polled and not listened to.
    #[config(env = "AMARETTI_POSTGRESQL_POOLER", default = false, deserialize_with = switch)]
    pub pooler: bool,
}
