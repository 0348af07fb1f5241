//! Forward-auth: a proxy asks whether a request may pass, and is told who asks.
//!
//! `/_amaretti/forward-auth` says so in 200 and headers. `/_amaretti/answer` is for proxies that
//! can carry no body of a refusal: it judges again and refuses in full. This file refuses to know
//! how the proxy describes the request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::Face;
use super::answer::Outcome;
use super::bearer::decoded;
use super::family::{Asked, FORWARD_AUTH};
use super::layers::{CORS, shown};
use crate::config::{Foreign, Proxy};
use crate::occasion::{self, Auth, PathScratch};
use crate::secret::Secret;
use crate::service::{Denial, is_narrowed};
use crate::token::{Bearer, Caveat, Occasion, Purpose, Refusal, Scratch, SessionId};

const USER_ID: HeaderName = HeaderName::from_static("x-amaretti-user-id");
const DEVICE_ID: HeaderName = HeaderName::from_static("x-amaretti-device-id");
const SESSION_ID: HeaderName = HeaderName::from_static("x-amaretti-session-id");
const GUEST: HeaderName = HeaderName::from_static("x-amaretti-guest");
const LABEL: HeaderName = HeaderName::from_static("x-amaretti-label");

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
    let (request, _) = request.into_parts();
    let response = told(&face, &request);
    let (status, took) = (response.status(), began.elapsed());
    // However the proxy asks, it is one question.
    face.latencies.count(&Method::GET, Some(FORWARD_AUTH), status, took);
    response
}

fn told(face: &Face, request: &Parts) -> Response {
    let judged = face.asked(request).and_then(|asked| {
        let headers = face.judge(&asked, &request.headers);
        headers.map_err(|outcome| face.noted(outcome, &asked))
    });
    match judged {
        Ok(headers) => (StatusCode::OK, headers).into_response(),
        Err(outcome) if face.told_by_status_alone() => {
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
    let (request, _) = request.into_parts();
    let judged = face.asked(&request).and_then(|asked| face.judge(&asked, &request.headers));
    // Whoever asks here was refused or not answered; what is good now can be tried again.
    refusal(judged.err().unwrap_or(Outcome::TimedOut))
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

    fn told_by_status_alone(&self) -> bool {
        self.forward_auth.as_ref().is_some_and(|asked| asked.proxy == Proxy::Nginx)
    }

    /// The headers that a request is to have upstream.
    fn judge(&self, asked: &Asked<'_>, headers: &HeaderMap) -> Result<HeaderMap, Outcome> {
        let mut path = PathScratch::new();
        let request =
            occasion::request(asked.method, asked.path, &mut path).map_err(|_| Outcome::BadPath)?;
        if asked.method == "OPTIONS" {
            return self.passed(HeaderMap::new(), untouched(headers));
        }
        asked.query.map_or(Ok(()), |query| self.check_query(query))?;
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
        written(&format!("Bearer {}", self.service.inner(bearer)?.reveal()))
    }

    fn passed(
        &self,
        mut identity: HeaderMap,
        credential: Option<HeaderValue>,
    ) -> Result<HeaderMap, Outcome> {
        let envoy = self.forward_auth.as_ref().is_some_and(|asked| asked.proxy == Proxy::Envoy);
        if envoy {
            let known = [USER_ID, DEVICE_ID, SESSION_ID, GUEST, LABEL];
            let absent: Vec<_> = known
                .iter()
                .filter(|name| !identity.contains_key(*name))
                .map(|n| n.as_str())
                .collect();
            identity.insert(ENVOY_REMOVES, written(&absent.join(","))?);
        }
        if let Some(credential) = credential {
            identity.insert(header::AUTHORIZATION, credential);
        }
        Ok(identity)
    }

    /// How a query brings a token. Proxies cut it out as it stands, and what is behind them may
    /// read more spellings than they do: one that they would not see is refused.
    fn check_query(&self, query: &str) -> Result<(), Outcome> {
        if !query.contains("access_token") && !query.contains(['%', '+']) {
            return Ok(());
        }
        let mut found = false;
        for (at, pair) in query.split('&').flat_map(|part| part.split(';').enumerate()) {
            let Some((name, value)) = pair.split_once('=') else { continue };
            if decoded(name) != "access_token" {
                continue;
            }
            let caddy = self.forward_auth.as_ref().is_some_and(|asked| asked.proxy == Proxy::Caddy);
            let uncut = caddy && value.contains(['%', '+', ';']);
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
    untouched(headers).map_or_else(|| written(&format!("Bearer {token}")), Ok)
}

/// What the upstream is told of a bearer.
fn identity(bearer: &Bearer<'_>) -> Result<HeaderMap, Outcome> {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(USER_ID, escaped(bearer.user_id().as_str())?);
    if let Some(device) = bearer.device_id() {
        headers.insert(DEVICE_ID, escaped(device.as_str())?);
    }
    headers.insert(SESSION_ID, session(bearer.session())?);
    let guest = if bearer.is_guest() { "true" } else { "false" };
    headers.insert(GUEST, HeaderValue::from_static(guest));
    let mut labels = String::new();
    for text in bearer.appended() {
        if let Ok(Caveat::Label(label)) = Caveat::read(text) {
            labels.push_str(if labels.is_empty() { "" } else { "," });
            labels.push_str(&plain(label));
        }
    }
    if !labels.is_empty() {
        headers.insert(LABEL, written(&labels)?);
    }
    Ok(headers)
}

fn session(id: SessionId) -> Result<HeaderValue, Outcome> {
    written(&id.to_string())
}

fn escaped(text: &str) -> Result<HeaderValue, Outcome> {
    written(&plain(text))
}

/// A text in which everything but visible ASCII is percent-encoded, and the comma, which parts
/// labels, and the percent sign itself.
fn plain(text: &str) -> Cow<'_, str> {
    let stays = |b: u8| b.is_ascii_graphic() && b != b'%' && b != b',';
    if text.bytes().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::new();
    for byte in text.bytes() {
        if stays(byte) {
            plain.push(char::from(byte));
        } else {
            plain.push_str(percent_encoding::percent_encode_byte(byte));
        }
    }
    Cow::Owned(plain)
}

/// A text as a header; a token from a query may hold what no header can.
fn written(text: &str) -> Result<HeaderValue, Outcome> {
    HeaderValue::from_str(text).map_err(|_| Outcome::MissingToken)
}
