//! What Synapse is told and asked: `/_synapse/mas/*`, over HTTP or https.
//!
//! Every call is bounded in time, every answer in size. This file knows the wire; it refuses to know
//! when a call is due and what is done with its answer.

use std::io;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::reach::{Bounds, Reach, Unanswered};
use crate::secret::Secret;

/// How long an answer may take.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// How long to wait before a call that failed is made once more.
const PAUSE: Duration = Duration::from_millis(300);

const BOUNDS: Bounds =
    Bounds { connect: Duration::from_secs(2), answer: ANSWER, largest: 64 * 1024 };

/// Why a call came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be reached, or fails.
    #[error("the homeserver is away: {0}")]
    Away(String),
    /// It has not answered in time, and may yet do what it was told.
    #[error("the homeserver does not answer")]
    Silent,
    /// It answers what was not to be expected.
    #[error("the homeserver answers {path} with {status} {errcode}: {error}")]
    Refused {
        /// What was asked.
        path: &'static str,
        /// The status.
        status: u16,
        /// Matrix's name for it.
        errcode: String,
        /// In its own words.
        error: String,
    },
}

/// An account as Synapse has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// There is none.
    Absent,
    /// As usual.
    Active,
    /// It was deactivated.
    Deactivated,
}

/// Whether an account of a name could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// Nobody has it.
    Free,
    /// Somebody has it, had it, or an application service keeps it for itself.
    Taken,
    /// Nobody can have it.
    Invalid,
}

/// Synapse, where it listens.
pub struct Synapse {
    base: String,
    secret: std::sync::Arc<Secret>,
    reach: Reach,
}

/// A status and a body.
struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn fault(&self, path: &'static str) -> Fault {
        if self.status.is_server_error() {
            return Fault::Away(format!("{path} fails with {}", self.status.as_u16()));
        }
        // Its words are for a log: no longer than a line.
        let short = |text: &str| text.chars().take(200).collect();
        Fault::Refused {
            path,
            status: self.status.as_u16(),
            errcode: short(self.text("errcode")),
            error: short(self.text("error")),
        }
    }
}

impl Synapse {
    /// Synapse at a URL that does not end in a slash.
    ///
    /// # Errors
    /// The URL says https, and this machine trusts no certificate authority.
    pub fn new(url: &str, secret: std::sync::Arc<Secret>) -> io::Result<Self> {
        Ok(Self { base: url.to_owned(), secret, reach: Reach::to(url, BOUNDS)? })
    }

    pub(super) async fn account(&self, localpart: &str) -> Result<Account, Fault> {
        const PATH: &str = "query_user";
        let answer = self.ask(PATH, localpart).await?;
        match (answer.status, answer.body.get("is_deactivated").and_then(Value::as_bool)) {
            (StatusCode::OK, Some(true)) => Ok(Account::Deactivated),
            (StatusCode::OK, Some(false)) => Ok(Account::Active),
            (StatusCode::NOT_FOUND, _) if answer.text("errcode") == "M_NOT_FOUND" => {
                Ok(Account::Absent)
            }
            _ => Err(answer.fault(PATH)),
        }
    }

    pub(super) async fn name(&self, localpart: &str) -> Result<Name, Fault> {
        const PATH: &str = "is_localpart_available";
        let answer = self.ask(PATH, localpart).await?;
        match (answer.status, answer.text("errcode")) {
            (StatusCode::OK, _) => Ok(Name::Free),
            (StatusCode::BAD_REQUEST, "M_USER_IN_USE" | "M_EXCLUSIVE") => Ok(Name::Taken),
            (StatusCode::BAD_REQUEST, "M_INVALID_USERNAME") => Ok(Name::Invalid),
            _ => Err(answer.fault(PATH)),
        }
    }

    /// Makes an account; [`Name::Taken`] when there was one already. It is told once: a second time
    /// would find what the first has made.
    pub(super) async fn provision(&self, localpart: &str) -> Result<Name, Fault> {
        const PATH: &str = "provision_user";
        let request = self.request(Method::POST, PATH, &json!({ "localpart": localpart }))?;
        let answer = self.send(request).await?;
        match (answer.status, answer.text("errcode")) {
            (StatusCode::CREATED, _) => Ok(Name::Free),
            (StatusCode::OK, _) => Ok(Name::Taken),
            (StatusCode::BAD_REQUEST, "M_INVALID_USERNAME") => Ok(Name::Invalid),
            _ => Err(answer.fault(PATH)),
        }
    }

