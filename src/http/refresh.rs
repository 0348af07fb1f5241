//! `POST /refresh`, and the `/tokenrefresh` of 2015 where it is switched on.
//!
//! Clients end their session on any JSON error here. So only a verdict on the token, or a body that
//! cannot be read, is answered in JSON; whatever else goes wrong is plain text with a time to ask
//! again. The `Authorization` header is ignored: clients send their expired token with it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Face;
use super::answer::{Answer, Outcome};
use super::bearer::text;
use super::layers::admitted;
use super::login::pair;
use crate::service::{Declined, Denial, Pair, Try};
use crate::token::{Occasion, Purpose};

/// The next pair of tokens of a session.
pub(super) async fn refresh(
    State(face): State<Arc<Face>>,
    parts: Parts,
    body: Body,
) -> Result<Json<Value>, Response> {
    let exchanged = exchange(&face, &parts, body).await;
    exchanged.map(rendered).map_err(Outcome::without_verdict)
}

/// As the draft of 2015 had it: a refresh token that will not do is 403 `M_FORBIDDEN`.
pub(super) async fn token_refresh(
    State(face): State<Arc<Face>>,
    parts: Parts,
    body: Body,
) -> Result<Json<Value>, Response> {
    let exchanged = exchange(&face, &parts, body).await;
    exchanged.map(rendered).map_err(|outcome| match outcome {
        Outcome::Denied(Denial::Declined(Declined::WrongRefreshToken(_))) => {
            let answer = Answer::to_client(&outcome);
            let (status, errcode) = (StatusCode::FORBIDDEN, "M_FORBIDDEN");
            Answer { status, errcode, soft_logout: None, ..answer }.into_response()
        }
        outcome => outcome.without_verdict(),
    })
}

fn rendered(tokens: Pair) -> Json<Value> {
    Json(Value::Object(pair(&tokens)))
}

async fn exchange(face: &Face, parts: &Parts, body: Body) -> Result<Pair, Outcome> {
    let body = face.object(body).await?;
    let token = text(&body, "refresh_token", "`refresh_token` must be a string")?;
    let token = token.ok_or(Outcome::BadJson("`refresh_token` is missing"))?;
    let address = face.address(parts);
    let occasion = Occasion { address, ..Occasion::new(Purpose::Refresh, face.service.now()) };
    match face.service.refresh(token, &occasion).await {
        // One that holds is never counted: its client may share an address with many others.
        Err(denial @ (Denial::Declined(_) | Denial::Refused(_))) => {
            face.service.may_try(Try::Refresh, address)?;
            Err(denial.into())
        }
        Err(failed) => Err(failed.into()),
        Ok(pair) => {
            admitted(parts, pair.session);
            Ok(pair)
        }
    }
}
