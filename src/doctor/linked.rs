//! The homeserver behind, asked where the node asks it, and whether it can ask back.
//!
//! This file refuses to know what stands in its own configuration.

use serde_json::Value;

use super::ask::{Asker, Question, Reply, Whom};
use super::node::VERSIONS;
use super::{Check, Finding, Installation};
use crate::secret::Secret;

/// The first version that lets others check its tokens.
const FLOOR: (u32, u32) = (1, 136);

/// A date is told in whole seconds.
const STEP: u64 = 1_000;

impl Installation<'_> {
    pub(super) async fn behind(&self, asker: &Asker) -> Vec<Finding> {
        let check = Check::Homeserver;
        let synapse = Whom::at(&self.config.homeserver.url);
        let shown = synapse.shown();
        let versions = match asker.ask(&synapse, Question::get(VERSIONS)).await {
            Ok(reply) if reply.status == 200 && reply.json().get("versions").is_some() => reply,
            Ok(reply) => {
                let found = format!("{shown} answers {} to {VERSIONS}", reply.shown());
                return vec![check.bad(found, REACH)];
            }
            Err(error) => {
                return vec![check.bad(format!("nobody answers at {shown}: {error}"), REACH)];
            }
        };
        let mut found = vec![check.good(format!("it answers at {shown}"))];
        found.push(version(asker, &synapse, &versions).await);
        if let Some(date) = versions.date() {
            found.push(self.clocks(Check::HomeserverClock, date, STEP));
        }
        let secret = self.config.homeserver.secret_file.as_deref();
        let Some(secret) = secret.and_then(|file| Secret::read(file).ok()) else { return found };
        let (link, delegates) = link(asker, &synapse, &secret).await;
        found.push(link);
        if delegates {
            found.push(way_back(asker, &synapse).await);
        }
        found
    }
}

const REACH: &str = "start Synapse, or set homeserver.url to a listener of it that serves clients; its \
                     certificate, over https, has to be one that this machine trusts";

async fn version(asker: &Asker, synapse: &Whom, versions: &Reply) -> Finding {
    let check = Check::HomeserverVersion;
    let told = asker.ask(synapse, Question::get("/_matrix/federation/v1/version")).await;
    let told = told.ok().and_then(|told| {
        Some(told.json().get("server")?.get("version").and_then(Value::as_str)?.to_owned())
    });
    let header = versions.header("server").and_then(|server| server.strip_prefix("Synapse/"));
    let Some(told) = told.or_else(|| header.map(str::to_owned)) else {
        let advice = format!("see that it is {}.{} or later", FLOOR.0, FLOOR.1);
        return check.doubtful("it does not say which version it is", advice);
    };
    let told: String = told.chars().filter(|c| !c.is_control()).take(40).collect();
    match numbers(&told) {
        Some(version) if version >= FLOOR => check.good(told),
        Some(_) => check.bad(
            format!("{told} cannot let others check its tokens"),
            format!("bring Synapse to {}.{} or later", FLOOR.0, FLOOR.1),
        ),
        None => {
            let advice = format!("see that it is Synapse {}.{} or later", FLOOR.0, FLOOR.1);
            check.doubtful(format!("it calls its version {told}"), advice)
        }
    }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    let first = parts.next()?.parse().ok()?;
    let digits = |c: &char| c.is_ascii_digit();
    let second: String = parts.next()?.chars().take_while(digits).collect();
    Some((first, second.parse().ok()?))
}

/// Asks after a user who cannot be. Only whoever knows the secret hears that there is none.
async fn link(asker: &Asker, synapse: &Whom, secret: &Secret) -> (Finding, bool) {
    let check = Check::HomeserverLink;
    let question = Question::get("/_synapse/mas/query_user?localpart=amaretti-doctor%2Fnobody");
    let reply = match asker.ask(synapse, question.bearing(secret.reveal())).await {
        Ok(reply) => reply,
        Err(error) => return (check.bad(error, REACH), false),
    };
    match (reply.status, reply.word("errcode").as_str()) {
        (200, _) | (404, "M_NOT_FOUND") => (check.good("it takes our secret"), true),
        (401 | 403, _) => (
            check.bad(
                "it does not take our secret",
                "give it the same file as matrix_authentication_service.secret_path and start it \
                 again",
            ),
            true,
        ),
        (404, _) => (
            check.bad(
                "it checks its tokens itself",
                "set matrix_authentication_service in homeserver.yaml (enabled, endpoint, \
                 secret_path) and start it again",
            ),
            false,
        ),
        _ => (check.bad(format!("it answers {}", reply.shown()), "see its log"), false),
    }
}

/// Has it ask about a token that it has never seen, and that nobody has minted.
async fn way_back(asker: &Asker, synapse: &Whom) -> Finding {
    let check = Check::WayBack;
    let Some(token) = impossible() else {
        return check.doubtful("there is no randomness for a token", "try again");
    };
    let question = Question::get("/_matrix/client/v3/account/whoami").bearing(&token);
    match asker.ask(synapse, question).await {
        Ok(reply) if reply.status == 401 => {
            check.good("it has heard from us that a token is not good")
        }
        Ok(reply) if reply.status == 503 => check.bad(
            "it cannot ask us about tokens: it answers 503",
            "matrix_authentication_service.endpoint must be our internal address, reached from \
             where Synapse runs, and the secret on both sides the same",
        ),
        Ok(reply) => check.bad(
            format!("to a token that cannot be good it answers {}", reply.shown()),
            "see its log, and ours",
        ),
        Err(error) => check.bad(
            format!("to a token that cannot be good: {error}"),
            "see that it reaches matrix_authentication_service.endpoint, which may swallow packets",
        ),
    }
}

/// A text that begins as our access tokens do and is none.
pub(super) fn impossible() -> Option<String> {
    let random: [u8; 16] = crate::random::random().ok()?;
    Some(format!("mma_doctor{:032x}", u128::from_be_bytes(random)))
}
