"""Draws what was measured: one picture of small panels, light or dark as the reader likes."""

import json
import math
from html import escape

WIDE, TALL = 320, 256
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 70, 42

STYLE = """
text { fill: #222; font-size: 11px } .paper { fill: #fff }
.title { font-size: 13px; font-weight: 600 }
.head { font-size: 17px; font-weight: 600 } .foot, .tick { fill: #555 } .grid { stroke: #e2e2e2 }
.axis { stroke: #888 } polyline { fill: none; stroke-width: 1.8 } .bound { stroke-dasharray: 4 3 }
.s0 { stroke: #2f6db0 } .s1 { stroke: #c2571a } .s2 { stroke: #2e8b57 }
circle.s0, text.s0 { fill: #2f6db0; stroke: none }
circle.s1, text.s1 { fill: #c2571a; stroke: none }
circle.s2, text.s2 { fill: #2e8b57; stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #eee } .paper { fill: #161616 } .foot, .tick { fill: #aaa } .grid { stroke: #333 }
.axis { stroke: #888 } .s0 { stroke: #74a9e0 } .s1 { stroke: #ee9a5c } .s2 { stroke: #6cc994 }
circle.s0, text.s0 { fill: #74a9e0 } circle.s1, text.s1 { fill: #ee9a5c }
circle.s2, text.s2 { fill: #6cc994 }
}
"""


def as_text(kept):
    """JSON with a line for each row, so that a change can be read."""
    parts = []
    for part, measured in sorted(kept.items()):
        rows = ",\n   ".join(json.dumps(rounded(row)) for row in measured["rows"])
        head = json.dumps({key: value for key, value in measured.items() if key != "rows"})
        parts.append(f' "{part}": {head[:-1]}, "rows": [\n   {rows}]}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def rounded(figures):
    """Four digits of each: there are no more in them."""
    if isinstance(figures, list):
        return [rounded(figure) for figure in figures]
    return float(f"{figures:.4g}") if isinstance(figures, float) else figures


class Axis:
    """From values to places."""

    def __init__(self, values, start, end, decades):
        self.start, self.end, self.decades = start, end, decades
        low, high = min(values), max(values)
        if decades:
            self.low, self.high = math.floor(math.log10(low)), math.ceil(math.log10(high))
            self.high = max(self.high, self.low + 1)
            step = 1 if self.high - self.low <= 5 else 2
            self.ticks = [10.0 ** power for power in range(self.low, self.high + 1, step)]
        else:
            step = 10 ** math.floor(math.log10(high / 4))
            step *= next(times for times in (1, 2, 2.5, 5, 10) if high / (step * times) <= 5)
            self.low, self.high = 0, math.ceil(high / step - 1e-9) * step
            self.ticks = [step * at for at in range(round(self.high / step) + 1)]

    def at(self, value):
        value = math.log10(value) if self.decades else value
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def written(number, decades):
    """A tick's label."""
    if decades and number >= 10_000:
        power = str(round(math.log10(number)))
        return "10" + power.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{number:,.10g}"


def panel(title, x, y, series, logs=(True, True), bound=None):
    """One picture: series are pairs of a name and points; `bound` is a level and its name."""
    shown = lambda a, b: (a > 0 or not logs[0]) and (b > 0 or not logs[1])
    series = [(name, [point for point in points if shown(*point)]) for name, points in series]
    points = [point for _, some in series for point in some]
    heights = [b for _, b in points] + ([bound[0]] if bound else [])
    across = Axis([a for a, _ in points], LEFT, WIDE - RIGHT, logs[0])
    up = Axis(heights, TALL - BOTTOM, TOP, logs[1])
    floor, end = TALL - BOTTOM, WIDE - RIGHT
    drawn = [f'<text class="title" x="8" y="20">{escape(title)}</text>']
    place = 8
    for index, (name, _) in enumerate(series):
        drawn.append(f'<text class="s{index}" x="{place}" y="37">● {escape(name)}</text>')
        place += 24 + 5.9 * len(name)
    drawn.append(f'<text class="tick" x="8" y="54">{escape(y)}</text>')
    for tick in up.ticks:
        at = up.at(tick)
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{at:.1f}" y2="{at:.1f}"/>'
                     f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">'
                     f"{written(tick, logs[1])}</text>")
    for tick in across.ticks:
        at = across.at(tick)
        drawn.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{floor}" '
                     f'y2="{floor + 4}"/><text class="tick" x="{at:.1f}" y="{floor + 17}" '
                     f'text-anchor="middle">'
                     f"{written(tick, logs[0])}</text>")
    drawn.append(f'<line class="axis" x1="{LEFT}" x2="{end}" y1="{floor}" y2="{floor}"/>'
                 f'<text class="tick" x="{(LEFT + end) / 2}" y="{TALL - 8}" '
                 f'text-anchor="middle">{escape(x)}</text>')
    if bound:
        at = up.at(bound[0])
        drawn.append(f'<line class="axis bound" x1="{LEFT}" x2="{end}" y1="{at:.1f}" '
                     f'y2="{at:.1f}"/><text class="tick" x="{end}" y="{at + 13:.1f}" '
                     f'text-anchor="end">'
                     f"{escape(bound[1])}</text>")
    for index, (_, some) in enumerate(series):
        line = " ".join(f"{across.at(a):.1f},{up.at(b):.1f}" for a, b in some)
        drawn.append(f'<polyline class="s{index}" points="{line}"/>')
        drawn += [f'<circle class="s{index}" cx="{across.at(a):.1f}" cy="{up.at(b):.1f}" r="2.6"/>'
                  for a, b in some]
    return "\n".join(drawn)


