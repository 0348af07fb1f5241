//! Questions of somebody who looks at an installation, and how an answer is read.
//!
//! This file refuses to know what is asked and what an answer means.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, Uri, header};
use http_body_util::Full;
use serde_json::Value;

use crate::reach::{Bounds, Reach};
use crate::time::Timestamp;

const PATIENCE: Duration = Duration::from_secs(5);

const BOUNDS: Bounds = Bounds { connect: PATIENCE, answer: PATIENCE, largest: 1 << 20 };

/// Somebody who can be asked.
#[derive(Clone, Debug)]
pub(super) enum Whom {
    /// At a URL without a path.
    Url(String),
    /// At a socket in the file system.
    Socket(PathBuf),
}

impl Whom {
    /// Whoever listens at an address of this machine, or `unix:` and a path.
    pub(super) fn listening(address: &str) -> Self {
        if let Some(path) = address.strip_prefix("unix:") {
            return Self::Socket(path.into());
        }
        let known = address.parse::<SocketAddr>().ok().filter(|a| a.ip().is_unspecified());
        let near = known.map(|a| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), a.port()));
        Self::Url(format!("http://{}", near.map_or(address.to_owned(), |near| near.to_string())))
    }

    pub(super) fn at(url: &str) -> Self {
        Self::Url(url.trim_end_matches('/').to_owned())
    }

    /// As it is shown to people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::Socket(path) => format!("unix:{}", path.display()),
        }
    }
}

/// What is asked.
pub(super) struct Question<'a> {
    method: Method,
    path: &'a str,
    headers: Vec<(&'a str, String)>,
    body: String,
}

impl<'a> Question<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, headers: Vec::new(), body: String::new() }
    }

    pub(super) fn with(mut self, header: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    /// With a token or a secret, which goes nowhere but into the header.
    pub(super) fn bearing(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    pub(super) fn saying(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.with("content-type", "application/json")
    }
}

/// What is answered.
pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; null when it is something else.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// A text of the body's outermost object.
    pub(super) fn word(&self, name: &str) -> String {
        let body = self.json();
        let word = body.get(name).and_then(Value::as_str).unwrap_or_default();
        word.chars().filter(|c| !c.is_control()).take(200).collect()
    }

    /// Status and errcode, for people.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.status, self.word("errcode")).trim_end().to_owned()
    }

    /// When it was answered, by the clock of whoever did.
    pub(super) fn date(&self) -> Option<Timestamp> {
        let form = time::macros::format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let date = time::PrimitiveDateTime::parse(self.header("date")?, form).ok()?;
        let seconds = u64::try_from(date.assume_utc().unix_timestamp()).ok()?;
        Some(Timestamp::from_millis(seconds.saturating_mul(1000)))
    }

    /// Whether two answers come from one hand: status, errcode and words.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let said = |reply: &Self| (reply.status, reply.word("errcode"), reply.word("error"));
        said(self) == said(other)
    }
}

/// Who asks.
pub(super) struct Asker {
    plain: Result<Reach, String>,
    secure: Result<Reach, String>,
}

impl Asker {
    pub(super) fn new() -> Self {
        let to = |scheme| Reach::to(scheme, BOUNDS).map_err(|error| error.to_string());
        Self { plain: to("http://"), secure: to("https://") }
    }

    /// Asks; gives the answer, or why there is none.
    pub(super) async fn ask(&self, whom: &Whom, question: Question<'_>) -> Result<Reply, String> {
        match whom {
            Whom::Socket(path) => {
                let reach = Reach::socket(path.clone(), BOUNDS);
                send(&reach, "http://localhost", question).await
            }
            Whom::Url(url) => {
                let secure = url.starts_with("https://");
                let reach = if secure { &self.secure } else { &self.plain };
                send(reach.as_ref().map_err(String::clone)?, url, question).await
            }
        }
    }
}

async fn send(reach: &Reach, base: &str, question: Question<'_>) -> Result<Reply, String> {
    let uri: Uri = format!("{base}{}", question.path).parse().map_err(|_| "no such address")?;
    let mut request = Request::builder().method(question.method).uri(uri);
    request = request.header(header::USER_AGENT, "amaretti-doctor");
    for (name, value) in &question.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(question.body)));
    let request = request.map_err(|_| "it cannot be asked that")?;
    let answer = reach.ask(request).await.map_err(|error| error.to_string())?;
    let (head, body) = answer.into_parts();
    let text = String::from_utf8_lossy(&body).into_owned();
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, text })
}
