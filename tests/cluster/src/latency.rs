//! How long it took from an acknowledged logout to its refusal elsewhere.

use std::cell::RefCell;
use std::time::Duration;

/// Upper ends of the bins of the histogram, in milliseconds.
const BINS: [f64; 14] =
    [0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 50.0, 100.0, 250.0, 1000.0, f64::INFINITY];

/// Samples, in milliseconds.
#[derive(Default)]
pub(crate) struct Latencies(RefCell<Vec<f64>>);

impl Latencies {
    pub(crate) fn add(&self, took: Duration) {
        self.0.borrow_mut().push(took.as_secs_f64() * 1000.0);
    }

    /// The samples in order.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        let mut samples = self.0.borrow().clone();
        samples.sort_by(f64::total_cmp);
        samples
    }

    /// How many samples fell into each bin, with its label.
    pub(crate) fn histogram(&self) -> Vec<(String, usize)> {
        let samples = self.sorted();
        let mut below = 0.0;
        let mut bins = Vec::new();
        for end in BINS {
            let count = samples.iter().filter(|ms| (below..end).contains(*ms)).count();
            let label = match (below, end) {
                (0.0, end) => format!("<{end}"),
                (below, f64::INFINITY) => format!("≥{below}"),
                (below, end) => format!("{below}-{end}"),
            };
            bins.push((label, count));
            below = end;
        }
        while bins.last().is_some_and(|(_, count)| *count == 0) {
            bins.pop();
        }
        bins
    }
}

/// The value below which this part of sorted samples lies.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
