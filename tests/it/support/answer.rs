//! What came back, and what may be said of it. A failure shows the whole answer.

use core::fmt;
use core::ops::Index;

use axum::body::to_bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;

/// What came back.
pub(crate) struct Answer {
    /// What was asked, for failures.
    asked: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// The body as JSON; `Null` when it is none.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) async fn read(asked: String, response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).expect("an answer is UTF-8");
        let json = serde_json::from_str(&body).unwrap_or_default();
        Self { asked, status: parts.status, headers: parts.headers, body, json }
    }

    /// The request was done.
    #[track_caller]
    pub(crate) fn good(&self) -> &Self {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        self
    }

    /// The request was not done, and this is why.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, errcode: &str) -> &Self {
        assert_eq!((self.status.as_u16(), self.errcode()), (status, errcode), "{self:?}");
        assert!(!self.text("error").is_empty(), "an error has words: {self:?}");
        self
    }

    /// The client keeps its keys.
    #[track_caller]
    pub(crate) fn soft(&self) -> &Self {
        assert_eq!(self.json["soft_logout"], true, "{self:?}");
        self
    }

    /// The client throws its keys away.
    #[track_caller]
    pub(crate) fn hard(&self) -> &Self {
        assert_eq!(self.json["soft_logout"], false, "{self:?}");
        self
    }

    /// A caveat does not let this pass, and its key is named.
    #[track_caller]
    pub(crate) fn names_caveat(&self, key: &str) -> &Self {
        self.is(403, "M_FORBIDDEN").says(&format!("`{key}`"))
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.text("error").contains(words), "no word of {words:?}: {self:?}");
        self
    }

    /// It is our fault, and when to ask again is said.
    #[track_caller]
    pub(crate) fn unavailable(&self) -> &Self {
        self.is(503, "M_UNKNOWN");
        let seconds = self.header("retry-after").and_then(|value| value.parse::<u64>().ok());
        assert!(seconds.is_some_and(|seconds| seconds > 0), "Retry-After in seconds: {self:?}");
        assert_eq!(self.json.get("soft_logout"), None, "{self:?}");
        self
    }

    /// The text under a key of the body; empty when there is none.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.json.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn errcode(&self) -> &str {
        self.text("errcode")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        self.json.index(key)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, status, headers, body, .. } = self;
        write!(f, "\n{asked}\n  {status}\n  {body}\n  {headers:?}")
    }
}
