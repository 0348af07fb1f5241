//! `amaretti explain`: why a token is good or not on a running node.
//!
//! The node is asked on its internal listener; nothing is used up by the question. What the token
//! says of itself is read here.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::anatomy::caveat;
use super::outcome::instant;
use super::token::Given;
use super::{Done, Place, Trouble, ask, say};
use crate::time::Timestamp;

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti explain < token.txt
  amaretti explain --node http://10.0.0.7:8010 --path /_matrix/client/v3/sync < token.txt")]
pub(super) struct Explain {
    #[command(flatten)]
    given: Given,
    /// The internal listener of the node, http://HOST:PORT or unix:PATH [default: `internal` of the
    /// configuration]
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// What it is presented for: request, login, refresh or introspection [default: what its kind
    /// is for]
    #[arg(long, value_name = "PURPOSE")]
    purpose: Option<String>,
    /// Method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// Path of the request; without one no `action` and no `room_id` caveat clears
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Address of the caller; without one no `ip` caveat clears
    #[arg(long, value_name = "ADDR")]
    address: Option<IpAddr>,
    #[command(flatten)]
    place: Place,
}

impl Explain {
    pub(super) fn run(self) -> Done {
        let token = self.given.text()?;
        let config = self.place.resolve(None, None)?;
        let node = self.node.unwrap_or_else(|| format!("http://{}", config.internal));
        let question = json!({
            "token": token,
            "purpose": self.purpose,
            "method": self.method.to_ascii_uppercase(),
            "path": self.path,
            "address": self.address,
        });
        let (status, body) = ask::post(&node, "/_amaretti/explain", &question.to_string())?;
        if status != 200 {
            let words = serde_json::from_str::<Refused>(&body).map(|refused| refused.error);
            let words = words.unwrap_or_else(|_| "it does not say why".to_owned());
            return Err(Trouble::new(format!("the node at {node} answers {status}: {words}")));
        }
        let told: Told = serde_json::from_str(&body)?;
        say(&told.lines(&token, &node).join("\n"))?;
        Ok(if told.admitted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// An answer other than 200.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// What a node tells.
#[derive(Deserialize)]
struct Told {
    admitted: bool,
    reason: String,
    words: String,
    claimed: Option<Claimed>,
    caveat: Option<u8>,
    ended_before: Option<u64>,
    advice: String,
}

/// What the token says of itself.
#[derive(Deserialize)]
struct Claimed {
    kind: String,
    user_id: String,
    device_id: Option<String>,
    session: String,
    began: u64,
    generation: u32,
    key: String,
    issued_at: u64,
    expires_at: Option<u64>,
}

impl Told {
    fn lines(&self, token: &str, node: &str) -> Vec<String> {
        let mut lines = vec![if self.admitted {
            format!("admitted by the node at {node}")
        } else {
            format!("not admitted by the node at {node}: {} ({})", self.words, self.reason)
        }];
        if let Some(index) = self.caveat
            && let Some(caveat) = caveat(token, index)
        {
            lines.push(format!("  caveat {index}: {caveat}"));
        }
        if let Some(before) = self.ended_before {
            let before = at(before);
            lines.push(format!("  sessions of this user that began before {before} are ended"));
        }
        if let Some(claimed) = &self.claimed {
            lines.extend(claimed.lines(self.admitted));
        }
        lines.push(format!("what to do: {}", self.advice));
        lines
    }
}

impl Claimed {
    fn lines(&self, sure: bool) -> [String; 2] {
        let Self { kind, user_id, session, generation, key, .. } = self;
        let sure = if sure { "" } else { ", by its own account" };
        let device = self.device_id.as_deref().unwrap_or("none");
        let expires = self.expires_at.map_or("never".to_owned(), at);
        let (began, issued) = (at(self.began), at(self.issued_at));
        [
            format!("{kind} token of {user_id}, device {device}{sure}"),
            format!(
                "  session {session} begun {began}, generation {generation}, key {key}, \
                 issued {issued}, expires {expires}"
            ),
        ]
    }
}

fn at(ms: u64) -> String {
    instant(Timestamp::from_millis(ms))
}
