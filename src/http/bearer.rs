//! What a request brings: its token, its occasion, its body.
//!
//! This file reads requests; it refuses to know what is done with them.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{header, request::Parts};
use serde_json::{Map, Value};

use super::Face;
use super::answer::Outcome;
use crate::occasion::{self, PathScratch};
use crate::token::{Bearer, Occasion, Purpose, Scratch};

impl Face {
    /// Admits the bearer of a request and acts on it at once.
    ///
    /// # Errors
    /// [`Outcome::MissingToken`] and its like without a token, else what the service says.
    pub(super) fn bearer<T>(
        &self,
        request: &Parts,
        act: impl FnOnce(&Bearer<'_>) -> T,
    ) -> Result<T, Outcome> {
        let token = self.token(request)?;
        let mut path = PathScratch::new();
        let asked = occasion::request(request.method.as_str(), request.uri.path(), &mut path)
            .map_err(|_| Outcome::BadPath)?;
        let occasion = Occasion {
            gate: asked.gate,
            action: asked.action,
            room_id: asked.room_id,
            address: address(request),
            ..Occasion::new(Purpose::Request, self.service.now())
        };
        let mut scratch = Scratch::new();
        Ok(act(&self.service.admit(&token, &mut scratch, &occasion)?))
    }

    /// The access token of a request: from the header, or from the query where that is allowed.
    fn token<'r>(&self, request: &'r Parts) -> Result<Cow<'r, str>, Outcome> {
        let header = match request.headers.get(header::AUTHORIZATION) {
            Some(value) => Some(value.to_str().ok().and_then(bearer).ok_or(Outcome::MissingToken)?),
            None => None,
        };
        let query = request.uri.query().filter(|_| self.query_token).and_then(access_token);
        match (header, query) {
            (Some(header), Some(query)) if header != query => Err(Outcome::TwoTokens),
            (Some(header), _) => Ok(Cow::Borrowed(header)),
            (None, Some(query)) => Ok(query),
            (None, None) => Err(Outcome::MissingToken),
        }
    }

    /// The JSON object in the body of a request, whatever its content type says.
    pub(super) async fn object(&self, body: Body) -> Result<Map<String, Value>, Outcome> {
        let bytes = to_bytes(body, self.body_limit).await.map_err(|_| Outcome::TooLarge)?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(Outcome::BadJson("The body must be a JSON object")),
            Err(_) => Err(Outcome::NotJson),
        }
    }
}

/// The token behind the scheme `Bearer`, which may be in any case (RFC 9110, section 11.1) and have
/// more than one space behind it (RFC 6750, section 2.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '))
}

/// The address a request comes from. Behind a proxy the peer is the proxy, and who forwards says
/// so in a header: then the caller's address is not known, and no `ip` caveat clears.
pub(super) fn address(request: &Parts) -> Option<IpAddr> {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip"];
    if forwarded.iter().any(|name| request.headers.contains_key(*name)) {
        return None;
    }
    request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

/// The value of `access_token` in a query. Our tokens need no escapes; one that has some is
/// decoded all the same, because clients escape what they like.
fn access_token(query: &str) -> Option<Cow<'_, str>> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("access_token="))?;
    if value.contains(['%', '+']) {
        let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        return Some(decoded);
    }
    Some(Cow::Borrowed(value))
}

/// The text under a key of an object; `null` counts as absent.
pub(super) fn text<'o>(
    object: &'o Map<String, Value>,
    key: &str,
    wrong: &'static str,
) -> Result<Option<&'o str>, Outcome> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Outcome::BadJson(wrong)),
    }
}
