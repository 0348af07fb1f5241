//! Who has come in, as a service behind the layer sees it.
//!
//! This file refuses to know how a token is judged.

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::answer::Answer;
use crate::time::Timestamp;
use crate::token::{self, Account, Caveat, SessionId};

/// Who bears the token of a request: an axum extractor, and among the request's extensions.
///
/// As `Option<Bearer>` it lets a request pass that came without a token, where the table of
/// endpoints allows that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Who.
    pub user_id: String,
    /// On which device, if on one.
    pub device_id: Option<String>,
    /// In which session: what may be logged.
    pub session: SessionId,
    /// Whether the bearer is a guest.
    pub guest: bool,
    /// How the account stands, as far as this process has heard.
    pub account: Account,
    /// What the token's `label` caveats say: written by whoever held it, so escape it.
    pub labels: Vec<String>,
    /// When the token ends, at the latest.
    pub ends_at: Option<Timestamp>,
}

impl Bearer {
    pub(super) fn of(bearer: &token::Bearer<'_>) -> Self {
        let label = |text| match Caveat::read(text) {
            Ok(Caveat::Label(label)) => Some(label.to_owned()),
            _ => None,
        };
        Self {
            user_id: bearer.user_id().as_str().to_owned(),
            device_id: bearer.device_id().map(|device| device.as_str().to_owned()),
            session: bearer.session(),
            guest: bearer.is_guest(),
            account: bearer.account(),
            labels: bearer.appended().filter_map(label).collect(),
            ends_at: bearer.ends_at(),
        }
    }
}

/// Among the extensions of every request that has passed the layer.
#[derive(Clone)]
pub(super) struct Judged(pub(super) Option<Bearer>);

/// Why there is no bearer where a handler wants one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBearer {
    /// The request came without a token, as it may by the table of endpoints.
    NoToken,
    /// No [`JudgeLayer`](super::JudgeLayer) has seen the request: a fault of the program.
    NoLayer,
}

impl IntoResponse for NoBearer {
    fn into_response(self) -> Response {
        match self {
            Self::NoToken => super::response(&Answer::MISSING_TOKEN),
            Self::NoLayer => super::response(&Answer::INTERNAL),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = NoBearer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoBearer> {
        let Judged(bearer) = parts.extensions.get().ok_or(NoBearer::NoLayer)?;
        bearer.clone().ok_or(NoBearer::NoToken)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Bearer {
    type Rejection = NoBearer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, NoBearer> {
        parts.extensions.get().map(|Judged(bearer)| bearer.clone()).ok_or(NoBearer::NoLayer)
    }
}
