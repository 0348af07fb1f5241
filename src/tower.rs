//! A tower layer that judges each request, and an axum extractor for who has come in.
//!
//! This file knows requests and responses; it refuses to know runtimes, databases and where keys
//! come from. It builds without the server.
//!
//! [`JudgeLayer`] looks at method and path, takes the token out of the `Authorization` header and
//! judges it by a [`Verifier`]. What passes reaches the service with a [`Bearer`] among the
//! request's extensions, which is also an axum extractor. What does not is answered as the Matrix
//! client-server API answers it: 401 with the right `soft_logout`, 403 that names the caveat, 503
//! with `Retry-After` where the fault is ours.
//!
//! | request | what happens |
//! | --- | --- |
//! | `OPTIONS` | passes: a preflight carries no token |
//! | needs no token by the [table of endpoints](crate::occasion::ROUTES) | passes, its header unread |
//! | may come without a token, and does | passes without a bearer |
//! | any other, the program's own paths included | needs a token that clears |
//!
//! CORS is left to whoever is outside: put a layer for it around this one, so that answers given
//! here get its headers too. A token in the query (`?access_token=`) is not read. Put the layer
//! around the outermost router: a nested one may have cut the path.
//!
//! # Example
//! ```
//! use amaretti::{keyring::Keyring, token::{Action, Key, NoFacts}, verifier::Verifier};
//! use amaretti::tower::{Bearer, JudgeLayer};
//! use axum::{Router, routing::get};
//!
//! async fn hello(bearer: Bearer) -> String {
//!     format!("hello {}", bearer.user_id)
//! }
//!
//! let mut ring = Keyring::default(); // really: amaretti::keyfile::ring("keys".as_ref())?
//! ring.hold(&Key::from_bytes(&core::array::from_fn(|i| i as u8 ^ 0x80))?)?;
//! let layer = JudgeLayer::new(Verifier::new(ring, NoFacts)?).with_action(Action::Media);
//! let app: Router = Router::new().route("/hello", get(hello)).layer(layer);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bearer;
mod future;

use core::net::IpAddr;
use core::task::{Context, Poll};
use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

pub use bearer::{Bearer, NoBearer};
pub use future::Judging;

use crate::answer::Answer;
use crate::occasion::{self, Auth, PathScratch};
use crate::token::{Action, Facts, NoFacts, Occasion, Scratch};
use crate::verifier::Verifier;
use bearer::Judged;

/// How a program finds out where a request comes from.
type AddressOf = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// Judges every request before a service sees it. See the [module](self).
pub struct JudgeLayer<F = NoFacts> {
    verifier: Arc<Verifier<F>>,
    address: Arc<AddressOf>,
    action: Option<Action>,
}

impl<F> JudgeLayer<F> {
    /// Judges by a verifier, which the program may share as an `Arc`.
    pub fn new(verifier: impl Into<Arc<Verifier<F>>>) -> Self {
        Self { verifier: verifier.into(), address: Arc::new(|_| None), action: None }
    }

    /// Finds out by `address` where a request comes from; without it no address is known, and no
    /// `ip` caveat clears. Behind a proxy that is the word of the proxy, and of nobody else: a
    /// header that clients can set themselves lets everybody in.
    #[must_use]
    pub fn with_address(
        mut self,
        address: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.address = Arc::new(address);
        self
    }

    /// Says what requests do that are not in the table of endpoints: the program's own. Without it
    /// no `action` caveat clears on them.
    #[must_use]
    pub fn with_action(mut self, action: Action) -> Self {
        self.action = Some(action);
        self
    }
}

impl<F> Clone for JudgeLayer<F> {
    fn clone(&self) -> Self {
        let Self { verifier, address, action } = self;
        Self { verifier: verifier.clone(), address: address.clone(), action: *action }
    }
}

impl<S, F> Layer<S> for JudgeLayer<F> {
    type Service = Judge<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Judge { inner, layer: self.clone() }
    }
}

/// A service behind a [`JudgeLayer`].
pub struct Judge<S, F = NoFacts> {
    inner: S,
    layer: JudgeLayer<F>,
}

impl<S: Clone, F> Clone for Judge<S, F> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, F, B, R> Service<Request<B>> for Judge<S, F>
where
    S: Service<Request<B>, Response = Response<R>>,
    F: Facts,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Judging<S::Future, Response<R>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        match self.layer.judge(&parts) {
            Ok(judged) => {
                if let Judged(Some(bearer)) = &judged {
                    parts.extensions.insert(bearer.clone());
                }
                parts.extensions.insert(judged);
                Judging::passed(self.inner.call(Request::from_parts(parts, body)))
            }
            Err(answer) => Judging::refused(response(&answer)),
        }
    }
}

impl<F: Facts> JudgeLayer<F> {
    fn judge(&self, request: &Parts) -> Result<Judged, Answer> {
        let mut path = PathScratch::new();
        let asked = occasion::request(request.method.as_str(), request.uri.path(), &mut path)
            .map_err(|_| Answer::BAD_PATH)?;
        if asked.auth == Auth::None {
            return Ok(Judged(None));
        }
        let Some(token) = token(request)? else {
            let optional = asked.auth == Auth::Optional;
            return if optional { Ok(Judged(None)) } else { Err(Answer::MISSING_TOKEN) };
        };
        let occasion = Occasion {
            gate: asked.gate,
            action: if asked.known { asked.action } else { self.action },
            room_id: asked.room_id,
            address: (self.address)(request),
            ..self.verifier.occasion()
        };
        let mut scratch = Scratch::new();
        let bearer = self.verifier.admit(token, &mut scratch, &occasion)?;
        Ok(Judged(Some(Bearer::of(&bearer))))
    }
}

/// The token of the one `Authorization` header. Its scheme may be in any case and have more than
/// one space behind it (RFC 9110, section 11.1; RFC 6750, section 2.1).
fn token(request: &Parts) -> Result<Option<&str>, Answer> {
    let mut headers = request.headers.get_all(AUTHORIZATION).iter();
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(Answer::TWO_TOKENS);
    }
    let (scheme, token) =
        header.to_str().ok().and_then(|value| value.split_once(' ')).unwrap_or_default();
    let token = scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '));
    token.map(Some).ok_or(Answer::MISSING_TOKEN)
}

fn response<R: From<String>>(answer: &Answer) -> Response<R> {
    let mut response = Response::new(R::from(answer.to_json()));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(ms) = answer.retry_after_ms {
        headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
    }
    response
}
