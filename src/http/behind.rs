//! The homeserver behind, asked in a client's place: what only it can answer, though the proxy in
//! front sends the question here.
//!
//! An application service registers users and ends devices by a token of its own, which the
//! homeserver alone knows; and what a server can do, the homeserver knows best. This file refuses to
//! know what is told to a homeserver about users and devices.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::Full;
use serde_json::{Value, json};

use super::Face;
use super::answer::Outcome;
use super::bearer::FORWARDED_FOR;
use crate::reach::{Bounds, Reach};
use crate::service::{Denial, is_narrowed};
use crate::token::Refusal;

const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(2),
    answer: Duration::from_secs(10),
    largest: 1024 * 1024,
};

/// What of an answer is the client's.
const KEPT: [HeaderName; 2] = [header::CONTENT_TYPE, header::RETRY_AFTER];

/// A homeserver, where it listens.
pub struct Behind {
    base: String,
    reach: Reach,
}

impl Behind {
    /// The homeserver at a URL that does not end in a slash.
    ///
    /// # Errors
    /// The URL says https, and this machine trusts no certificate authority.
    pub fn new(url: &str) -> io::Result<Self> {
        Ok(Self { base: url.to_owned(), reach: Reach::to(url, BOUNDS)? })
    }
}

impl Face {
    /// The homeserver, when this request is an application service's: it brings a token that is
    /// nobody's here.
    pub(super) fn for_homeserver(&self, request: &Parts) -> Option<&Behind> {
        let behind = self.behind.as_ref()?;
        let judged = self.bearer(request, |_| ());
        let foreign = matches!(judged, Err(Outcome::Denied(Denial::Refused(Refusal::Foreign))));
        foreign.then_some(behind)
    }

    /// What the homeserver answers to a request as it came.
    pub(super) async fn handed_on(
        &self,
        behind: &Behind,
        request: &Parts,
        body: Bytes,
    ) -> Result<Response, Outcome> {
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        let credential = request.headers.get(header::AUTHORIZATION).cloned();
        let answer = self.asked_behind(behind, request, target, credential, body).await?;
        let (head, body) = answer.into_parts();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = head.status;
        for name in KEPT {
            if let Some(value) = head.headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        Ok(response)
    }

    /// What the homeserver says it can do, with what is done here in its place.
    pub(super) async fn capabilities_behind(
        &self,
        behind: &Behind,
        request: &Parts,
    ) -> Result<Value, Outcome> {
        let credential = self.credential_behind(request)?;
        let path = request.uri.path();
        let answer =
            self.asked_behind(behind, request, path, Some(credential), Bytes::new()).await?;
        let mut answered: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let capabilities = answered.get_mut("capabilities").and_then(Value::as_object_mut);
        let Some(capabilities) = capabilities.filter(|_| answer.status() == StatusCode::OK) else {
            tracing::warn!(
                status = answer.status().as_u16(),
                "the homeserver tells no capabilities"
            );
            return Err(Outcome::TimedOut);
        };
        for (name, enabled) in
            [("m.change_password", true), ("m.get_login_token", true), ("m.3pid_changes", false)]
        {
            capabilities.insert(name.to_owned(), json!({ "enabled": enabled }));
        }
        Ok(answered)
    }

    /// By what the homeserver knows a bearer: the token, or an inner one for a narrowed one.
    fn credential_behind(&self, request: &Parts) -> Result<HeaderValue, Outcome> {
        let token = self.token(request)?;
        let inner = self.bearer(request, |bearer| {
            is_narrowed(bearer, &token).then(|| self.service.inner(bearer)).transpose()
        })??;
        let text = inner.as_ref().map_or(&*token, |inner| inner.reveal());
        HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| Outcome::MissingToken)
    }

    async fn asked_behind(
        &self,
        behind: &Behind,
        request: &Parts,
        target: &str,
        credential: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Response<Bytes>, Outcome> {
        let mut asked = Request::builder().method(&request.method);
        asked = asked.uri(format!("{}{target}", behind.base));
        if let Some(credential) = credential {
            asked = asked.header(header::AUTHORIZATION, credential);
        }
        if let Some(address) = self.address(request) {
            asked = asked.header(FORWARDED_FOR, address.to_string());
        }
        asked = asked.header(header::CONTENT_TYPE, "application/json");
        let asked = asked.body(Full::new(body)).map_err(|_| Outcome::BadPath)?;
        behind.reach.ask(asked).await.map_err(|error| {
            tracing::warn!(%error, "the homeserver behind is away");
            Outcome::TimedOut
        })
    }
}
