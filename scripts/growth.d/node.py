"""A node in a folder of its own: its accounts, its database, its life, and what it costs."""

import http.client
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "suites"))

from ports import port

PASSWORD = "wonderland"
MIB = 1 << 20


class Node:
    """Hashing costs next to nothing here: what is measured is everything else."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.public, self.internal = port(), port()
        self.process = None
        kept = [name for name in ("PATH", "HOME") if name in os.environ]
        self.environment = {name: os.environ[name] for name in kept}
        for limit in ("PASSWORDS", "REGISTRATIONS", "LOGIN_TOKENS", "REFRESHES", "PROBES"):
            self.environment[f"AMARETTI_TRIES_PER_MINUTE_{limit}"] = "0"
        self.environment |= {
            "AMARETTI_LISTEN": f"127.0.0.1:{self.public}",
            "AMARETTI_INTERNAL": f"127.0.0.1:{self.internal}",
            "AMARETTI_PASSWORD_HASHING_MEMORY_KIB": "8",
            "AMARETTI_PASSWORD_HASHING_ITERATIONS": "1",
            "AMARETTI_REQUEST_TIMEOUT": "10m",
        }

    def start(self):
        """Starts it; gives the seconds until it is ready."""
        log = open(self.folder / "log", "ab")
        began = time.perf_counter()
        self.process = subprocess.Popen([self.binary, "serve"], cwd=self.folder, stdout=log,
                                        stderr=log, env=self.environment)
        while True:
            if self.process.poll() is not None:
                said = (self.folder / "log").read_text()
                raise SystemExit(f"the node has stopped: {said[-2000:]}")
            try:
                if self.ask("GET", "/health/ready", at=self.internal)[0] == 200:
                    return time.perf_counter() - began
            except OSError:
                pass
            time.sleep(0.002)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=120)
            self.process = None

    def memory(self, field="VmRSS"):
        """Bytes it has from the system, or (VmHWM) has had at most."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(field + ":"))
        return int(line.split()[1]) * 1024

    def work(self):
        """Seconds of processors' time it has taken so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")")[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, method, path, body=None, token=None, at=None, kept=None):
        """Status and body of an answer; `kept` is a connection to use again."""
        connection = kept or http.client.HTTPConnection("127.0.0.1", at or self.public, timeout=600)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        if not kept:
            connection.close()
        return answer.status, json.loads(text) if text.startswith(b"{") else {}

    def client(self, method, path, body=None, token=None, kept=None):
        """What a client is answered, which has to be 200."""
        status, answer = self.ask(method, f"/_matrix/client/v3{path}", body, token, kept=kept)
        if status != 200:
            raise SystemExit(f"{method} {path} is answered {status}: {answer}")
        return answer

    def login(self, user, device=None):
        body = {"type": "m.login.password", "password": PASSWORD,
                "identifier": {"type": "m.id.user", "user": user}}
        return self.client("POST", "/login", body | ({"device_id": device} if device else {}))

    def connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.public, timeout=600)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def command(self, *arguments, given=""):
        subprocess.run([self.binary, *arguments], cwd=self.folder, env=self.environment,
                       input=given, text=True, check=True, capture_output=True)

    def add(self, *users):
        for user in users:
            self.command("user", "add", user, "--password-stdin", given=PASSWORD)

    def sql(self, *statements):
        """Writes into the database of a node that does not run."""
        with sqlite3.connect(self.folder / "data" / "amaretti.sqlite") as database:
            database.execute("PRAGMA synchronous = OFF")
            for statement, values in statements:
                database.execute(statement, values)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()

    def snapshot(self):
        return self.folder / "data" / "feed.snapshot"

    def forget(self):
        self.snapshot().unlink(missing_ok=True)

    def kept(self):
        """Waits until its snapshot is whole; gives the seconds that took."""
        began = time.perf_counter()
        while not self.snapshot().exists():
            time.sleep(0.01)
        return time.perf_counter() - began


def timed(work, times=1):
    """Milliseconds that a piece of work takes, the least of so many times."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return min(taken)
