"""What a proxy lets through and what it refuses, with a real node judging: tokens good and bad,
narrowed ones, foreign ones, spellings, forged headers, a node that is down or slow."""

import json
import signal
import time

from stage import SECRET, attenuate, check, run, secrets

V3 = "/_matrix/client/v3"
SYNC = f"{V3}/sync"
ROOM = f"{V3}/rooms/!a:localhost"
MESSAGES = f"{ROOM}/messages"
SEND = f"{ROOM}/send/m.room.message/1"
IDENTITY = ["user-id", "device-id", "session-id", "guest", "label"]


def _identity(answer):
    return {name: values for name in IDENTITY
            if (values := answer.upstream(f"x-amaretti-{name}"))}


def _refused(answer, status, errcode, soft=None):
    fits = answer.is_error(status, errcode) and answer.header("access-control-allow-origin") == "*"
    fits = fits and answer.header("content-type").startswith("application/json")
    return fits and (soft is None or answer.json.get("soft_logout") is soft)


def admitted(proxy, alice):
    who, token = proxy.kind, alice["access_token"]
    answer = proxy.ask("GET", f"{SYNC}?since=s1", token)
    check(f"{who}: a good token passes", answer.status == 200, answer)
    check(f"{who}: the upstream is told whose it is",
          answer.upstream("x-amaretti-user-id") == ["@alice:localhost"]
          and answer.upstream("x-amaretti-device-id") == [alice["device_id"]]
          and answer.upstream("x-amaretti-guest") == ["false"]
          and len(answer.upstream("x-amaretti-session-id")[0]) == 32
          and not answer.upstream("x-amaretti-label"), answer)
    check(f"{who}: the token goes upstream as it is",
          answer.upstream("authorization") == [f"Bearer {token}"], answer)
    check(f"{who}: the request line goes upstream as it came",
          answer.json["target"] == f"{SYNC}?since=s1", answer)
    check(f"{who}: nothing of the asking goes upstream",
          SECRET not in answer.body and not answer.upstream("x-amaretti-secret")
          and not answer.upstream("x-amaretti-route"), answer)
    body = b'{"msgtype":"m.text","body":"hi"}'
    answer = proxy.ask("PUT", SEND, token, body=body)
    check(f"{who}: a request with a body passes", answer.json.get("method") == "PUT", answer)
    for status in (401, 403, 429, 500, 503):
        answer = proxy.ask("GET", SYNC, token, [("X-Wanted-Status", str(status))])
        check(f"{who}: a {status} of the upstream's own reaches the client as it is",
              answer.status == status and answer.json.get("target") == SYNC, answer)


