//! What the homeserver behind asks: `POST /oauth2/introspect` and discovery, as Synapse's
//! `matrix_authentication_service` does; and many tokens at once at `POST /_amaretti/introspect`.
//!
//! A question that is put right is answered 200 whatever becomes of the token. What is no verdict
//! on it is 503, which Synapse hands on as such: a client that hears 401 throws its keys away. This
//! file refuses to know how a token is judged.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::Face;
use super::answer::{Answer, Outcome, Why};
use super::bearer::{bearer, decoded};
use super::layers::admitted;
use crate::service::{Acting, Denial, Failure, Reason, Unfit};
use crate::token::{Refusal, Scratch};

/// The largest form: Synapse takes headers of 16 KiB, and a form triples what it has to escape.
const FORM: usize = 64 * 1024;

/// The largest body of many tokens, and how many they may be.
const MANY: usize = 1024 * 1024;
const TOKENS: usize = 10_000;

/// Scopes that let a token use the client-server API: the stable name and the one before it.
/// Synapse before 1.138 knows the second alone.
const USER: &str = "urn:matrix:client:api:* urn:matrix:org.matrix.msc2967.client:api:*";
const ADMIN: &str =
    "urn:matrix:client:api:* urn:matrix:org.matrix.msc2967.client:api:* urn:synapse:admin:*";

/// Nobody acts by the token.
const INACTIVE: &[u8] = br#"{"active":false}"#;

/// Says who acts by a token.
pub(super) async fn one(
    State(face): State<Arc<Face>>,
    request: Request,
) -> Result<Response, Outcome> {
    let (request, body) = request.into_parts();
    face.is_homeserver(&request)?;
    let form = to_bytes(body, FORM).await.map_err(|_| TOO_LARGE)?;
    let form = std::str::from_utf8(&form).map_err(|_| Outcome::BadJson("The form is not UTF-8"))?;
    let token = token(form).ok_or(Outcome::BadJson("`token` is missing in the form"))?;
    let mut answer = Vec::with_capacity(320);
    let mut scratch = Scratch::new();
    let told = face.service.introspect(&token, &mut scratch);
    let mut response = match write(&told, &mut answer) {
        Told::Verdict => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        Told::Nothing => Answer::undecided().into_response(),
    };
    match &told {
        Ok(acting) => admitted(&request, acting.session),
        Err(unfit) => drop(response.extensions_mut().insert(why(unfit))),
    }
    Ok(response)
}

/// Says who acts by each of many tokens: one a line, answered a line each, in their order.
pub(super) async fn many(
    State(face): State<Arc<Face>>,
    request: Request,
) -> Result<Response, Outcome> {
    let (request, body) = request.into_parts();
    face.is_homeserver(&request)?;
    let body = to_bytes(body, MANY).await.map_err(|_| TOO_LARGE)?;
    let body = std::str::from_utf8(&body).map_err(|_| Outcome::BadJson("The body is not UTF-8"))?;
    if body.lines().nth(TOKENS).is_some() {
        return Err(TOO_LARGE);
    }
    let mut answers = Vec::with_capacity(body.len() + body.len() / 2);
    let mut scratch = Scratch::new();
    for token in body.lines() {
        let told = face.service.introspect(token, &mut scratch);
        match write(&told, &mut answers) {
            Told::Verdict => {}
            Told::Nothing => answers.extend_from_slice(br#"{"error":"undecided"}"#),
        }
        answers.push(b'\n');
    }
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Bytes::from(answers)).into_response())
}

/// The document that Synapse hands to clients which look for a place to manage their account.
pub(super) async fn discovery(State(face): State<Arc<Face>>) -> Result<Json<Value>, Outcome> {
    if face.homeserver.is_none() {
        return Err(Outcome::UnknownPath);
    }
    let here = match &face.public_url {
        Some(url) => url.clone(),
        None => format!("https://{}", face.service.server()),
    };
    Ok(Json(json!({
        "issuer": format!("{here}/"),
        "account_management_uri": format!("{here}/_matrix/static/client/login/"),
    })))
}

/// A body over its bound; the homeserver has nothing to learn from the difference.
const TOO_LARGE: Outcome = Outcome::BadJson("The body is too large");

