//! What a town may have otherwise than usual.

use std::time::Duration;

use amaretti::service::Policy;

use super::Asking;

/// What a town may have otherwise than usual.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) policy: Policy,
    pub(crate) token_refresh: bool,
    pub(crate) public_url: Option<&'static str>,
    pub(crate) query_token: bool,
    pub(crate) body_limit: usize,
    pub(crate) patience: Duration,
    pub(crate) max_staleness: Duration,
    pub(crate) asking: Option<Asking>,
    /// The port of the homeserver behind.
    pub(crate) behind: Option<u16>,
    /// The folder of the snapshot, inside the town's, if one is kept.
    pub(crate) snapshot: Option<&'static str>,
    /// What a homeserver proves itself by.
    pub(crate) homeserver: Option<&'static str>,
    /// Where Synapse listens, if it is to be told.
    pub(crate) synapse: Option<std::net::SocketAddr>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            policy: Policy { no_feed_life: None, ..Policy::default() },
            token_refresh: false,
            public_url: None,
            query_token: true,
            body_limit: 64 * 1024,
            patience: Duration::from_secs(30),
            max_staleness: Duration::from_secs(300),
            asking: None,
            behind: None,
            snapshot: None,
            homeserver: None,
            synapse: None,
        }
    }
}
