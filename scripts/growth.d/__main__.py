"""Measures what grows, prints a table each, keeps the figures, and draws them.

Times are the least of several: what else the machine does makes them longer and never shorter.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import drawing
from node import MIB, Node, timed

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "benches" / "figures" / "growth.json"
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
# Ten times as many are not tried where a start has taken so long, in seconds.
PATIENCE = 30
LONG_AGO = 1_600_000_000_000
FEED = (f"{NUMBERS} INSERT INTO feed (sequence, random, kind, user_id, device_id, tick, hits_until,"
        " hits_keys) SELECT (SELECT COALESCE(MAX(sequence), 0) FROM feed) + i,"
        " lower(hex(randomblob(8))), 'device', ")


def table(name, head, rows):
    """Prints a table as docs/performance.md has it."""
    print(f"\n{name}\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for row in rows:
        cells = (f"{cell:,}" if isinstance(cell, int) else f"{cell:.2f}" if isinstance(cell, float)
                 else str(cell) for cell in row)
        print(f"| {' | '.join(cells)} |", flush=True)


def slope(rows, x, y):
    """How much one more adds: of the straight line with the least squares."""
    points = [(row[x], row[y]) for row in rows]
    middle = [sum(axis) / len(points) for axis in zip(*points)]
    along = sum((a - middle[0]) * (b - middle[1]) for a, b in points)
    return along / sum((a - middle[0]) ** 2 for a, _ in points)


def whoami(node, token, kept):
    node.client("GET", "/account/whoami", token=token, kept=kept)


def facts(made):
    """Users of whom something is known: one device each was logged out."""
    rows = []
    for count in made.sizes(0, 100_000, 1_000_000, 10_000_000):
        node = made.node(f"facts{count}")
        if count:
            user = "'@' || printf('%08d', i) || ':localhost', 'ABCDEFGHIJ'"
            node.sql((f"{FEED}{user}, {LONG_AGO} + i, 0, '' FROM n", (count,)))
        starts = [node.start()]
        work = node.work()
        rss, most = node.memory(), node.memory("VmHWM")
        node.kept()
        settled, most_then = node.memory(), node.memory("VmHWM")
        token, kept = node.login("alice")["access_token"], node.connection()
        asked = timed(lambda: whoami(node, token, kept), 500)
        node.stop()
        turns = 1 if count > 1_000_000 else 4
        again = []
        for _ in range(turns):
            again.append(node.start())
            work_again = node.work()
            node.stop()
        for _ in range(turns - 1):
            node.forget()
            starts.append(node.start())
            node.kept()
            node.stop()
        size = node.snapshot().stat().st_size
        disk = (node.folder / "data" / "amaretti.sqlite").stat().st_size
        memory = [amount / MIB for amount in (rss, most, settled, most_then)]
        rows.append([count, min(starts), min(again), work, work_again, *memory, asked, disk / MIB,
                     size / MIB])
        print(rows[-1], flush=True)
        made.done(node)
    table("facts", ["facts", "start, s", "from the snapshot, s", "work of a start, CPU s",
                    "from the snapshot, CPU s", "memory at ready, MiB",
                    "at most", "snapshot written, MiB", "at most", "whoami, ms", "database, MiB",
                    "snapshot, MiB"], rows)
    if len(rows) > 1:
        start, again, work, work_again, each = (slope(rows, 0, at) for at in (1, 2, 3, 4, 7))
        print(f"slope, a fact: {start * 1e6:.2f} us at the start, of processors {work * 1e6:.2f};"
              f" {again * 1e6:.2f} from the snapshot, of processors {work_again * 1e6:.2f};"
              f" {each * MIB:.0f} bytes")
    return rows


def one_user(made):
    """Ended devices of one user."""
    rows = []
    for count in made.sizes(0, 100, 1000, 10_000, 100_000):
        node = made.node(f"user{count}")
        if count:
            user = "'@alice:localhost', 'D' || printf('%09d', i)"
            node.sql((f"{FEED}{user}, {LONG_AGO} + i, 0, '' FROM n", (count,)))
        starts, again = [], []
        while len(starts) < 3 and sum(starts) < PATIENCE:
            node.forget()
            starts.append(node.start())
            node.kept()
            node.stop()
            again.append(node.start())
            node.stop()
        start, again = min(starts), min(again)
        node.start()
        turns = 3 if count > 10_000 else 9
        login = timed(lambda: node.login("alice", "HERE"), turns)
        token, kept = node.login("alice", "HERE")["access_token"], node.connection()
        asked = timed(lambda: whoami(node, token, kept), 300)
        ends = [node.login("alice")["access_token"] for _ in range(turns)]
        logout = timed(lambda: node.client("POST", "/logout", {}, ends.pop()), turns)
        ends = [node.login("bob")["access_token"] for _ in range(turns)]
        other = timed(lambda: node.client("POST", "/logout", {}, ends.pop()), turns)
        node.stop()
        compaction = timed(lambda: node.command("feed", "compact", "--dry-run"))
        rows.append([count, start, again, login, asked, logout, other, compaction / 1000])
        print(rows[-1], flush=True)
        made.done(node)
        if start > PATIENCE:
            break
    table("one user", ["ended devices", "start, s", "from the snapshot, s", "login, ms",
                       "whoami, ms", "logout, ms", "logout of another, ms",
                       "feed compact --dry-run, s"], rows)
    return rows


def accounts(made):
    """Accounts in the database, each with a device."""
    rows = []
    for count in made.sizes(1000, 10_000, 100_000, 1_000_000):
        node = made.node(f"accounts{count}")
        name = "'@' || printf('%08d', i) || ':localhost'"
        node.sql(
            (f"{NUMBERS} INSERT INTO users (user_id, password_hash, tick, created_at) SELECT"
             f" {name}, (SELECT password_hash FROM users LIMIT 1), {LONG_AGO}, {LONG_AGO} FROM n",
             (count,)),
            (f"{NUMBERS} INSERT INTO devices (user_id, device_id, session, created_at) SELECT"
             f" {name}, 'ABCDEFGHIJ', lower(hex(randomblob(16))), {LONG_AGO} FROM n", (count,)))
        start = node.start()
        login = timed(lambda: node.login("alice", "HERE"), 25)
        token, kept = node.login("alice", "HERE")["access_token"], node.connection()
        asked = timed(lambda: whoami(node, token, kept), 300)
        devices = timed(lambda: node.client("GET", "/devices", token=token, kept=kept), 15)
        rows.append([count, start, login, asked, devices, node.memory() / MIB])
        print(rows[-1], flush=True)
        made.done(node)
    table("accounts", ["accounts", "start, s", "login, ms", "whoami, ms", "GET /devices, ms",
                       "memory, MiB"], rows)
    return rows


def devices(made):
    """Devices of one user, all logged in."""
    rows = []
    for count in made.sizes(10, 100, 1000, 10_000):
        node = made.node(f"devices{count}")
        node.sql((f"{NUMBERS} INSERT INTO devices (user_id, device_id, session, created_at)"
                  " SELECT '@alice:localhost', 'D' || printf('%09d', i),"
                  f" lower(hex(randomblob(16))), {LONG_AGO} FROM n", (count,)))
        node.start()
        login = timed(lambda: node.login("alice", "HERE"), 25)
        token, kept = node.login("alice", "HERE")["access_token"], node.connection()
        asked = timed(lambda: whoami(node, token, kept), 300)
        listed = timed(lambda: node.client("GET", "/devices", token=token, kept=kept), 15)
        rows.append([count, login, asked, listed])
        print(rows[-1], flush=True)
        made.done(node)
    table("devices", ["devices of one user", "login, ms", "whoami, ms", "GET /devices, ms"], rows)
    return rows


def size(made):
    """What is there before anything grows: the program on disk, and a node that knows nothing."""
    rows = [["program, MiB", made.binary.stat().st_size / MIB]]
    if shutil.which("strip"):
        bare = made.folder / "stripped"
        subprocess.run(["strip", "-o", bare, made.binary], check=True)
        rows.append(["program, stripped, MiB", bare.stat().st_size / MIB])
    node = made.node("idle")
    taken = []
    for _ in range(9):
        taken.append(node.start())
        time.sleep(1)
        memory = node.memory()
        node.stop()
    rows += [["start, ms", min(taken) * 1000], ["memory, MiB", memory / MIB]]
    made.done(node)
    table("a node that knows nothing", ["", ""], rows)
    return rows


def in_process(made):
    """What takes no node: `benches/growth.rs`, on the last core."""
    cargo = ["cargo", "bench", "--locked", "--no-default-features", "--bench", "growth"]
    subprocess.run([*cargo, "--no-run"], check=True, cwd=ROOT)
    told = made.folder / "bench.json"
    core = str((os.cpu_count() or 1) - 1)
    subprocess.run(["taskset", "-c", core, *cargo, "--", "--json", told], check=True, cwd=ROOT)
    return json.loads(told.read_text())


def nodes(_):
    """By arithmetic, from what docs/operations.md has measured of one."""
    told = (ROOT / "docs" / "operations.md").read_text()
    resting = float(re.search(r"transactions a second of a node at rest \| ([0-9.]+)", told)[1])
    connections = int(re.search(r"`postgresql.connections` \(([0-9]+)\) and one", told)[1]) + 1
    rows = [[count, round(resting * count, 1), connections * count] for count in (1, 3, 6, 11, 20)]
    table("nodes", ["nodes", "transactions a second at rest", "connections at most"], rows)
    return rows


PARTS = {"size": size, "facts": facts, "one-user": one_user, "accounts": accounts,
         "devices": devices, "nodes": nodes, "in-process": in_process}


class Made:
    """What is needed on the way, and is gone at the end."""

    def __init__(self, binary, folder, largest):
        self.binary, self.folder, self.largest = binary, folder, largest
        self.nodes = []

    def sizes(self, *sizes):
        return [size for size in sizes if size <= self.largest]

    def node(self, name):
        """A node of which the database is made, with two accounts."""
        node = Node(self.binary, self.folder / name)
        self.nodes.append(node)
        node.start()
        node.stop()
        node.forget()
        node.add("alice", "bob")
        return node

    def stop(self):
        for node in self.nodes:
            node.stop()

    def done(self, node):
        node.stop()
        shutil.rmtree(node.folder)


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return f"{name or platform.machine()}, {os.cpu_count()} cores"


def main():
    asked = argparse.ArgumentParser(prog="scripts/growth", description=__doc__)
    asked.add_argument("parts", nargs="*", metavar="PART", default=[],
                       help=f"what to measure: {', '.join(PARTS)}; everything if none is named")
    asked.add_argument("--binary", type=pathlib.Path, metavar="FILE",
                       help="the program; it is built if none is named")
    asked.add_argument("--largest", type=int, default=10_000_000, metavar="N",
                       help="nothing is measured beyond this many [default: %(default)s]")
    asked.add_argument("--keep", action="store_true",
                       help="keep the figures in benches/figures, and draw them")
    asked.add_argument("--draw", action="store_true", help="only draw the figures that were kept")
    options = asked.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        asked.error(f"there is no part {unknown[0]!r}; there are: {', '.join(PARTS)}")
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    # Whoever ends this ends the nodes with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if not options.draw:
        if options.binary and not os.access(options.binary, os.X_OK):
            asked.error(f"{options.binary} cannot be run")
        binary = options.binary
        if not binary:
            subprocess.run(["cargo", "build", "--release", "--locked"], check=True, cwd=ROOT)
            binary = ROOT / "target" / "release" / "amaretti"
        print(f"== {processor()}, {time.strftime('%F')}, load {os.getloadavg()[0]:.1f}")
        with tempfile.TemporaryDirectory(prefix="growth.") as folder:
            made = Made(binary.resolve(), pathlib.Path(folder), options.largest)
            try:
                for part in options.parts or PARTS:
                    rows = PARTS[part](made)
                    kept[part] = {"date": time.strftime("%F"), "processor": processor(),
                                  "load": round(os.getloadavg()[0], 1), "rows": rows}
            finally:
                made.stop()
    if options.keep:
        KEPT.write_text(drawing.as_text(kept))
    if options.keep or options.draw:
        drawing.draw(kept, KEPT.parent)


if __name__ == "__main__":
    sys.exit(main())
