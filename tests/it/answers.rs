//! The map of answers, row by row: a new outcome does not compile here until its row is written.

use amaretti::homeserver::LinkError;
use amaretti::http::{Answer, Outcome};
use amaretti::random::NoRandomness;
use amaretti::service::{Declined, Denial, Failure, LoginTokenFault, RefreshFault};
use amaretti::store::StoreError;
use amaretti::token::{CaveatAt, EndedBy, KeyId, Kind, Malformed, MintError, Refusal};
use axum::body::to_bytes;
use axum::response::IntoResponse;
use serde_json::Value;

const HARD: Option<bool> = Some(false);
const SOFT: Option<bool> = Some(true);

/// Status, errcode, `soft_logout`, and after how many milliseconds to ask again.
type Row = (u16, &'static str, Option<bool>, Option<u64>);

/// One sample of every variant with its row. The match behind it has no catch-all.
macro_rules! rows {
    ($name:ident of $type:ty: $($pattern:pat = $sample:expr => $row:expr;)*) => {
        fn $name() -> Vec<($type, Row)> {
            fn every_variant_has_a_row(sample: &$type) {
                match sample { $($pattern => {})* }
            }
            let rows = vec![$({
                let sample: $type = $sample;
                assert!(matches!(&sample, $pattern), "a sample stands in another's row");
                (sample, $row)
            }),*];
            rows.iter().for_each(|(sample, _)| every_variant_has_a_row(sample));
            rows
        }
    };
}

const KEY: KeyId = KeyId::from_bytes([1, 2, 3, 4]);
const AT: CaveatAt = CaveatAt { index: 2, key: Some("time") };
const UNKNOWN: &str = "M_UNKNOWN_TOKEN";

rows! { refusals of Refusal:
    Refusal::Foreign = Refusal::Foreign => (401, UNKNOWN, HARD, None);
    Refusal::Predecessor = Refusal::Predecessor => (401, UNKNOWN, SOFT, None);
    Refusal::TooLong = Refusal::TooLong => (401, UNKNOWN, SOFT, None);
    Refusal::Truncated = Refusal::Truncated => (401, UNKNOWN, SOFT, None);
    Refusal::Malformed(_) = Malformed::Alphabet.into() => (401, UNKNOWN, SOFT, None);
    Refusal::UnknownFormat = Refusal::UnknownFormat => (401, UNKNOWN, SOFT, None);
    Refusal::WrongPrefix = Refusal::WrongPrefix => (401, UNKNOWN, SOFT, None);
    Refusal::ReservedBits = Refusal::ReservedBits => (401, UNKNOWN, SOFT, None);
    Refusal::UnknownKey(_) = Refusal::UnknownKey(KEY) => (401, UNKNOWN, SOFT, None);
    Refusal::KeyNotHeld(_) = Refusal::KeyNotHeld(KEY) => (503, "M_UNKNOWN", None, Some(5000));
    Refusal::Forged = Refusal::Forged => (401, UNKNOWN, SOFT, None);
    Refusal::WrongKind(_) = Refusal::WrongKind(Kind::Refresh) => (401, UNKNOWN, SOFT, None);
    Refusal::Ended(_) = Refusal::Ended(EndedBy::Session) => (401, UNKNOWN, HARD, None);
    Refusal::Locked = Refusal::Locked => (401, "M_USER_LOCKED", SOFT, None);
    Refusal::Expired = Refusal::Expired => (401, UNKNOWN, SOFT, None);
    Refusal::UnknownCaveat(_) = Refusal::UnknownCaveat(AT) => (403, "M_FORBIDDEN", None, None);
    Refusal::Sealed(_) = Refusal::Sealed(AT) => (403, "M_FORBIDDEN", None, None);
    Refusal::Unmet(_) = Refusal::Unmet(AT) => (403, "M_FORBIDDEN", None, None);
}

rows! { malformed of Malformed:
    Malformed::Alphabet = Malformed::Alphabet => (401, UNKNOWN, SOFT, None);
    Malformed::LooseBits = Malformed::LooseBits => (401, UNKNOWN, SOFT, None);
    Malformed::Framing = Malformed::Framing => (401, UNKNOWN, SOFT, None);
    Malformed::Location = Malformed::Location => (401, UNKNOWN, SOFT, None);
    Malformed::Length = Malformed::Length => (401, UNKNOWN, SOFT, None);
    Malformed::ThirdParty = Malformed::ThirdParty => (401, UNKNOWN, SOFT, None);
    Malformed::TrailingBytes = Malformed::TrailingBytes => (401, UNKNOWN, SOFT, None);
    Malformed::Identifier = Malformed::Identifier => (401, UNKNOWN, SOFT, None);
    Malformed::Unprintable = Malformed::Unprintable => (401, UNKNOWN, SOFT, None);
    Malformed::Identity = Malformed::Identity => (401, UNKNOWN, SOFT, None);
    Malformed::TooManyCaveats = Malformed::TooManyCaveats => (401, UNKNOWN, SOFT, None);
}

rows! { endings of EndedBy:
    EndedBy::Session = EndedBy::Session => (401, UNKNOWN, HARD, None);
    EndedBy::Device = EndedBy::Device => (401, UNKNOWN, HARD, None);
    EndedBy::User = EndedBy::User => (401, UNKNOWN, HARD, None);
    EndedBy::Server = EndedBy::Server => (401, UNKNOWN, HARD, None);
    EndedBy::Deactivated = EndedBy::Deactivated => (401, UNKNOWN, HARD, None);
}

rows! { declined of Declined:
    Declined::WrongPassword = Declined::WrongPassword => (403, "M_FORBIDDEN", None, None);
    Declined::WrongLoginToken(_) = Declined::WrongLoginToken(LoginTokenFault::Spent)
        => (403, "M_FORBIDDEN", None, None);
    Declined::WrongRefreshToken(_) = Declined::WrongRefreshToken(RefreshFault::Retired)
        => (401, UNKNOWN, SOFT, None);
    Declined::OtherOperation = Declined::OtherOperation => (403, "M_FORBIDDEN", None, None);
    Declined::OtherUser = Declined::OtherUser => (403, "M_FORBIDDEN", None, None);
    Declined::AlreadyDone = Declined::AlreadyDone => (403, "M_FORBIDDEN", None, None);
    Declined::Guest = Declined::Guest => (403, "M_GUEST_ACCESS_FORBIDDEN", None, None);
    Declined::NoGuest = Declined::NoGuest => (403, "M_FORBIDDEN", None, None);
    Declined::Closed = Declined::Closed => (403, "M_FORBIDDEN", None, None);
    Declined::SpentRegistrationToken = Declined::SpentRegistrationToken
        => (403, "M_FORBIDDEN", None, None);
    Declined::UserInUse = Declined::UserInUse => (400, "M_USER_IN_USE", None, None);
    Declined::InvalidUsername = Declined::InvalidUsername
        => (400, "M_INVALID_USERNAME", None, None);
    Declined::WeakPassword = Declined::WeakPassword => (400, "M_WEAK_PASSWORD", None, None);
    Declined::NoDevice = Declined::NoDevice => (404, "M_NOT_FOUND", None, None);
    Declined::TooSoon(_) = Declined::TooSoon(1500)
        => (429, "M_LIMIT_EXCEEDED", None, Some(1500));
    Declined::NotAdopted = Declined::NotAdopted => (403, "M_FORBIDDEN", None, None);
    Declined::NobodyToAdopt = Declined::NobodyToAdopt => (404, "M_NOT_FOUND", None, None);
    Declined::BadDeviceId = Declined::BadDeviceId => (400, "M_BAD_JSON", None, None);
}

rows! { refresh_faults of RefreshFault:
    RefreshFault::Refused(Refusal::Ended(_)) =
        RefreshFault::Refused(Refusal::Ended(EndedBy::Device)) => (401, UNKNOWN, HARD, None);
    RefreshFault::Refused(_) = RefreshFault::Refused(Refusal::Expired)
        => (401, UNKNOWN, SOFT, None);
    RefreshFault::Retired = RefreshFault::Retired => (401, UNKNOWN, SOFT, None);
    RefreshFault::TooManyBranches = RefreshFault::TooManyBranches => (401, UNKNOWN, SOFT, None);
    RefreshFault::TooOld = RefreshFault::TooOld => (401, UNKNOWN, SOFT, None);
}

rows! { login_token_faults of LoginTokenFault:
    LoginTokenFault::Refused(_) = LoginTokenFault::Refused(Refusal::Ended(EndedBy::User))
        => (403, "M_FORBIDDEN", None, None);
    LoginTokenFault::Spent = LoginTokenFault::Spent => (403, "M_FORBIDDEN", None, None);
    LoginTokenFault::Guest = LoginTokenFault::Guest => (403, "M_FORBIDDEN", None, None);
    LoginTokenFault::TooNarrow(_) = LoginTokenFault::TooNarrow(MintError::TooLong)
        => (403, "M_FORBIDDEN", None, None);
    LoginTokenFault::OtherDevice = LoginTokenFault::OtherDevice
        => (403, "M_FORBIDDEN", None, None);
    LoginTokenFault::TakesOver = LoginTokenFault::TakesOver => (403, "M_FORBIDDEN", None, None);
    LoginTokenFault::NoUser = LoginTokenFault::NoUser => (403, "M_FORBIDDEN", None, None);
}

rows! { failures of Failure:
    Failure::Store(_) = StoreError::Silent.into() => (503, "M_UNKNOWN", None, Some(2000));
    Failure::Stale = Failure::Stale => (503, "M_UNKNOWN", None, Some(2000));
    Failure::ClockOff(_) = Failure::ClockOff(-40_000) => (503, "M_UNKNOWN", None, Some(5000));
    Failure::NoKey = Failure::NoKey => (503, "M_UNKNOWN", None, Some(5000));
    Failure::KeyNotHeld(_) = Failure::KeyNotHeld(Refusal::KeyNotHeld(KEY))
        => (503, "M_UNKNOWN", None, Some(5000));
    Failure::NoMintingKey = Failure::NoMintingKey => (503, "M_UNKNOWN", None, Some(5000));
    Failure::NoInnerKey = Failure::NoInnerKey => (503, "M_UNKNOWN", None, Some(5000));
    Failure::NoStore = Failure::NoStore => (503, "M_UNKNOWN", None, Some(5000));
    Failure::NoFeed = Failure::NoFeed => (503, "M_UNKNOWN", None, Some(5000));
    Failure::Busy = Failure::Busy => (503, "M_UNKNOWN", None, Some(2000));
    Failure::Randomness(_) = NoRandomness.into() => (500, "M_UNKNOWN", None, None);
    Failure::Sealing = Failure::Sealing => (500, "M_UNKNOWN", None, None);
    Failure::Homeserver(_) = Failure::Homeserver(Box::new(LinkError::Busy))
        => (503, "M_UNKNOWN", None, Some(2000));
    Failure::Mint(_) = MintError::TooLong.into() => (500, "M_UNKNOWN", None, None);
}

rows! { outcomes of Outcome:
    Outcome::MissingToken = Outcome::MissingToken => (401, "M_MISSING_TOKEN", None, None);
    Outcome::TwoTokens = Outcome::TwoTokens => (401, "M_MISSING_TOKEN", None, None);
    Outcome::NotJson = Outcome::NotJson => (400, "M_NOT_JSON", None, None);
    Outcome::BadJson(_) = Outcome::BadJson("`type` is missing") => (400, "M_BAD_JSON", None, None);
    Outcome::UnknownLoginType = Outcome::UnknownLoginType => (400, "M_UNKNOWN", None, None);
    Outcome::AppserviceLogin = Outcome::AppserviceLogin
        => (400, "M_APPSERVICE_LOGIN_UNSUPPORTED", None, None);
    Outcome::TooLarge = Outcome::TooLarge => (413, "M_TOO_LARGE", None, None);
    Outcome::BadPath = Outcome::BadPath => (400, "M_UNRECOGNIZED", None, None);
    Outcome::UnknownPath = Outcome::UnknownPath => (404, "M_UNRECOGNIZED", None, None);
    Outcome::WrongMethod = Outcome::WrongMethod => (405, "M_UNRECOGNIZED", None, None);
    Outcome::OtherProxy(_) = Outcome::OtherProxy("X-Forwarded-Uri") => (400, "M_UNKNOWN", None, None);
    Outcome::BadProxy(_) = Outcome::BadProxy("it is mute") => (503, "M_UNKNOWN", None, Some(5000));
    Outcome::NotTheHomeserver = Outcome::NotTheHomeserver => (401, "M_FORBIDDEN", None, None);
    Outcome::TimedOut = Outcome::TimedOut => (503, "M_UNKNOWN", None, Some(1000));
    Outcome::Denied(_) = Denial::from(Failure::Stale).into() => (503, "M_UNKNOWN", None, Some(2000));
}

/// How the sorts of denials come about, so that another does not compile.
fn denied<T: Into<Denial>>(rows: Vec<(T, Row)>) -> Vec<(Outcome, Row)> {
    let outcome = |(what, row): (T, Row)| match what.into() {
        denial @ (Denial::Refused(_) | Denial::Declined(_) | Denial::Failed(_)) => {
            (Outcome::Denied(denial), row)
        }
        Denial::Challenged(_) => panic!("a challenge has no row: interactive.rs shows it"),
    };
    rows.into_iter().map(outcome).collect()
}

/// Every outcome, in every sort of it.
fn all() -> Vec<(Outcome, Row)> {
    let of = |make: fn(Malformed) -> Refusal| {
        malformed().into_iter().map(move |(m, row)| (make(m), row))
    };
    let ended = endings().into_iter().map(|(by, row)| (Refusal::Ended(by), row));
    let token =
        login_token_faults().into_iter().map(|(f, row)| (Declined::WrongLoginToken(f), row));
    let refresh =
        refresh_faults().into_iter().map(|(f, row)| (Declined::WrongRefreshToken(f), row));
    [
        outcomes(),
        denied(refusals()),
        denied(of(Refusal::Malformed).collect()),
        denied(ended.collect()),
        denied(declined()),
        denied(token.collect()),
        denied(refresh.collect()),
        denied(failures()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_outcome_has_exactly_its_answer() {
    for (outcome, row) in all() {
        let answer = Answer::to_client(&outcome);
        let got =
            (answer.status.as_u16(), answer.errcode, answer.soft_logout, answer.retry_after_ms);
        assert_eq!(got, row, "{outcome:?}");
    }
}

#[test]
fn our_fault_is_never_a_401() {
    for (failure, _) in failures() {
        let answer = Answer::to_client(&Outcome::Denied(failure.into()));
        assert!(answer.status.is_server_error(), "{answer:?}");
        assert_eq!(answer.soft_logout, None, "{answer:?}");
    }
}

#[test]
fn nobody_elses_fault_is_ever_ours() {
    for (outcome, _) in all() {
        let ours = match &outcome {
            Outcome::TimedOut | Outcome::BadProxy(_) | Outcome::Denied(Denial::Failed(_)) => true,
            Outcome::Denied(Denial::Refused(refusal)) => matches!(refusal, Refusal::KeyNotHeld(_)),
            _ => false,
        };
        let answer = Answer::to_client(&outcome);
        assert_eq!(answer.status.is_server_error(), ours, "{outcome:?} {answer:?}");
    }
}

#[test]
fn clients_throw_keys_away_for_a_fact_or_for_what_never_was_a_token() {
    for (outcome, _) in all() {
        let deserved = match &outcome {
            Outcome::Denied(Denial::Refused(Refusal::Foreign)) => true,
            Outcome::Denied(
                Denial::Refused(refusal)
                | Denial::Declined(Declined::WrongRefreshToken(RefreshFault::Refused(refusal))),
            ) => matches!(refusal, Refusal::Ended(_)),
            _ => false,
        };
        let answer = Answer::to_client(&outcome);
        assert_eq!(answer.soft_logout == Some(false), deserved, "{outcome:?} {answer:?}");
    }
}

#[test]
fn an_unknown_token_always_says_what_to_do_with_the_keys() {
    for (outcome, _) in all() {
        let answer = Answer::to_client(&outcome);
        let asks = matches!(answer.errcode, "M_UNKNOWN_TOKEN" | "M_USER_LOCKED");
        assert_eq!(answer.soft_logout.is_some(), asks, "{outcome:?} {answer:?}");
    }
}

#[test]
fn a_429_and_a_503_always_say_when_to_ask_again_and_nothing_else_does() {
    for (outcome, _) in all() {
        let answer = Answer::to_client(&outcome);
        let later = matches!(answer.status.as_u16(), 429 | 503);
        assert_eq!(answer.retry_after_ms.is_some(), later, "{outcome:?} {answer:?}");
    }
}

/// What leaves the building, read back.
async fn rendered(answer: Answer) -> (Option<String>, Option<String>, Value) {
    let response = answer.into_response();
    let header = |name| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
    let (kind, retry_after) = (header("content-type"), header("retry-after"));
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (kind, retry_after, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn every_answer_is_json_with_code_and_words_and_nothing_that_is_not_said() {
    for (outcome, _) in all() {
        let answer = Answer::to_client(&outcome);
        let (kind, retry_after, body) = rendered(answer.clone()).await;

        assert_eq!(kind.as_deref(), Some("application/json"), "{outcome:?}");
        assert_eq!(body["errcode"], answer.errcode, "{outcome:?}");
        assert!(answer.errcode.starts_with("M_") && !answer.error.is_empty(), "{outcome:?}");
        assert_eq!(body["error"], answer.error, "{outcome:?}");
        assert_eq!(body.get("soft_logout").and_then(Value::as_bool), answer.soft_logout, "{body}");
        assert_eq!(retry_after.is_some(), answer.retry_after_ms.is_some(), "{outcome:?}");
    }
}

#[tokio::test]
async fn when_to_ask_again_is_rounded_up_to_whole_seconds() {
    let answer = Answer::to_client(&Outcome::TimedOut);

    for (ms, seconds) in [(1, "1"), (999, "1"), (1000, "1"), (1001, "2"), (5000, "5")] {
        let (_, retry_after, _) =
            rendered(Answer { retry_after_ms: Some(ms), ..answer.clone() }).await;
        assert_eq!(retry_after.as_deref(), Some(seconds), "{ms} ms");
    }
}

#[test]
fn a_login_token_is_refused_in_the_same_words_whatever_is_wrong_with_it() {
    for (fault, _) in login_token_faults() {
        let declined = Declined::WrongLoginToken(fault);
        let answer = Answer::to_client(&Outcome::Denied(declined.into()));
        assert_eq!(answer.error, "Invalid login token", "{fault:?}");
    }
}

#[test]
fn the_words_for_a_caveat_name_its_key_or_its_place() {
    let words = |at| Answer::to_client(&Outcome::Denied(Refusal::Unmet(at).into())).error;

    assert!(words(AT).contains("`time`"), "{}", words(AT));
    let unknown = words(CaveatAt { index: 7, key: None });
    assert!(unknown.contains("number 7"), "{unknown}");
}
