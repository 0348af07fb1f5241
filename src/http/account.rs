//! `GET /account/whoami`, `/versions`, and `/sync` while no homeserver is linked.
//!
//! Whoami asks nobody: the answer is in the token.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::Face;
use super::answer::Outcome;
use crate::token::Bearer;

/// Who the bearer is.
pub(super) async fn whoami(
    State(face): State<Arc<Face>>,
    request: Request,
) -> Result<Response, Outcome> {
    // To ask for the parts alone would copy them.
    let (request, _) = request.into_parts();
    face.bearer(&request, |bearer| Json(Who::of(bearer)).into_response())
}

/// Enough of `/sync` for a client to see that its token lives.
pub(super) async fn sync(
    State(face): State<Arc<Face>>,
    request: Parts,
) -> Result<Json<Value>, Outcome> {
    face.bearer(&request, |_| Json(json!({ "next_batch": "s0" })))
}

/// What the server can do for this user; most of that the homeserver knows, where there is one.
pub(super) async fn capabilities(
    State(face): State<Arc<Face>>,
    request: Parts,
) -> Result<Response, Outcome> {
    if let Some(behind) = face.for_homeserver(&request) {
        return face.handed_on(behind, &request, Bytes::new()).await;
    }
    if let Some(behind) = &face.behind {
        return Ok(Json(face.capabilities_behind(behind, &request).await?).into_response());
    }
    let capabilities = json!({ "capabilities": {
        "m.change_password": { "enabled": true },
        "m.get_login_token": { "enabled": true },
        "m.3pid_changes": { "enabled": false },
        // There are no rooms here; clients insist on a default all the same.
        "m.room_versions": { "default": "11", "available": { "11": "stable" } },
    } });
    face.bearer(&request, |_| Json(capabilities).into_response())
}

/// Where clients find this server, where its public address is known.
pub(super) async fn well_known(State(face): State<Arc<Face>>) -> Result<Json<Value>, Outcome> {
    let url = face.public_url.as_deref().ok_or(Outcome::UnknownPath)?;
    Ok(Json(json!({ "m.homeserver": { "base_url": url } })))
}

/// The versions of the specification whose authentication endpoints are served.
pub(super) async fn versions() -> Json<Value> {
    Json(json!({ "versions": [
        "r0.0.1", "r0.1.0", "r0.2.0", "r0.3.0", "r0.4.0", "r0.5.0", "r0.6.0", "r0.6.1",
        "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11",
    ] }))
}

/// Somebody, as a client is told of itself.
#[derive(Serialize)]
struct Who<'b> {
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<&'b str>,
    is_guest: bool,
    user_id: &'b str,
}

impl<'b> Who<'b> {
    fn of(bearer: &'b Bearer<'_>) -> Self {
        Self {
            device_id: bearer.device_id().map(|device| device.as_str()),
            is_guest: bearer.is_guest(),
            user_id: bearer.user_id().as_str(),
        }
    }
}