impl Face {
    /// Whether it is the homeserver that asks.
    fn is_homeserver(&self, request: &Parts) -> Result<(), Outcome> {
        let secret = self.homeserver.as_ref().ok_or(Outcome::UnknownPath)?;
        let given = request.headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok()).and_then(bearer);
        let known = given.is_some_and(|given| secret.is(given.as_bytes()));
        if known { Ok(()) } else { Err(Outcome::NotTheHomeserver) }
    }
}

/// The token in a form.
fn token(form: &str) -> Option<Cow<'_, str>> {
    form.split('&').find_map(|pair| pair.strip_prefix("token=")).map(decoded)
}

/// Whether a token could be judged.
enum Told {
    Verdict,
    Nothing,
}

/// What the log says of a token by which nobody acts.
fn why(unfit: &Unfit) -> Why {
    let reason = match unfit {
        Unfit::Denied(denial) => Some(Reason::from(denial)),
        _ => None,
    };
    Why { words: unfit.to_string(), reason }
}

/// What a homeserver is told of somebody, in the words of RFC 7662.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    scope: &'static str,
    username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    sub: &'a str,
}

fn write(told: &Result<Acting<'_>, Unfit>, answer: &mut Vec<u8>) -> Told {
    let acting = match told {
        Ok(acting) => acting,
        Err(unfit) => {
            let told = verdict(unfit);
            if matches!(told, Told::Verdict) {
                answer.extend_from_slice(INACTIVE);
            }
            return told;
        }
    };
    let active = Active {
        active: true,
        scope: if acting.admin { ADMIN } else { USER },
        username: acting.user.localpart(),
        device_id: acting.device.map(|device| device.as_str()),
        expires_in: acting.seconds,
        sub: acting.user.as_str(),
    };
    match serde_json::to_writer(answer, &active) {
        Ok(()) => Told::Verdict,
        Err(_) => Told::Nothing,
    }
}

/// The one map from why nobody acts by a token to what the homeserver is told: that it is not
/// active, or nothing. Exhaustive, as the map of the client API is; the rule is the same, and
/// harder: a homeserver answers *inactive* by a hard logout.
fn verdict(unfit: &Unfit) -> Told {
    match unfit {
        Unfit::TooLong | Unfit::Guest | Unfit::NoDevice | Unfit::OtherServer => Told::Verdict,
        // An account that may come back: its clients keep their keys.
        Unfit::Suspended => Told::Nothing,
        Unfit::Denied(Denial::Refused(refusal)) => refused(*refusal),
        Unfit::Denied(Denial::Failed(failure)) => failed(failure),
        // Nothing of the kind comes of a token alone; were it to, it would be no verdict on it.
        Unfit::Denied(Denial::Declined(_) | Denial::Challenged(_)) => Told::Nothing,
    }
}

fn refused(refusal: Refusal) -> Told {
    match refusal {
        Refusal::Foreign
        | Refusal::Predecessor
        | Refusal::TooLong
        | Refusal::Truncated
        | Refusal::Malformed(_)
        | Refusal::UnknownFormat
        | Refusal::WrongPrefix
        | Refusal::ReservedBits
        | Refusal::UnknownKey(_)
        | Refusal::Forged
        | Refusal::WrongKind(_)
        | Refusal::Ended(_)
        | Refusal::Expired
        | Refusal::UnknownCaveat(_)
        | Refusal::Sealed(_)
        | Refusal::Unmet(_) => Told::Verdict,
        Refusal::KeyNotHeld(_) | Refusal::Locked => Told::Nothing,
    }
}

fn failed(failure: &Failure) -> Told {
    match failure {
        Failure::Store(_)
        | Failure::Stale
        | Failure::ClockOff(_)
        | Failure::NoKey
        | Failure::KeyNotHeld(_)
        | Failure::NoMintingKey
        | Failure::NoInnerKey
        | Failure::NoStore
        | Failure::NoFeed
        | Failure::Busy
        | Failure::Homeserver(_)
        | Failure::Randomness(_)
        | Failure::Sealing
        | Failure::Mint(_) => Told::Nothing,
    }
}
