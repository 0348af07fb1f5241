//! Health pages for load balancers and operators: alive, can verify, can log in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Face;

/// What whoever runs a node without a feed has to know.
pub(crate) const NO_FEED: &str = "logouts do not reach this node: a token lives here until it \
    expires; and whoever holds the access subkey can forge access tokens for every user";

/// The process answers.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// Tokens can be verified here.
pub(super) async fn ready(State(face): State<Arc<Face>>) -> Response {
    if let Err(failure) = face.service.can_verify() {
        return unable(&failure.to_string());
    }
    if face.service.follows() {
        Json(json!({ "status": "ok", "feed": true })).into_response()
    } else {
        Json(json!({ "status": "ok", "feed": false, "warning": NO_FEED })).into_response()
    }
}

/// Logins can be served here.
pub(super) async fn issue(State(face): State<Arc<Face>>) -> Response {
    match face.service.can_issue().await {
        Ok(()) => Json(json!({ "status": "ok" })).into_response(),
        Err(failure) => unable(&failure.to_string()),
    }
}

fn unable(why: &str) -> Response {
    let body = Json(json!({ "status": "unable", "reason": why }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}
