//! The homeserver behind, as the settings name it.

use std::sync::Arc;

use super::Trouble;
use crate::config::{Config, Homeserver, HomeserverKind};
use crate::homeserver::{Link, Synapse};
use crate::secret::Secret;
use crate::store::Store;

/// The secret that is shared with the homeserver, where one is linked.
pub(super) fn secret(config: &Config) -> Result<Option<Arc<Secret>>, Trouble> {
    let Homeserver { kind, secret_file, .. } = &config.homeserver;
    match (kind, secret_file) {
        (HomeserverKind::Synapse, Some(file)) => Ok(Some(Arc::new(Secret::read(file)?))),
        (HomeserverKind::Synapse, None) | (HomeserverKind::None, _) => Ok(None),
    }
}

/// The link to the homeserver with whom the secret is shared.
pub(super) fn link(
    config: &Config,
    store: &Store,
    secret: Option<Arc<Secret>>,
) -> Result<Option<Arc<Link>>, Trouble> {
    let Some(secret) = secret else { return Ok(None) };
    let synapse = Synapse::new(&config.homeserver.url, secret)?;
    Ok(Some(Link::new(synapse, store.clone(), config.server_name.clone())))
}
