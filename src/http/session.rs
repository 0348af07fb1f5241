//! `POST /logout` and `POST /logout/all`.
//!
//! Both may come with an empty body, and a locked account may do both.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use serde_json::{Value, json};

use super::Face;
use super::answer::Outcome;

/// Ends the session of the token and takes its device away.
pub(super) async fn logout(
    State(face): State<Arc<Face>>,
    request: Parts,
) -> Result<Json<Value>, Outcome> {
    face.service.logout(&face.member(&request)?).await?;
    Ok(Json(json!({})))
}

/// Ends every session of the token's user.
pub(super) async fn logout_all(
    State(face): State<Arc<Face>>,
    request: Parts,
) -> Result<Json<Value>, Outcome> {
    face.service.logout_all(&face.member(&request)?).await?;
    Ok(Json(json!({})))
}
