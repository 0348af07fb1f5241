//! What is scraped: in form, complete, and without anybody's name.

use std::collections::{BTreeMap, BTreeSet};

use amaretti::http::{METRICS, Sort};
use amaretti::revocations::{Fact, KeyState};
use amaretti::service::{Limits, Policy};
use serde_json::json;

use crate::support::{ALICE, Setting, Town, WHOAMI, logged, narrow, session_of, until};

/// The samples of a page, by name and labels; whatever is not in form fails.
struct Scrape(BTreeMap<String, f64>, String);

impl Scrape {
    async fn of(town: &Town) -> Self {
        let answer = town.operator().get("/metrics").await;
        let form = answer.good().header("content-type").unwrap_or_default();
        assert!(form.starts_with("application/openmetrics-text; version=1.0.0"), "{form}");
        Self(read(&answer.body), answer.body.clone())
    }

    #[track_caller]
    fn value(&self, sample: &str) -> f64 {
        *self.0.get(sample).unwrap_or_else(|| panic!("no {sample} in:\n{}", self.1))
    }
}

/// A strict reader of the OpenMetrics text form.
fn read(page: &str) -> BTreeMap<String, f64> {
    let body = page.strip_suffix("# EOF\n").expect("a page ends with its end");
    let (mut samples, mut families) = (BTreeMap::new(), BTreeMap::new());
    let mut family = "";
    for line in body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap();
            assert!(families.insert(family, "").is_none(), "{family} is there twice");
        } else if let Some(sort) = line.strip_prefix("# TYPE ") {
            let (name, sort) = sort.split_once(' ').unwrap();
            assert_eq!(name, family);
            families.insert(family, sort);
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a sample has a value");
            let name = sample.split('{').next().unwrap();
            let ends: &[&str] = match families[family] {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_sum", "_count"],
                sort => panic!("{sort} is no sort of ours"),
            };
            let end = name.strip_prefix(family).expect("samples stand below their family");
            assert!(ends.contains(&end), "{line}");
            labels(sample.strip_prefix(name).unwrap());
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(samples.insert(sample.to_owned(), value).is_none(), "{line} is there twice");
        }
    }
    samples
}

/// The names of labels; each value stands in quotes and needs no escape.
fn labels(text: &str) -> Vec<String> {
    let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
        assert_eq!(text, "");
        return Vec::new();
    };
    let mut names = Vec::new();
    for pair in inner.split("\",") {
        let (name, value) = pair.split_once("=\"").expect("a label has a value");
        assert!(!value.trim_end_matches('"').contains(['"', '\\', '\n']), "{text}");
        names.push(name.to_owned());
    }
    names
}

#[tokio::test]
async fn every_metric_is_in_the_table_with_the_labels_it_has_there() {
    let town = Town::new().await;
    town.alice().await.whoami().await.good();

    let Scrape(samples, page) = Scrape::of(&town).await;

    for metric in METRICS {
        let name = metric.full_name();
        let mut found = samples.keys().filter(|sample| {
            let base = sample.split('{').next().unwrap();
            base == name || metric.sort == Sort::Histogram && base == format!("{name}_count")
        });
        let sample = found.next().unwrap_or_else(|| panic!("no sample of {name} in:\n{page}"));
        let at = sample.find('{').unwrap_or(sample.len());
        assert_eq!(labels(&sample[at..]), metric.labels, "{sample}");
    }
    let families = page.lines().filter(|line| line.starts_with("# TYPE ")).count();
    assert_eq!(families, METRICS.len());
}

#[tokio::test]
async fn every_verdict_is_counted_under_its_reason() {
    let town = Town::new().await;
    let (alice, gone) = (town.alice().await, town.alice().await);
    gone.logout().await.good();
    let token = &alice.token;

    alice.whoami().await.good();
    gone.whoami().await.is(401, "M_UNKNOWN_TOKEN");
    alice.with(&narrow(token, "time < 9")).whoami().await.is(403, "M_FORBIDDEN");
    alice.with(&token[..token.len() - 4]).whoami().await.is(401, "M_UNKNOWN_TOKEN");
    alice.with("rubbish").whoami().await.is(401, "M_UNKNOWN_TOKEN");

    let scrape = Scrape::of(&town).await;
    let verdicts =
        |reason: &str| scrape.value(&format!("amaretti_verdicts_total{{reason=\"{reason}\"}}"));
    assert_eq!(verdicts("admitted"), 2.0, "whoami and logout");
    assert_eq!(verdicts("unmet"), 1.0);
    assert_eq!(verdicts("truncated"), 1.0);
    assert_eq!(verdicts("foreign"), 1.0);
    assert_eq!(verdicts("ended_device"), 1.0);
    assert_eq!(verdicts("expired"), 0.0, "what has not happened yet is there as 0");
}

#[tokio::test]
async fn mints_hashes_limits_and_denials_are_counted() {
    let limits = Limits { passwords: 2, ..Limits::NONE };
    let policy = Policy { limits, ..Policy::default() };
    let town = Town::with(Setting { policy, ..Setting::default() }).await;
    let guesser = town.anonymous().from("192.0.2.7");
    for _ in 0..2 {
        guesser.password(ALICE, "guess", &json!({})).await.is(403, "M_FORBIDDEN");
    }
    guesser.password(ALICE, "guess", &json!({})).await.is(429, "M_LIMIT_EXCEEDED");
    town.renewing_alice().await;

    let scrape = Scrape::of(&town).await;
    assert_eq!(scrape.value("amaretti_tokens_minted_total{kind=\"access\"}"), 1.0);
    assert_eq!(scrape.value("amaretti_tokens_minted_total{kind=\"refresh\"}"), 1.0);
    assert_eq!(scrape.value("amaretti_rate_limited_total{what=\"password\"}"), 1.0);
    assert_eq!(scrape.value("amaretti_denials_total{reason=\"wrong_password\"}"), 2.0);
    assert_eq!(scrape.value("amaretti_denials_total{reason=\"too_soon\"}"), 1.0);
    assert_eq!(scrape.value("amaretti_password_hashes_total"), 3.0);
}

