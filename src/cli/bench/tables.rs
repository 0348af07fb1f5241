//! The report as tables to be read in a terminal.
//!
//! It refuses to know how its figures came about.

use super::report::{Report, Set};
use super::spread::Percentiles;

/// All of it, with a line on what each word stands for.
pub(super) fn tables(report: &Report) -> String {
    let Report { version, measured_at, machine, seconds, rounds, .. } = report;
    let head = format!(
        "{}\namaretti {version}, {measured_at}, {seconds} s in {rounds} rounds: all in turn, medians",
        machine.in_words()
    );
    let parts = [head, throughput(report), latency(report), revocations(report), LEGEND.to_owned()];
    parts.join("\n\n")
}

const LEGEND: &str = "\
floor   ten compressions of SHA-256, one after the other: what a token costs at the very least
verify  from the text of a token to its bearer, the clock and the facts looked up
mint    from a grant to the text of its token";

fn throughput(report: &Report) -> String {
    let heading = ["", "THREADS", "A SECOND", "LEAST", "MOST", "x ONE THREAD", "TIME, FLOOR = 1"];
    let rows = report.throughput.iter().map(|row| {
        let many = row.per_second;
        let [median, least, most] = [many.median, many.least, many.most].map(whole);
        let (more, longer) = (row.against_one_thread, row.against_floor);
        vec![
            row.work.to_owned(),
            row.threads.to_string(),
            median,
            least,
            most,
            format!("{more:.2}"),
            format!("{longer:.2}"),
        ]
    });
    aligned(&heading, rows.collect())
}

fn latency(report: &Report) -> String {
    let latency = &report.latency;
    let row = |name: &str, each: Percentiles| {
        let cells = each.named().map(|(_, ns)| time(f64::from(ns)));
        [name.to_owned()].into_iter().chain(cells).collect()
    };
    let heading = ["", "P50", "P90", "P99", "P99.9", "MAX"];
    let rows = vec![row("verify", latency.verify), row("mint", latency.mint)];
    let (samples, timer) = (grouped(latency.samples as u64), latency.timer);
    format!(
        "{}\neach of {samples} timed by itself; reading the clock takes {timer} ns, which is taken off",
        aligned(&heading, rows)
    )
}

fn revocations(report: &Report) -> String {
    let heading = ["FACTS ABOUT", "VERIFY", "LEAST", "ON TOP", "MEMORY", "A USER", "TO ADD ONE"];
    let row = |set: &Set| {
        let added = if set.users > 0 { time(set.append_nanoseconds as f64) } else { String::new() };
        let bytes_each = set.bytes.filter(|_| set.users > 0).map(|b| b as f64 / set.users as f64);
        vec![
            users(set.users),
            time(set.nanoseconds.median),
            time(set.nanoseconds.least),
            on_top(set),
            set.bytes.map(memory).unwrap_or_default(),
            bytes_each.map(|bytes| format!("{bytes:.0} bytes")).unwrap_or_default(),
            added,
        ]
    };
    aligned(&heading, report.revocations.iter().map(row).collect())
}

/// Rows under a heading: names to the left, figures to the right.
fn aligned(heading: &[&str], rows: Vec<Vec<String>>) -> String {
    let heading: Vec<_> = heading.iter().map(|cell| (*cell).to_owned()).collect();
    let all: Vec<_> = std::iter::once(heading).chain(rows).collect();
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| match (column, width(column)) {
            (0, width) => format!("{cell:width$}"),
            (_, width) => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Whom something is known of.
pub(super) fn users(count: usize) -> String {
    match count {
        0 => "nobody".to_owned(),
        many if many % 1_000_000 == 0 => format!("{} million users", many / 1_000_000),
        many => format!("{} users", grouped(many as u64)),
    }
}

/// What a set of facts costs, in percent with its sign; nothing for the one that is the measure.
pub(super) fn on_top(set: &Set) -> String {
    if set.users == 0 { String::new() } else { format!("{:+.0} %", set.on_top * 100.0) }
}

pub(super) fn memory(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// Nanoseconds in a unit that keeps them short.
pub(super) fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => return format!("{ns:.0} ns"),
        ns if ns < 999_500.0 => (ns / 1e3, "µs"),
        ns => (ns / 1e6, "ms"),
    };
    format!("{} {unit}", short(value))
}

/// Three digits of it.
pub(super) fn short(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

fn whole(value: f64) -> String {
    grouped(value.round() as u64)
}

/// In groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let grouped = digits.chars().rev().enumerate().flat_map(|(place, digit)| {
        let comma = (place > 0 && place % 3 == 0).then_some(',');
        comma.into_iter().chain([digit])
    });
    grouped.collect::<Vec<_>>().into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::sample;
    use super::*;

    #[test]
    fn figures_are_short_and_have_their_unit() {
        let times = [0.4, 470.0, 999.6, 12_345.0, 987_654.0, 1_234_567.0].map(time);
        assert_eq!(times, ["0 ns", "470 ns", "1.00 µs", "12.3 µs", "988 µs", "1.23 ms"]);
        assert_eq!([0, 999, 1000, 2_345_678].map(grouped), ["0", "999", "1,000", "2,345,678"]);
        assert_eq!([0, 1000, 2_000_000].map(users), ["nobody", "1,000 users", "2 million users"]);
    }

    #[test]
    fn names_stand_to_the_left_and_figures_to_the_right() {
        let rows =
            vec![vec!["a".to_owned(), "7".to_owned()], vec!["bcd".to_owned(), String::new()]];
        assert_eq!(aligned(&["", "ALL"], rows), "     ALL\na      7\nbcd");
    }

    #[test]
    fn every_part_of_the_report_is_there() {
        let all = tables(&sample());
        for line in [
            "verify        2  4,200,000  3,780,000  4,410,000          2.00             1.29",
            "mint    510 ns  519 ns  700 ns  2.35 µs  988 µs",
            "nobody           480 ns  432 ns",
            "1 million users  530 ns  477 ns   +10 %  60 MiB  63 bytes     1.23 µs",
        ] {
            assert!(all.lines().any(|one| one.trim_end() == line), "no line `{line}` in\n{all}");
        }
    }
}
