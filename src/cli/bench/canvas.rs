//! Shapes and scales of a picture in SVG.
//!
//! Whatever text it is given comes out as text. This file refuses to know what is drawn.

/// What each class of shape looks like, by day and by night.
const STYLE: &str = "\
text { fill: #1f2328; font-size: 12px }
.title { font-size: 20px; font-weight: 600 } .heading { font-size: 15px; font-weight: 600 }
.soft { fill: #59636e } .middle { text-anchor: middle } .end { text-anchor: end }
.value { text-anchor: middle; font-size: 11px; paint-order: stroke; stroke: #fff; stroke-width: 3 }
.paper { fill: #fff } .grid { stroke: #d1d9e0 } .axis { stroke: #59636e }
.whisker { stroke: #1f2328 } .halo { stroke: #fff; stroke-width: 3 }
.floor { fill: #7d8590 } .verify { fill: #0969a8 } .mint { fill: #c2570c } .facts { fill: #7a4fbf }
.stem { stroke-width: 2 } .stem.verify { stroke: #0969a8 } .stem.mint { stroke: #c2570c }
.mark { stroke: #1f2328; stroke-dasharray: 5 4; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .soft { fill: #9aa4af } .paper { fill: #0d1117 } .value { stroke: #0d1117 } .grid { stroke: #2b323b }
.axis { stroke: #9aa4af }
.whisker { stroke: #e6edf3 } .halo { stroke: #0d1117 } .floor { fill: #8b949e } .verify { fill: #58b0f0 }
.mint { fill: #f0924c } .facts { fill: #b18cf0 } .stem.verify { stroke: #58b0f0 }
.stem.mint { stroke: #f0924c } .mark { stroke: #e6edf3 } }";

/// A picture in the making. Lengths are in the units of its width.
pub(super) struct Canvas {
    width: f64,
    height: f64,
    body: String,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// A rectangle that stands on `bottom`, around the middle `x`.
    pub(super) fn bar(&mut self, class: &str, x: f64, width: f64, [top, bottom]: [f64; 2]) {
        let (left, height) = (x - width / 2.0, (bottom - top).max(0.5));
        self.body += &format!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" rx=\"1.5\"/>\n"
        );
    }

    pub(super) fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        self.body += &format!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
        );
    }

    pub(super) fn dot(&mut self, class: &str, [x, y]: [f64; 2]) {
        self.body +=
            &format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>\n");
    }

    pub(super) fn text(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let text = escaped(text);
        self.body += &format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>\n");
    }

    /// The whole document, with what it shows for those who do not see it.
    pub(super) fn finish(self, title: &str, description: &str) -> String {
        let Self { width, height, body } = self;
        let (title, description) = (escaped(title), escaped(description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"system-ui, sans-serif\" role=\"img\">\n<title>{title}</title>\n\
             <desc>{description}</desc>\n<style>\n{STYLE}\n</style>\n\
             <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n"
        )
    }
}

/// Text that means nothing to whoever reads the markup; control characters are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars().filter(|char| !char.is_control()) {
        match char {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            char => out.push(char),
        }
    }
    out
}

/// Where values stand between the bottom and the top of a panel.
#[derive(Debug)]
pub(super) struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    top: f64,
    bottom: f64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// From 0, in so wide steps.
    Linear(f64),
    /// Each step ten times the one before.
    Decades,
}

impl Scale {
    /// From 0 to a round number that is no less than the greatest value.
    pub(super) fn linear(greatest: f64, [top, bottom]: [f64; 2]) -> Self {
        let greatest = greatest.max(f64::MIN_POSITIVE);
        let unit = 10_f64.powf((greatest / 5.0).log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * unit);
        let step = steps.into_iter().find(|step| greatest / step <= 5.0).unwrap_or(greatest);
        let high = (greatest / step).ceil() * step;
        Self { kind: Kind::Linear(step), low: 0.0, high, top, bottom }
    }

    /// Whole powers of ten around all values; those below 1 count as 1.
    pub(super) fn decades(least: f64, greatest: f64, [top, bottom]: [f64; 2]) -> Self {
        let low = least.max(1.0).log10().floor();
        let high = greatest.max(1.0).log10().ceil().max(low + 1.0);
        Self { kind: Kind::Decades, low, high, top, bottom }
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let place = match self.kind {
            Kind::Linear(_) => value,
            Kind::Decades => value.max(1.0).log10(),
        };
        let share = (place - self.low) / (self.high - self.low);
        self.bottom - share.clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    /// The values at which a line is drawn.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let (step, value): (f64, fn(f64) -> f64) = match self.kind {
            Kind::Linear(step) => (step, |place| place),
            Kind::Decades => (1.0, |place| 10_f64.powf(place)),
        };
        let count = ((self.high - self.low) / step).round() as u32;
        (0..=count).map(|tick| value(self.low + f64::from(tick) * step)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number_and_has_few_steps() {
        assert_eq!(Scale::linear(5.1, [0.0, 100.0]).ticks(), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(Scale::linear(11.0, [0.0, 100.0]).ticks(), [0.0, 2.5, 5.0, 7.5, 10.0, 12.5]);
        assert_eq!(Scale::linear(0.0, [0.0, 100.0]).ticks().len(), 6);
    }

    #[test]
    fn what_is_more_stands_higher_and_nothing_stands_outside() {
        let scale = Scale::linear(10.0, [20.0, 120.0]);
        assert_eq!([0.0, 5.0, 10.0, 99.0].map(|value| scale.y(value)), [120.0, 70.0, 20.0, 20.0]);

        let decades = Scale::decades(400.0, 20_000.0, [0.0, 300.0]);
        assert_eq!(decades.ticks(), [100.0, 1_000.0, 10_000.0, 100_000.0]);
        assert_eq!([0.0, 100.0, 1_000.0].map(|value| decades.y(value)), [300.0, 300.0, 200.0]);
    }

    #[test]
    fn text_stays_text() {
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.text("soft", [1.0, 2.0], "a <b> & \"c\"\u{1b}\n");
        let svg = canvas.finish("</title><script>", "");

        assert!(svg.contains(">a &lt;b&gt; &amp; &quot;c&quot;</text>"), "{svg}");
        assert!(svg.contains("<title>&lt;/title&gt;&lt;script&gt;</title>"), "{svg}");
    }
}
