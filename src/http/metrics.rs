//! `/metrics`: what is counted, in the text form that Prometheus scrapes.
//!
//! One table says every metric: its name, labels and meaning, and how it is read. The page of
//! documentation is held to it. No label says a user, a device, a session or a token.

use core::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::Face;

/// OpenMetrics, which Prometheus and its like read since 2018.
const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What sort of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Grows until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// One metric.
pub struct Metric {
    /// Its name, without what its sort appends.
    name: &'static str,
    /// Its sort.
    pub sort: Sort,
    /// The labels it bears.
    pub labels: &'static [&'static str],
    /// What it says.
    pub meaning: &'static str,
    write: fn(&Face, &mut MetricEncoder<'_>) -> fmt::Result,
}

impl Metric {
    /// The name as it is asked for.
    #[must_use]
    pub fn full_name(&self) -> String {
        let end = if self.sort == Sort::Counter { "_total" } else { "" };
        format!("{}{end}", self.name)
    }
}

/// Every metric.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "amaretti_verdicts",
        sort: Sort::Counter,
        labels: &["reason"],
        meaning: "Tokens that were judged, by what was found",
        write: |face, to| {
            let verdicts = face.service.metrics().verdicts();
            counts(to, "reason", verdicts.map(|(reason, count)| (reason.name(), count)))
        },
    },
    Metric {
        name: "amaretti_denials",
        sort: Sort::Counter,
        labels: &["reason"],
        meaning: "Requests that were not done, by why: refused, declined, or a failure of ours",
        write: |face, to| {
            let denials = face.service.metrics().denials();
            counts(to, "reason", denials.map(|(reason, count)| (reason.name(), count)))
        },
    },
    Metric {
        name: "amaretti_tokens_minted",
        sort: Sort::Counter,
        labels: &["kind"],
        meaning: "Tokens that were minted",
        write: |face, to| {
            let mints = face.service.metrics().mints();
            counts(to, "kind", mints.map(|(kind, count)| (kind.name(), count)))
        },
    },
    Metric {
        name: "amaretti_rate_limited",
        sort: Sort::Counter,
        labels: &["what"],
        meaning: "Tries that were one too many",
        write: |face, to| {
            let limits = face.service.metrics().limits();
            counts(to, "what", limits.map(|(what, count)| (what.name(), count)))
        },
    },
    Metric {
        name: "amaretti_password_hashes",
        sort: Sort::Counter,
        labels: &[],
        meaning: "Password hashes that were computed",
        write: |face, to| to.encode_counter::<NoLabelSet, _, u64>(&face.service.hashes(), None),
    },
    Metric {
        name: "amaretti_store_errors",
        sort: Sort::Counter,
        labels: &["part"],
        meaning: "Times that the database did not do what it was asked: for a request, for the \
                  follower of the feed, for the care of keys",
        write: |face, to| {
            let errors = face.service.metrics().store_errors();
            counts(to, "part", errors.map(|(part, count)| (part.name(), count)))
        },
    },
    Metric {
        name: "amaretti_request_seconds",
        sort: Sort::Histogram,
        labels: &["method", "route", "status"],
        meaning: "How long requests took, by the router's pattern and the class of the status",
        write: latencies,
    },
    Metric {
        name: "amaretti_ready",
        sort: Sort::Gauge,
        labels: &[],
        meaning: "1 while tokens can be verified here, else 0",
        write: |face, to| to.encode_gauge(&u64::from(face.service.can_verify().is_ok())),
    },
    Metric {
        name: "amaretti_live_nodes",
        sort: Sort::Gauge,
        labels: &[],
        meaning: "Nodes that have been heard of lately, this one included",
        write: |face, to| to.encode_gauge(&wide(face.service.metrics().keys().nodes)),
    },
    Metric {
        name: "amaretti_known_users",
        sort: Sort::Gauge,
        labels: &[],
        meaning: "Users something is known of: an ending, or how the account stands",
        write: |face, to| to.encode_gauge(&wide(face.service.known_users())),
    },
    Metric {
        name: "amaretti_facts",
        sort: Sort::Counter,
        labels: &[],
        meaning: "Facts that were taken into memory since the start, repetitions included",
        write: |face, to| {
            to.encode_counter::<NoLabelSet, _, u64>(&face.service.metrics().facts(), None)
        },
    },
    Metric {
        name: "amaretti_key_created_timestamp_seconds",
        sort: Sort::Gauge,
        labels: &["key"],
        meaning: "When a key that is held here was made",
        write: |face, to| {
            let keys = face.service.metrics().keys().held;
            let each = keys.iter().map(|key| (key.id, seconds(key.created.millis())));
            gauges(to, each)
        },
    },
    Metric {
        name: "amaretti_key_mints",
        sort: Sort::Gauge,
        labels: &["key"],
        meaning: "1 for the key that tokens are minted with here, 0 for those that verify",
        write: |face, to| {
            let keys = face.service.metrics().keys().held;
            gauges(to, keys.iter().map(|key| (key.id, u64::from(key.mints))))
        },
    },
    Metric {
        name: "amaretti_key_file_missing",
        sort: Sort::Gauge,
        labels: &["key"],
        meaning: "1 for a key that is in use though its file is gone: it will not survive a restart",
        write: |face, to| {
            let keys = face.service.metrics().keys().held;
            gauges(to, keys.iter().map(|key| (key.id, u64::from(key.file_missing))))
        },
    },
    Metric {
        name: "amaretti_keys_not_held",
        sort: Sort::Gauge,
        labels: &[],
        meaning: "Keys that other nodes have announced and this one lacks: their tokens are 503 here",
        write: |face, to| to.encode_gauge(&wide(face.service.metrics().keys().missing.len())),
    },
    Metric {
        name: "amaretti_key_files_unreadable",
        sort: Sort::Gauge,
        labels: &[],
        meaning: "1 while something is wrong in the folder of keys, so that nothing new is taken in",
        write: |face, to| {
            to.encode_gauge(&u64::from(face.service.metrics().keys().trouble.is_some()))
        },
    },
    Metric {
        name: "amaretti_audit_lines",
        sort: Sort::Counter,
        labels: &[],
        meaning: "Lines that were written to the audit stream",
        write: |face, to| {
            to.encode_counter::<NoLabelSet, _, u64>(&face.service.audit().counts().0, None)
        },
    },
    Metric {
        name: "amaretti_audit_failures",
        sort: Sort::Counter,
        labels: &[],
        meaning: "Audit lines that could not be written and are in the log instead",
        write: |face, to| {
            to.encode_counter::<NoLabelSet, _, u64>(&face.service.audit().counts().1, None)
        },
    },
    Metric {
        name: "amaretti_build",
        sort: Sort::Gauge,
        labels: &["version"],
        meaning: "1, with the version of the program",
        write: |_, to| {
            to.encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?.encode_gauge(&1_u64)
        },
    },
    Metric {
        name: "process_start_time_seconds",
        sort: Sort::Gauge,
        labels: &[],
        meaning: "When the process was started, in seconds since 1970",
        write: |face, to| to.encode_gauge(&seconds(face.service.metrics().started().millis())),
    },
];

