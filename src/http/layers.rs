//! What every request passes: one log line, CORS, a time limit, answers for unknown paths.
//!
//! A query never reaches the log, so no `access_token` does. This file refuses to know endpoints.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Face;
use super::answer::{Outcome, Reason};

/// The session a request was admitted for: what the log may name it by.
#[derive(Clone)]
pub(super) struct Admitted(pub(super) String);

/// Specification, section "Web Browser Clients".
pub(super) const CORS: [(HeaderName, HeaderValue); 3] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS"),
    ),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("X-Requested-With, Content-Type, Authorization"),
    ),
];

/// Lets any web page ask; a preflight is answered here and reaches no endpoint.
pub(super) async fn cors(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    response.headers_mut().extend(CORS);
    response
}

/// One line a request: who, what, how it went, why not.
pub(super) async fn logged(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), shown(request.uri().path()).to_owned());
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let session = response.extensions().get::<Admitted>().map(|session| session.0.as_str());
    let reason = response.extensions().get::<Reason>().map(|reason| reason.0.as_str());
    if response.status().is_server_error() {
        tracing::error!(%method, path, status, us, session, reason, "request");
    } else {
        tracing::info!(%method, path, status, us, session, reason, "request");
    }
    response
}

/// A path up to where a token begins, which somebody may have put there by mistake.
pub(super) fn shown(path: &str) -> &str {
    let prefixes = ["mma_", "mmr_", "mml_", "mmi_", "mmu_", "access_token="];
    let cut = prefixes.iter().filter_map(|prefix| path.find(prefix)).min();
    cut.and_then(|cut| path.get(..cut)).unwrap_or(path)
}

/// Gives up on what takes too long.
pub(super) async fn bounded(
    State(face): State<Arc<Face>>,
    request: Request,
    next: Next,
) -> Response {
    let refreshes = request.uri().path().ends_with("refresh");
    match tokio::time::timeout(face.patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) if refreshes => Outcome::TimedOut.without_verdict(),
        Err(_) => Outcome::TimedOut.into_response(),
    }
}

/// No such endpoint.
pub(super) async fn unknown_path() -> Outcome {
    Outcome::UnknownPath
}

/// The endpoint is there, for other methods.
pub(super) async fn wrong_method() -> Outcome {
    Outcome::WrongMethod
}
