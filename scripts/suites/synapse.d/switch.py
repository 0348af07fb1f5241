"""A Synapse that has lived alone: what it had before the switch, and after going back."""

from stage import check


def before(stage):
    """Somebody has an account, a session and a room at a Synapse that nothing stands before."""
    body = {"username": "early", "password": stage.PASSWORD, "auth": {"type": "m.login.dummy"}}
    stage.early = at_synapse(stage, "POST", "register", body=body).good()
    room = at_synapse(stage, "POST", "createRoom", stage.early["access_token"], {"name": "old"})
    stage.room = room.good()["room_id"]
    stage.stop(stage.synapse)
    stage.configure(linked=True)
    stage.start_synapse()


def at_synapse(stage, method, path, token=None, body=None):
    return stage.ask(method, f"/_matrix/client/v3/{path}", token, body, at="synapse")


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


def back(stage):
    """The block is taken out of Synapse's configuration, the routes out of the proxy."""
    stage.stop(stage.synapse)
    stage.configure(linked=False)
    stage.start_synapse()
    body = {"type": "m.login.password", "password": stage.PASSWORD,
            "identifier": {"type": "m.id.user", "user": "early"}}
    login = at_synapse(stage, "POST", "login", body=body)
    check("going back, the password that Synapse knew is good", login.status == 200, login)
    found = at_synapse(stage, "GET", "joined_rooms", login["access_token"])["joined_rooms"]
    check("and the room is there", found == [stage.room], found)
