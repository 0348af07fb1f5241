"""The three proxies: their configurations from docs/proxies with addresses of this run, or from the
command with other options, and how each is started and checked."""

import os
import subprocess

import stage

PAGES = stage.ROOT / "docs" / "proxies"

NGINX = """
daemon off;
pid {folder}/nginx-{name}.pid;
error_log {folder}/nginx-{name}.error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    include {path};
}}
"""


def _replaced(text, pairs):
    for old, new in pairs:
        if old not in text:
            raise SystemExit(f"docs/proxies: {old!r} is not there any more")
        text = text.replace(old, new)
    return text


def _from_page(kind, at, node, upstreams):
    """The page of docs/proxies with the addresses of this run."""
    first, internal = "127.0.0.1:8008", node.internal
    if kind == "nginx":
        servers = "\n".join(f"    server 127.0.0.1:{u} weight=20;" for u in upstreams)
        return _replaced((PAGES / "nginx.conf").read_text(), [
            (f"    server {first} weight=20;", servers),
            ("server 127.0.0.1:8010;", f"server {internal};"),
        ])
    if kind == "haproxy":
        servers = "\n".join(f"    server homeserver{n} 127.0.0.1:{u}"
                            for n, u in enumerate(upstreams, 1))
        return _replaced((PAGES / "haproxy.cfg").read_text(), [
            (f"    server homeserver1 {first}", servers),
            ("127.0.0.1:8010", internal.replace("unix:", "unix@")),
        ])
    return _replaced((PAGES / "Caddyfile").read_text(), [
        (first, " ".join(f"127.0.0.1:{u}" for u in upstreams)),
        ("127.0.0.1:8010", internal.replace("unix:", "unix/")),
        ("\n:80 {", f"\n:{at} {{"),
        ("bind 0.0.0.0", "bind 127.0.0.1"),
    ])


def _text(kind, name, at, node, upstreams, options):
    if options is None:
        text = _from_page(kind, at, node, upstreams)
        text = _replaced(text, [("127.0.0.1:8009", f"127.0.0.1:{node.public}"),
                                ("REPLACE-THIS-BY-THE-SECRET", stage.SECRET)])
        if kind != "caddy":
            text = _replaced(text, [("0.0.0.0:80", f"127.0.0.1:{at}")])
    else:
        flags = [flag for u in upstreams for flag in ("--upstream", f"127.0.0.1:{u}")]
        text = stage.run("config", kind, "--at", f"127.0.0.1:{at}", "--node",
                         f"127.0.0.1:{node.public}", *flags, *options) + "\n"
    if kind == "nginx":
        text = _replaced(text, [("/var/log/nginx/matrix.log", f"{stage.FOLDER}/{name}.access.log")])
    if kind == "haproxy" and "lua-load" in text:
        lua = stage.FOLDER / "amaretti.lua"
        lua.write_text((PAGES / "haproxy.lua").read_text())
        text = _replaced(text, [("/etc/haproxy/amaretti.lua", str(lua))])
    return text


class Proxy:
    """One proxy, started. Without options it runs the page of docs/proxies."""

    def __init__(self, kind, node, upstreams, options=None, name=None):
        self.kind, self.at, self.name = kind, stage.port(), name or kind
        text = _text(kind, self.name, self.at, node, upstreams, options)
        path = stage.FOLDER / f"{self.name}.conf"
        path.write_text(text)
        self.process = stage.start(self.name, *_command(kind, self.name, path))
        stage.until(f"{self.name} listens", lambda: stage.listens(self.at))

    def ask(self, method, target, token=None, headers=(), body=None):
        return stage.ask(self.at, method, target, token, headers, body)

    def logged(self):
        """Everything that was written about requests."""
        logs = [stage.FOLDER / f"{self.name}.log", stage.FOLDER / f"{self.name}.access.log"]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())


def _command(kind, name, path):
    if kind == "nginx":
        main = stage.FOLDER / f"{name}.main.conf"
        main.write_text(NGINX.format(folder=stage.FOLDER, name=name, path=path))
        # Under root it would drop to a user who may not open what lies here.
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        return (["nginx", "-c", main, *user],)
    if kind == "haproxy":
        return (["haproxy", "-db", "-f", path],)
    # The address of its own administration would be one for all.
    text = path.read_text().replace("auto_https off", "auto_https off\n\tadmin off", 1)
    path.write_text(text)
    return (["caddy", "run", "--adapter", "caddyfile", "--config", path],)


def is_valid(kind, text):
    """Whether the proxy itself takes a configuration, and what it says."""
    path = stage.FOLDER / f"checked.{kind}"
    if kind == "nginx":
        text = text.replace("/var/log/nginx/matrix.log", f"{stage.FOLDER}/checked.access.log")
    if kind == "haproxy":
        lua = stage.FOLDER / "checked.lua"
        lua.write_text(stage.run("config", "haproxy", "--lua"))
        text = text.replace("/etc/haproxy/amaretti.lua", str(lua))
    path.write_text(text)
    if kind == "nginx":
        main = stage.FOLDER / "checked.main.conf"
        main.write_text(NGINX.format(folder=stage.FOLDER, name="checked", path=path))
        command = ["nginx", "-t", "-c", main]
    elif kind == "haproxy":
        command = ["haproxy", "-c", "-f", path]
    else:
        command = ["caddy", "validate", "--adapter", "caddyfile", "--config", path]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr
