//! The node that runs: its internal listener, and the one for clients.
//!
//! This file refuses to know what stands around it.

use serde_json::Value;

use super::ask::{Asker, Question, Reply};
use super::{Check, Finding, Installation};

pub(super) const VERSIONS: &str = "/_matrix/client/versions";

impl Installation<'_> {
    pub(super) async fn running(&self, asker: &Asker) -> Vec<Finding> {
        let mut found = self.internal_face(asker).await;
        found.push(self.public_face(asker).await);
        found
    }

    async fn internal_face(&self, asker: &Asker) -> Vec<Finding> {
        let (check, node) = (Check::Internal, self.internal());
        let shown = node.shown();
        let live = match asker.ask(&node, Question::get("/health/live")).await {
            Ok(live) => live,
            Err(error) => {
                return vec![check.bad(format!("nobody answers at {shown}: {error}"), START)];
            }
        };
        let version = live.word("version");
        if live.status != 200 || version.is_empty() {
            return vec![check.bad(format!("what answers at {shown} is no node"), START)];
        }
        let mut found = vec![check.good(format!("a node answers at {shown}"))];
        let ours = env!("CARGO_PKG_VERSION");
        found.push(if version == ours {
            Check::Version.good(version)
        } else {
            let found = format!("the node is {version}, this program {ours}");
            Check::Version.doubtful(found, "start the node again, or use the program it runs from")
        });
        let ready = asker.ask(&node, Question::get("/health/ready")).await;
        let feed =
            ready.as_ref().is_ok_and(|ready| ready.json().get("feed") != Some(&false.into()));
        found.push(health(Check::Ready, ready, READY));
        if feed {
            let issue = asker.ask(&node, Question::get("/health/issue")).await;
            found.push(health(Check::Issue, issue, ISSUE));
        }
        found
    }

    async fn public_face(&self, asker: &Asker) -> Finding {
        let (check, node) = (Check::Public, self.public());
        let shown = node.shown();
        match asker.ask(&node, Question::get(VERSIONS)).await {
            Ok(reply) if reply.status == 200 && reply.json().get("versions").is_some() => {
                check.good(format!("clients are answered at {shown}"))
            }
            Ok(reply) => {
                check.bad(format!("{shown} answers {} to {VERSIONS}", reply.shown()), START)
            }
            Err(error) => check.bad(format!("nobody answers at {shown}: {error}"), START),
        }
    }
}

const START: &str = "start it by `amaretti serve`, or name the settings it runs with by --config";
const READY: &str = "see what is said of keys and database here, and the log of the node";
const ISSUE: &str = "see what is said of the database here; what is minted waits for it";

fn health(check: Check, reply: Result<Reply, String>, advice: &str) -> Finding {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return check.bad(error, advice),
    };
    let warning = reply.json().get("warning").and_then(Value::as_str).map(str::to_owned);
    match (reply.status, warning) {
        (200, None) => check.good("yes"),
        (200, Some(warning)) => check.doubtful(warning, "give it a database, unless this is meant"),
        (status, _) => {
            let reason = reply.word("reason");
            let reason = if reason.is_empty() { "it does not say why".into() } else { reason };
            check.bad(format!("no ({status}): {reason}"), advice)
        }
    }
}
