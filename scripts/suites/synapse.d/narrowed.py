"""Narrowed tokens and ended ones, through nginx that asks the node, in front of Synapse."""

import time
import urllib.parse

from stage import check


def play(stage):
    alice = stage.login("alice", device_id="NARROW").good()
    token = alice["access_token"]
    rooms = [stage.client("POST", "createRoom", token, {}).good()["room_id"] for _ in range(2)]
    calls(stage, token, rooms)
    ends(stage)


def guarded(stage, method, path, token, body=None):
    return stage.ask(method, f"/_matrix/client/v3/{path}", token, body, at="guarded")


def calls(stage, token, rooms):
    here, there = (urllib.parse.quote(room) for room in rooms)
    sends = ("PUT", f"rooms/{here}/send/m.room.message/", {"msgtype": "m.text", "body": "hatter"})
    reads, elsewhere = ("GET", f"rooms/{here}/state"), ("GET", f"rooms/{there}/state")
    syncs, who = ("GET", "sync?timeout=0"), ("GET", "account/whoami")
    now = int(time.time() * 1000)
    cases = [
        ("action in identify,read,sync", [who, reads, syncs], [sends]),
        (f"room_id in {rooms[0]}", [reads, sends], [elsewhere, syncs]),
        ("ip in 127.0.0.0/8", [who, reads, sends, syncs], []),
        ("ip in 192.0.2.0/24", [], [who, sends, syncs]),
        (f"time < {now + 600_000}", [who, sends, syncs], []),
        (f"time < {now - 1}", [], [who, sends]),
        ("label = robot on host7", [who, reads, sends, syncs], []),
    ]
    for number, (caveat, allowed, refused) in enumerate(cases):
        narrow = stage.run("token", "attenuate", "--caveat", caveat, text=token)
        for method, path, *body in allowed:
            path += f"n{number}" if method == "PUT" else ""
            told = guarded(stage, method, path, narrow, *body)
            check(f"`{caveat}` lets {method} {path.split('/')[-1][:20]} pass", told.status == 200, told)
        for method, path, *body in refused:
            told = guarded(stage, method, path + ("x" if method == "PUT" else ""), narrow, *body)
            named = told.status == 403 and f"`{caveat.split()[0]}`" in told.json.get("error", "")
            check(f"`{caveat}` refuses {method} {path.split('/')[-1][:20]}, and is named", named, told)
    narrow = stage.run("token", "attenuate", "--caveat", "action in identify", text=token)
    told = stage.ask("GET", "/_matrix/client/v3/account/whoami", narrow, at="synapse")
    check("past the proxy Synapse takes no token that it cannot judge", told.status == 401, told)
    told = stage.ask("GET", f"/_matrix/client/v3/account/whoami?access_token={narrow}", at="guarded")
    check("a narrowed token in the query passes too", told.status == 200, told)


def ends(stage):
    gone = stage.login("alice", device_id="GONE").good()["access_token"]
    check("a whole token passes", guarded(stage, "GET", "account/whoami", gone).status == 200)
    guarded(stage, "POST", "logout", gone, {}).good()
    told = guarded(stage, "GET", "account/whoami", gone)
    check("one that logged out is a hard logout at once",
          told.told() == [401, "M_UNKNOWN_TOKEN", False], told)
    soft = stage.login("alice", device_id="LATE", refresh_token=True).good()
    time.sleep(4.2)
    told = guarded(stage, "GET", "account/whoami", soft["access_token"])
    check("one that has expired is a soft logout at Synapse's own endpoints",
          told.told() == [401, "M_UNKNOWN_TOKEN", True], told)
    pair = stage.client("POST", "refresh", body={"refresh_token": soft["refresh_token"]}).good()
    told = guarded(stage, "GET", "account/whoami", pair["access_token"])
    check("and renewed it is the same device", told["device_id"] == "LATE", told)
    told = guarded(stage, "GET", "account/whoami", None)
    check("no token is told so", told.told()[:2] == [401, "M_MISSING_TOKEN"], told)
    told = stage.ask("GET", "/_matrix/client/versions", at="guarded")
    check("what needs none passes", told.status == 200, told)
