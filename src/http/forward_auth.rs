//! Forward-auth: a proxy asks whether a request may pass, and is told who asks.
//!
//! `/_amaretti/forward-auth` says so in 200 and headers. `/_amaretti/answer` is for proxies that
//! can carry no body of a refusal: it judges again and refuses in full. This file refuses to know
//! how the proxy describes the request.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::Face;
use super::answer::Outcome;
use super::bearer::decoded;
use super::family::{Asked, FORWARD_AUTH};
use super::identity::{IDENTITY, identity, written};
use super::layers::{CORS, shown};
use crate::config::{Foreign, Proxy};
use crate::occasion::{self, Auth, PathScratch};
use crate::secret::Secret;
use crate::service::{Denial, is_narrowed};
use crate::token::{Bearer, Occasion, Purpose, Refusal, Scratch};

/// Envoy leaves what a client sent under a name that the answer does not have.
const ENVOY_REMOVES: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

/// The proxy that may ask, and what it is told.
pub struct ForwardAuth {
    /// Which it is.
    pub proxy: Proxy,
    /// What it sends to be known by.
    pub secret: Secret,
    /// What becomes of credentials that are none of ours.
    pub foreign: Foreign,
    /// Whether tokens of the homeserver's own making are refused in its place: once it is linked it
    /// knows them no more, and would have clients throw their keys away.
    pub linked: bool,
}

/// The endpoints of proxies. They pass no layer of the rest: they are asked for every request.
pub(super) fn routes(face: Arc<Face>) -> Router {
    Router::new()
        .route(FORWARD_AUTH, any(forward_auth))
        .route("/_amaretti/forward-auth/{*path}", any(forward_auth))
        .route("/_amaretti/answer", any(answer))
        .with_state(face)
}

/// Whether a request may pass, and whose it is.
async fn forward_auth(State(face): State<Arc<Face>>, request: Request) -> Response {
    let began = Instant::now();
    let (request, body) = request.into_parts();
    let response = last_after_body(told(&face, &request), &body);
    let (status, took) = (response.status(), began.elapsed());
    face.latencies.count_forward_auth(status, took);
    response
}

fn told(face: &Face, request: &Parts) -> Response {
    let judged = face.asked(request).and_then(|asked| {
        let headers = face.judge(&asked, &request.headers);
        headers.map_err(|outcome| face.noted(outcome, &asked))
    });
    match judged {
        Ok(headers) => {
            let mut response = Response::default();
            *response.headers_mut() = headers;
            response
        }
        Err(outcome) if face.is_asked_by(Proxy::Nginx) => {
            // Of anything but these two, nginx writes the line of the request into its error log,
            // query and all.
            let status = outcome.into_response().status();
            let unauthorized = status == StatusCode::UNAUTHORIZED;
            let status = if unauthorized { status } else { StatusCode::FORBIDDEN };
            status.into_response()
        }
        Err(outcome) => refusal(outcome),
    }
}

/// The refusal of a request in full.
async fn answer(State(face): State<Arc<Face>>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let judged = face.asked(&request).and_then(|asked| face.judge(&asked, &request.headers));
    // Whoever asks here was refused or not answered; what is good now can be tried again.
    last_after_body(refusal(judged.err().unwrap_or(Outcome::TimedOut)), &body)
}

