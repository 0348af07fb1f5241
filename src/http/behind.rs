//! What is handed on to the homeserver behind and answered in its words: capabilities, and the
//! registrations of application services.
//!
//! This file refuses to know how the homeserver is reached.

use axum::Json;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::Face;
use super::answer::Outcome;
use crate::service::Denial;

/// What is done here, whatever a homeserver that has handed it over says of itself.
const OURS: [(&str, bool); 3] =
    [("m.change_password", true), ("m.get_login_token", true), ("m.3pid_changes", false)];

impl Face {
    /// Has an application service's registration decided by the homeserver, which knows it.
    ///
    /// # Errors
    /// [`Outcome::AppserviceLogin`] where there is none.
    pub(super) async fn hand_on(
        &self,
        request: &Parts,
        body: Map<String, Value>,
    ) -> Result<Response, Outcome> {
        let link = self.service.homeserver().ok_or(Outcome::AppserviceLogin)?;
        let token = self.token(request)?;
        let path = request.uri.path();
        let told = link.hand_on(path, &token, Some(Value::Object(body))).await;
        let (status, answer) = told.map_err(Denial::from)?;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        Ok((status, Json(answer)).into_response())
    }

    /// What the homeserver says it can do for the bearer of a token, and what is done here instead.
    ///
    /// # Errors
    /// The homeserver's own failure, as a failure.
    pub(super) async fn capabilities_behind(
        &self,
        path: &str,
        token: &str,
    ) -> Result<Option<Value>, Outcome> {
        let Some(link) = self.service.homeserver() else { return Ok(None) };
        let mut answer = link.capabilities(path, token).await.map_err(Denial::from)?;
        if let Some(Value::Object(capabilities)) = answer.get_mut("capabilities") {
            for (name, enabled) in OURS {
                capabilities.insert(name.to_owned(), json!({ "enabled": enabled }));
            }
        }
        Ok(Some(answer))
    }
}
