//! Every check of the doctor, in an installation that is well and in ones that ail, each in one way.
#![cfg(test)]
#![cfg(feature = "server")]

#[path = "doctor/town.rs"]
mod town;

use amaretti::doctor::{Check, Verdict};
use town::Town;

/// What ails, and which check has to say so.
type Ailment = (Check, fn(&mut Town));

#[rustfmt::skip] // one line an ailment
const AILMENTS: &[Ailment] = &[
    (Check::Data, |t| t.open_data()),
    (Check::Database, |t| t.set("server_name", "elsewhere.org")),
    (Check::Keys, |t| t.take_keys_away()),
    (Check::Keys, |t| t.open_key()),
    (Check::Nodes, |t| t.clock.advance(20_000)),
    (Check::Secret, |t| t.write("secret", "change me")),
    (Check::Internal, |t| t.set("internal", "127.0.0.1:1")),
    (Check::Version, |t| t.says("node /health/live", 200, r#"{"status":"ok","version":"0.0.9"}"#)),
    (Check::Ready, |t| t.says("node /health/ready", 503, r#"{"reason":"no key"}"#)),
    (Check::Issue, |t| t.says("node /health/issue", 503, r#"{"reason":"the store is away"}"#)),
    (Check::Public, |t| t.set("listen", "127.0.0.1:1")),
    (Check::Homeserver, |t| t.set("homeserver.url", "http://127.0.0.1:1")),
    (Check::HomeserverVersion, |t| t.says("synapse /_matrix/federation/v1/version", 200, r#"{"server":{"version":"1.135.2"}}"#)),
    (Check::HomeserverClock, |t| t.clock.advance(60_000)),
    (Check::HomeserverLink, |t| t.says("synapse /_synapse/mas/query_user", 403, r#"{"errcode":"M_UNKNOWN"}"#)),
    (Check::HomeserverLink, |t| t.says("synapse /_synapse/mas/query_user", 404, "<html>")),
    (Check::WayBack, |t| t.says("synapse /_matrix/client/v3/account/whoami", 503, r#"{"errcode":"M_UNKNOWN"}"#)),
    (Check::WayBack, |t| t.says("synapse /_matrix/client/v3/account/whoami", 200, "{}")),
    (Check::YamlName, |t| t.yaml("server_name: example.com", "server_name: other.org")),
    (Check::YamlDelegation, |t| t.yaml("enabled: true", "enabled: false")),
    (Check::YamlDelegation, |t| t.yaml("database:", "experimental_features: {msc3861: {enabled: true}}\ndatabase:")),
    (Check::YamlEndpoint, |t| t.yaml("endpoint: http://127.0.0.1", "endpoint: http://127.0.0.1:1/#")),
    (Check::YamlSecret, |t| t.yaml("secret_path: ", "secret: 99887766554433221100aabbccddeeff #")),
    (Check::YamlOptions, |t| t.yaml("database:", "enable_registration: true\ndatabase:")),
    (Check::YamlListeners, |t| t.yaml("x_forwarded: true", "x_forwarded: false")),
    (Check::YamlListeners, |t| t.yaml("names: [client]", "names: [federation]")),
    (Check::YamlPepper, |t| t.yaml("database:", "password_config: {pepper: salt}\ndatabase:")),
    (Check::Url, |t| t.url = Some("http://127.0.0.1:1".to_owned())),
    (Check::UrlClock, |t| t.clock.advance(60_000)),
    (Check::Login, |t| t.says("proxy /_matrix/client/v3/login", 404, r#"{"errcode":"M_UNRECOGNIZED"}"#)),
    (Check::Versions, |t| t.says("proxy /_matrix/client/versions", 200, r#"{"versions":["v0.0"]}"#)),
    (Check::Capabilities, |t| t.says("proxy /_matrix/client/v3/capabilities", 401, r#"{"errcode":"M_UNKNOWN_TOKEN","error":"Token is not active"}"#)),
    (Check::AuthMetadata, |t| t.says("proxy /_matrix/client/v1/auth_metadata", 200, "{}")),
    (Check::SynapseClosed, |t| t.says("proxy /_synapse/mas/query_user", 401, r#"{"errcode":"M_MISSING_TOKEN"}"#)),
    (Check::SynapseClosed, |t| t.says("proxy /_synapse/admin/v1/server_version", 200, "{}")),
    (Check::InternalClosed, |t| t.says("proxy /metrics", 200, "amaretti_up 1")),
    (Check::InternalClosed, |t| t.says("proxy /_amaretti/answer", 204, "")),
    (Check::Appservices, |t| t.says("proxy /_matrix/client/v3/register", 400, r#"{"errcode":"M_UNKNOWN"}"#)),
    (Check::Cors, |t| t.says("proxy OPTIONS", 401, "{}")),
    (Check::Headers, |t| t.says("proxy x-original-uri", 200, "{}")),
    (Check::Headers, |t| t.says("proxy x-forwarded-uri", 200, "{}")),
    (Check::WellKnown, |t| t.says("proxy /.well-known/matrix/client", 200, r#"{"m.homeserver":{"base_url":"https://other.org"}}"#)),
];

/// What no town of these tests can have: settings that do not load have no town, and a file has no
/// clock.
const ELSEWHERE: [Check; 2] = [Check::Settings, Check::DatabaseClock];

#[tokio::test]
async fn an_installation_that_is_well_passes_every_check() {
    let found = Town::new().await.examined().await;

    for check in Check::ALL.iter().filter(|check| **check != Check::DatabaseClock) {
        let finding = found.iter().find(|finding| finding.check == *check);
        let finding = finding.unwrap_or_else(|| panic!("{} was not made", check.name()));
        // Everything here is plain HTTP.
        let expected = if *check == Check::Url { Verdict::Doubtful } else { Verdict::Good };
        assert_eq!(finding.verdict, expected, "{finding:?}");
    }
}

#[tokio::test]
async fn every_ailment_is_found_by_its_check_with_what_to_do() {
    for (number, (check, ail)) in AILMENTS.iter().enumerate() {
        let mut town = Town::new().await;
        ail(&mut town);
        let found = town.examined().await;

        let finding = found.iter().find(|finding| finding.check == *check);
        let finding = finding.unwrap_or_else(|| panic!("{number}: {} not made", check.name()));
        assert_ne!(finding.verdict, Verdict::Good, "{number}: {finding:?}");
        assert!(finding.advice.is_some(), "{number}: {finding:?}");
    }
}

#[test]
fn every_check_has_an_ailment() {
    for check in Check::ALL.iter().filter(|check| !ELSEWHERE.contains(check)) {
        assert!(AILMENTS.iter().any(|(found, _)| found == check), "{} has none", check.name());
    }
}

#[tokio::test]
async fn a_clock_that_is_off_a_little_is_a_warning_and_by_much_a_failure() {
    for (off, verdict) in [(10_000, Verdict::Doubtful), (90_000, Verdict::Bad)] {
        let town = Town::new().await;
        town.clock.advance(off);
        let found = town.examined().await;
        let finding = found.iter().find(|finding| finding.check == Check::UrlClock).unwrap();
        assert_eq!(finding.verdict, verdict, "{finding:?}");
    }
}

#[tokio::test]
async fn nothing_that_is_found_says_the_secret() {
    for ail in [|_: &mut Town| (), |t: &mut Town| t.yaml("secret_path: ", "secret: 0f #")] {
        let mut town = Town::new().await;
        ail(&mut town);
        let found = format!("{:?}", town.examined().await);
        assert!(!found.contains(town::SECRET) && !found.contains("mma_"), "{found}");
    }
}