def refused(proxy, node):
    who = proxy.kind
    ended = node.login("alice")["access_token"]
    forged = ended[:40] + "AAAA" + ended[44:]
    answer = proxy.ask("GET", SYNC)
    check(f"{who}: without a token 401 M_MISSING_TOKEN", _refused(answer, 401, "M_MISSING_TOKEN"), answer)
    answer = proxy.ask("GET", SYNC, forged)
    check(f"{who}: a forged token is refused softly", _refused(answer, 401, "M_UNKNOWN_TOKEN", True), answer)
    answers = [proxy.ask("PUT", SEND, forged, body=b"x" * size) for size in range(100)]
    odd = [answer for answer in answers if not _refused(answer, 401, "M_UNKNOWN_TOKEN", True)]
    check(f"{who}: so are a hundred with bodies, whose lengths nobody takes for another's", not odd, odd[:1])
    answer = proxy.ask("GET", SYNC, ended[:150])
    check(f"{who}: one cut off is told that its end is missing",
          _refused(answer, 401, "M_UNKNOWN_TOKEN", True) and "end is missing" in answer.body, answer)
    expired = run("token", "mint", "--kind", "access", "--user", "alice", "--expires", "1s")
    secrets.append(expired)
    time.sleep(1.1)
    answer = proxy.ask("GET", SYNC, expired)
    check(f"{who}: one that has expired is refused softly",
          _refused(answer, 401, "M_UNKNOWN_TOKEN", True), answer)
    answer = proxy.ask("POST", f"{V3}/logout", ended, body=b"{}")
    check(f"{who}: a logout passes to the node", answer.status == 200 and answer.body == "{}", answer)
    answer = proxy.ask("GET", SYNC, ended)
    check(f"{who}: after it the token is refused hard", _refused(answer, 401, "M_UNKNOWN_TOKEN", False), answer)
    answer = proxy.ask("HEAD", SYNC, ended)
    check(f"{who}: a HEAD is refused without a body", answer.status == 401 and not answer.body, answer)
    run("user", "lock", "bob")
    time.sleep(0.4)
    answer = proxy.ask("GET", SYNC, node.bob["access_token"])
    check(f"{who}: a locked account is told so, softly", _refused(answer, 401, "M_USER_LOCKED", True), answer)
    run("user", "unlock", "bob")
    answer = proxy.ask("OPTIONS", SYNC)
    check(f"{who}: a preflight passes", answer.status == 200 and answer.json["method"] == "OPTIONS", answer)
    answer = proxy.ask("GET", "/_matrix/client/v3/profile/@bob:localhost")
    check(f"{who}: an endpoint without a token passes", answer.status == 200 and not _identity(answer)
          and not answer.upstream("authorization"), answer)
    answer = proxy.ask("GET", "/_matrix/client/v3/profile/@bob:localhost", ended)
    check(f"{who}: there a token that is no good is refused",
          _refused(answer, 401, "M_UNKNOWN_TOKEN", False), answer)
    answer = None
    for _ in range(25):
        answer = proxy.ask("GET", f"{V3}/register/available?username=carol")
        if answer.status == 429:
            break
    check(f"{who}: too many questions are 429 with the time to wait",
          answer.is_error(429, "M_LIMIT_EXCEEDED") and answer.header("retry-after")
          and answer.json["retry_after_ms"] > 0 and answer.header("access-control-allow-origin") == "*",
          answer)


def narrowed(proxy, alice):
    who, token = proxy.kind, alice["access_token"]
    passes = [
        ("room_id in !a:localhost", "PUT", SEND),
        ("action in read", "GET", MESSAGES),
        ("ip in 127.0.0.0/8", "GET", SYNC),
        (f"time < {int(time.time() + 60) * 1000}", "GET", SYNC),
    ]
    for caveat, method, path in passes:
        answer = proxy.ask(method, path, attenuate(token, caveat))
        check(f"{who}: `{caveat.split(' ')[0]}` lets pass what it allows", answer.status == 200, answer)
        inner = answer.upstream("authorization")[:1]
        narrow = not caveat.startswith("time")
        check(f"{who}: `{caveat.split(' ')[0]}`: {'an inner token' if narrow else 'the token itself'} "
              "goes upstream", bool(inner) and inner[0].startswith("Bearer mmi_") == narrow, answer)
        secrets.extend(value.removeprefix("Bearer ") for value in inner)
    fails = [
        ("room_id in !b:localhost", "PUT", SEND, "room_id"),
        ("room_id in !a:localhost", "GET", SYNC, "room_id"),
        ("action in read", "PUT", SEND, "action"),
        ("ip in 192.0.2.0/24", "GET", SYNC, "ip"),
        ("time < 1700000000000", "GET", SYNC, "time"),
        ("audience = media", "GET", SYNC, "audience"),
    ]
    for caveat, method, path, key in fails:
        answer = proxy.ask(method, path, attenuate(token, caveat))
        check(f"{who}: `{caveat}` refuses {method} {path.removeprefix(V3)} by its name",
              _refused(answer, 403, "M_FORBIDDEN") and f"`{key}`" in answer.body, answer)
    answer = proxy.ask("GET", SYNC, attenuate(token, "label = a bot, on host7"))
    check(f"{who}: a label is told, escaped",
          answer.upstream("x-amaretti-label") == ["a%20bot%2C%20on%20host7"], answer)
    answer = proxy.ask("GET", SYNC, attenuate(token, "ip in 192.0.2.0/24"),
                       [("X-Forwarded-For", "192.0.2.7"), ("X-Real-IP", "192.0.2.7")])
    check(f"{who}: an address is not what a client says it is", answer.status in (400, 403), answer)


