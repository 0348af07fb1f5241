//! What a request brings: its token, its occasion, its body.
//!
//! This file reads requests; it refuses to know what is done with them.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, Path};
use axum::http::{HeaderMap, HeaderName, header, request::Parts};
use serde_json::{Map, Value};

use super::Face;
use super::answer::Outcome;
use super::layers::admitted;
use crate::occasion::{self, PathScratch};
use crate::service::{Caller, Declined, Denial};
use crate::token::{Bearer, Occasion, Purpose, Scratch};

/// Where proxies say for whom they ask.
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What stands in a path where the route leaves a place.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Outcome;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Outcome> {
        let Path(segment) =
            Path::from_request_parts(parts, state).await.map_err(|_| Outcome::BadPath)?;
        Ok(Self(segment))
    }
}

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
        self.bearer_for(Purpose::Request, request, act)
    }

    /// The same for what is no ordinary request.
    pub(super) fn bearer_for<T>(
        &self,
        purpose: Purpose,
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
            address: self.address(request),
            ..Occasion::new(purpose, self.service.now())
        };
        let mut scratch = Scratch::new();
        let bearer = self.service.admit(&token, &mut scratch, &occasion)?;
        admitted(request, bearer.session());
        Ok(act(&bearer))
    }

    /// Who asks, on endpoints where guests may not go.
    pub(super) fn member(&self, request: &Parts) -> Result<Caller, Outcome> {
        let (guest, caller) =
            self.bearer(request, |bearer| (bearer.is_guest(), Caller::of(bearer)))?;
        if guest { Err(Denial::from(Declined::Guest).into()) } else { Ok(caller) }
    }

    /// The address a request comes from. Who is trusted to forward requests says it in
    /// `X-Forwarded-For`: the last address there that is not a proxy's own. From anybody else the
    /// header is ignored, and `None` is an address that is not known.
    pub(super) fn address(&self, request: &Parts) -> Option<IpAddr> {
        let ConnectInfo(peer) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
        let peer = Some(peer.ip()).filter(|peer| !peer.is_unspecified())?;
        if !request.headers.contains_key(FORWARDED_FOR) {
            return Some(peer);
        }
        if !self.trusted_proxies.contain(peer) {
            tracing::warn!(%peer, "ignored an X-Forwarded-For from somebody who is no trusted proxy");
            return Some(peer);
        }
        self.forwarded_for(&request.headers, peer)
    }

    /// The last address in `X-Forwarded-For` that is no trusted proxy's; `else_from` when all are.
    pub(super) fn forwarded_for(&self, headers: &HeaderMap, else_from: IpAddr) -> Option<IpAddr> {
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        for hop in values.flat_map(|value| value.to_str().unwrap_or("?").rsplit(',')) {
            // What cannot be read was not written by a proxy of ours: nothing before it counts.
            let hop: IpAddr = hop.trim().parse().ok()?;
            if !self.trusted_proxies.contain(hop) {
                return Some(hop);
            }
        }
        Some(else_from)
    }

    /// The access token of a request: from the header, or from the query where that is allowed.
    pub(super) fn token<'r>(&self, request: &'r Parts) -> Result<Cow<'r, str>, Outcome> {
        self.token_in(&request.headers, request.uri.query())
    }

    /// As [`Self::token`], from a query that a proxy tells of.
    pub(super) fn token_in<'r>(
        &self,
        headers: &'r HeaderMap,
        query: Option<&'r str>,
    ) -> Result<Cow<'r, str>, Outcome> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let header = match (values.next(), values.next()) {
            (Some(_), Some(_)) => return Err(Outcome::TwoTokens),
            (Some(value), None) => {
                Some(value.to_str().ok().and_then(bearer).ok_or(Outcome::MissingToken)?)
            }
            (None, _) => None,
        };
        let query = query.filter(|_| self.query_token).and_then(access_token);
        match (header, query) {
            (Some(header), Some(query)) if header != query => Err(Outcome::TwoTokens),
            (Some(header), _) => Ok(Cow::Borrowed(header)),
            (None, Some(query)) => Ok(query),
            (None, None) => Err(Outcome::MissingToken),
        }
    }

    /// The bytes of a body, no more than may be.
    pub(super) async fn bytes(&self, body: Body) -> Result<Bytes, Outcome> {
        to_bytes(body, self.body_limit).await.map_err(|_| Outcome::TooLarge)
    }

    /// The JSON object in the body of a request that may come without one.
    pub(super) async fn object_or_nothing(
        &self,
        body: Body,
    ) -> Result<Map<String, Value>, Outcome> {
        let bytes = self.bytes(body).await?;
        if bytes.is_empty() { Ok(Map::new()) } else { parsed(&bytes) }
    }

    /// The JSON object in the body of a request, whatever its content type says.
    pub(super) async fn object(&self, body: Body) -> Result<Map<String, Value>, Outcome> {
        let bytes = self.bytes(body).await?;
        parsed(&bytes)
    }
}

/// The token behind the scheme `Bearer`, which may be in any case (RFC 9110, section 11.1) and have
/// more than one space behind it (RFC 6750, section 2.1).
pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '))
}

pub(super) fn parsed(bytes: &[u8]) -> Result<Map<String, Value>, Outcome> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Outcome::BadJson("The body must be a JSON object")),
        Err(_) => Err(Outcome::NotJson),
    }
}

/// The value of `access_token` in a query. Our tokens need no escapes; one that has some is
/// decoded all the same, because clients escape what they like.
fn access_token(query: &str) -> Option<Cow<'_, str>> {
    query.split('&').find_map(|pair| pair.strip_prefix("access_token=")).map(decoded)
}

/// The value of a parameter in the query of a request.
pub(super) fn query<'r>(request: &'r Parts, name: &str) -> Option<Cow<'r, str>> {
    let pairs = request.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
}

/// The fields of a form; of one that is there twice the last.
pub(super) fn form(bytes: &[u8]) -> Map<String, Value> {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name).into(), decoded(value).into())).collect()
}

pub(super) fn decoded(value: &str) -> Cow<'_, str> {
    if !value.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(value);
    }
    if value.contains('+') {
        let value = value.replace('+', " ");
        return Cow::Owned(percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into());
    }
    percent_encoding::percent_decode_str(value).decode_utf8_lossy()
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

/// The switch under a key of an object, if it is there; `null` counts as absent.
pub(super) fn maybe_switch(
    object: &Map<String, Value>,
    key: &'static str,
) -> Result<Option<bool>, Outcome> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(on)) => Ok(Some(*on)),
        Some(_) => Err(Outcome::BadJson(match key {
            "refresh_token" => "`refresh_token` must be true or false",
            "inhibit_login" => "`inhibit_login` must be true or false",
            _ => "`logout_devices` must be true or false",
        })),
    }
}

/// The object under a key of an object; `null` counts as absent.
pub(super) fn object_in<'o>(
    object: &'o Map<String, Value>,
    key: &str,
) -> Result<Option<&'o Map<String, Value>>, Outcome> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(Outcome::BadJson("`auth` must be an object")),
    }
}
