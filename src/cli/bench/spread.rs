//! What many measurements come to.
//!
//! It refuses to know what was measured.

use serde::Serialize;

/// The middle of measurements and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// All 0 if nothing was measured.
    pub(super) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |place: usize| samples.get(place).copied().unwrap_or_default();
        let last = samples.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(last.div_ceil(2)));
        Self { median, least: at(0), most: at(last) }
    }

    /// From so much a second to nanoseconds each: what was most is least.
    pub(super) fn nanoseconds_each(self) -> Self {
        let each = |per_second: f64| if per_second > 0.0 { 1e9 / per_second } else { 0.0 };
        Self { median: each(self.median), least: each(self.most), most: each(self.least) }
    }

    pub(super) fn rounded(self, places: i32) -> Self {
        let Self { median, least, most } = self;
        let [median, least, most] = [median, least, most].map(|value| rounded(value, places));
        Self { median, least, most }
    }
}

/// The value with so many digits behind the point.
pub(super) fn rounded(value: f64, places: i32) -> f64 {
    let unit = 10_f64.powi(places);
    (value * unit).round() / unit
}

/// How long the fastest so many in a hundred took at most, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: u32,
    pub(super) p90: u32,
    pub(super) p99: u32,
    pub(super) p99_9: u32,
    pub(super) max: u32,
}

impl Percentiles {
    /// By nearest rank, and so always something that was measured; all 0 if nothing was.
    pub(super) fn of(mut samples: Vec<u32>) -> Self {
        samples.sort_unstable();
        let at = |share: f64| {
            let rank = (samples.len() as f64 * share).ceil() as usize;
            samples.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p99_9: at(0.999), max: at(1.0) }
    }

    /// With so much taken off each, which is never less than nothing.
    pub(super) fn without(self, cost: u32) -> Self {
        let Self { p50, p90, p99, p99_9, max } = self;
        let [p50, p90, p99, p99_9, max] =
            [p50, p90, p99, p99_9, max].map(|value| value.saturating_sub(cost));
        Self { p50, p90, p99, p99_9, max }
    }

    pub(super) fn named(self) -> [(&'static str, u32); 5] {
        let Self { p50, p90, p99, p99_9, max } = self;
        [("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p99_9), ("max", max)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        let odd = Spread::of(vec![9.0, 1.0, 4.0]);
        assert_eq!(odd, Spread { median: 4.0, least: 1.0, most: 9.0 });
        assert_eq!(Spread::of(vec![1.0, 2.0, 4.0, 100.0]).median, 3.0);
        assert_eq!(Spread::of(Vec::new()).most, 0.0);
    }

    #[test]
    fn the_most_a_second_is_the_least_time_each() {
        let each = Spread { median: 2e6, least: 1e6, most: 4e6 }.nanoseconds_each();
        assert_eq!(each, Spread { median: 500.0, least: 250.0, most: 1000.0 });
    }

    #[test]
    fn a_percentile_is_a_measurement_and_not_one_in_between() {
        let all = Percentiles::of((1..=1000).rev().collect());
        assert_eq!(all, Percentiles { p50: 500, p90: 900, p99: 990, p99_9: 999, max: 1000 });
        let few = Percentiles::of(vec![7, 3]);
        assert_eq!(few.named().map(|(_, value)| value), [3, 7, 7, 7, 7]);
        assert_eq!(Percentiles::of(Vec::new()).max, 0);
    }

    #[test]
    fn what_the_clock_costs_is_taken_off_and_nothing_below_nothing_is_left() {
        let left = Percentiles::of(vec![20, 400]).without(25);
        assert_eq!((left.p50, left.max), (0, 375));
    }

    #[test]
    fn rounding_keeps_so_many_digits() {
        assert_eq!(
            [rounded(1.2649, 2), rounded(415.06, 1), rounded(2.5e6, 0)],
            [1.26, 415.1, 2.5e6]
        );
    }
}
