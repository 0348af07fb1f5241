//! `amaretti config`: every setting there is, as a file and as a table, and the configurations of
//! proxies in front.

use clap::Subcommand;

use super::proxy::{Made, OfHaproxy, Proxied};
use super::{Done, say};
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Settings {
    /// Print a configuration file with every setting and its default
    Example,
    /// Print a table of every setting
    Reference,
    /// Print a configuration for nginx in front of a homeserver
    Nginx(Proxied),
    /// Print a configuration for HAProxy in front of a homeserver
    Haproxy(OfHaproxy),
    /// Print a configuration for Caddy in front of a homeserver
    Caddy(Proxied),
}

impl Settings {
    pub(super) fn run(self) -> Done {
        match self {
            Self::Example => say(Config::example().trim_end()),
            Self::Reference => say(Config::reference().trim_end()),
            Self::Nginx(proxied) => proxied.run(Made::Nginx),
            Self::Haproxy(haproxy) => haproxy.run(),
            Self::Caddy(proxied) => proxied.run(Made::Caddy),
        }
    }
}
