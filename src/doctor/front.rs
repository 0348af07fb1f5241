//! The installation as clients see it, through the proxy.
//!
//! Who answered is told by asking us and the homeserver the same past the proxy. This file refuses
//! to know which proxy it is.

use axum::http::Method;
use serde_json::{Value, json};

use super::ask::{Asker, Question, Reply, Whom};
use super::linked::impossible;
use super::node::VERSIONS;
use super::{Check, Finding, Installation};

const LOGIN: &str = "/_matrix/client/v3/login";
const REGISTER: &str = "/_matrix/client/v3/register";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
const CAPABILITIES: &str = "/_matrix/client/v3/capabilities";

/// What of the internal address must not be reached.
const INTERNAL: [&str; 8] = [
    "/metrics",
    "/health/live",
    "/health/issue",
    "/oauth2/introspect",
    "/_amaretti/introspect",
    "/_amaretti/explain",
    "/_amaretti/forward-auth",
    "/_amaretti/answer",
];

const ROUTE: &str = "have the proxy route it as `amaretti config` and its pages say, and load that";

/// Everybody there is to ask.
struct View<'a> {
    asker: &'a Asker,
    /// Through the proxy.
    url: Whom,
    /// Past it.
    node: Whom,
    synapse: Option<Whom>,
}

impl Installation<'_> {
    pub(super) async fn in_front(&self, asker: &Asker, url: &str) -> Vec<Finding> {
        let check = Check::Url;
        let synapse = self.is_linked().then(|| Whom::at(&self.config.homeserver.url));
        let view = View { asker, url: Whom::at(url), node: self.public(), synapse };
        let versions = match asker.ask(&view.url, Question::get(VERSIONS)).await {
            Ok(reply) => reply,
            Err(error) => {
                let advice =
                    "see that the proxy runs, that the name leads here, and its certificate";
                return vec![check.bad(format!("nobody answers at {url}: {error}"), advice)];
            }
        };
        let mut found = vec![if url.starts_with("https://") {
            check.good(format!("{url} answers"))
        } else {
            check.doubtful(format!("{url} is not https"), "have the proxy speak TLS to the outside")
        }];
        if let Some(date) = versions.date() {
            found.push(self.clocks(Check::UrlClock, date, 1_000));
        }
        let (a, b, c, d, e) = tokio::join!(
            view.login(),
            view.versions(&versions),
            view.capabilities(),
            view.auth_metadata(),
            view.synapse_closed()
        );
        found.extend([a, b, c, d, e].into_iter().flatten());
        let (a, b, c, d, e) = tokio::join!(
            view.internal_closed(),
            view.appservices(),
            view.cors(),
            view.headers(),
            view.well_known(url)
        );
        found.extend([a, b, c, d, e].into_iter().flatten());
        found
    }
}