/// All of them.
pub(super) async fn metrics(State(face): State<Arc<Face>>) -> Response {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(face)));
    let mut page = String::new();
    // Writing to a text does not fail.
    let _written = encode(&mut page, &registry);
    ([(header::CONTENT_TYPE, FORM)], page).into_response()
}

struct Scrape(Arc<Face>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in METRICS {
            let sort = match metric.sort {
                Sort::Counter => MetricType::Counter,
                Sort::Gauge => MetricType::Gauge,
                Sort::Histogram => MetricType::Histogram,
            };
            let mut to = encoder.encode_descriptor(metric.name, metric.meaning, None, sort)?;
            (metric.write)(&self.0, &mut to)?;
        }
        Ok(())
    }
}

fn counts(
    to: &mut MetricEncoder<'_>,
    label: &str,
    each: impl Iterator<Item = (&'static str, u64)>,
) -> fmt::Result {
    for (value, count) in each {
        to.encode_family(&[(label, value)])?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
    }
    Ok(())
}

fn gauges<V: EncodeGaugeValue>(
    to: &mut MetricEncoder<'_>,
    each: impl Iterator<Item = (crate::token::KeyId, V)>,
) -> fmt::Result {
    for (key, value) in each {
        to.encode_family(&[("key", key.to_string())])?.encode_gauge(&value)?;
    }
    Ok(())
}

fn latencies(face: &Face, to: &mut MetricEncoder<'_>) -> fmt::Result {
    for latency in face.latencies.read() {
        let labels =
            [("method", latency.method), ("route", &*latency.route), ("status", latency.class)];
        to.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
            latency.sum,
            latency.count,
            &latency.buckets,
            None,
        )?;
    }
    Ok(())
}

/// Seconds of milliseconds.
#[expect(clippy::cast_precision_loss, reason = "48 bits fit the 53 of a float")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