def query(proxy, alice):
    who, token = proxy.kind, alice["access_token"]
    for target, left in [
        (f"{SYNC}?access_token={token}", (SYNC, f"{SYNC}?")),
        (f"{SYNC}?access_token={token}&since=s1", (f"{SYNC}?since=s1", f"{SYNC}?&since=s1")),
        (f"{SYNC}?since=s1&access_token={token}", (f"{SYNC}?since=s1", f"{SYNC}?since=s1&")),
        (f"{SYNC}?since=s%201&access_token={token}&x=%2F",
         (f"{SYNC}?since=s%201&x=%2F", f"{SYNC}?since=s%201&&x=%2F")),
    ]:
        answer = proxy.ask("GET", target)
        shown = target.replace(token, "TOKEN").removeprefix(V3)
        check(f"{who}: {shown} passes with the token cut out and sent in a header",
              answer.status == 200 and answer.json["target"] in left
              and answer.upstream("authorization") == [f"Bearer {token}"], answer)
    for spelled in [f"%61ccess_token={token}", f"x=1;access_token={token}",
                    f"access_token={token}&access_token={token}"]:
        answer = proxy.ask("GET", f"{SYNC}?{spelled}", token)
        check(f"{who}: {spelled.replace(token, 'TOKEN')} is refused",
              _refused(answer, 401, "M_MISSING_TOKEN"), answer)
    narrow = attenuate(token, "action in state")
    answer = proxy.ask("PUT", f"{ROOM}/state/m.room.access_token={narrow}member?access_token={narrow}",
                       body=b"{}")
    cut = answer.status == 200 and "m.room.member" in answer.json["target"]
    check(f"{who}: what is cut out of the query is not cut out of the path", not cut, answer)


def forged(proxy, alice, node):
    """Headers that a client has no business to send."""
    who, token = proxy.kind, alice["access_token"]
    narrow = attenuate(token, "room_id in !b:localhost")
    allowed = MESSAGES.replace("!a", "!b")
    for method, uri in [("X-Original-Method", "X-Original-URI"), ("X-Original-Method", "X-Original-URL"),
                        ("X-Forwarded-Method", "X-Forwarded-Uri"), ("X-Amaretti-Method", "X-Amaretti-Uri")]:
        answer = proxy.ask("PUT", SEND, narrow, [(method, "GET"), (uri, allowed)])
        check(f"{who}: {method} and {uri} of a client gain nothing", answer.status in (400, 403), answer)
    claims = [(f"X-Amaretti-{name}", "forged") for name in IDENTITY]
    for path, bearer, sent in [(SYNC, token, "admitted"), ("/_matrix/client/versions", None, "public"),
                               ("/_matrix/federation/v1/version", None, "federation"),
                               (SYNC, "appservice-secret", "foreign")]:
        answer = proxy.ask("GET", path, bearer, claims)
        check(f"{who}: {sent}: identity that a client claims is stripped",
              answer.status == 200 and "forged" not in answer.body, answer)
    answer = proxy.ask("GET", SYNC, "appservice-secret")
    check(f"{who}: a foreign token passes untouched and names nobody",
          answer.status == 200 and answer.upstream("authorization") == ["Bearer appservice-secret"]
          and not _identity(answer), answer)
    answer = proxy.ask("GET", SYNC, token, [("X-Amaretti-Secret", "guess")])
    check(f"{who}: a secret that a client sends is not believed", answer.status in (200, 503)
          and "guess" not in answer.body, answer)
    answer = proxy.ask("GET", SYNC, token, [("Authorization", "Bearer other")])
    check(f"{who}: two tokens are not one", answer.status in (400, 401), answer)
    for path in ["/_amaretti/forward-auth", "/_amaretti/answer", "/_amaretti/closed"]:
        answer = proxy.ask("GET", path, token)
        check(f"{who}: {path} is not for clients", answer.status == 404, answer)