def columns(part, x, *named):
    """Series from the columns of a part."""
    return [(name, [(row[x], row[y]) for row in part["rows"]]) for name, y in named]


def bench(part, name):
    """Least times of one table of the benchmark: columns are size, median, least."""
    rows = next(table["rows"] for table in part["rows"] if table["table"] == name)
    return [(row[0], row[2]) for row in rows]


def panels(kept):
    if facts := kept.get("facts"):
        yield panel("Start", "facts known", "seconds until ready",
                    columns(facts, 0, ("from the database", 1), ("from the snapshot", 2)))
        yield panel("Memory", "facts known", "MiB", columns(facts, 0, ("resident", 7)))
    if user := kept.get("one-user"):
        yield panel("One user who ended many devices", "ended devices", "milliseconds",
                    columns(user, 0, ("login", 3), ("logout", 5), ("whoami", 4)))
        yield panel("The same, start of a node", "ended devices", "seconds until ready",
                    columns(user, 0, ("from the database", 1), ("from the snapshot", 2)))
    if accounts := kept.get("accounts"):
        yield panel("Accounts", "accounts, with a device each", "milliseconds",
                    columns(accounts, 0, ("login", 2), ("GET /devices", 4), ("whoami", 3)))
    if devices := kept.get("devices"):
        yield panel("Devices of one user", "devices logged in", "milliseconds",
                    columns(devices, 0, ("login", 1), ("GET /devices", 3), ("whoami", 2)))
    if bare := kept.get("in-process"):
        yield panel("Keys", "keys in the ring, all in use", "ns a verification",
                    [("verify", bench(bare, "keys in the ring"))], (True, False))
        yield panel("Caveats", "caveats appended", "ns a verification",
                    [("verify", bench(bare, "caveats appended"))], (False, False))
        yield panel("What is refused", "characters", "ns a refusal",
                    [("no token", bench(bare, "refused: characters of a text that is no token")),
                     ("forged", bench(bare, "refused: characters of a forged token"))],
                    (False, False))
        yield panel("One more end of one user", "ended devices of that user", "ns an append",
                    [("append", bench(bare, "one more end, by ended devices of that user"))])
        yield panel("Tokens taken over", "tokens taken over", "ns to find one",
                    [("find", bench(bare, "tokens taken over: finding one"))], (True, False))
    if nodes := kept.get("nodes"):
        yield panel("Nodes on one PostgreSQL", "nodes", "at rest",
                    columns(nodes, 0, ("transactions a second", 1), ("connections at most", 2)),
                    (False, False), (100, "100 allowed"))


def draw(kept, folder):
    """Writes growth.svg."""
    drawn = list(panels(kept))
    across = 3
    wide, tall = across * WIDE + 24, math.ceil(len(drawn) / across) * TALL + 72
    said = ", ".join(sorted({f"{part['processor']}, {part['date']}" for part in kept.values()}))
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" '
             'font-family="system-ui, sans-serif" role="img">',
             "<title>What grows, and with what</title>", f"<style>{STYLE}</style>",
             '<rect class="paper" width="100%" height="100%"/>',
             '<text class="head" x="20" y="30">What grows, and with what</text>']
    for index, one in enumerate(drawn):
        x, y = 12 + index % across * WIDE, 42 + index // across * TALL
        lines.append(f'<g transform="translate({x} {y})">\n{one}\n</g>')
    foot = f'<text class="foot" x="20" y="{tall - 12}">scripts/growth; {escape(said)}</text>'
    lines += [foot, "</svg>"]
    (folder / "growth.svg").write_text("\n".join(lines) + "\n")
