//! How the client-server API answers a token that does not pass: the one map from refusal to answer.
//!
//! The node and programs that judge in process answer alike, because both ask this file. It is
//! exhaustive, without a catch-all: a new refusal does not compile until its answer is decided. It
//! refuses to know HTTP beyond the number of a status.
//!
//! Clients destroy their encryption keys on a hard logout, so `soft_logout` is false only for a
//! fact that ended the session or a text that never was a token; and our fault is never a 401.

use std::borrow::Cow;

use crate::token::{CaveatAt, EndedBy, Refusal};

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Matrix's name for it.
    pub errcode: &'static str,
    /// What a person reads. It holds nothing that JSON would have to escape.
    pub error: Cow<'static, str>,
    /// Whether the client keeps its keys, where that is a question.
    pub soft_logout: Option<bool>,
    /// When to ask again, in milliseconds: rounded up, the seconds of a `Retry-After` header.
    pub retry_after_ms: Option<u64>,
}

impl Answer {
    /// There is no token where one is needed.
    pub const MISSING_TOKEN: Self = Self::new(401, "M_MISSING_TOKEN", "Missing access token");
    /// More than one token was sent.
    pub const TWO_TOKENS: Self = Self::new(
        401,
        "M_MISSING_TOKEN",
        "The header and the query carry different access tokens: send one",
    );
    /// The path is spelled as no path may be.
    pub const BAD_PATH: Self = Self::new(400, "M_UNRECOGNIZED", "This path is not well formed");
    /// The program itself is wrong.
    pub const INTERNAL: Self = Self::new(500, "M_UNKNOWN", "Internal error");

    const fn new(status: u16, errcode: &'static str, error: &'static str) -> Self {
        let error = Cow::Borrowed(error);
        Self { status, errcode, error, soft_logout: None, retry_after_ms: None }
    }

    fn unknown_token(soft_logout: bool, error: &'static str) -> Self {
        let answer = Self::new(401, "M_UNKNOWN_TOKEN", error);
        Self { soft_logout: Some(soft_logout), ..answer }
    }

    /// The body, a JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Self { errcode, error, .. } = self;
        let logout = self.soft_logout.map(|soft| format!(r#","soft_logout":{soft}"#));
        format!(r#"{{"errcode":"{errcode}","error":"{error}"{}}}"#, logout.unwrap_or_default())
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Foreign => Self::unknown_token(false, "Unknown access token"),
            Refusal::Predecessor
            | Refusal::TooLong
            | Refusal::Malformed(_)
            | Refusal::UnknownFormat
            | Refusal::WrongPrefix
            | Refusal::ReservedBits
            | Refusal::UnknownKey(_)
            | Refusal::Forged => Self::unknown_token(true, "Unknown access token"),
            Refusal::Truncated => Self::unknown_token(
                true,
                "Unknown access token: its end is missing, copy all of it",
            ),
            Refusal::WrongKind(_) => Self::unknown_token(true, "This token is not an access token"),
            Refusal::KeyNotHeld(_) => {
                let answer = Self::new(503, "M_UNKNOWN", "This cannot be decided here now");
                Self { retry_after_ms: Some(5000), ..answer }
            }
            Refusal::Ended(EndedBy::Deactivated) => {
                Self::unknown_token(false, "This account has been deactivated")
            }
            Refusal::Ended(
                EndedBy::Session | EndedBy::Device | EndedBy::User | EndedBy::Server,
            ) => Self::unknown_token(false, "This session has been logged out"),
            Refusal::Locked => {
                let answer = Self::new(401, "M_USER_LOCKED", "This account has been locked");
                Self { soft_logout: Some(true), ..answer }
            }
            Refusal::Expired => Self::unknown_token(true, "The access token has expired"),
            Refusal::UnknownCaveat(at) => narrowed(at, "is not known here"),
            Refusal::Sealed(at) => narrowed(at, "may not be appended to a refresh token"),
            Refusal::Unmet(at) => narrowed(at, "does not allow this"),
        }
    }
}

fn narrowed(at: CaveatAt, why: &str) -> Answer {
    let error = match at.key {
        Some(key) => format!("The token's caveat `{key}` {why}"),
        None => format!("The token's caveat number {} {why}", at.index),
    };
    Answer { error: error.into(), ..Answer::new(403, "M_FORBIDDEN", "") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{KeyId, Kind, Malformed};

    const AT: CaveatAt = CaveatAt { index: 2, key: Some("ip") };

    const REFUSALS: [Refusal; 21] = [
        Refusal::Foreign,
        Refusal::Predecessor,
        Refusal::TooLong,
        Refusal::Truncated,
        Refusal::Malformed(Malformed::Identity),
        Refusal::UnknownFormat,
        Refusal::WrongPrefix,
        Refusal::ReservedBits,
        Refusal::UnknownKey(KeyId::from_bytes([7; 4])),
        Refusal::KeyNotHeld(KeyId::from_bytes([7; 4])),
        Refusal::Forged,
        Refusal::WrongKind(Kind::Login),
        Refusal::Ended(EndedBy::User),
        Refusal::Ended(EndedBy::Deactivated),
        Refusal::Locked,
        Refusal::Expired,
        Refusal::UnknownCaveat(AT),
        Refusal::UnknownCaveat(CaveatAt { index: 2, key: None }),
        Refusal::Sealed(AT),
        Refusal::Unmet(AT),
        Refusal::Ended(EndedBy::Session),
    ];

    #[test]
    fn only_a_fact_or_a_text_that_never_was_a_token_is_a_hard_logout() {
        for refusal in REFUSALS {
            let hard = Answer::from(refusal).soft_logout == Some(false);
            assert_eq!(hard, matches!(refusal, Refusal::Foreign | Refusal::Ended(_)), "{refusal}");
        }
    }

    #[test]
    fn a_key_that_is_missing_here_is_no_401() {
        let answer = Answer::from(Refusal::KeyNotHeld(KeyId::from_bytes([7; 4])));

        assert_eq!((answer.status, answer.retry_after_ms), (503, Some(5000)));
    }

    #[test]
    fn a_body_is_json_without_escapes() {
        let fixed = [Answer::MISSING_TOKEN, Answer::TWO_TOKENS, Answer::BAD_PATH, Answer::INTERNAL];
        for answer in REFUSALS.map(Answer::from).into_iter().chain(fixed) {
            assert!(!answer.error.contains(['"', '\\']), "{}", answer.error);
            assert!(!answer.error.contains(char::is_control), "{}", answer.error);
        }
        let body = Answer::from(Refusal::Expired).to_json();
        let expected = r#"{"errcode":"M_UNKNOWN_TOKEN","error":"The access token has expired","soft_logout":true}"#;
        assert_eq!(body, expected);
    }
}
