//! What a proxy is told of a bearer: one header for each fact, in visible ASCII.
//!
//! This file refuses to know how a bearer was judged.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::answer::Outcome;
use crate::token::{Bearer, Caveat};

const USER_ID: HeaderName = HeaderName::from_static("x-amaretti-user-id");
const DEVICE_ID: HeaderName = HeaderName::from_static("x-amaretti-device-id");
const SESSION_ID: HeaderName = HeaderName::from_static("x-amaretti-session-id");
const GUEST: HeaderName = HeaderName::from_static("x-amaretti-guest");
const LABEL: HeaderName = HeaderName::from_static("x-amaretti-label");

/// Everything that is told of somebody.
pub(super) const IDENTITY: [HeaderName; 5] = [USER_ID, DEVICE_ID, SESSION_ID, GUEST, LABEL];

/// What the upstream is told of a bearer.
pub(super) fn identity(bearer: &Bearer<'_>) -> Result<HeaderMap, Outcome> {
    // These, the credential and the length: in a block that the allocator keeps at hand.
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(USER_ID, escaped(bearer.user_id().as_str())?);
    if let Some(device) = bearer.device_id() {
        headers.insert(DEVICE_ID, escaped(device.as_str())?);
    }
    headers.insert(SESSION_ID, written(bearer.session().to_string())?);
    let guest = if bearer.is_guest() { "true" } else { "false" };
    headers.insert(GUEST, HeaderValue::from_static(guest));
    let mut labels = String::new();
    for text in bearer.appended() {
        if let Ok(Caveat::Label(label)) = Caveat::read(text) {
            labels.push_str(if labels.is_empty() { "" } else { "," });
            labels.push_str(&plain(label));
        }
    }
    if !labels.is_empty() {
        headers.insert(LABEL, written(labels)?);
    }
    Ok(headers)
}

fn escaped(text: &str) -> Result<HeaderValue, Outcome> {
    written(&*plain(text))
}

/// A text in which everything but visible ASCII is percent-encoded, and the comma, which parts
/// labels, and the percent sign itself.
fn plain(text: &str) -> Cow<'_, str> {
    let stays = |b: u8| b.is_ascii_graphic() && b != b'%' && b != b',';
    if text.bytes().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::new();
    for byte in text.bytes() {
        if stays(byte) {
            plain.push(char::from(byte));
        } else {
            plain.push_str(percent_encoding::percent_encode_byte(byte));
        }
    }
    Cow::Owned(plain)
}

/// A text as a header; a token from a query may hold what no header can.
pub(super) fn written(text: impl TryInto<HeaderValue>) -> Result<HeaderValue, Outcome> {
    text.try_into().map_err(|_| Outcome::MissingToken)
}
