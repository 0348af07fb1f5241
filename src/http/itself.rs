//! `GET /_amaretti/token`: tells a bearer what its own token may do.
//!
//! Everything in the answer stands in the token, which its holder can read anyway; that it is
//! answered at all says that the token is good now. It asks no store.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use super::Face;
use super::answer::Outcome;
use crate::occasion::Remaining;
use crate::time::Timestamp;
use crate::token::{Bearer, Caveat, Purpose};

/// What the token of this request is, and what is left of what it could do.
pub(super) async fn itself(
    State(face): State<Arc<Face>>,
    request: Parts,
) -> Result<Json<Value>, Outcome> {
    let now = face.service.now();
    face.bearer_for(Purpose::Itself, &request, |bearer| Json(told(bearer, now)))
}

fn told(bearer: &Bearer<'_>, now: Timestamp) -> Value {
    let identifier = bearer.identifier();
    let left = Remaining::of(bearer.appended());
    let mut told = Map::new();
    let mut say = |key: &str, value: Value| told.insert(key.to_owned(), value);
    say("user_id", bearer.user_id().as_str().into());
    if let Some(device) = bearer.device_id() {
        say("device_id", device.as_str().into());
    }
    say("session_id", bearer.session().to_string().into());
    say("kind", identifier.kind.name().into());
    say("is_guest", bearer.is_guest().into());
    if let Some(end) = bearer.ends_at() {
        say("expires_at", end.millis().into());
        say("expires_in_ms", end.millis().saturating_sub(now.millis()).into());
    }
    say("caveats", bearer.appended().map(caveat).collect());
    let actions: Vec<_> = left.actions.iter().map(|action| action.name()).collect();
    say("actions", actions.into());
    if let Some(rooms) = left.rooms {
        say("rooms", rooms.into());
    }
    if let Some(audience) = left.audience {
        say("audience", audience.into());
    }
    Value::Object(told)
}

/// A caveat, as it stands, in parts, and in words.
fn caveat(text: &str) -> Value {
    let mut parts = text.splitn(3, ' ').map(Value::from);
    let [key, operator, value] = [(); 3].map(|()| parts.next().unwrap_or_default());
    json!({ "caveat": text, "key": key, "operator": operator, "value": value, "means": words(text) })
}

fn words(text: &str) -> String {
    let listed = |members: &mut dyn Iterator<Item = &str>| members.collect::<Vec<_>>().join(", ");
    match Caveat::read(text) {
        Ok(Caveat::UserId(id)) => format!("only for {id}"),
        Ok(Caveat::DeviceId(id)) => format!("only on the device {id}"),
        Ok(Caveat::Time(end)) => format!("only before {}", end.to_utc()),
        Ok(Caveat::Action(names)) => format!("only to {}", listed(&mut names.members())),
        Ok(Caveat::RoomId(rooms)) => format!("only in {}", listed(&mut rooms.members())),
        Ok(Caveat::Ip(networks)) => format!("only from {}", listed(&mut networks.members())),
        Ok(Caveat::Audience(name)) => format!("only at the service {name}"),
        Ok(Caveat::Label(_)) => "a note, which narrows nothing".to_owned(),
        Err(_) => "not known here: it refuses everything".to_owned(),
    }
}
