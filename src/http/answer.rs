//! The one map from what happened to what is answered.
//!
//! Exhaustive, without a catch-all: a new outcome does not compile until its answer is decided.
//! Clients destroy their encryption keys on a hard logout, so `soft_logout` is false only for a
//! fact in the feed or a text that never was a token; and our fault is never a 401.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::answer as judged;
use crate::service::{Challenge, Declined, Denial, Failure, Reason, RefreshFault};
use crate::token::Refusal;

/// What came of a request that was not done.
#[derive(Debug)]
pub enum Outcome {
    /// No token where one is needed.
    MissingToken,
    /// One token in the header and another in the query.
    TwoTokens,
    /// A body that is not JSON.
    NotJson,
    /// JSON that does not say what it must.
    BadJson(&'static str),
    /// A type of login that is not offered.
    UnknownLoginType,
    /// An application service wants to log in.
    AppserviceLogin,
    /// A body over the limit.
    TooLarge,
    /// A path that is spelled as no path may be.
    BadPath,
    /// A path that is not served.
    UnknownPath,
    /// A path that is served, for other methods.
    WrongMethod,
    /// A header by which another proxy than ours describes a request: its name.
    OtherProxy(&'static str),
    /// The proxy in front does not ask as it is to: what is wrong with it.
    BadProxy(&'static str),
    /// Whoever asks as the homeserver does not know the secret that it shares with us.
    NotTheHomeserver,
    /// It took too long.
    TimedOut,
    /// The service has said why not.
    Denied(Denial),
}

impl From<Denial> for Outcome {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// What leaves the building.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Matrix's name for it.
    pub errcode: &'static str,
    /// What a person reads.
    pub error: String,
    /// Whether the client keeps its keys, where that is a question.
    pub soft_logout: Option<bool>,
    /// When to ask again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// What is to be proved first.
    pub challenge: Option<Value>,
}

/// What is answered to a token, as programs that judge in process answer it too.
impl From<judged::Answer> for Answer {
    fn from(answer: judged::Answer) -> Self {
        let judged::Answer { status, errcode, error, soft_logout, retry_after_ms } = answer;
        // Every status of that map is one.
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { soft_logout, retry_after_ms, ..Self::new(status, errcode, error) }
    }
}

impl Answer {
    fn new(status: StatusCode, errcode: &'static str, error: impl Into<String>) -> Self {
        Self {
            status,
            errcode,
            error: error.into(),
            soft_logout: None,
            retry_after_ms: None,
            challenge: None,
        }
    }

    fn unknown_token(soft_logout: bool, error: &str) -> Self {
        let answer = Self::new(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN", error);
        Self { soft_logout: Some(soft_logout), ..answer }
    }

    fn unavailable(error: &str, retry_after_ms: u64) -> Self {
        let answer = Self::new(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", error);
        Self { retry_after_ms: Some(retry_after_ms), ..answer }
    }

    /// What is answered where the rest is up to somebody else who cannot be asked now.
    pub(super) fn undecided() -> Self {
        Self::unavailable("This cannot be decided now", 2000)
    }

    /// The answer of the client-server API.
    #[must_use]
    pub fn to_client(outcome: &Outcome) -> Self {
        let bad = StatusCode::BAD_REQUEST;
        match outcome {
            Outcome::MissingToken => judged::Answer::MISSING_TOKEN.into(),
            Outcome::TwoTokens => judged::Answer::TWO_TOKENS.into(),
            Outcome::NotJson => Self::new(bad, "M_NOT_JSON", "The body is not JSON"),
            Outcome::BadJson(what) => Self::new(bad, "M_BAD_JSON", *what),
            Outcome::UnknownLoginType => Self::new(
                bad,
                "M_UNKNOWN",
                "Unknown login type: GET this path lists those that there are",
            ),
            Outcome::AppserviceLogin => Self::new(
                bad,
                "M_APPSERVICE_LOGIN_UNSUPPORTED",
                "Application services cannot log in here",
            ),
            Outcome::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE", "The body is too large")
            }
            Outcome::BadPath => judged::Answer::BAD_PATH.into(),
            Outcome::UnknownPath => {
                Self::new(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "Unrecognized request")
            }
            Outcome::WrongMethod => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "Wrong method")
            }
            Outcome::OtherProxy(name) => other_proxy(name),
            Outcome::BadProxy(_) => bad_proxy(),
            Outcome::NotTheHomeserver => not_the_homeserver(),
            Outcome::TimedOut => Self::unavailable("This took too long, try again", 1000),
            Outcome::Denied(Denial::Refused(refusal)) => judged::Answer::from(*refusal).into(),
            Outcome::Denied(Denial::Declined(declined)) => declined_answer(*declined),
            Outcome::Denied(Denial::Challenged(challenge)) => challenged(challenge),
            Outcome::Denied(Denial::Failed(failure)) => failed(failure),
        }
    }
}

fn other_proxy(name: &str) -> Answer {
    let error = format!("The header {name} is not for clients to send");
    Answer::new(StatusCode::BAD_REQUEST, "M_UNKNOWN", error)
}

fn bad_proxy() -> Answer {
    Answer::unavailable("The proxy in front is not set up to ask about tokens", 5000)
}

fn not_the_homeserver() -> Answer {
    let error = "This is for the homeserver, by the secret that both share";
    Answer::new(StatusCode::UNAUTHORIZED, "M_FORBIDDEN", error)
}

fn declined_answer(declined: Declined) -> Answer {
    let as_told = |status, errcode| Answer::new(status, errcode, declined.to_string());
    let bad = |errcode| as_told(StatusCode::BAD_REQUEST, errcode);
    let forbidden = |error: &str| Answer::new(StatusCode::FORBIDDEN, "M_FORBIDDEN", error);
    match declined {
        Declined::WrongPassword => forbidden("Invalid username or password"),
        Declined::WrongLoginToken(_) => forbidden("Invalid login token"),
        Declined::WrongRefreshToken(RefreshFault::Refused(Refusal::Ended(ended))) => {
            judged::Answer::from(Refusal::Ended(ended)).into()
        }
        Declined::WrongRefreshToken(
            RefreshFault::Refused(_)
            | RefreshFault::Retired
            | RefreshFault::TooManyBranches
            | RefreshFault::TooOld,
        ) => Answer::unknown_token(true, "This refresh token is not good any more"),
        Declined::BadDeviceId => bad("M_BAD_JSON"),
        Declined::InvalidUsername => bad("M_INVALID_USERNAME"),
        Declined::UserInUse => bad("M_USER_IN_USE"),
        Declined::WeakPassword => bad("M_WEAK_PASSWORD"),
        Declined::OtherOperation
        | Declined::OtherUser
        | Declined::AlreadyDone
        | Declined::SpentRegistrationToken
        | Declined::NoGuest
        | Declined::NotAdopted
        | Declined::Closed => forbidden(&declined.to_string()),
        Declined::Guest => as_told(StatusCode::FORBIDDEN, "M_GUEST_ACCESS_FORBIDDEN"),
        Declined::NoDevice | Declined::NobodyToAdopt => {
            as_told(StatusCode::NOT_FOUND, "M_NOT_FOUND")
        }
        Declined::TooSoon(ms) => {
            let answer = as_told(StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED");
            Answer { retry_after_ms: Some(ms), ..answer }
        }
    }
}

/// The 401 of user-interactive auth: `completed` and `params` even when they are empty, and an
/// errcode only when a stage was tried and not passed.
fn challenged(challenge: &Challenge) -> Answer {
    let flows: Vec<_> =
        challenge.flows.iter().map(|stage| json!({ "stages": [stage.name()] })).collect();
    let body = json!({
        "flows": flows,
        "completed": [],
        "params": {},
        "session": challenge.session,
    });
    let errcode = if challenge.fault.is_some() { "M_FORBIDDEN" } else { "" };
    let answer =
        Answer::new(StatusCode::UNAUTHORIZED, errcode, challenge.fault.unwrap_or_default());
    Answer { challenge: Some(body), ..answer }
}

fn failed(failure: &Failure) -> Answer {
    match failure {
        Failure::Store(_) | Failure::Stale => {
            Answer::unavailable("The database is away, try again", 2000)
        }
        Failure::ClockOff(_) => {
            Answer::unavailable("The clock of this server is off, try again", 5000)
        }
        Failure::KeyNotHeld(_) | Failure::NoMintingKey | Failure::NoKey | Failure::NoInnerKey => {
            Answer::unavailable("A key is missing here, try again", 5000)
        }
        Failure::NoStore => Answer::unavailable("This node only verifies tokens", 5000),
        Failure::NoFeed => Answer::unavailable(
            "This node hears of no logout and does not answer for tokens that live this long",
            5000,
        ),
        Failure::Homeserver(_) => Answer::unavailable("The homeserver is away, try again", 2000),
        Failure::Busy => Answer::unavailable("Too many logins at once, try again", 2000),
        Failure::Randomness(_) | Failure::Sealing | Failure::Mint(_) => {
            Answer::new(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "Internal error")
        }
    }
}

/// Why a request was not done, in an operator's words: for the log line of the request.
#[derive(Clone)]
pub(super) struct Why {
    pub(super) words: String,
    /// What metrics call it, when the service has said why not.
    pub(super) reason: Option<Reason>,
}

impl Outcome {
    pub(super) fn why(&self) -> Why {
        match self {
            Self::Denied(denial) => {
                Why { words: denial.to_string(), reason: Some(Reason::from(denial)) }
            }
            Self::BadProxy(what) => {
                Why { words: format!("the proxy in front: {what}"), reason: None }
            }
            _ => Why { words: Answer::to_client(self).error, reason: None },
        }
    }
}

impl Outcome {
    /// The answer where clients take any JSON error for the end of their session: what is no
    /// verdict on the token is plain text without an errcode.
    pub(super) fn without_verdict(self) -> Response {
        let answer = Answer::to_client(&self);
        let verdict = answer.status.is_client_error() && answer.retry_after_ms.is_none();
        let mut response = self.into_response();
        if !verdict {
            *response.body_mut() = Body::from(answer.error);
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, plain);
            response.headers_mut().remove(header::CONTENT_LENGTH);
        }
        response
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        let why = self.why();
        let mut response = Answer::to_client(&self).into_response();
        response.extensions_mut().insert(why);
        response
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut body = match self.challenge {
            Some(Value::Object(body)) => body,
            _ => Map::new(),
        };
        if !self.errcode.is_empty() {
            body.insert("errcode".to_owned(), self.errcode.into());
            body.insert("error".to_owned(), self.error.into());
        }
        if let Some(soft_logout) = self.soft_logout {
            body.insert("soft_logout".to_owned(), soft_logout.into());
        }
        if let Some(ms) = self.retry_after_ms.filter(|_| self.errcode == "M_LIMIT_EXCEEDED") {
            body.insert("retry_after_ms".to_owned(), ms.into());
        }
        let mut response = (self.status, axum::Json(Value::Object(body))).into_response();
        if let Some(ms) = self.retry_after_ms {
            // Whole seconds, rounded up: who waits that long is not turned away again.
            let seconds = HeaderValue::from(ms.div_ceil(1000));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
