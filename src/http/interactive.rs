//! Operations on one's own account that ask for a proof: password, end of the account, a login
//! token for another device.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use super::Face;
use super::answer::Outcome;
use super::bearer::{maybe_switch, object_in, text};
use super::register::nothing;
use crate::service::{Asked, Caller, Others, Passed, Stage};

/// Gives the caller another password.
pub(super) async fn password(
    State(face): State<Arc<Face>>,
    request: Parts,
    body: Body,
) -> Result<Json<Value>, Outcome> {
    let caller = face.member(&request)?;
    let body = face.object(body).await?;
    let others = match maybe_switch(&body, "logout_devices")? {
        Some(false) => Others::Live,
        None | Some(true) => Others::End,
    };
    let password = text(&body, "new_password", "`new_password` must be a string")?;
    if let Some(password) = password {
        face.service.check_password(password)?;
    }
    let passed = prove(&face, &request, "password", &caller, &body).await?;
    let password = password.ok_or(Outcome::BadJson("`new_password` is missing"))?;
    face.service.change_password(&caller, password, others, &passed).await?;
    Ok(nothing())
}

/// Ends the caller's account.
pub(super) async fn deactivate(
    State(face): State<Arc<Face>>,
    request: Parts,
    body: Body,
) -> Result<Json<Value>, Outcome> {
    let (caller, passed) = proved(&face, &request, body, "deactivate").await?;
    face.service.deactivate(&caller, &passed).await?;
    // No address was ever bound here, so none is left bound.
    Ok(Json(json!({ "id_server_unbind_result": "success" })))
}

/// A login token with which the caller's user can log in on another device.
pub(super) async fn login_token(
    State(face): State<Arc<Face>>,
    request: Parts,
    body: Body,
) -> Result<Json<Value>, Outcome> {
    let (caller, passed) = proved(&face, &request, body, "login_token").await?;
    let (token, expires_in_ms) = face.service.login_token(&caller, &passed).await?;
    Ok(Json(json!({ "login_token": token.reveal(), "expires_in_ms": expires_in_ms })))
}

/// The member who asks for an operation about which the body says nothing but the proof.
pub(super) async fn proved(
    face: &Face,
    request: &Parts,
    body: Body,
    operation: &str,
) -> Result<(Caller, Passed), Outcome> {
    let caller = face.member(request)?;
    let body = face.object_or_nothing(body).await?;
    let passed = prove(face, request, operation, &caller, &body).await?;
    Ok((caller, passed))
}

/// Asks for a proof that the caller is its user, or takes the one in the body.
pub(super) async fn prove(
    face: &Face,
    request: &Parts,
    operation: &str,
    caller: &Caller,
    body: &Map<String, Value>,
) -> Result<Passed, Outcome> {
    let asked = Asked {
        operation,
        caller: Some(caller),
        auth: object_in(body, "auth")?,
        flows: &[Stage::Password, Stage::LoginToken],
        address: face.address(request),
        remember: Map::new(),
    };
    Ok(face.service.interact(asked).await?)
}
