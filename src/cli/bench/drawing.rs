//! The report as a picture: throughput by threads, ours beside the floor; single pieces of work; and
//! what it costs to know something.
//!
//! The same figures make the same picture. This file refuses to know how they came about.

use super::canvas::{Canvas, Scale};
use super::contest::SLICE;
use super::report::{Latency, Report, Set, Throughput};
use super::tables::{memory, on_top, short, time, users};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 760.0;

/// Where a panel lies: where its heading begins, the left and right edge of what is drawn, and its
/// top and bottom.
struct Panel {
    head: f64,
    x: [f64; 2],
    y: [f64; 2],
}

const THROUGHPUT: Panel = Panel { head: 24.0, x: [160.0, 936.0], y: [156.0, 360.0] };
const LATENCY: Panel = Panel { head: 24.0, x: [72.0, 512.0], y: [506.0, 666.0] };
const FACTS: Panel = Panel { head: 556.0, x: [604.0, 884.0], y: [506.0, 666.0] };

/// The colours of the three kinds of work, and what they are called.
const WORKS: [(&str, &str); 3] = [
    ("floor", "floor: ten SHA-256 compressions"),
    ("verify", "verify a token"),
    ("mint", "mint a token"),
];

/// One document of SVG.
pub(super) fn draw(report: &Report) -> String {
    let Report { version, measured_at, machine, seconds, rounds, .. } = report;
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    canvas.text("title", [24.0, 36.0], "Verifying and minting tokens on this machine");
    let words = shortened(&machine.in_words(), 120);
    canvas.text("soft", [24.0, 58.0], &words);
    throughput(&mut canvas, &report.throughput, *rounds);
    latency(&mut canvas, &report.latency);
    facts(&mut canvas, &report.revocations, report.floor());
    let foot = format!(
        "amaretti {version}, {measured_at}: {seconds} s, {rounds} rounds in turn; \
         {} ns of reading the clock taken off single calls",
        report.latency.timer
    );
    canvas.text("soft", [24.0, HEIGHT - 14.0], &shortened(&foot, 130));
    canvas.finish("Verifying and minting tokens on this machine", &described(report, &words))
}

/// In words, for those who do not see it.
fn described(report: &Report, machine: &str) -> String {
    let row = |row: &Throughput| {
        let many = short(row.per_second.median / 1e6);
        format!("{} on {}: {many} million a second", row.work, threads(row.threads))
    };
    let rows: Vec<_> = report.throughput.iter().map(row).collect();
    format!("{machine}. {}.", rows.join("; "))
}

/// The heading, the grid and what its lines stand for.
fn frame(canvas: &mut Canvas, panel: &Panel, scale: &Scale, [heading, below]: [&str; 2]) {
    let [left, right] = panel.x;
    let [top, bottom] = panel.y;
    canvas.text("heading", [panel.head, top - 54.0], heading);
    canvas.text("soft", [panel.head, top - 36.0], below);
    for tick in scale.ticks() {
        let y = scale.y(tick);
        let class = if y < bottom { "grid" } else { "axis" };
        canvas.line(class, [left, y], [right, y]);
    }
}

fn throughput(canvas: &mut Canvas, rows: &[Throughput], rounds: usize) {
    let most = rows.iter().map(|row| row.per_second.most).fold(0.0, f64::max) / 1e6;
    let scale = Scale::linear(most, THROUGHPUT.y);
    let slice = SLICE.as_millis();
    let below = format!(
        "million a second, the median of {rounds} slices of {slice} ms; thin lines from least to most"
    );
    frame(canvas, &THROUGHPUT, &scale, ["Throughput by threads", &below]);
    legend(canvas);
    let ([left, right], bottom) = (THROUGHPUT.x, THROUGHPUT.y[1]);
    for tick in scale.ticks() {
        canvas.text("soft end", [left - 8.0, scale.y(tick) + 4.0], &tick_label(tick));
    }
    let counts: Vec<_> = rows.iter().filter(|row| row.work == "verify").collect();
    let wide = (right - left) / counts.len().max(1) as f64;
    let step = (wide / 4.0).min(84.0);
    for (place, count) in counts.iter().enumerate() {
        let middle = left + wide * (place as f64 + 0.5);
        for (nth, (work, _)) in WORKS.iter().enumerate() {
            let x = middle + step * (nth as f64 - 1.0);
            let mut row = rows.iter().filter(|r| r.work == *work && r.threads == count.threads);
            if let Some(row) = row.next() {
                column(canvas, &scale, [x, step], row);
            }
        }
        canvas.text("middle", [middle, bottom + 18.0], &threads(count.threads));
        canvas.text("soft middle", [middle, bottom + 34.0], &short(count.against_one_thread));
        canvas.text("soft middle", [middle, bottom + 50.0], &short(count.against_floor));
    }
    canvas.text("soft", [24.0, bottom + 34.0], "verify, 1 thread = 1");
    canvas.text("soft", [24.0, bottom + 50.0], "its time, floor = 1");
}