#[tokio::test]
async fn the_time_of_a_request_is_counted_by_the_routers_pattern() {
    let town = Town::new().await;
    let alice = town.alice().await;
    alice.get(&format!("/_matrix/client/v3/devices/{}", alice.device_id)).await.good();
    town.anonymous().get("/no/such/page").await.is(404, "M_UNRECOGNIZED");

    let scrape = Scrape::of(&town).await;
    let count = |labels: &str| scrape.value(&format!("amaretti_request_seconds_count{{{labels}}}"));
    let route = "method=\"GET\",route=\"/_matrix/client/v3/devices/{device_id}\",status=\"2xx\"";
    assert_eq!(count(route), 1.0);
    assert_eq!(count("method=\"GET\",route=\"none\",status=\"4xx\""), 1.0);
}

#[tokio::test]
async fn every_question_of_a_proxy_is_counted_under_one_route() {
    let town = Town::asked().await;
    let alice = town.alice().await;
    let proxy = town.operator();
    proxy.with(&alice.token).may("GET", WHOAMI).await.good();
    proxy.with(&alice.token).may("POST", "/_matrix/client/v3/search").await.good();
    proxy.may("GET", WHOAMI).await.is(401, "M_MISSING_TOKEN");

    let scrape = Scrape::of(&town).await;
    let count = |class: &str| {
        let route = "method=\"GET\",route=\"/_amaretti/forward-auth\"";
        scrape.value(&format!("amaretti_request_seconds_count{{{route},status=\"{class}\"}}"))
    };
    assert_eq!((count("2xx"), count("4xx")), (2.0, 1.0));
}

#[tokio::test]
async fn the_keys_of_a_node_are_told_with_the_one_that_mints() {
    let town = Town::new().await;
    let (_following, _tending) = (town.follow(), town.tend_keys());
    let key = town.service.ring().minting_id().unwrap();
    let elsewhere = amaretti::token::KeyId::parse("0a0b0c0d").unwrap();
    town.write_unheard(&Fact::Key { id: elsewhere, state: KeyState::Announced }).await;
    let told = async || Scrape::of(&town).await.value("amaretti_keys_not_held") == 1.0;
    until("a key that is announced elsewhere is missing here", told).await;

    let scrape = Scrape::of(&town).await;

    assert_eq!(scrape.value(&format!("amaretti_key_mints{{key=\"{key}\"}}")), 1.0);
    assert_eq!(scrape.value(&format!("amaretti_key_file_missing{{key=\"{key}\"}}")), 0.0);
    let created = scrape.value(&format!("amaretti_key_created_timestamp_seconds{{key=\"{key}\"}}"));
    assert_eq!(created, 1_790_000_000.0);
    assert_eq!(scrape.value("amaretti_live_nodes"), 1.0);
}

#[tokio::test]
async fn a_store_that_is_away_is_counted() {
    let town = Town::new().await;
    let alice = town.alice().await;
    town.store.close().await;

    alice.logout().await.unavailable();

    let scrape = Scrape::of(&town).await;
    assert_eq!(scrape.value("amaretti_store_errors_total{part=\"request\"}"), 1.0);
    assert_eq!(scrape.value("amaretti_denials_total{reason=\"store\"}"), 1.0);
}

#[tokio::test]
async fn no_label_names_a_user_a_device_a_session_or_a_token() {
    let town = Town::new().await;
    let alice = town.alice().await;
    let (renewing, refresh_token) = town.renewing_alice().await;
    alice.get(&format!("/_matrix/client/v3/devices/{}", alice.device_id)).await.good();
    alice.get(&format!("/{}", alice.token)).await.is(404, "M_UNRECOGNIZED");
    alice.get(&format!("{WHOAMI}?access_token={}", alice.token)).await.good();
    alice.refresh(&refresh_token).await.good();
    alice.call(&alice.device_id, WHOAMI, String::new()).await;
    alice.logout().await.good();
    alice.whoami().await.is(401, "M_UNKNOWN_TOKEN");

    let page = Scrape::of(&town).await.1;

    let names = [&alice, &renewing].map(|client| {
        let session = session_of(&client.token).to_string();
        [client.token.clone(), client.device_id.clone(), client.user_id.clone(), session]
    });
    let private = ["alice", "mma_", "mmr_", "mml_", &refresh_token].map(str::to_owned);
    for name in names.into_iter().flatten().chain(private) {
        assert!(!page.contains(&name), "{name} stands in:\n{page}");
    }
}

#[tokio::test]
async fn every_line_of_a_request_that_was_admitted_names_its_session() {
    let town = Town::new().await;
    let (alice, refresh_token) = town.renewing_alice().await;
    let session = session_of(&alice.token);
    alice.get("/_matrix/client/v3/devices").await.good();
    alice.refresh(&refresh_token).await.good();

    let lines = logged(&format!("session=\"{session}\""));
    let paths: BTreeSet<_> = ["v3/login", "v3/devices", "v3/refresh"].into_iter().collect();
    for path in paths {
        let line = lines.iter().find(|line| line.contains(path));
        let line = line.unwrap_or_else(|| panic!("no line of {path} in {lines:#?}"));
        assert!(line.contains("status=200") && line.contains("us="), "{line}");
    }
}