def spelled(proxy, alice):
    """A token for one room reaches no other, however the path is written."""
    who, narrow = proxy.kind, attenuate(alice["access_token"], "room_id in !a:localhost")
    for path in [
        f"{V3}/rooms/!a:localhost/../!b:localhost/messages",
        f"{V3}/rooms/!a:localhost/%2e%2e/!b:localhost/messages",
        f"{V3}/rooms/!a:localhost%2f..%2f!b:localhost/messages",
        f"{V3}/rooms/!a:localhost%252f..%252f!b:localhost/messages",
        f"{V3}/rooms/!b:localhost/send/m.room.message/..%2f..%2f..%2f!a:localhost/messages",
        f"{V3}/rooms//!a:localhost/messages",
        f"//_matrix/client/v3/rooms/!a:localhost/messages",
        f"/_matrix/client/../client/v3/rooms/!b:localhost/messages",
        f"/_matrix/federation/../client/v3/rooms/!b:localhost/messages",
        f"/_matrix/federation/..%2fclient/v3/rooms/!b:localhost/messages",
        f"{V3}/rooms/!a:localhost/messages/",
        f"{V3}/rooms/!a:localhost;!b:localhost/messages",
        f"{V3}/rooms/!b:localhost/messages;/rooms/!a:localhost/messages",
        f"{V3}/ROOMS/!b:localhost/messages",
        f"/_matrix/CLIENT/v3/rooms/!b:localhost/messages",
        f"{V3}/rooms/%21b%3Alocalhost/messages",
        f"{V3}/rooms/!b:localhost/messages?x=/rooms/!a:localhost/",
        f"{V3}/rooms/!b:localhost/messages#/rooms/!a:localhost/messages",
        f"http://evil.example{V3}/rooms/!b:localhost/messages",
    ]:
        answer = proxy.ask("GET", path, narrow)
        # What is no client's path to anybody goes on as the federation's, with nobody's name on it.
        harmless = answer.status == 200 and not _identity(answer) \
            and answer.json["target"] == path and path.startswith("/_matrix/federation/")
        check(f"{who}: {path} is not reached", answer.status in (400, 401, 403, 404) or harmless, answer)
    same = f"{V3}/rooms/%21a%3Alocalhost/messages"
    answer = proxy.ask("GET", same, narrow)
    check(f"{who}: its own room is, encoded too, and stays so",
          answer.status == 200 and answer.json["target"] == same, answer)


def routed(proxy, alice):
    """What is the node's, the homeserver's and nobody's."""
    who, token = proxy.kind, alice["access_token"]
    for method, path in [("GET", f"{V3}/login"), ("POST", f"{V3}/refresh"), ("POST", f"{V3}/register"),
                         ("POST", "/_matrix/client/v1/login/get_token"),
                         ("POST", f"{V3}/account/password"), ("POST", f"{V3}/account/deactivate"),
                         ("POST", f"{V3}/delete_devices"), ("DELETE", f"{V3}/devices/X"),
                         ("GET", f"{V3}/capabilities"), ("GET", "/_matrix/static/client/login/")]:
        answer = proxy.ask(method, path, token, body=None if method == "GET" else b"{}")
        check(f"{who}: {method} {path} is the node's", "x-server" not in answer.headers
              and answer.status != 503, answer)
    for method, path in [("GET", f"{V3}/devices"), ("GET", f"{V3}/devices/X"), ("PUT", f"{V3}/devices/X"),
                         ("GET", f"{V3}/account/whoami"), ("GET", "/_matrix/client/versions"),
                         ("GET", "/_matrix/media/v3/download/a/b"), ("GET", "/.well-known/matrix/client"),
                         ("GET", "/_synapse/client/unsubscribe"), ("GET", "/_matrix/key/v2/server"),
                         ("PUT", "/_matrix/federation/v1/send/1")]:
        answer = proxy.ask(method, path, token, body=None if method == "GET" else b"{}")
        check(f"{who}: {method} {path} is the homeserver's", "x-server" in answer.headers, answer)
    for path in ["/_synapse/admin/v1/rooms", "/_synapse/mas/provision_user", "/_synapse/admin",
                 "/%5Fsynapse/mas/query_user", "/_synapse/mas/query_user/..%2f..%2fclient%2fx",
                 "/_matrix/client/v1/auth_metadata",
                 "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata", "/metrics", "/"]:
        answer = proxy.ask("GET", path, token)
        check(f"{who}: {path} is nobody's", answer.is_error(404, "M_UNRECOGNIZED"), answer)
    answer = proxy.ask("GET", "/_matrix/federation/v1/version", headers=[("Authorization", "X-Matrix origin=a")])
    check(f"{who}: what servers sign with reaches the homeserver",
          answer.upstream("authorization") == ["X-Matrix origin=a"], answer)