/// One bar with the least and the most, and its figure where there is room for it: on the bar and
/// beside the thin line, or above both.
fn column(canvas: &mut Canvas, scale: &Scale, [x, step]: [f64; 2], row: &Throughput) {
    let many = row.per_second;
    let [least, median, most] =
        [many.least, many.median, many.most].map(|rate| scale.y(rate / 1e6));
    canvas.bar(row.work, x, step * 0.8, [median, THROUGHPUT.y[1]]);
    let wide = step >= 56.0;
    let (line, value) = if wide { (x + step * 0.3, [x, median]) } else { (x, [x, most]) };
    for class in ["halo", "whisker"] {
        canvas.line(class, [line, least], [line, most]);
    }
    if step >= 28.0 || row.work == "verify" {
        let [x, y] = value;
        canvas.text("value", [x, y - 5.0], &short(many.median / 1e6));
    }
}

fn legend(canvas: &mut Canvas) {
    let y = THROUGHPUT.y[0] - 54.0;
    let mut left = 470.0;
    for (work, name) in WORKS {
        canvas.bar(work, left + 5.5, 11.0, [y - 10.0, y + 1.0]);
        canvas.text("", [left + 17.0, y], name);
        left += name.chars().count() as f64 * 6.6 + 28.0;
    }
}

fn latency(canvas: &mut Canvas, latency: &Latency) {
    let works = [("verify", latency.verify.named()), ("mint", latency.mint.named())];
    let all = works.iter().flat_map(|(_, each)| each.iter().map(|(_, ns)| f64::from(*ns)));
    let (least, most) = all.fold((f64::MAX, 1.0), |(a, b), ns| (a.min(ns), f64::max(b, ns)));
    let scale = Scale::decades(least, most, LATENCY.y);
    let below = format!("{} of each, timed one by one; each line ten times the one below", {
        super::tables::grouped(latency.samples as u64)
    });
    frame(canvas, &LATENCY, &scale, ["How long a single one takes", &below]);
    let [left, right] = LATENCY.x;
    for tick in scale.ticks() {
        canvas.text("soft end", [left - 8.0, scale.y(tick) + 4.0], &round_time(tick));
    }
    let (wide, bottom) = ((right - left) / 5.0, LATENCY.y[1]);
    for (side, (work, each)) in [-0.25, 0.25].into_iter().zip(works) {
        for (place, (name, ns)) in each.into_iter().enumerate() {
            let middle = left + wide * (place as f64 + 0.5);
            let (x, y) = (middle + wide * side, scale.y(f64::from(ns)));
            canvas.line(&format!("stem {work}"), [x, bottom], [x, y]);
            canvas.dot(work, [x, y]);
            canvas.text("value", [x, y - 9.0], &brief(f64::from(ns)));
            if side < 0.0 {
                canvas.text("middle", [middle, bottom + 18.0], name);
            }
        }
    }
}

fn facts(canvas: &mut Canvas, sets: &[Set], floor: f64) {
    let most = sets.iter().map(|set| set.nanoseconds.median).fold(floor, f64::max);
    // Room for two lines of text above the bars.
    let scale = Scale::linear(most * 1.25, FACTS.y);
    let below = "nanoseconds a token, one thread, facts about so many users";
    frame(canvas, &FACTS, &scale, ["What it costs to know who logged out", below]);
    let ([left, right], bottom) = (FACTS.x, FACTS.y[1]);
    for tick in scale.ticks() {
        canvas.text("soft end", [left - 8.0, scale.y(tick) + 4.0], &tick_label(tick));
    }
    let wide = (right - left) / sets.len().max(1) as f64;
    let nothing = sets.first().map_or(0.0, |set| set.nanoseconds.median);
    for (place, set) in sets.iter().enumerate() {
        let (x, y) = (left + wide * (place as f64 + 0.5), scale.y(set.nanoseconds.median));
        let before = scale.y(nothing).max(y);
        canvas.bar("verify", x, wide * 0.5, [before, bottom]);
        if before > y {
            canvas.bar("facts", x, wide * 0.5, [y, before]);
        }
        let above = if set.users == 0 { y - 5.0 } else { y - 19.0 };
        canvas.text("value", [x, above], &time(set.nanoseconds.median));
        canvas.text("value", [x, y - 5.0], &on_top(set));
        canvas.text("middle", [x, bottom + 18.0], users(set.users).trim_end_matches(" users"));
        let memory = set.bytes.filter(|_| set.users > 0).map(memory).unwrap_or_default();
        canvas.text("soft middle", [x, bottom + 34.0], &memory);
    }
    let y = scale.y(floor);
    for class in ["halo", "mark"] {
        canvas.line(class, [left, y], [right, y]);
    }
    canvas.text("soft", [right + 8.0, y], "floor");
    canvas.text("soft", [right + 8.0, y + 15.0], &time(floor));
}

