//! `POST /register` and what is asked before it: is a name free, is a registration token good.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::Face;
use super::answer::Outcome;
use super::bearer::{maybe_switch, object_in, parsed, query, text};
use super::layers::admitted;
use super::login::rendered;
use crate::service::{Granted, Register, Try};

/// Makes an account, or lets a guest in.
pub(super) async fn register(
    State(face): State<Arc<Face>>,
    parts: Parts,
    body: Body,
) -> Result<Response, Outcome> {
    let bytes = face.bytes(body).await?;
    let body = parsed(&bytes)?;
    let kind = text(&body, "type", "`type` must be a string")?;
    if kind == Some("m.login.application_service") {
        let behind = face.behind.as_ref().ok_or(Outcome::AppserviceLogin)?;
        return face.handed_on(behind, &parts, bytes).await;
    }
    Ok(registered(&face, &parts, &body).await?.into_response())
}

async fn registered(
    face: &Face,
    parts: &Parts,
    body: &Map<String, Value>,
) -> Result<Json<Value>, Outcome> {
    face.service.may_try(Try::Registration, face.address(parts))?;
    match query(parts, "kind").as_deref() {
        None | Some("user") => {}
        Some("guest") => return Ok(session(face, parts, &face.service.register_guest()?)),
        Some(_) => return Err(Outcome::BadJson("`kind` must be user or guest")),
    }
    let name = "`initial_device_display_name` must be a string";
    let guest = "`guest_access_token` must be a string";
    let register = Register {
        username: text(body, "username", "`username` must be a string")?,
        password: text(body, "password", "`password` must be a string")?,
        device_id: text(body, "device_id", "`device_id` must be a string")?,
        display_name: text(body, "initial_device_display_name", name)?,
        inhibit_login: maybe_switch(body, "inhibit_login")?,
        renewable: maybe_switch(body, "refresh_token")?,
        guest_access_token: text(body, "guest_access_token", guest)?,
        auth: object_in(body, "auth")?,
        address: face.address(parts),
    };
    let registered = face.service.register(&register).await?;
    Ok(match &registered.granted {
        Some(granted) => session(face, parts, granted),
        None => {
            let server = face.service.server().as_str();
            Json(json!({ "user_id": registered.user_id, "home_server": server }))
        }
    })
}

fn session(face: &Face, parts: &Parts, granted: &Granted) -> Json<Value> {
    admitted(parts, granted.session);
    Json(rendered(face, granted))
}

/// Whether a username is free.
pub(super) async fn available(
    State(face): State<Arc<Face>>,
    parts: Parts,
) -> Result<Json<Value>, Outcome> {
    let username = query(&parts, "username").ok_or(Outcome::BadJson("`username` is missing"))?;
    face.service.may_try(Try::Probe, face.address(&parts))?;
    face.service.check_available(&username).await?;
    Ok(Json(json!({ "available": true })))
}

/// Whether a registration token is good.
pub(super) async fn validity(
    State(face): State<Arc<Face>>,
    parts: Parts,
) -> Result<Json<Value>, Outcome> {
    let token = query(&parts, "token").ok_or(Outcome::BadJson("`token` is missing"))?;
    face.service.may_try(Try::Probe, face.address(&parts))?;
    let valid = face.service.check_registration_token(&token).await?;
    Ok(Json(json!({ "valid": valid })))
}

/// An object that has nothing in it.
pub(super) fn nothing() -> Json<Value> {
    Json(Value::Object(Map::new()))
}
