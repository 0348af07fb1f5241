//! The HTTP faces: the whole router on one page.
//!
//! Handlers translate, services decide. This floor refuses to know the store and the keys.

mod account;
mod answer;
mod bearer;
mod behind;
mod devices;
mod explain;
mod family;
mod forward_auth;
mod health;
mod identity;
mod interactive;
mod introspect;
mod itself;
mod latencies;
mod layers;
mod listen;
mod login;
mod metrics;
mod pages;
mod refresh;
mod register;
mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Router, middleware};

pub use answer::{Answer, Outcome};
pub use behind::Behind;
pub use forward_auth::ForwardAuth;
pub(crate) use health::NO_FEED;
pub use latencies::Latencies;
pub use listen::{Listener, serve};
pub use metrics::{METRICS, Metric, Sort};

use layers::Side;

use crate::config::Networks;
use crate::secret::Secret;
use crate::service::Service;

/// What the handlers of one process share.
pub struct Face {
    /// Who decides.
    pub service: Arc<Service>,
    /// Whether `?access_token=` is accepted.
    pub query_token: bool,
    /// Whether the `/tokenrefresh` of 2015 is served.
    pub token_refresh: bool,
    /// Where clients reach this server, for those that ask.
    pub public_url: Option<String>,
    /// What the homeserver proves itself by, where one is linked.
    pub homeserver: Option<Arc<Secret>>,
    /// Whose word is taken for where a request comes from.
    pub trusted_proxies: Networks,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// The longest a request may take.
    pub patience: Duration,
    /// The proxy that may ask whether requests may pass, if one may.
    pub forward_auth: Option<ForwardAuth>,
    /// The homeserver, where one is linked, for what it alone can answer.
    pub behind: Option<Behind>,
    /// How long requests took.
    pub latencies: Latencies,
}

/// What clients ask.
pub fn public(face: Arc<Face>) -> Router {
    let mut router = Router::new()
        .route("/.well-known/matrix/client", get(account::well_known))
        .route("/_matrix/static/client/login/", get(pages::login))
        .route("/_matrix/static/client/login/{asset}", get(pages::asset))
        .route("/_matrix/client/versions", get(account::versions))
        .route("/_amaretti/token", get(itself::itself));
    for version in ["r0", "v3"] {
        let at = |path: &str| format!("/_matrix/client/{version}/{path}");
        router = router
            // Whoever wants in.
            .route(&at("login"), get(login::flows).post(login::login))
            .route(&at("register"), post(register::register))
            .route(&at("register/available"), get(register::available))
            // Whoever brings a token.
            .route(&at("account/whoami"), get(account::whoami))
            .route(&at("capabilities"), get(account::capabilities))
            .route(&at("logout"), post(session::logout))
            .route(&at("logout/all"), post(session::logout_all))
            .route(&at("devices"), get(devices::list))
            .route(
                &at("devices/{device_id}"),
                get(devices::one).put(devices::rename).delete(devices::delete),
            )
            // Whoever brings a token and proves more.
            .route(&at("delete_devices"), post(devices::delete_many))
            .route(&at("account/password"), post(interactive::password))
            .route(&at("account/deactivate"), post(interactive::deactivate))
            // People, where a client shows them a page.
            .route(&at("auth/{stage}/fallback/web"), get(pages::stage).post(pages::pass))
            // No homeserver is linked: enough to tell whether a token lives.
            .route(&at("sync"), get(account::sync));
    }
    for path in ["v1/login/get_token", "unstable/org.matrix.msc3882/login/get_token"] {
        let path = format!("/_matrix/client/{path}");
        router = router.route(&path, post(interactive::login_token));
    }
    let validity = "/_matrix/client/v1/register/m.login.registration_token/validity";
    router = router.route(validity, get(register::validity));
    framed(with_refresh(router, face.token_refresh), &face, Side::Public)
}

/// Whoever brings a refresh token.
fn with_refresh(mut router: Router<Arc<Face>>, drafts: bool) -> Router<Arc<Face>> {
    for version in ["v3", "v1", "unstable/org.matrix.msc2918", "unstable/org.matrix.msc2918.v1"] {
        let path = format!("/_matrix/client/{version}/refresh");
        router = router.route(&path, post(refresh::refresh));
    }
    if drafts {
        for version in ["r0", "api/v1", "v2_alpha", "api/v2_alpha"] {
            let path = format!("/_matrix/client/{version}/tokenrefresh");
            router = router.route(&path, post(refresh::token_refresh));
        }
    }
    router
}

/// What operators and proxies ask; not for the outside.
pub fn internal(face: Arc<Face>) -> Router {
    let router = Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/_amaretti/explain", post(explain::explain))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health/issue", get(health::issue))
        // The homeserver behind.
        .route("/oauth2/introspect", post(introspect::one))
        .route("/_amaretti/introspect", post(introspect::many))
        .route("/.well-known/openid-configuration", get(introspect::discovery));
    let router = framed(router, &face, Side::Internal);
    if face.forward_auth.is_some() { router.merge(forward_auth::routes(face)) } else { router }
}

fn framed(router: Router<Arc<Face>>, face: &Arc<Face>, side: Side) -> Router {
    router
        .fallback(layers::unknown_path)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(middleware::from_fn_with_state((face.clone(), side), layers::framed))
        .with_state(face.clone())
}
