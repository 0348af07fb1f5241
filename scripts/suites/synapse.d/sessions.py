"""Sessions: they begin at both, work at Synapse, and end at both at once."""

import statistics
import time

from stage import check


def play(stage):
    begins(stage)
    ends(stage)
    comes_back(stage)
    provisioned(stage)
    hidden(stage)
    timed(stage)


def begins(stage):
    alice = stage.register("alice", device_id="PHONE", initial_device_display_name="Pocket")
    check("somebody registers, through nginx", alice.status == 200, alice)
    who = stage.whoami(alice["access_token"])
    check("and Synapse knows user and device", who.status == 200
          and [who["user_id"], who["device_id"]] == ["@alice:hs.test", "PHONE"], who)
    token = alice["access_token"]
    room = stage.client("POST", "createRoom", token, {"name": "tea"})
    check("makes a room", room.status == 200, room)
    since = stage.client("GET", "sync?timeout=0", token).good()["next_batch"]
    body = {"msgtype": "m.text", "body": "twinkle"}
    path = f"rooms/{room['room_id']}/send/m.room.message/t1"
    check("sends to it", stage.client("PUT", path, token, body).status == 200)
    synced = stage.client("GET", f"sync?timeout=0&since={since}", token)
    check("and hears of it", "twinkle" in synced.body, synced)
    device = stage.client("GET", "devices/PHONE", token).good()
    check("its device bears the name it gave", device["display_name"] == "Pocket", device)
    again = stage.login("alice", device_id="PHONE", initial_device_display_name="Other").good()
    device = stage.client("GET", "devices/PHONE", again["access_token"]).good()
    check("and keeps it when it logs in again", device["display_name"] == "Pocket", device)
    stage.alice = again


def ends(stage):
    tablet = stage.login("alice", device_id="TABLET").good()
    other = stage.login("alice", device_id="OTHER").good()
    for login in (tablet, other):
        stage.whoami(login["access_token"]).good()
    stage.client("POST", "logout", tablet["access_token"], {}).good()
    gone = stage.whoami(tablet["access_token"])
    check("a session that logged out is out at Synapse at once", gone.status == 401, gone)
    done = stage.proved("POST", "delete_devices", stage.alice, {"devices": ["OTHER"]})
    check("a device is deleted by another", done.status == 200, done)
    gone = stage.whoami(other["access_token"])
    check("and is out at Synapse at once", gone.status == 401, gone)
    third = stage.login("alice", device_id="THIRD").good()
    stage.whoami(third["access_token"]).good()
    done = stage.proved("DELETE", "devices/THIRD", stage.alice, {})
    gone = stage.whoami(third["access_token"])
    check("so is one that was deleted by name", [done.status, gone.status] == [200, 401], gone)
    check("while the others live", stage.whoami(stage.alice["access_token"]).status == 200)
    carol = stage.register("carol").good()
    second = stage.login("carol").good()
    for login in (carol, second):
        stage.whoami(login["access_token"]).good()
    stage.client("POST", "logout/all", carol["access_token"], {}).good()
    found = [stage.whoami(login["access_token"]).status for login in (carol, second)]
    check("logging out everywhere ends all of them at once", found == [401, 401], found)
    first, other = stage.login("carol", device_id="A").good(), stage.login("carol").good()
    stage.whoami(other["access_token"]).good()
    done = stage.proved("POST", "account/password", first, {"new_password": stage.PASSWORD})
    found = [done.status, *(stage.whoami(who["access_token"]).status for who in (first, other))]
    check("a change of password ends the others alone", found == [200, 200, 401], found)


def comes_back(stage):
    old = stage.login("alice", device_id="BACK").good()
    check("a token is active", stage.introspect(old["access_token"])["active"] is True)
    stage.client("POST", "logout", old["access_token"], {}).good()
    new = stage.login("alice", device_id="BACK").good()
    check("its device logs in again", stage.whoami(new["access_token"]).status == 200)
    dead = stage.introspect(old["access_token"])
    check("and the old token stays dead", dead.json == {"active": False}, dead)
    gone = stage.whoami(old["access_token"])
    check("at Synapse too, which has not seen it", gone.status == 401, gone)


def provisioned(stage):
    asked = stage.ask("POST", "/_matrix/client/v1/login/get_token", stage.alice["access_token"], {})
    auth = {"type": "m.login.password", "password": stage.PASSWORD, "session": asked["session"],
            "identifier": {"type": "m.id.user", "user": "alice"}}
    given = stage.ask("POST", "/_matrix/client/v1/login/get_token", stage.alice["access_token"],
                      {"auth": auth})
    login = stage.client("POST", "login", body={"type": "m.login.token",
                                                "token": given["login_token"]})
    who = stage.whoami(login["access_token"])
    check("a login token of get_token makes a device that Synapse knows",
          who.status == 200 and who["device_id"] == login["device_id"], who)
    kiosk = stage.run("token", "mint", "--kind", "login", "--user", "alice", "--device", "KIOSK")
    login = stage.client("POST", "login", body={"type": "m.login.token", "token": kiosk}).good()
    who = stage.whoami(login["access_token"])
    check("so does one that was minted offline", who["device_id"] == "KIOSK", who)
    soft = stage.login("alice", device_id="SOFT", refresh_token=True).good()
    stage.whoami(soft["access_token"]).good()
    time.sleep(4.2)
    told = stage.client("GET", "capabilities", soft["access_token"])
    check("an expired token is a soft logout where the node is asked",
          told.told() == [401, "M_UNKNOWN_TOKEN", True], told)
    check("and dead at Synapse on time", stage.whoami(soft["access_token"]).status == 401)
    pair = stage.client("POST", "refresh", body={"refresh_token": soft["refresh_token"]}).good()
    who = stage.whoami(pair["access_token"])
    check("a refresh goes on with the same device", who["device_id"] == "SOFT", who)


def hidden(stage):
    told = stage.client("GET", "capabilities", stage.alice["access_token"]).good()["capabilities"]
    found = [told[f"m.{name}"]["enabled"] for name in ("change_password", "get_login_token")]
    check("capabilities are Synapse's own with what is done here",
          found == [True, True] and "12" in told["m.room_versions"]["available"], told)
    for path in ("/_synapse/mas/query_user?localpart=alice", "/_synapse/admin/v2/users"):
        told = stage.ask("GET", path, stage.secret)
        check(f"{path.split('?')[0]} is closed to the outside", told.status == 404, told)
    told = stage.ask("GET", "/_matrix/client/v1/auth_metadata")
    check("no client is led to an OAuth server", told["errcode"] == "M_UNRECOGNIZED", told)


def timed(stage):
    """Whoami at Synapse, which asks about each token it has not seen for two minutes."""
    tokens = [stage.run("token", "attenuate", "--caveat", f"label = {n}",
                        text=stage.alice["access_token"]) for n in range(40)]
    took = {"cold": [], "warm": []}
    for kind, list_of in took.items():
        for token in tokens:
            began = time.perf_counter()
            stage.ask("GET", "/_matrix/client/v3/account/whoami", token, at="synapse").good()
            list_of.append((time.perf_counter() - began) * 1000)
    alone = []
    for token in tokens:
        began = time.perf_counter()
        stage.introspect(token).good()
        alone.append((time.perf_counter() - began) * 1000)
    cold, warm = (statistics.median(took[kind]) for kind in ("cold", "warm"))
    print(f"      whoami at Synapse, median of 40: cold {cold:.1f} ms, warm {warm:.1f} ms; "
          f"one introspection over a new connection {statistics.median(alone):.1f} ms", flush=True)
