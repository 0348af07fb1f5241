"""Runs the suite for each proxy; see scripts/suites/proxies."""

import itertools
import subprocess
import sys

import balanced
import judged
import measured
import proxies
import stage

KINDS = ["nginx", "haproxy", "caddy"]

# What a hash may do worse than chance. That of nginx is a ring of 160 points a server, that of
# HAProxy one of points too; Caddy's is weak.
BOUNDS = {"nginx": 60, "haproxy": 200, "caddy": 100}


def upstreams(count):
    # 8001, 8011, 8021, 8031: what Caddy's hash tells well apart, see docs/proxies.md.
    ports = []
    while not ports or any(map(stage.listens, ports)):
        first = stage.port() // 100 * 100 + 1
        ports = [first + 10 * number for number in range(count)]
    for number, port in enumerate(ports):
        stage.start(f"upstream-{number}", ["python3", stage.ROOT / "scripts/suites/proxies.d/upstream.py",
                                           port, number])
    for port in ports:
        stage.until("the upstream listens", lambda port=port: stage.listens(port))
    return ports


def judge(kind, node, behind):
    alice, node.bob = node.login("alice"), node.login("bob")
    proxy = proxies.Proxy(kind, node, behind)
    judged.admitted(proxy, alice)
    judged.refused(proxy, node)
    judged.narrowed(proxy, alice)
    judged.query(proxy, alice)
    judged.forged(proxy, alice, node)
    judged.spelled(proxy, alice)
    judged.routed(proxy, alice)
    judged.large(proxy, alice)
    balanced.of_a_user(proxy, node)
    judged.away(proxy, node, alice)
    judged.silent(proxy)
    stage.stop(proxy.process)


def balance(kind, node, behind):
    """Without forward-auth, so that ten thousand users need no accounts."""
    proxy = proxies.Proxy(kind, node, behind, ["--homeserver", "synapse"], f"{kind}-plain")
    balanced.spread(proxy, len(behind), BOUNDS[kind])
    answer = proxy.ask("GET", "/_synapse/admin/v1/x/..%2f..%2f..%2f..%2f_matrix%2fclient%2fversions")
    stage.check(f"{kind}: plain: a closed path is closed in every spelling", answer.status == 404, answer)
    answer = proxy.ask("GET", judged.SYNC, "any", [("X-Amaretti-User-Id", "forged")])
    stage.check(f"{kind}: plain: identity that a client claims is stripped",
                answer.status == 200 and "forged" not in answer.body, answer)
    stage.stop(proxy.process)


def validate(kind):
    """Every combination of options gives what the proxy itself takes."""
    options = [["", "--homeserver synapse"], ["", "--forward-auth"],
               ["--upstream 127.0.0.1:8008", "--upstream 127.0.0.1:8008 --upstream [::1]:8018"],
               ["", "--node 127.0.0.1:8009 --node 127.0.0.1:8019"]]
    wrong = []
    for chosen in itertools.product(*options):
        flags = " ".join(chosen).split()
        text = stage.run("config", kind, "--at", "127.0.0.1:18080", *flags) + "\n"
        good, said = proxies.is_valid(kind, text)
        if not good:
            wrong.append((flags, said[-600:]))
    stage.check(f"{kind}: the configuration is valid with all 16 combinations of options", not wrong, wrong)


def main(kinds, measuring):
    (stage.FOLDER / "secret").write_text(stage.SECRET + "\n")
    (stage.FOLDER / "secret").chmod(0o600)
    behind = upstreams(4)
    sockets = {"nginx": f"unix:{stage.FOLDER}/internal.sock"}
    first = True
    for kind in kinds:
        node = stage.Node(kind, sockets.get(kind))
        if first:
            for user in ("alice", "bob"):
                stage.run("user", "add", user, "--password-stdin", text="wonderland")
            first = False
        if measuring:
            measured.measure(kind, node, behind)
        else:
            judge(kind, node, behind)
            balance(kind, node, behind)
            validate(kind)
        stage.stop(node.process)
    return stage.end()


if __name__ == "__main__":
    measuring = "--measure" in sys.argv
    chosen = [kind for kind in sys.argv[1:] if kind != "--measure"] or KINDS
    if set(chosen) - set(KINDS):
        sys.exit(f"there are: {', '.join(KINDS)}")
    code = 1
    try:
        code = main(chosen, measuring)
    finally:
        for process in stage.processes:
            if process.poll() is None:
                process.kill()
    sys.exit(code)
