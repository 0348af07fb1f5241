//! `POST /_amaretti/explain`, on the internal listener: why a token is good or not on this node.
//!
//! The answer holds nothing that could be used as a token. This file refuses to know what a verdict
//! rests on.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::Face;
use super::answer::Outcome;
use super::bearer::text;
use crate::occasion::{self, PathScratch};
use crate::service::{Claimed, Explanation};
use crate::token::{Occasion, Purpose};

/// Explains a token to an operator.
pub(super) async fn explain(
    State(face): State<Arc<Face>>,
    body: Body,
) -> Result<Json<Value>, Outcome> {
    let body = face.object(body).await?;
    let token = text(&body, "token", "`token` must be a string")?;
    let token = token.ok_or(Outcome::BadJson("`token` is missing"))?;
    let method = text(&body, "method", "`method` must be a string")?.unwrap_or("GET");
    let mut room = PathScratch::new();
    let asked = match text(&body, "path", "`path` must be a string")? {
        Some(path) => {
            let asked = occasion::request(method, path, &mut room);
            Some(asked.map_err(|_| Outcome::BadPath)?)
        }
        None => None,
    };
    let occasion = Occasion {
        action: asked.and_then(|asked| asked.action),
        room_id: asked.and_then(|asked| asked.room_id),
        address: address(&body)?,
        ..Occasion::new(purpose(&body, token)?, face.service.now())
    };
    let explanation = face.service.explain(token, &occasion);
    Ok(Json(rendered(&explanation)))
}

fn address(body: &Map<String, Value>) -> Result<Option<IpAddr>, Outcome> {
    const WRONG: &str = "`address` must be an IP address";
    let address = text(body, "address", WRONG)?;
    address.map(|address| address.parse().map_err(|_| Outcome::BadJson(WRONG))).transpose()
}

/// What it is presented for: as asked, or what its kind is for.
fn purpose(body: &Map<String, Value>, token: &str) -> Result<Purpose, Outcome> {
    const WRONG: &str = "`purpose` must be request, refresh, login or introspection";
    match text(body, "purpose", WRONG)? {
        Some("request") => Ok(Purpose::Request),
        Some("refresh") => Ok(Purpose::Refresh),
        Some("login") => Ok(Purpose::Login),
        Some("introspection") => Ok(Purpose::Introspection),
        Some(_) => Err(Outcome::BadJson(WRONG)),
        None => {
            let claimed = Claimed::read(token);
            Ok(claimed.map_or(Purpose::Request, |claimed| Purpose::of(claimed.identifier.kind)))
        }
    }
}

fn rendered(explanation: &Explanation) -> Value {
    let Explanation { claimed, reason, words, caveat, ended_before, advice } = explanation;
    let claimed = claimed.as_ref().map(|Claimed { user_id, device_id, identifier }| {
        json!({
            "kind": identifier.kind.name(),
            "user_id": user_id,
            "device_id": device_id,
            "session": identifier.session.to_string(),
            "began": identifier.session.beginning().millis(),
            "generation": identifier.generation,
            "key": identifier.key_id.to_string(),
            "issued_at": identifier.issued_at.millis(),
            "expires_at": identifier.expires_at.map(|at| at.millis()),
        })
    });
    json!({
        "admitted": *reason == crate::service::Reason::Admitted,
        "reason": reason.name(),
        "words": words,
        "claimed": claimed,
        "caveat": caveat.map(|at| at.index),
        "ended_before": ended_before.map(|at| at.millis()),
        "advice": advice,
    })
}
