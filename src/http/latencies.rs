//! How long requests took, by method, route and class of status.
//!
//! The route is the router's own pattern, never a path: what a client may choose makes no label.
//! A route that has been seen is found without a lock. This file refuses to know what was asked.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::{Method, StatusCode};

use super::family::FORWARD_AUTH;

/// Upper bounds of the buckets, in microseconds; the last bucket has none.
const BOUNDS: [u64; 16] = [
    100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000, 30_000_000,
];

/// Methods that have a label of their own; all others share one.
const METHODS: [Method; 6] =
    [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::HEAD];

/// The label of a request that no route takes.
const NO_ROUTE: &str = "none";

#[derive(Default)]
#[repr(align(128))]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

/// One histogram a class of status: 1xx to 5xx.
type Classes = [Histogram; 5];

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

type Routes = HashMap<Box<str>, Arc<Classes>>;

/// The latencies of one node.
#[derive(Default)]
pub struct Latencies {
    /// By method, then by route.
    routes: [ArcSwap<Routes>; METHODS.len() + 1],
    /// Of the one route that is asked for every request of others, so that it is not looked up.
    forward_auth: Classes,
}

/// The latencies of one method, route and class.
pub(super) struct Latency {
    pub(super) method: &'static str,
    pub(super) route: Box<str>,
    pub(super) class: &'static str,
    pub(super) sum: f64,
    pub(super) count: u64,
    /// Upper bounds in seconds and how many lie below them and not below the one before.
    pub(super) buckets: Vec<(f64, u64)>,
}

impl Latencies {
    /// Counts a request that was answered.
    pub(super) fn count(
        &self,
        method: &Method,
        route: Option<&str>,
        status: StatusCode,
        took: Duration,
    ) {
        let at = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        let Some(routes) = self.routes.get(at) else { return };
        count(&classes(routes, route.unwrap_or(NO_ROUTE)), status, took);
    }

    /// Counts a question of a proxy: however it asks, it is one question.
    pub(super) fn count_forward_auth(&self, status: StatusCode, took: Duration) {
        count(&self.forward_auth, status, took);
    }

    /// Everything that has been counted.
    pub(super) fn read(&self) -> Vec<Latency> {
        let mut read = Vec::new();
        for (histogram, class) in self.forward_auth.iter().zip(CLASSES) {
            read.extend(histogram.read(Method::GET.as_str(), FORWARD_AUTH, class));
        }
        for (at, routes) in self.routes.iter().enumerate() {
            let method = METHODS.get(at).map_or("other", Method::as_str);
            let method = METHODS.iter().map(Method::as_str).find(|m| *m == method);
            let routes = routes.load();
            let mut routes: Vec<_> = routes.iter().collect();
            routes.sort_by_key(|(route, _)| *route);
            for (route, classes) in routes {
                for (histogram, class) in classes.iter().zip(CLASSES) {
                    read.extend(histogram.read(method.unwrap_or("other"), route, class));
                }
            }
        }
        read
    }
}

fn count(classes: &Classes, status: StatusCode, took: Duration) {
    let class = usize::from(status.as_u16() / 100).saturating_sub(1);
    let Some(histogram) = classes.get(class) else { return };
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let bucket = BOUNDS.partition_point(|bound| *bound < us);
    if let Some(bucket) = histogram.buckets.get(bucket) {
        bucket.fetch_add(1, Relaxed);
    }
    histogram.sum_us.fetch_add(us, Relaxed);
}

fn classes(routes: &ArcSwap<Routes>, route: &str) -> Arc<Classes> {
    if let Some(classes) = routes.load().get(route) {
        return classes.clone();
    }
    routes.rcu(|routes| {
        let mut routes = Routes::clone(routes);
        routes.entry(route.into()).or_default();
        routes
    });
    routes.load().get(route).cloned().unwrap_or_default()
}

impl Histogram {
    /// `None` when nothing was counted.
    #[expect(clippy::cast_precision_loss, reason = "a sum of microseconds, as a metric shows it")]
    fn read(&self, method: &'static str, route: &str, class: &'static str) -> Option<Latency> {
        let counts: Vec<_> = self.buckets.iter().map(|count| count.load(Relaxed)).collect();
        let count = counts.iter().sum();
        let bounds = BOUNDS.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
        let sum = self.sum_us.load(Relaxed) as f64 / 1e6;
        let buckets = bounds.zip(counts).collect();
        let route = route.into();
        (count > 0).then_some(Latency { method, route, class, sum, count, buckets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_in_the_bucket_whose_bound_it_does_not_pass() {
        let latencies = Latencies::default();
        let ok = StatusCode::OK;
        latencies.count(&Method::GET, Some("/a/{b}"), ok, Duration::from_micros(100));
        latencies.count(&Method::GET, Some("/a/{b}"), ok, Duration::from_micros(101));
        latencies.count(&Method::GET, Some("/a/{b}"), ok, Duration::from_secs(3600));

        let read = latencies.read();

        let [one] = &read[..] else { panic!("{} histograms", read.len()) };
        assert_eq!((one.method, &*one.route, one.class, one.count), ("GET", "/a/{b}", "2xx", 3));
        assert_eq!(one.buckets[..2], [(0.0001, 1), (0.00025, 1)]);
        assert_eq!(one.buckets.last(), Some(&(f64::INFINITY, 1)));
    }

    #[test]
    fn methods_that_nobody_knows_share_one_name() {
        let latencies = Latencies::default();
        for method in ["BREW", "WHEN"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            latencies.count(&method, None, StatusCode::NOT_FOUND, Duration::ZERO);
        }

        let read = latencies.read();

        assert_eq!((read.len(), read[0].method, &*read[0].route), (1, "other", "none"));
        assert_eq!(read[0].count, 2);
    }
}
