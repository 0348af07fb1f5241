//! The settings of forward-auth: which proxy asks, and what becomes of others' credentials.
//!
//! It refuses to know how a proxy asks.

use std::path::PathBuf;

use super::values::{file, foreign, proxy};

/// A proxy that asks for judgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// nginx and its `auth_request`.
    Nginx,
    /// HAProxy with the Lua program that comes with its configuration.
    Haproxy,
    /// Caddy and its `forward_auth`.
    Caddy,
    /// Traefik and its `ForwardAuth`.
    Traefik,
    /// Envoy and its `ext_authz` over HTTP.
    Envoy,
}

impl Proxy {
    /// The name as it is written in the settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
        }
    }
}

/// What becomes of a credential that is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// It passes untouched, for the upstream to judge.
    Pass,
    /// It is refused.
    Refuse,
}

/// How a proxy in front asks whether a request may pass. Without `proxy` nobody may ask.
#[derive(Clone, Debug, PartialEq, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct ForwardAuth {
    /// Which proxy asks: nginx, haproxy, caddy, traefik or envoy. It decides in which headers the
    /// request is described; the headers of the others are refused.
    #[config(env = "AMARETTI_FORWARD_AUTH_PROXY", deserialize_with = proxy)]
    pub proxy: Option<Proxy>,

    /// File with the secret that the proxy sends, which nobody but its owner and its group may read.
    #[config(env = "AMARETTI_FORWARD_AUTH_SECRET_FILE", deserialize_with = file)]
    pub secret_file: Option<PathBuf>,

    /// What becomes of a credential that is none of ours, an application service's for instance:
    /// pass hands it to the upstream, which has to judge it; refuse answers 401. When it is not set
    /// it passes where a homeserver is linked and nowhere else.
    #[config(env = "AMARETTI_FORWARD_AUTH_FOREIGN", deserialize_with = foreign)]
    pub foreign: Option<Foreign>,
}
