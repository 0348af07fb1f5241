//! Draws the histogram of revocation latency.

use crate::latency::{Latencies, quantile};

/// An SVG with one bar for each bin.
pub(crate) fn draw(latencies: &Latencies, caption: &str) -> String {
    let bins = latencies.histogram();
    let sorted = latencies.sorted();
    let most = bins.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1) as f64;
    let (left, top, height) = (24.0, 74.0, 230.0);
    // As wide as the words need, and wider for many bins.
    let count = bins.len().max(1) as f64;
    let width = f64::max(left * 2.0 + 58.0 * count, 880.0);
    let step = (width - left * 2.0) / count;
    let mut bars = String::new();
    for (index, (label, count)) in bins.iter().enumerate() {
        let tall = (*count as f64 / most * height).max(if *count > 0 { 1.0 } else { 0.0 });
        let (x, y) = (left + step * index as f64, top + height - tall);
        let middle = x + step / 2.0;
        bars += &format!(
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" rx=\"2\"/>\n\
             <text class=\"count\" x=\"{middle:.1}\" y=\"{:.1}\">{count}</text>\n\
             <text class=\"label\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>\n",
            x + 4.0,
            step - 8.0,
            y - 6.0,
            top + height + 18.0,
            label.replace('<', "&lt;"),
        );
    }
    let line = |part| format!("{:.1}", quantile(&sorted, part));
    let summary = format!(
        "p50 {} ms, p90 {}, p99 {}, p99.9 {}, max {}; {} samples",
        line(0.5),
        line(0.9),
        line(0.99),
        line(0.999),
        line(1.0),
        sorted.len()
    );
    let tall = top + height + 62.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {tall}\" \
         font-family=\"system-ui, sans-serif\" role=\"img\">\n\
         <title>From the acknowledged logout to its refusal on every other node</title>\n\
         <style>\n\
         text {{ fill: #222 }} .paper {{ fill: #fff }} .bar {{ fill: #3b6ea5 }}\n\
         .label, .count {{ font-size: 11px; text-anchor: middle }} .label {{ fill: #555 }}\n\
         .title {{ font-size: 16px; font-weight: 600 }} .summary {{ font-size: 13px }}\n\
         .foot {{ font-size: 11px; fill: #666 }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #eee }} .paper {{ fill: #161616 }}\n\
         .bar {{ fill: #6fa3dd }} .label, .foot {{ fill: #aaa }} }}\n\
         </style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"{left}\" y=\"28\">From the acknowledged logout to its refusal on \
         every other node</text>\n\
         <text class=\"summary\" x=\"{left}\" y=\"48\">{summary}</text>\n{bars}\
         <text class=\"label\" x=\"{}\" y=\"{}\">milliseconds</text>\n\
         <text class=\"foot\" x=\"{left}\" y=\"{}\">{caption}</text>\n</svg>\n",
        width / 2.0,
        top + height + 36.0,
        tall - 8.0
    )
}
