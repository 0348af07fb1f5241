"""Kills the node again and again while clients act, and checks that nothing acknowledged is lost.

    BINARY=target/release/amaretti python3 -B tests/kills [--rounds 240] [--workers 4] [--seed N]

SIGKILL takes the process and leaves the operating system running: what is tested is that an answer
never runs ahead of its commit and that no act is done by halves, not that the disk keeps its word.
The seed gives the acts and the moments of the kills again; how threads take turns it does not.
"""

import argparse
import os
import pathlib
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.request

from node import Node
from wire import Moment, Tally, Violation
from worker import Worker

FIRST_RUNS = 20


def arguments():
    parser = argparse.ArgumentParser(prog="tests/kills", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=240)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    return parser.parse_args()


def all_at_once(calls):
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


class Run:
    """One run of the suite."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.random = random.Random(f"{options.seed}/kills")
        self.tally = Tally()
        self.passed = 0
        self.slowest = 0.0
        self.node = Node(os.environ["BINARY"], self.folder / "node")
        self.workers = [Worker(i, options.seed, self.node, self.tally)
                        for i in range(options.workers)]

    def first_runs(self):
        """Kills nodes that make their keys and data for the first time."""
        for number in range(FIRST_RUNS):
            node = Node(self.node.binary, self.folder / f"first-{number}")
            node.spawn()
            time.sleep(self.random.uniform(0, 0.06))
            node.kill()
            node.start()
            for page in ("ready", "issue"):
                with urllib.request.urlopen(f"http://{node.internal}/health/{page}", timeout=10):
                    self.tally.holds(f"a node killed in its first run is {page} after the next start")
            node.kill()
            shutil.rmtree(node.folder)
            self.passed += 1

    def all_workers(self, work):
        """Has every worker do something, and hears what was violated."""
        for thread in all_at_once(work(worker) for worker in self.workers):
            thread.join()
        for worker in self.workers:
            if worker.violation:
                raise Violation(f"worker {worker.index}: {worker.violation}\n"
                                f"its last requests:\n  " + "\n  ".join(worker.trail))

    def round(self):
        """Acts, a kill, a restart that may be killed too, a check."""
        moment = Moment()
        threads = all_at_once([lambda w=w: w.act(moment) for w in self.workers])
        time.sleep(self.random.uniform(0.005, 0.2))
        if self.random.random() < 0.6:
            moment.is_near.set()
            time.sleep(self.random.uniform(0, 0.02))
        moment.is_killed.set()
        at = time.time()
        self.node.kill()
        for thread in threads:
            thread.join()
        for worker in self.workers:
            worker.killed_at = at
            self.tally.count("kills that hit " + (worker.pending.name if worker.pending else "nothing"))
        while self.random.random() < 0.12:
            self.node.spawn()
            time.sleep(self.random.uniform(0, 0.06))
            self.node.kill()
            self.tally.count("kills that hit a start")
        self.slowest = max(self.slowest, self.node.start())
        self.all_workers(lambda worker: worker.check)
        self.passed += 1

    def rounds(self):
        self.slowest = self.node.start()
        self.node.run("registration-token", "new", "--token", "often")
        self.all_workers(lambda worker: worker.check)
        for _ in range(self.options.rounds):
            self.round()
        self.all_workers(lambda worker: worker.check_everything)
        self.node.kill()
        self.at_rest()

    def at_rest(self):
        """What the data folder says when nobody serves it."""
        made = sum((worker.made for worker in self.workers), start=type(self.workers[0].made)())
        uses = {row.split()[0]: int(row.split()[2])
                for row in self.node.run("registration-token", "list").splitlines()[1:]}
        often = uses.pop("often")
        self.tally.holds("a registration token counts as many uses as it made accounts",
                         (often, sum(uses.values())) == (made["often"], made["once"]),
                         f"{often} and {sum(uses.values())}, accounts {made}")
        self.tally.holds("no registration token of one use was used twice", max(uses.values()) < 2)
        for file in sorted((self.node.folder / "data").glob("*")):
            if file.read_bytes()[:15] == b"SQLite format 3":
                found = sqlite3.connect(file).execute("PRAGMA integrity_check").fetchall()
                self.tally.holds("the database is whole", found == [("ok",)], found)

    def report(self):
        groups = ("acknowledged ", "kills that hit ", "killed during ")
        for group in (*groups, ""):
            for what, count in sorted(self.tally.counts.items()):
                if what.startswith(group) and (group or not what.startswith(groups)):
                    print(f"{'ok    ' if not group else '      '}{what}: {count}")


def main():
    options = arguments()
    began = time.monotonic()
    folder = tempfile.mkdtemp(prefix="amaretti-kills-")
    run = Run(options, folder)
    failed = 0
    print(f"seed {options.seed}, {options.rounds} rounds, {options.workers} workers")
    try:
        run.first_runs()
        run.rounds()
    except Violation as violation:
        failed = 1
        print(f"FAIL  {violation}\n{run.node.tail()}\n"
              f"      again: --seed {options.seed} --rounds {options.rounds} "
              f"--workers {options.workers}; the data lie in {folder}")
    finally:
        if run.node.process and run.node.process.poll() is None:
            run.node.process.kill()
    run.report()
    if not failed:
        shutil.rmtree(folder)
    print(f"{time.monotonic() - began:.0f} s; the slowest start took {run.slowest * 1000:.0f} ms")
    print(f"{run.passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
