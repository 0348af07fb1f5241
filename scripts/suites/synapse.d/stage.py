"""The stage: a Synapse, a node and nginx, and somebody who asks them."""

import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "suites"))

from ports import port

BINARY = os.environ["BINARY"]
SERVER = "hs.test"

passed, failed = [], []


def check(sentence, good, found=""):
    """Notes whether a sentence is true."""
    (passed if good else failed).append(sentence)
    print(("ok    " if good else "FAIL  ") + sentence + ("" if good else f"\n      found {found}"),
          flush=True)
    return good


def until(what, true, patience=20):
    """Waits until something is true; gives how long that took."""
    began = time.monotonic()
    while not true():
        if time.monotonic() > began + patience:
            raise SystemExit(f"after {patience} s still not: {what}")
        time.sleep(0.05)
    return time.monotonic() - began


def listens(number):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0


class Answer:
    """What came back."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body.decode("utf-8", "replace")
        try:
            self.json = json.loads(self.body)
        except ValueError:
            self.json = {}

    def __getitem__(self, key):
        return self.json.get(key)

    def good(self):
        if self.status != 200:
            raise SystemExit(f"this should have been done: {self}")
        return self

    def told(self):
        """Status, errcode and soft_logout: what a client acts by."""
        return [self.status, self["errcode"], self["soft_logout"]]

    def __repr__(self):
        return f"{self.status} {self.body[:400]}"


class Stage:
    """One Synapse with what stands before it, in a folder of its own."""

    def __init__(self, version, folder):
        self.version, self.folder = version, pathlib.Path(folder)
        self.python = ROOT / "target/synapse" / version / "bin/python"
        self.processes, self.nodes, self.addresses = [], {}, {}
        self.ports = {name: port() for name in ("synapse", "public", "internal", "nginx", "guarded")}
        self.url = f"http://127.0.0.1:{self.ports['nginx']}"
        self.secret = secrets.token_hex(16)
        self.appservice = secrets.token_hex(16)
        for name, secret in (("secret", self.secret), ("proxy-secret", secrets.token_hex(16))):
            (self.folder / name).touch(0o600)
            (self.folder / name).write_text(secret + "\n")
        self.settings = {
            "AMARETTI_SERVER_NAME": SERVER,
            "AMARETTI_DATA": "data",
            "AMARETTI_KEYS": "keys",
            "AMARETTI_LISTEN": f"127.0.0.1:{self.ports['public']}",
            "AMARETTI_INTERNAL": f"127.0.0.1:{self.ports['internal']}",
            "AMARETTI_PUBLIC_URL": self.url,
            "AMARETTI_HOMESERVER_KIND": "synapse",
            "AMARETTI_HOMESERVER_URL": f"http://127.0.0.1:{self.ports['synapse']}",
            "AMARETTI_HOMESERVER_SECRET_FILE": "secret",
            "AMARETTI_FORWARD_AUTH_PROXY": "nginx",
            "AMARETTI_FORWARD_AUTH_SECRET_FILE": "proxy-secret",
            "AMARETTI_REGISTRATION": "open",
            "AMARETTI_ACCESS_TOKEN_LIFETIME": "4s",
            "AMARETTI_TRIES_PER_MINUTE_PASSWORDS": "0",
            "AMARETTI_TRIES_PER_MINUTE_REGISTRATIONS": "0",
            "AMARETTI_PASSWORD_HASHING_MEMORY_KIB": "1024",
        }

    # Programs.

    def start(self, name, *arguments, **options):
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([str(a) for a in arguments], stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL, cwd=self.folder, **options)
        self.processes.append(process)
        return process

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def stop_all(self):
        for process in reversed(self.processes):
            self.stop(process)

    def start_synapse(self):
        self.synapse = self.start("synapse", self.python, "-m", "synapse.app.homeserver",
                                  "-c", "homeserver.yaml")
        until("Synapse listens", lambda: listens(self.ports["synapse"]), 60)

    def environment(self):
        return {**os.environ, **self.settings}

    def start_node(self, name="node", **settings):
        """A node, with settings of its own if it is not the only one."""
        environment = {**self.environment(), **settings}
        self.nodes[name] = self.start(name, BINARY, "serve", env=environment)
        self.addresses[name] = environment["AMARETTI_LISTEN"]
        number = int(environment["AMARETTI_INTERNAL"].rpartition(":")[2])
        until("the node listens", lambda: listens(number))

    def start_nginx(self):
        """What `amaretti config nginx` writes, without forward-auth and with it."""
        self.nginx("nginx")
        self.nginx("guarded", "--forward-auth")

    def nginx(self, name, *flags):
        written = self.run("config", "nginx", "--homeserver", "synapse",
                           "--upstream", f"127.0.0.1:{self.ports['synapse']}",
                           *(f"--node={address}" for address in self.addresses.values()),
                           "--at", f"127.0.0.1:{self.ports[name]}", *flags)
        log = "/var/log/nginx/matrix.log"
        if log not in written:
            raise SystemExit(f"{log} is not in what `amaretti config nginx` writes")
        self.start_nginx_of(name, written.replace(log, f"{self.folder}/access.log"))

    def start_nginx_of(self, name, site):
        at = self.folder / name
        at.mkdir(mode=0o755)
        (at / "site.conf").touch(0o600)
        (at / "site.conf").write_text(site)
        (at / "nginx.conf").write_text(f"""
            daemon off; pid {at}/nginx.pid; error_log {self.folder}/{name}-error.log;
            events {{ }}
            http {{
                client_body_temp_path {at}/body; proxy_temp_path {at}/proxied;
                fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
                include {at}/site.conf;
            }}""")
        self.start(name, "nginx", "-p", at, "-c", at / "nginx.conf",
                   "-e", self.folder / f"{name}-error.log")
        until("nginx listens", lambda: listens(self.ports[name]))

    def prepare(self):
        """Synapse's configuration: its own defaults, and what docs/synapse.md says."""
        subprocess.run([self.python, "-m", "synapse.app.homeserver", "--server-name", SERVER,
                        "--config-path", "homeserver.yaml", "--generate-config",
                        "--report-stats=no"], cwd=self.folder, check=True, capture_output=True)
        (self.folder / "bridge.yaml").write_text(json.dumps({
            "id": "bridge", "url": None, "as_token": self.appservice,
            "hs_token": secrets.token_hex(16), "sender_localpart": "bridge", "rate_limited": False,
            "namespaces": {"users": [{"exclusive": True, "regex": f"@bridge_.*:{SERVER}"}],
                           "rooms": [], "aliases": []}}))
        self.configure(linked=False)

    def configure(self, linked):
        """With the node before it, or as it was without."""
        before = {
            "enable_registration": True,
            "enable_registration_without_verification": True,
        }
        behind = {"matrix_authentication_service": {
            "enabled": True,
            "endpoint": f"http://127.0.0.1:{self.ports['internal']}/",
            "secret_path": f"{self.folder}/secret"}}
        (self.folder / "homeserver.yaml").write_text(json.dumps({
            "server_name": SERVER,
            "report_stats": False,
            "signing_key_path": f"./{SERVER}.signing.key",
            "media_store_path": "./media_store",
            "database": {"name": "sqlite3", "args": {"database": "./homeserver.db"}},
            "listeners": [{"type": "http", "port": self.ports["synapse"], "tls": False,
                           "bind_addresses": ["127.0.0.1"], "x_forwarded": True,
                           "resources": [{"names": ["client"]}]}],
            "trusted_key_servers": [],
            "federation_domain_whitelist": [],
            "app_service_config_files": ["./bridge.yaml"],
            "rc_message": {"per_second": 1000, "burst_count": 1000},
            "rc_joins": {"local": {"per_second": 1000, "burst_count": 1000}},
            "macaroon_secret_key": self.appservice,
            **(behind if linked else before)}))

    # Questions.

    def ask(self, method, path, token=None, body=None, at="nginx", headers=()):
        headers = dict(headers)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[at], timeout=60)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def client(self, method, path, token=None, body=None, at="nginx"):
        return self.ask(method, f"/_matrix/client/v3/{path}", token, body, at)

    def whoami(self, token):
        return self.client("GET", "account/whoami", token)

    def mas(self, method, path, body=None):
        return self.ask(method, f"/_synapse/mas/{path}", self.secret, body, at="synapse")

    def introspect(self, token):
        form = urllib.parse.urlencode({"token": token})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", "/oauth2/introspect", self.secret, form, "internal", headers)

    def run(self, *arguments, text=""):
        """What a command of ours prints, run beside the node."""
        done = subprocess.run([BINARY, *arguments], input=text, capture_output=True, text=True,
                              cwd=self.folder, env=self.environment(), check=False)
        if done.returncode:
            raise SystemExit(f"amaretti {' '.join(arguments)}: {done.stderr}")
        if arguments[0] == "user":
            # What an operator does counts in a running node within 250 ms.
            time.sleep(0.3)
        return done.stdout.strip()

    # People.

    PASSWORD = "correct horse battery staple"

    def register(self, username, **more):
        body = {"username": username, "password": self.PASSWORD, **more}
        asked = self.client("POST", "register", body=body)
        if asked.status != 401:
            return asked
        body["auth"] = {"type": "m.login.dummy", "session": asked["session"]}
        return self.client("POST", "register", body=body)

    def login(self, username, at="nginx", **more):
        return self.client("POST", "login", at=at, body={
            "type": "m.login.password", "password": self.PASSWORD,
            "identifier": {"type": "m.id.user", "user": username}, **more})

    def proved(self, method, path, login, body):
        """Asks for what wants a proof, and gives the password."""
        asked = self.client(method, path, login["access_token"], body)
        auth = {"type": "m.login.password", "password": self.PASSWORD,
                "identifier": {"type": "m.id.user", "user": login["user_id"]},
                "session": asked["session"]}
        return self.client(method, path, login["access_token"], {**body, "auth": auth})

    def devices(self, admin, localpart):
        """The devices of a user as Synapse has them."""
        path = f"/_synapse/admin/v2/users/@{localpart}:{SERVER}/devices"
        answer = self.ask("GET", path, admin["access_token"], at="synapse").good()
        return sorted(device["device_id"] for device in answer["devices"])

    def fail(self):
        for log in sorted(self.folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
