//! The HTTP faces: the whole router on one page.
//!
//! Handlers translate, services decide. This floor refuses to know the store and the keys.

mod account;
mod answer;
mod bearer;
mod health;
mod layers;
mod listen;
mod login;
mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Router, middleware};

pub use answer::{Answer, Outcome};
pub(crate) use health::NO_FEED;
pub use listen::serve;

use crate::service::Service;

/// What the handlers of one process share.
pub struct Face {
    /// Who decides.
    pub service: Arc<Service>,
    /// Whether `?access_token=` is accepted.
    pub query_token: bool,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// The longest a request may take.
    pub patience: Duration,
}

/// What clients ask.
pub fn public(face: Arc<Face>) -> Router {
    let mut router = Router::new().route("/_matrix/client/versions", get(account::versions));
    for version in ["r0", "v3"] {
        let at = |path: &str| format!("/_matrix/client/{version}/{path}");
        router = router
            // Whoever wants in.
            .route(&at("login"), get(login::flows).post(login::login))
            // Whoever brings a token.
            .route(&at("account/whoami"), get(account::whoami))
            .route(&at("logout"), post(session::logout))
            .route(&at("logout/all"), post(session::logout_all))
            // No homeserver is linked: enough to tell whether a token lives.
            .route(&at("sync"), get(account::sync));
    }
    framed(router, &face, true)
}

/// What operators and proxies ask; not for the outside.
pub fn internal(face: Arc<Face>) -> Router {
    let router = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health/issue", get(health::issue));
    framed(router, &face, false)
}

fn framed(router: Router<Arc<Face>>, face: &Arc<Face>, cors: bool) -> Router {
    let router = router
        .fallback(layers::unknown_path)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(middleware::from_fn_with_state(face.clone(), layers::bounded));
    let router = if cors { router.layer(middleware::from_fn(layers::cors)) } else { router };
    router.layer(middleware::from_fn(layers::logged)).with_state(face.clone())
}