impl View<'_> {
    async fn outside(&self, question: Question<'_>) -> Result<Reply, String> {
        self.asker.ask(&self.url, question).await
    }

    /// What we say ourselves; nothing to go by when no node runs here.
    async fn ours(&self, question: Question<'_>) -> Option<Reply> {
        self.asker.ask(&self.node, question).await.ok()
    }

    async fn theirs(&self, question: Question<'_>) -> Option<Reply> {
        self.asker.ask(self.synapse.as_ref()?, question).await.ok()
    }

    async fn login(&self) -> Option<Finding> {
        let (check, ours) = (Check::Login, self.ours(Question::get(LOGIN)).await?);
        Some(match self.outside(Question::get(LOGIN)).await {
            Ok(reply) if reply.status == 200 && reply.json() == ours.json() => {
                check.good("the flows are ours")
            }
            Ok(reply) => {
                check.bad(format!("what is answered ({}) is not from us", reply.shown()), ROUTE)
            }
            Err(error) => check.bad(error, ROUTE),
        })
    }

    async fn versions(&self, outside: &Reply) -> Option<Finding> {
        let (check, question) = (Check::Versions, Question::get(VERSIONS));
        let (who, there) = match self.synapse {
            Some(_) => ("Synapse", self.theirs(question).await?),
            None => ("us", self.ours(question).await?),
        };
        Some(if outside.status == 200 && outside.json() == there.json() {
            check.good(format!("they are from {who}"))
        } else {
            check.bad(format!("what is answered ({}) is not from {who}", outside.shown()), ROUTE)
        })
    }

    async fn capabilities(&self) -> Option<Finding> {
        let (check, token) = (Check::Capabilities, impossible()?);
        let question = || Question::get(CAPABILITIES).bearing(&token);
        let ours = self.ours(question()).await?;
        Some(match self.outside(question()).await {
            Ok(reply) if reply.is_like(&ours) => check.good("we are asked"),
            Ok(reply) => {
                check.bad(format!("what is answered ({}) is not from us", reply.shown()), ROUTE)
            }
            Err(error) => check.bad(error, ROUTE),
        })
    }

    async fn auth_metadata(&self) -> Option<Finding> {
        let check = Check::AuthMetadata;
        let paths = [
            "/_matrix/client/v1/auth_metadata",
            "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
        ];
        for path in paths {
            match self.outside(Question::get(path)).await {
                Ok(reply) if reply.status == 404 => {}
                Ok(reply) => {
                    let found = format!("{path} answers {}", reply.shown());
                    return Some(
                        check.bad(found, "have the proxy answer 404 M_UNRECOGNIZED there"),
                    );
                }
                Err(error) => return Some(check.bad(error, ROUTE)),
            }
        }
        Some(check.good("it is hidden"))
    }

    async fn synapse_closed(&self) -> Option<Finding> {
        self.synapse.as_ref()?;
        let paths = ["/_synapse/mas/query_user?localpart=a", "/_synapse/admin/v1/server_version"];
        for path in paths {
            let reply = self.outside(Question::get(path)).await;
            if let Some(found) = reached(path, reply, |status| matches!(status, 403 | 404)) {
                return Some(Check::SynapseClosed.bad(found, CLOSE));
            }
        }
        Some(Check::SynapseClosed.good("they are closed"))
    }

    async fn internal_closed(&self) -> Option<Finding> {
        for path in INTERNAL {
            let reply = self.outside(Question::get(path)).await;
            // A proxy that guards every path asks for a token first.
            let closed = |status| matches!(status, 401 | 403 | 404);
            if let Some(found) = reached(path, reply, closed) {
                return Some(Check::InternalClosed.bad(found, CLOSE));
            }
        }
        Some(Check::InternalClosed.good("it is closed"))
    }

    async fn appservices(&self) -> Option<Finding> {
        let check = Check::Appservices;
        let body = json!({ "type": "m.login.application_service", "username": "amaretti-doctor" });
        let token = format!("no-{}", impossible()?);
        let question = || Question::new(Method::POST, REGISTER).bearing(&token).saying(&body);
        let theirs = self.theirs(question()).await?;
        Some(match self.outside(question()).await {
            Ok(reply) if reply.is_like(&theirs) => check.good("Synapse is asked"),
            Ok(reply) => check.bad(
                format!("what is answered ({}) is not from Synapse", reply.shown()),
                "have the proxy leave Authorization as it is at /register, and see that the node \
                 is linked",
            ),
            Err(error) => check.bad(error, ROUTE),
        })
    }

    async fn cors(&self) -> Option<Finding> {
        let check = Check::Cors;
        for path in [LOGIN, WHOAMI] {
            let question = Question::new(Method::OPTIONS, path)
                .with("origin", "https://app.example.com")
                .with("access-control-request-method", "GET")
                .with("access-control-request-headers", "authorization");
            let reply = match self.outside(question).await {
                Ok(reply) => reply,
                Err(error) => return Some(check.bad(error, ROUTE)),
            };
            let open = reply.header("access-control-allow-origin") == Some("*");
            if !open || !matches!(reply.status, 200..300) {
                let found = format!("OPTIONS {path} answers {} without it", reply.status);
                return Some(check.bad(found, "have the proxy hand OPTIONS on without a token"));
            }
        }
        Some(check.good("browsers may ask"))
    }

    /// A request that says of itself that it is another one, which needs no token.
    async fn headers(&self) -> Option<Finding> {
        let (check, token) = (Check::Headers, impossible()?);
        let families = [
            [("x-original-method", "GET"), ("x-original-uri", VERSIONS)],
            [("x-forwarded-method", "GET"), ("x-forwarded-uri", VERSIONS)],
            [("x-original-method", "OPTIONS"), ("x-forwarded-method", "OPTIONS")],
            [("x-amaretti-user-id", "@admin:localhost"), ("x-amaretti-device-id", "DOCTOR")],
        ];
        for family in families {
            let question = Question::get(WHOAMI).bearing(&token);
            let question = family.iter().fold(question, |q, (name, value)| q.with(name, *value));
            match self.outside(question).await {
                Ok(reply) if reply.status == 401 => {}
                Ok(reply) => {
                    let [(first, _), (second, _)] = family;
                    let found = format!("with {first} and {second} it answers {}", reply.shown());
                    return Some(
                        check.bad(found, "have the proxy set or drop these headers itself"),
                    );
                }
                Err(error) => return Some(check.bad(error, ROUTE)),
            }
        }
        Some(check.good("they change nothing"))
    }

    async fn well_known(&self, url: &str) -> Option<Finding> {
        let check = Check::WellKnown;
        let reply = self.outside(Question::get("/.well-known/matrix/client")).await.ok()?;
        let body = reply.json();
        let base = body.get("m.homeserver").and_then(|h| h.get("base_url")).and_then(Value::as_str);
        let plain = |url: &str| url.trim_end_matches('/').to_owned();
        Some(match base {
            _ if body.get("org.matrix.msc2965.authentication").is_some() => check.bad(
                "it sends clients to an OAuth server",
                "serve it from here, with public_url set, and not from Synapse",
            ),
            None if reply.status == 404 => check.good("it is served somewhere else, or nowhere"),
            None => check.doubtful(
                format!("it answers {} and names no server", reply.status),
                "serve it from here, with public_url set",
            ),
            Some(base) if plain(base) == plain(url) => check.good(base),
            Some(base) => {
                let base: String = base.chars().filter(|c| !c.is_control()).take(100).collect();
                check.doubtful(format!("it sends clients to {base}"), "set public_url to this URL")
            }
        })
    }
}

const CLOSE: &str = "have the proxy answer 404 there: it is not for the outside";

/// What is to be said when somebody behind the proxy has answered.
fn reached(
    path: &str,
    reply: Result<Reply, String>,
    closed: impl Fn(u16) -> bool,
) -> Option<String> {
    // A connection that is closed is closed.
    let reply = reply.ok()?;
    let path = path.split('?').next().unwrap_or_default();
    (!closed(reply.status)).then(|| format!("{path} can be reached: it answers {}", reply.shown()))
}