fn threads(count: usize) -> String {
    if count == 1 { "1 thread".to_owned() } else { format!("{count} threads") }
}

/// The value without zeros that say nothing.
fn tick_label(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Nanoseconds in no more room than six letters take.
fn brief(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => return time(ns),
        ns if ns < 999_500.0 => (ns / 1e3, "µs"),
        ns if ns < 999_500_000.0 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A power of ten of nanoseconds.
fn round_time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{value:.0} {unit}")
}

/// No more than so many characters of it.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::sample;
    use super::*;

    #[test]
    fn the_same_figures_make_the_same_picture() {
        assert_eq!(draw(&sample()), draw(&sample()));
    }

    #[test]
    fn every_tag_is_closed_and_no_text_becomes_one() {
        let svg = draw(&sample());
        let mut open = Vec::new();
        for part in svg.split('<').skip(1) {
            let (tag, text) = part.split_once('>').expect("a tag ends");
            assert!(!text.contains('>'), "{text}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') => {}
                None => open.push(tag.split(' ').next().unwrap()),
            }
        }
        assert_eq!(open, [""; 0]);
        assert!(svg.contains("Acme &quot;Fast &amp; &lt;small&gt;&quot; X"), "{svg}");
    }

    #[test]
    fn the_picture_says_what_the_report_says() {
        let svg = draw(&sample());
        for text in ["2 threads", ">2.00<", ">1.29<", ">4.20<", ">+10 %<", ">60 MiB<", ">988 µs<"]
        {
            assert!(svg.contains(text), "no {text} in {svg}");
        }
    }

    #[test]
    fn the_time_of_a_single_one_fits_beside_its_neighbour() {
        let times = [999.4, 1_800_000.0, 12_345.0, 987_654.0, 4_294_967_295.0].map(brief);
        assert_eq!(times, ["999 ns", "1.8 ms", "12 µs", "988 µs", "4.3 s"]);
    }

    #[test]
    fn no_text_lies_upon_another_whatever_the_machine() {
        for counts in
            [&[1][..], &[1, 2], &[1, 2, 4, 8, 16, 32, 64], &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512]]
        {
            let svg = draw(&with_threads(counts));
            let texts = texts(&svg);
            assert!(texts.len() > 40, "{svg}");
            for (place, one) in texts.iter().enumerate() {
                let inside = one.left >= 0.0 && one.right <= WIDTH && one.y <= HEIGHT;
                assert!(inside, "{one:?} is cut off, with {counts:?}");
                for other in texts.iter().skip(place + 1) {
                    let apart = one.right <= other.left || other.right <= one.left;
                    assert!(apart || (one.y - other.y).abs() >= 10.0, "{one:?} on {other:?}");
                }
            }
        }
    }

    fn with_threads(counts: &[usize]) -> Report {
        let mut report = sample();
        let rows = report.throughput.drain(..).filter(|row| row.threads == 1).collect::<Vec<_>>();
        report.throughput.extend(rows.iter().flat_map(|row| {
            counts.iter().map(move |&threads| {
                let many = |rate: f64| rate * threads as f64;
                let Throughput { work, per_second: one, against_floor, .. } = *row;
                let per_second = super::super::spread::Spread {
                    median: many(one.median),
                    least: many(one.least),
                    most: many(one.most),
                };
                let against_one_thread = threads as f64;
                Throughput { work, threads, per_second, against_one_thread, against_floor }
            })
        }));
        report
    }

    #[derive(Debug)]
    struct Text {
        left: f64,
        right: f64,
        y: f64,
        #[expect(dead_code, reason = "it says which one when the test fails")]
        text: String,
    }

    /// Where each text lies, by letters of a common width.
    fn texts(svg: &str) -> Vec<Text> {
        let text = |part: &str| {
            let (tag, rest) = part.split_once('>')?;
            let text = rest.split_once('<')?.0.to_owned();
            let value = |name: &str| tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next();
            let class = value("class")?;
            let size = match class {
                "title" => 20.0,
                "heading" => 15.0,
                "value" => 11.0,
                _ => 12.0,
            };
            let wide = text.chars().count() as f64 * size * 0.58;
            let x: f64 = value("x")?.parse().ok()?;
            let left = match class {
                "value" => x - wide / 2.0,
                class if class.ends_with("middle") => x - wide / 2.0,
                class if class.ends_with("end") => x - wide,
                _ => x,
            };
            Some(Text { left, right: left + wide, y: value("y")?.parse().ok()?, text })
        };
        svg.split("<text").skip(1).filter_map(text).filter(|t| t.right > t.left).collect()
    }
}
