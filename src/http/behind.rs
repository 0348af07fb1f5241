//! The homeserver behind, asked in a client's place: what only it can answer, though the proxy in
//! front sends the question here.
//!
//! An application service registers users and ends devices by a token of its own, which the
//! homeserver alone knows; and what a server can do, the homeserver knows best. This file refuses to
//! know what is told to a homeserver about users and devices.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Face;
use super::answer::Outcome;
use super::bearer::FORWARDED_FOR;
use crate::service::{Denial, is_narrowed};
use crate::token::Refusal;

/// How long a connection may take to be made, and an answer.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// The largest answer, in bytes.
const LARGEST: usize = 1024 * 1024;

/// What of an answer is the client's.
const KEPT: [HeaderName; 2] = [header::CONTENT_TYPE, header::RETRY_AFTER];

/// A homeserver, where it listens.
pub struct Behind {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Behind {
    /// The homeserver at a plain URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(PATIENCE.0));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { base: url.to_owned(), client }
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<(Response<()>, Bytes), String> {
        let answer = timeout(PATIENCE.1, self.client.request(request)).await;
        let answer = answer.map_err(|_| "it does not answer".to_owned())?;
        let (parts, body) = answer.map_err(|error| error.to_string())?.into_parts();
        let body = timeout(PATIENCE.1, Limited::new(body, LARGEST).collect()).await;
        let body = body.map_err(|_| "its answer does not end".to_owned())?;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok((Response::from_parts(parts, ()), body))
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
        let (answer, body) = self.asked_behind(behind, request, target, credential, body).await?;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = answer.status();
        for name in KEPT {
            if let Some(value) = answer.headers().get(&name) {
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
        let (answer, body) =
            self.asked_behind(behind, request, path, Some(credential), Bytes::new()).await?;
        let mut answered: Value = serde_json::from_slice(&body).unwrap_or_default();
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
    ) -> Result<(Response<()>, Bytes), Outcome> {
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
        behind.ask(asked).await.map_err(|error| {
            tracing::warn!(error, "the homeserver behind is away");
            Outcome::TimedOut
        })
    }
}
