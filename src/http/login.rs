//! `GET` and `POST /login`: from a body to a login and from a session to an answer.
//!
//! The `Authorization` header is ignored here: clients send expired tokens with it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use super::Face;
use super::answer::Outcome;
use super::bearer::{maybe_switch, text};
use super::layers::admitted;
use crate::service::{Credentials, Granted, Login, LoginToken, Pair, Try};
use crate::token::{Occasion, Purpose};

/// The kinds of login there are.
pub(super) async fn flows() -> Json<Value> {
    Json(
        json!({ "flows": [{ "type": "m.login.password" }, { "type": "m.login.token", "get_login_token": true }] }),
    )
}

/// Begins a session.
pub(super) async fn login(
    State(face): State<Arc<Face>>,
    parts: Parts,
    body: Body,
) -> Result<Json<Value>, Outcome> {
    let body = face.object(body).await?;
    let credentials = credentials(&face, &parts, &body)?;
    let what = match credentials {
        Credentials::Password { .. } => Try::Password,
        Credentials::Token(_) => Try::LoginToken,
    };
    face.service.may_try(what, face.address(&parts))?;
    let login = Login {
        credentials,
        device_id: text(&body, "device_id", "`device_id` must be a string")?,
        display_name: text(
            &body,
            "initial_device_display_name",
            "`initial_device_display_name` must be a string",
        )?,
        renewable: maybe_switch(&body, "refresh_token")?.unwrap_or(false),
    };
    let granted = face.service.login(&login).await?;
    admitted(&parts, granted.session);
    Ok(Json(rendered(&face, &granted)))
}

pub(super) fn rendered(face: &Face, granted: &Granted) -> Value {
    let mut answer = pair(&granted.pair);
    answer.insert("user_id".to_owned(), granted.user_id.as_str().into());
    answer.insert("device_id".to_owned(), granted.device_id.as_str().into());
    // Deprecated, and still what every how-to shows.
    answer.insert("home_server".to_owned(), face.service.server().as_str().into());
    // Clients go where this says, so it says nothing unless the operator knows where.
    if let Some(url) = &face.public_url {
        let well_known = json!({ "m.homeserver": { "base_url": url } });
        answer.insert("well_known".to_owned(), well_known);
    }
    Value::Object(answer)
}

/// The tokens of a session, as `/login`, `/register` and `/refresh` name them.
pub(super) fn pair(pair: &Pair) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("access_token".to_owned(), pair.access_token.reveal().into());
    if let Some(refresh_token) = &pair.refresh_token {
        answer.insert("refresh_token".to_owned(), refresh_token.reveal().into());
    }
    if let Some(ms) = pair.expires_in_ms {
        answer.insert("expires_in_ms".to_owned(), ms.into());
    }
    answer
}

fn credentials<'r>(
    face: &Face,
    parts: &Parts,
    body: &'r Map<String, Value>,
) -> Result<Credentials<'r>, Outcome> {
    match text(body, "type", "`type` must be a string")? {
        Some("m.login.password") => {
            let password = text(body, "password", "`password` must be a string")?;
            let password = password.ok_or(Outcome::BadJson("`password` is missing"))?;
            Ok(Credentials::Password { user: user(body)?, password })
        }
        Some("m.login.token") => {
            let token = text(body, "token", "`token` must be a string")?;
            Ok(Credentials::Token(LoginToken {
                text: token.ok_or(Outcome::BadJson("`token` is missing"))?,
                txn_id: text(body, "txn_id", "`txn_id` must be a string")?,
                occasion: Occasion {
                    address: face.address(parts),
                    ..Occasion::new(Purpose::Login, face.service.now())
                },
            }))
        }
        Some("m.login.application_service") => Err(Outcome::AppserviceLogin),
        Some(_) => Err(Outcome::UnknownLoginType),
        None => Err(Outcome::BadJson("`type` is missing")),
    }
}

/// Who it says it is: in `identifier`, or at the top level as clients of old do. Nobody here has
/// an e-mail address or a phone number, so those name nobody.
fn user(body: &Map<String, Value>) -> Result<&str, Outcome> {
    let nobody = "";
    let identifier = match body.get("identifier") {
        Some(Value::Object(identifier)) => identifier,
        None | Some(Value::Null) => {
            let user = text(body, "user", "`user` must be a string")?;
            let address = text(body, "address", "`address` must be a string")?.map(|_| nobody);
            return user.or(address).ok_or(Outcome::BadJson("`identifier` is missing"));
        }
        Some(_) => return Err(Outcome::BadJson("`identifier` must be an object")),
    };
    match text(identifier, "type", "`identifier.type` must be a string")? {
        Some("m.id.user") => {}
        // The specification's own example leaves the type out.
        None if identifier.contains_key("user") => {}
        Some("m.id.thirdparty" | "m.id.phone") => return Ok(nobody),
        None if identifier.contains_key("address") => return Ok(nobody),
        _ => return Err(Outcome::BadJson("`identifier.type` must be m.id.user")),
    }
    let user = text(identifier, "user", "`identifier.user` must be a string")?;
    user.ok_or(Outcome::BadJson("`identifier.user` is missing"))
}
