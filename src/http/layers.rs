//! What every request passes: one log line, CORS, a time limit, answers for unknown paths.
//!
//! A query never reaches the log, so no `access_token` does. This file refuses to know endpoints.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Face;
use super::answer::{Outcome, Why};
use crate::service::asked_from;
use crate::token::SessionId;

/// Where a request keeps the session it was admitted for, which is what the log names it by.
#[derive(Clone, Default)]
struct Seat(Arc<OnceLock<SessionId>>);

/// Notes for which session a request was admitted.
pub(super) fn admitted(request: &Parts, session: SessionId) {
    if let Some(Seat(seat)) = request.extensions.get() {
        // The first one counts; there is hardly ever another.
        let _first = seat.set(session);
    }
}

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

/// Whom a listener serves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Clients: any web page may ask, and what has begun to be done is done.
    Public,
    /// Proxies, the homeserver and operators, who ask and have nothing done.
    Internal,
}

/// All of it in one layer: each more would copy the rest of the stack for each request. One line a
/// request: who, what, how it went, why not; and the numbers of the same.
pub(super) async fn framed(
    State((face, side)): State<(Arc<Face>, Side)>,
    mut request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), shown(request.uri().path()).to_owned());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let seat = Seat::default();
    request.extensions_mut().insert(seat.clone());
    let began = Instant::now();
    // A preflight is answered here and reaches no endpoint.
    let mut response = if side == Side::Public && method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        bounded(&face, side, request, next).await
    };
    if side == Side::Public {
        response.headers_mut().extend(CORS);
    }
    let took = began.elapsed();
    let route = route.as_ref().map(MatchedPath::as_str);
    face.latencies.count(&method, route, response.status(), took);
    let why = response.extensions().get::<Why>();
    if let Some(reason) = why.and_then(|why| why.reason) {
        face.service.metrics().denied(reason);
    }
    let status = response.status().as_u16();
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let session = seat.0.get().map(SessionId::to_string);
    let reason = why.map(|why| why.words.as_str());
    if response.status().is_server_error() {
        tracing::error!(%method, path, status, us, session, reason, "request");
    } else {
        tracing::info!(%method, path, status, us, session, reason, "request");
    }
    response
}

/// A path up to where a token begins, which somebody may have put there by mistake.
pub(super) fn shown(path: &str) -> &str {
    let begins = |four: &[u8]| matches!(four, [b'm', b'm', b'a' | b'r' | b'l' | b'i' | b'u', b'_']);
    let token = path.as_bytes().windows(4).position(begins);
    let named = if path.contains('=') { path.find("access_token=") } else { None };
    let cut = token.into_iter().chain(named).min();
    cut.and_then(|cut| path.get(..cut)).unwrap_or(path)
}

/// Gives up on what takes too long.
async fn bounded(face: &Face, side: Side, request: Request, next: Next) -> Response {
    let refreshes = request.uri().path().ends_with("refresh");
    match tokio::time::timeout(face.patience, whole(face, side, request, next)).await {
        Ok(response) => response,
        Err(_) if refreshes => Outcome::TimedOut.without_verdict(),
        Err(_) => Outcome::TimedOut.into_response(),
    }
}

/// Serves a request to its end, also when its client hangs up or its time is over: what has begun
/// to be done is done, and told.
async fn whole(face: &Face, side: Side, request: Request, next: Next) -> Response {
    let asks = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if asks || side == Side::Internal {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let address = face.address(&parts);
    let request = Request::from_parts(parts, body);
    let served = tokio::spawn(asked_from(address, next.run(request)));
    served.await.unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Outcome::TimedOut.into_response(),
    })
}

/// No such endpoint.
pub(super) async fn unknown_path() -> Outcome {
    Outcome::UnknownPath
}

/// The endpoint is there, for other methods.
pub(super) async fn wrong_method() -> Outcome {
    Outcome::WrongMethod
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_up_to_where_a_token_begins() {
        for (path, told) in [
            ("/_matrix/client/v3/sync", "/_matrix/client/v3/sync"),
            ("/a/mma_xyz/b", "/a/"),
            ("/mmr_x", "/"),
            ("/x=mml_x", "/x="),
            ("/é/mmi_mmu_", "/é/"),
            ("/a/access_token=mma_x", "/a/"),
            ("/commands/mmx_/=", "/commands/mmx_/="),
            ("", ""),
        ] {
            assert_eq!(shown(path), told);
        }
    }
}
