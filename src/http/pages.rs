//! The pages people see: login for clients that show it, and stages of interactive auth out of band.
//!
//! Plain HTML with a script and a style of our own, under a policy that lets nothing else in. This
//! file refuses to know what a stage proves.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Face;
use super::answer::{Answer, Outcome};
use super::bearer::{Segment, form, query};
use crate::service::Stage;

const LOGIN: &str = include_str!("pages/login.html");
const STAGE: &str = include_str!("pages/stage.html");
const DONE: &str = include_str!("pages/done.html");

/// Nothing from elsewhere, nothing inline, nowhere framed, nothing kept.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The login page.
pub(super) async fn login(State(face): State<Arc<Face>>) -> Response {
    let server = face.service.server().as_str();
    // A long name goes on in the next line behind a dot, not in the middle of a word.
    let breakable = server.replace('.', ".<wbr>");
    page(StatusCode::OK, LOGIN, &[("server", server), ("breakable", &breakable)])
}

/// What the pages are made of besides HTML.
pub(super) async fn asset(Segment(name): Segment) -> Result<Response, Outcome> {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", include_str!("pages/style.css")),
        "login.js" => ("text/javascript; charset=utf-8", include_str!("pages/login.js")),
        "done.js" => ("text/javascript; charset=utf-8", include_str!("pages/done.js")),
        _ => return Err(Outcome::UnknownPath),
    };
    Ok(framed(StatusCode::OK, kind, text.to_owned()))
}

/// The page of one stage.
pub(super) async fn stage(
    State(face): State<Arc<Face>>,
    Segment(stage): Segment,
    request: Parts,
) -> Result<Response, Outcome> {
    let words = Words::of(&stage).ok_or(Outcome::UnknownPath)?;
    let session = query(&request, "session").ok_or(Outcome::BadJson("`session` is missing"))?;
    Ok(asked(&face, StatusCode::OK, &words, &session, ""))
}

/// Passes one stage with what was filled in.
pub(super) async fn pass(
    State(face): State<Arc<Face>>,
    Segment(stage): Segment,
    request: Parts,
    body: Body,
) -> Result<Response, Outcome> {
    let words = Words::of(&stage).ok_or(Outcome::UnknownPath)?;
    let filled = form(&face.bytes(body).await?);
    let session = filled.get("session").and_then(Value::as_str).unwrap_or_default();
    let address = face.address(&request);
    Ok(match face.service.pass_out_of_band(session, words.stage, &filled, address).await {
        Ok(Ok(())) => page(StatusCode::OK, DONE, &[("server", face.service.server().as_str())]),
        Ok(Err(wrong)) => asked(&face, StatusCode::UNAUTHORIZED, &words, session, wrong),
        Err(denial) => denied(&face, &words, session, denial.into()),
    })
}

/// The page of a stage that could not be tried, with what every answer to such a request has.
fn denied(face: &Face, words: &Words, session: &str, outcome: Outcome) -> Response {
    let answer = Answer::to_client(&outcome);
    let wrong = match answer.retry_after_ms.map(|ms| ms.div_ceil(1000)) {
        Some(seconds) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
            let unit = if seconds == 1 { "second" } else { "seconds" };
            format!("too many tries: wait {seconds} {unit}")
        }
        _ => answer.error,
    };
    let mut response = asked(face, answer.status, words, session, &wrong);
    let (told, _) = outcome.into_response().into_parts();
    if let Some(wait) = told.headers.get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    *response.extensions_mut() = told.extensions;
    response
}

/// What the page of a stage says.
struct Words {
    stage: Stage,
    title: &'static str,
    about: &'static str,
    field: &'static str,
}

impl Words {
    fn of(name: &str) -> Option<Self> {
        let stage = Stage::from_name(name)?;
        let (title, about, field) = match stage {
            Stage::Dummy => ("Continue", "Nothing more is asked of you.", ""),
            Stage::Password => (
                "Confirm it is you",
                "Your app asks for something that needs your password.",
                "<label for=\"password\">Password</label>\n<input id=\"password\" name=\"password\" \
                 type=\"password\" autocomplete=\"current-password\"",
            ),
            Stage::RegistrationToken => (
                "Registration token",
                "You need a token from whoever runs this server.",
                "<label for=\"token\">Token</label>\n<input id=\"token\" name=\"token\" \
                 autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\"",
            ),
            // A client that has a login token sends it; there is nothing for a person to type.
            Stage::LoginToken => return None,
        };
        Some(Self { stage, title, about, field })
    }

    /// The field, if there is one, and the button: the first of them is where one begins, and
    /// what was wrong is read out with it.
    fn controls(&self, wrong: bool) -> (String, &'static str) {
        if self.field.is_empty() {
            let button = "<button aria-describedby=\"wrong\" autofocus>Continue</button>";
            return (String::new(), button);
        }
        let invalid = if wrong { " aria-invalid=\"true\"" } else { "" };
        let rest = format!(" aria-describedby=\"wrong\"{invalid} required autofocus>");
        (format!("{}{rest}", self.field), "<button>Continue</button>")
    }
}

fn asked(face: &Face, status: StatusCode, words: &Words, session: &str, wrong: &str) -> Response {
    let (field, button) = words.controls(!wrong.is_empty());
    let parts = [
        ("title", words.title),
        ("about", words.about),
        ("field", &field),
        ("button", button),
        ("server", face.service.server().as_str()),
        ("wrong", &escaped(&sentence(wrong))),
        // Last, so that nothing that came from outside is looked into for the places above.
        ("session", &escaped(session)),
    ];
    page(status, STAGE, &parts)
}

/// A message as people write it.
fn sentence(message: &str) -> String {
    let mut rest = message.chars();
    match rest.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), rest.as_str()),
        None => String::new(),
    }
}

fn page(status: StatusCode, html: &str, parts: &[(&str, &str)]) -> Response {
    let fill =
        |html: String, (name, text): &(&str, &str)| html.replace(&format!("{{{{{name}}}}}"), text);
    framed(status, "text/html; charset=utf-8", parts.iter().fold(html.to_owned(), fill))
}

fn framed(status: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = (status, text).into_response();
    response.headers_mut().extend(HEADERS);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Text in which nothing is HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
