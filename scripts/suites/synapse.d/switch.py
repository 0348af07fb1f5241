"""A Synapse that has lived alone: what it had before the switch, and after going back."""

import time

from stage import check


def before(stage):
    """Somebody has an account, a session and a room at a Synapse that nothing stands before."""
    body = {"username": "early", "password": stage.PASSWORD, "auth": {"type": "m.login.dummy"}}
    stage.early = stage.client("POST", "register", body=body, at="synapse").good()
    room = stage.client("POST", "createRoom", stage.early["access_token"], {"name": "old"}, at="synapse")
    stage.room = room.good()["room_id"]
    moved = {**body, "username": "moved", "device_id": "POCKET"}
    stage.moved = stage.client("POST", "register", body=moved, at="synapse").good()
    stage.client("POST", "createRoom", stage.moved["access_token"], {}, at="synapse").good()
    stage.stop(stage.synapse)
    stage.configure(linked=True)
    stage.start_synapse()


def rooms(stage, login):
    return stage.client("GET", "joined_rooms", login["access_token"])["joined_rooms"]


def play(stage):
    told = stage.register("early")
    check("an account from before the switch is not taken over", told["errcode"] == "M_USER_IN_USE",
          told)
    told = stage.client("GET", "capabilities", stage.early["access_token"])
    check("its old token ends softly where the node is asked",
          told.told() == [401, "M_UNKNOWN_TOKEN", True], told)
    stage.run("user", "add", "early", "--password-stdin", "--adopt", text=stage.PASSWORD)
    login = stage.login("early").good()
    check("adopted, its user logs in and is in the old room", rooms(stage, login) == [stage.room])
    moves(stage)


def moves(stage):
    """What `amaretti import synapse` takes over lives on, at both, until it is logged out."""
    yaml = ["--homeserver-yaml", "homeserver.yaml"]
    told = stage.run("import", "synapse", *yaml, "--dry-run")
    check("a rehearsal counts", "WOULD BE TAKEN OVER" in told, told)
    gone = stage.client("GET", "capabilities", stage.moved["access_token"])
    check("and takes nothing over", gone.status == 401, gone)
    stage.run("import", "synapse", *yaml)
    time.sleep(0.3)
    who = stage.whoami(stage.moved["access_token"])
    check("a client that was logged in before the switch lives on", who.status == 200
          and [who["user_id"], who["device_id"]] == ["@moved:hs.test", "POCKET"], who)
    told = stage.client("GET", "capabilities", stage.moved["access_token"])
    check("here too", told.status == 200, told)
    check("and is in its room", len(rooms(stage, stage.moved)) == 1)
    check("the old password is good", stage.login("moved").status == 200)
    stage.client("POST", "logout", stage.moved["access_token"], {}).good()
    gone = stage.client("GET", "capabilities", stage.moved["access_token"])
    check("its logout ends it, for good", gone.told() == [401, "M_UNKNOWN_TOKEN", False], gone)
    gone = stage.whoami(stage.moved["access_token"])
    check("at Synapse too", gone.status == 401, gone)


def back(stage):
    """The block is taken out of Synapse's configuration, the routes out of the proxy."""
    stage.stop(stage.synapse)
    stage.configure(linked=False)
    stage.start_synapse()
    login = stage.login("early", at="synapse")
    check("going back, the password that Synapse knew is good", login.status == 200, login)
    found = stage.client("GET", "joined_rooms", login["access_token"], at="synapse")["joined_rooms"]
    check("and the room is there", found == [stage.room], found)
