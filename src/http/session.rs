//! `POST /logout` and `POST /logout/all`.
//!
//! Both may come with an empty body, and a locked account may do both.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Face;
use super::answer::Outcome;
use super::layers::Admitted;
use crate::service::Caller;

/// Ends the session of the token and takes its device away.
pub(super) async fn logout(
    State(face): State<Arc<Face>>,
    request: Parts,
) -> Result<Response, Outcome> {
    let caller = face.member(&request)?;
    face.service.logout(&caller).await?;
    Ok(ended(&caller))
}

/// Ends every session of the token's user.
pub(super) async fn logout_all(
    State(face): State<Arc<Face>>,
    request: Parts,
) -> Result<Response, Outcome> {
    let caller = face.member(&request)?;
    face.service.logout_all(&caller).await?;
    Ok(ended(&caller))
}

fn ended(caller: &Caller) -> Response {
    let mut response = Json(json!({})).into_response();
    response.extensions_mut().insert(Admitted(caller.session.to_string()));
    response
}
