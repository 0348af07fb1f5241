"""Accounts: administrators, those that are locked or gone, those that Synapse has, and bridges."""

from stage import SERVER, check, until


def play(stage):
    administers(stage)
    locked(stage)
    gone(stage)
    taken(stage)
    bridges(stage)


def administers(stage):
    stage.register("root").good()
    path = f"/_synapse/admin/v2/users/@alice:{SERVER}"
    asks = lambda token: stage.ask("GET", path, token, at="synapse").status
    plain = stage.login("root").good()
    check("a user may not administer Synapse", asks(plain["access_token"]) == 403)
    stage.run("user", "admin", "root", "on")
    stage.root = stage.login("root").good()
    token = stage.root["access_token"]
    check("an administrator may", asks(token) == 200)
    narrow = stage.run("token", "attenuate", "--caveat", "label = script", text=token)
    check("and not by a token that was narrowed", asks(narrow) == 403)
    script = stage.run("token", "mint", "--kind", "access", "--user", "root")
    check("by one that was minted without a device", asks(script) == 200)


def locked(stage):
    dave = stage.register("dave").good()
    fresh = stage.login("dave").good()
    stage.run("user", "lock", "dave")
    check("a locked user is told so by the node",
          stage.login("dave").told() == [401, "M_USER_LOCKED", True])
    told = stage.whoami(fresh["access_token"])
    check("and loses no keys by what Synapse says", told.status == 503, told)
    out = stage.client("POST", "logout", dave["access_token"], {})
    check("may log out all the same", out.status == 200, out)
    stage.run("user", "unlock", "dave")
    check("and goes on once unlocked", stage.whoami(fresh["access_token"]).status == 200)


def gone(stage):
    erin = stage.register("erin").good()
    stage.whoami(erin["access_token"]).good()
    done = stage.proved("POST", "account/deactivate", erin, {})
    check("somebody ends an account", done.status == 200, done)
    check("which is dead at Synapse at once", stage.whoami(erin["access_token"]).status == 401)
    known = stage.mas("GET", "query_user?localpart=erin")
    check("and deactivated there", known["is_deactivated"] is True, known)
    check("nobody logs in to it", stage.login("erin").status == 403)
    check("nobody registers its name", stage.register("erin")["errcode"] == "M_USER_IN_USE")
    frank = stage.register("frank").good()
    stage.whoami(frank["access_token"]).good()
    stage.run("user", "deactivate", "frank")
    found = stage.whoami(frank["access_token"]).status
    check("what an operator ends is dead at once too", found == 401, found)


def taken(stage):
    for name in ("admin", "departed"):
        stage.mas("POST", "provision_user", {"localpart": name})
    stage.mas("POST", "delete_user", {"localpart": "departed", "erase": False}).good()
    for name, what in (("admin", "an account that Synapse has"),
                       ("departed", "one that was deactivated there"),
                       ("bridge_ghost", "a name that a bridge keeps")):
        told = stage.register(name)
        check(f"{what} is not taken over by registering", told["errcode"] == "M_USER_IN_USE", told)
    told = stage.register("_leading")
    check("nor is a name made that Synapse does not allow",
          told["errcode"] == "M_INVALID_USERNAME", told)
    told = stage.client("GET", "register/available?username=admin")
    check("which is told before", told["errcode"] == "M_USER_IN_USE", told)
    stage.run("user", "add", "admin", "--adopt", "--password-stdin", text=stage.PASSWORD)
    login = stage.login("admin").good()
    check("an operator adopts it", stage.whoami(login["access_token"]).status == 200)
    # Synapse on SQLite fails at this until it has made its indexes, some while after its first start.
    known = lambda: stage.mas("POST", "reactivate_user", {"localpart": "departed"}).status == 200
    until("Synapse has its indexes", known, 90)
    stage.mas("POST", "delete_user", {"localpart": "departed", "erase": False}).good()
    stage.run("user", "add", "departed", "--adopt", "--password-stdin", text=stage.PASSWORD)
    login = stage.login("departed").good()
    check("also one that was deactivated", stage.whoami(login["access_token"]).status == 200)
    stage.run("user", "add", "gwen", "--password-stdin", text=stage.PASSWORD)
    known = stage.mas("GET", "query_user?localpart=gwen")
    check("an account that an operator adds is made at Synapse", known.status == 200, known)


def bridges(stage):
    who = stage.whoami(stage.appservice)
    check("a bridge's own token passes", who["user_id"] == f"@bridge:{SERVER}", who)
    ghost = {"type": "m.login.application_service", "username": "bridge_1", "inhibit_login": True}
    made = stage.client("POST", "register", stage.appservice, ghost)
    check("its registrations are Synapse's affair", made.status == 200
          and made["user_id"] == f"@bridge_1:{SERVER}", made)
    as_ghost = f"createRoom?user_id=@bridge_1:{SERVER}"
    made = stage.client("POST", as_ghost, stage.appservice, {})
    check("its ghosts act", made.status == 200, made)
    told = stage.client("POST", "register", "wrong", ghost)
    check("nobody else registers so", told.status in (401, 403), told)