    /// Makes a device, or gives it another display name; without one it keeps what it has.
    pub(super) async fn upsert_device(
        &self,
        localpart: &str,
        device_id: &str,
        display_name: Option<&str>,
    ) -> Result<(), Fault> {
        let mut body = json!({ "localpart": localpart, "device_id": device_id });
        if let (Some(name), Some(body)) = (display_name, body.as_object_mut()) {
            body.insert("display_name".to_owned(), name.into());
        }
        self.tell("upsert_device", &body).await
    }

    pub(super) async fn delete_device(&self, localpart: &str, id: &str) -> Result<(), Fault> {
        self.tell("delete_device", &json!({ "localpart": localpart, "device_id": id })).await
    }

    /// Has a user these devices and no others.
    pub(super) async fn sync_devices(&self, localpart: &str, ids: &[String]) -> Result<(), Fault> {
        self.tell("sync_devices", &json!({ "localpart": localpart, "devices": ids })).await
    }

    pub(super) async fn delete_user(&self, localpart: &str) -> Result<(), Fault> {
        self.tell("delete_user", &json!({ "localpart": localpart, "erase": false })).await
    }

    pub(super) async fn reactivate_user(&self, localpart: &str) -> Result<(), Fault> {
        self.tell("reactivate_user", &json!({ "localpart": localpart })).await
    }

    async fn ask(&self, path: &'static str, localpart: &str) -> Result<Answer, Fault> {
        let query = utf8_percent_encode(localpart, NON_ALPHANUMERIC);
        let path = format!("{path}?localpart={query}");
        self.patiently(|| self.request(Method::GET, &path, &Value::Null)).await
    }

    /// Tells it something that may be told twice. About a user it does not have there is nothing
    /// to tell.
    async fn tell(&self, path: &'static str, body: &Value) -> Result<(), Fault> {
        let answer = self.patiently(|| self.request(Method::POST, path, body)).await?;
        let unknown =
            answer.status == StatusCode::NOT_FOUND && answer.text("errcode") == "M_NOT_FOUND";
        if answer.status.is_success() || (unknown && path != "upsert_device") {
            Ok(())
        } else {
            Err(answer.fault(path))
        }
    }

    /// Asks once more when it fails: a restart takes a moment, and so does a database's lock.
    async fn patiently(
        &self,
        request: impl Fn() -> Result<Request<Full<Bytes>>, Fault>,
    ) -> Result<Answer, Fault> {
        match self.send(request()?).await {
            Ok(answer) if !answer.status.is_server_error() => Ok(answer),
            Err(Fault::Silent) => Err(Fault::Silent),
            Ok(_) | Err(_) => {
                sleep(PAUSE).await;
                self.send(request()?).await
            }
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Request<Full<Bytes>>, Fault> {
        let path = format!("/_synapse/mas/{path}");
        self.request_as(self.secret.reveal(), method, &path, body)
    }

    fn request_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Request<Full<Bytes>>, Fault> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let uri = format!("{}{path}", self.base).parse::<Uri>();
        let uri = uri.map_err(|error| Fault::Away(error.to_string()))?;
        let secret = HeaderValue::try_from(format!("Bearer {token}"));
        let mut secret = secret.map_err(|error| Fault::Away(error.to_string()))?;
        secret.set_sensitive(true);
        Request::builder()
            .method(method)
            .uri(uri)
            .header(header::AUTHORIZATION, secret)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| Fault::Away(error.to_string()))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Fault> {
        match self.reach.ask(request).await {
            Ok(answer) => Ok(Answer {
                status: answer.status(),
                body: serde_json::from_slice(answer.body()).unwrap_or_default(),
            }),
            Err(Unanswered::Away(why)) => Err(Fault::Away(why)),
            Err(Unanswered::Silent(_)) => Err(Fault::Silent),
        }
    }
}