/// A question brings no body. One that announces a body, and does not send it, as nginx does unless
/// it is told not to, is the last on its connection: the next one would be read as that body, and
/// what is left of it as a question that nobody has asked.
fn last_after_body(mut response: Response, body: &Body) -> Response {
    if !body.is_end_stream() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn refusal(outcome: Outcome) -> Response {
    let mut response = outcome.into_response();
    response.headers_mut().extend(CORS);
    response
}

impl Face {
    /// One line in the log and one more in the numbers for a request that may not pass; of those
    /// that may the proxy has a line.
    fn noted(&self, outcome: Outcome, asked: &Asked<'_>) -> Outcome {
        let (why, method, path) = (outcome.why(), asked.method, shown(asked.path));
        if let Some(reason) = why.reason {
            self.service.metrics().denied(reason);
        }
        tracing::info!(method, path, reason = why.words, "forward-auth");
        outcome
    }

    fn is_asked_by(&self, proxy: Proxy) -> bool {
        self.forward_auth.as_ref().is_some_and(|asked| asked.proxy == proxy)
    }

    /// The headers that a request is to have upstream.
    fn judge(&self, asked: &Asked<'_>, headers: &HeaderMap) -> Result<HeaderMap, Outcome> {
        let mut path = PathScratch::new();
        let request =
            occasion::request(asked.method, asked.path, &mut path).map_err(|_| Outcome::BadPath)?;
        if asked.method == "OPTIONS" {
            return self.passed(HeaderMap::new(), untouched(headers));
        }
        self.check_spelling(asked)?;
        let token = match self.token_in(headers, asked.query) {
            Ok(token) => token,
            Err(Outcome::MissingToken) if request.auth != Auth::Required => {
                let scheme = headers.contains_key(header::AUTHORIZATION);
                let open = !scheme || request.auth == Auth::None;
                let none = self.passed(HeaderMap::new(), untouched(headers));
                return if open { none } else { Err(Outcome::MissingToken) };
            }
            Err(outcome) => return Err(outcome),
        };
        if request.auth == Auth::None {
            return self.passed(HeaderMap::new(), Some(credential(&token, headers)?));
        }
        let occasion = Occasion {
            gate: request.gate,
            action: request.action,
            room_id: request.room_id,
            address: asked.address,
            ..Occasion::new(Purpose::Request, self.service.now())
        };
        let mut scratch = Scratch::new();
        match self.service.admit(&token, &mut scratch, &occasion) {
            Ok(bearer) => {
                let upstream = self.upstream(&bearer, &token, headers)?;
                self.passed(identity(&bearer)?, Some(upstream))
            }
            Err(Denial::Refused(refusal)) if self.passes(refusal) => {
                self.passed(HeaderMap::new(), Some(credential(&token, headers)?))
            }
            Err(denial) => Err(denial.into()),
        }
    }

    /// Whether a credential that is none of ours is the upstream's to judge.
    fn passes(&self, refusal: Refusal) -> bool {
        let Some(forward_auth) = &self.forward_auth else { return false };
        let pass = forward_auth.foreign == Foreign::Pass;
        match refusal {
            Refusal::Foreign => pass,
            Refusal::Predecessor => pass && !forward_auth.linked,
            _ => false,
        }
    }

    /// The credential by which the upstream knows a bearer.
    fn upstream(
        &self,
        bearer: &Bearer<'_>,
        token: &str,
        headers: &HeaderMap,
    ) -> Result<HeaderValue, Outcome> {
        if !is_narrowed(bearer, token) {
            return credential(token, headers);
        }
        written(format!("Bearer {}", self.service.inner(bearer)?.reveal()))
    }

    /// The headers that a request is to have, so that the proxy leaves none of a client's own
    /// under a name that has no value here.
    fn passed(
        &self,
        mut headers: HeaderMap,
        credential: Option<HeaderValue>,
    ) -> Result<HeaderMap, Outcome> {
        if let Some(credential) = credential {
            headers.insert(header::AUTHORIZATION, credential);
        }
        let absent = IDENTITY.into_iter().filter(|name| !headers.contains_key(name));
        match self.forward_auth.as_ref().map(|asked| asked.proxy) {
            Some(Proxy::Envoy) => {
                let names: Vec<_> = absent.map(|name| name.as_str().to_owned()).collect();
                headers.insert(ENVOY_REMOVES, written(names.join(","))?);
            }
            // For one that is not there Caddy would send the name of its place.
            Some(Proxy::Caddy) => {
                let absent: Vec<_> = absent.collect();
                let empty = || HeaderValue::from_static("");
                headers.entry(header::AUTHORIZATION).or_insert_with(empty);
                headers.extend(absent.into_iter().map(|name| (name, empty())));
            }
            Some(Proxy::Nginx | Proxy::Haproxy | Proxy::Traefik) | None => {}
        }
        Ok(headers)
    }

    /// How a request brings a token in its query. Proxies cut it out as it stands, and what is
    /// behind them may read more spellings than they do: one that they would not see is refused.
    fn check_spelling(&self, asked: &Asked<'_>) -> Result<(), Outcome> {
        let Some(query) = asked.query else { return Ok(()) };
        // Caddy cuts the same text out of the path, which was judged with it.
        if self.is_asked_by(Proxy::Caddy) && asked.path.contains("access_token") {
            return Err(Outcome::BadPath);
        }
        if !query.contains("access_token") && !query.contains(['%', '+']) {
            return Ok(());
        }
        let mut found = false;
        for (at, pair) in query.split('&').flat_map(|part| part.split(';').enumerate()) {
            let Some((name, value)) = pair.split_once('=') else { continue };
            if decoded(name) != "access_token" {
                continue;
            }
            let uncut = self.is_asked_by(Proxy::Caddy) && value.contains(['%', '+', ';']);
            if name != "access_token" || at > 0 || uncut {
                return Err(Outcome::MissingToken);
            }
            if found {
                return Err(Outcome::TwoTokens);
            }
            found = true;
        }
        Ok(())
    }
}

/// What a request brings, to go on as it is.
fn untouched(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::AUTHORIZATION).cloned()
}

/// The header of a token: as it came, or made of the one in the query.
fn credential(token: &str, headers: &HeaderMap) -> Result<HeaderValue, Outcome> {
    untouched(headers).map_or_else(|| written(format!("Bearer {token}")), Ok)
}
