"""The stage: starts and stops programs, sends requests exactly as they are written, counts checks."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "suites"))

from ports import port

BINARY = os.environ["BINARY"]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="proxies."))
SECRET = os.urandom(32).hex()

# A proxy that drops its privileges still has to reach a socket in here.
FOLDER.chmod(0o755)

processes = []
passed = []
failed = []
secrets = []


def check(sentence, good, found=""):
    """Notes whether a sentence is true."""
    (passed if good else failed).append(sentence)
    print(("ok    " if good else "FAIL  ") + sentence + ("" if good else f"\n      found {found}"),
          flush=True)
    return good


def start(name, arguments, **options):
    """Starts a program; what it says lies in a log of its name."""
    log = open(FOLDER / f"{name}.log", "ab")
    process = subprocess.Popen([str(a) for a in arguments], stdout=log, stderr=log,
                               stdin=subprocess.DEVNULL, **options)
    process.name = name
    processes.append(process)
    return process


def stop(process):
    """Ends a program that was started here, even a stopped one."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(what, true, patience=15):
    """Waits until something is true, and gives up loudly."""
    end = time.monotonic() + patience
    while not true():
        if time.monotonic() > end:
            for log in FOLDER.glob("*.log"):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}")
            sys.exit(f"after {patience} s still not: {what}")
        time.sleep(0.02)


def listens(number):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0


class Answer:
    """What came back."""

    def __init__(self, response, body):
        self.status = response.status
        self.headers = {}
        for name, value in response.getheaders():
            self.headers.setdefault(name.lower(), []).append(value)
        self.body = body.decode("utf-8", "replace")
        try:
            self.json = json.loads(self.body)
        except ValueError:
            self.json = {}

    def header(self, name):
        return ", ".join(self.headers.get(name, []))

    def upstream(self, name):
        """The values of a header as they reached the upstream."""
        return [value for key, value in self.json.get("headers", []) if key == name]

    def is_error(self, status, errcode):
        return self.status == status and self.json.get("errcode") == errcode

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:600]}"


def ask(number, method, target, token=None, headers=(), body=None):
    """Sends a request, its target and headers as they stand here."""
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=30)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        if token is not None:
            connection.putheader("Authorization", f"Bearer {token}")
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


def run(*arguments, text=""):
    """What a command of ours prints; it is run beside the nodes, on their data and keys."""
    done = subprocess.run([BINARY, *map(str, arguments)], input=text, capture_output=True,
                          text=True, cwd=FOLDER, check=False)
    if done.returncode:
        sys.exit(f"amaretti {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout.strip()


def attenuate(token, *caveats):
    flags = [flag for caveat in caveats for flag in ("--caveat", caveat)]
    narrowed = run("token", "attenuate", *flags, text=token)
    secrets.append(narrowed)
    return narrowed


class Node:
    """A node that one proxy may ask. All of them have the same data and the same keys."""

    def __init__(self, proxy, internal=None, **settings):
        self.proxy, self.public = proxy, port()
        self.internal = internal or f"127.0.0.1:{port()}"
        self.settings = {"AMARETTI_FORWARD_AUTH_FOREIGN": "pass", **settings}
        self.start()

    def start(self):
        environment = {
            **os.environ,
            "AMARETTI_FORWARD_AUTH_PROXY": self.proxy,
            "AMARETTI_FORWARD_AUTH_SECRET_FILE": str(FOLDER / "secret"),
            "AMARETTI_TRIES_PER_MINUTE_PASSWORDS": "0",
            "AMARETTI_TRIES_PER_MINUTE_PROBES": "20",
            **self.settings,
        }
        self.process = start(f"node-{self.proxy}", [
            BINARY, "serve", "--listen", f"127.0.0.1:{self.public}", "--internal", self.internal,
        ], cwd=FOLDER, env=environment)
        until(f"the node for {self.proxy} serves", lambda: listens(self.public))

    def login(self, user, **more):
        body = {"type": "m.login.password", "user": user, "password": "wonderland", **more}
        answer = ask(self.public, "POST", "/_matrix/client/v3/login", body=json.dumps(body).encode())
        if answer.status != 200:
            sys.exit(f"login of {user}: {answer}")
        secrets.append(answer.json["access_token"])
        return answer.json


def end():
    """Stops everything, says how it went, and gives the exit code."""
    for process in reversed(processes):
        stop(process)
    print(f"{len(passed)} passed, {len(failed)} failed")
    for sentence in failed:
        print(f"FAIL  {sentence}")
    if not failed:
        subprocess.run(["rm", "-rf", str(FOLDER)], check=False)
    else:
        print(f"what was said lies in {FOLDER}")
    return 1 if failed else 0