def large(proxy, alice):
    who, token = proxy.kind, alice["access_token"]
    long = attenuate(token, *[f"label = {'x' * 240}" for _ in range(5)])
    answer = proxy.ask("GET", SYNC, long)
    check(f"{who}: a token of {len(long)} characters passes, and an inner one goes upstream",
          answer.status == 200 and answer.upstream("authorization")[0].startswith("Bearer mmi_"), answer)
    answer = proxy.ask("GET", SYNC, "mma_" + "A" * 6000)
    check(f"{who}: one of 6000 is refused softly", _refused(answer, 401, "M_UNKNOWN_TOKEN", True), answer)
    answer = proxy.ask("GET", SYNC, token, [("Cookie", "c" * 4000)])
    check(f"{who}: 4 KB of cookies do not matter", answer.status == 200, answer)
    try:
        status = proxy.ask("GET", SYNC, token, [("X-Large", "x" * 70000)]).status
    except OSError:
        status = "hung up"
    check(f"{who}: 70 KB in a header do not break anything", status in (200, 400, 431, 494, 413, "hung up"), status)
    check(f"{who}: and the next request passes", proxy.ask("GET", SYNC, token).status == 200)


def away(proxy, node, alice):
    """Nobody is logged out because of us."""
    who, token = proxy.kind, alice["access_token"]
    node.process.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    began = time.monotonic()
    answer = proxy.ask("GET", SYNC, token)
    took = time.monotonic() - began
    node.process.send_signal(signal.SIGCONT)
    check(f"{who}: a node that does not answer is 503 within 12 s ({took:.1f} s)",
          answer.is_error(503, "M_UNKNOWN") and answer.header("retry-after") and took < 12, answer)
    node.process.kill()
    node.process.wait()
    for bearer in (token, None, "appservice-secret"):
        answer = proxy.ask("GET", f"{SYNC}?since=s1", bearer)
        check(f"{who}: a node that is down is 503 for {'nobody' if bearer is None else bearer[:4]}",
              answer.is_error(503, "M_UNKNOWN") and answer.header("retry-after")
              and answer.header("access-control-allow-origin") == "*", answer)
    answer = proxy.ask("POST", f"{V3}/refresh", body=b"{}")
    check(f"{who}: at /refresh it is 503 in plain text",
          answer.status == 503 and answer.header("content-type").startswith("text/plain")
          and "errcode" not in answer.body, answer)
    answer = proxy.ask("GET", "/_matrix/federation/v1/version")
    check(f"{who}: other servers do not notice", answer.status == 200, answer)
    node.start()
    answer = proxy.ask("GET", SYNC, token)
    check(f"{who}: when it is back the token passes", answer.status == 200, answer)


def silent(proxy):
    """What a proxy writes of requests holds no token."""
    # One check has put a token into a path, where nobody's would be.
    lines = [line for line in proxy.logged().splitlines() if "m.room.access_token" not in line]
    text = "\n".join(lines)
    found = [secret[:8] for secret in secrets if secret[28:60] in text]
    check(f"{proxy.kind}: no line of its log of requests holds a token", not found, found)
    check(f"{proxy.kind}: nor a query", "access_token" not in text, text[-500:])
    check(f"{proxy.kind}: but the path", "/_matrix/client/v3/sync" in text, text[-500:])
