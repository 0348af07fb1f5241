"""Two nodes on one PostgreSQL before one Synapse: what one of them owes, the other pays."""

import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from ports import port
from stage import ROOT, check, until


def together(stage):
    database(stage)
    stage.configure(linked=True)
    stage.start_synapse()
    stage.start_node()
    begin_second(stage)
    stage.start_nginx()
    try:
        for scene in (sessions, registers, late, killed):
            scene(stage)
    finally:
        stage.stop_all()
        subprocess.run([ROOT / "scripts/postgres", "stop", stage.folder / "pg", "immediate"],
                       check=False)


def database(stage):
    begun = subprocess.run([ROOT / "scripts/postgres", "start", stage.folder / "pg"], check=True,
                           capture_output=True, text=True)
    stage.settings["AMARETTI_DATABASE"] = begun.stdout.strip()
    stage.run("keys", "new")


def begin_second(stage):
    """A node with listeners and a folder of its own; Synapse asks the first one alone."""
    stage.ports["second"] = port()
    stage.start_node("second", AMARETTI_LISTEN=f"127.0.0.1:{stage.ports['second']}",
                     AMARETTI_INTERNAL=f"127.0.0.1:{port()}", AMARETTI_DATA="data2")


def sessions(stage):
    stage.register("root").good()
    stage.run("user", "admin", "root", "on")
    stage.root = stage.login("root").good()
    stage.register("alice").good()
    for begins, ends in (("public", "second"), ("second", "public")):
        phone = stage.login("alice", begins, device_id="PHONE").good()
        who = stage.whoami(phone["access_token"])
        check(f"{begins}: a session that begins there is good at Synapse", who.status == 200, who)
        stage.client("POST", "logout", phone["access_token"], {}, ends).good()
        gone = stage.whoami(phone["access_token"])
        check(f"{ends}: ended there it is out at Synapse at once", gone.status == 401, gone)
        check("and the device is gone", "PHONE" not in stage.devices(stage.root, "alice"))


def registers(stage):
    """The same name, at both at once."""
    body = {"username": "race", "password": stage.PASSWORD}
    bodies = {}
    for node in ("public", "second"):
        session = stage.client("POST", "register", body=body, at=node)["session"]
        bodies[node] = {**body, "auth": {"type": "m.login.dummy", "session": session}}
    with ThreadPoolExecutor(2) as both:
        asks = lambda node: stage.client("POST", "register", body=bodies[node], at=node)
        told = list(both.map(asks, bodies))
    check("of two who register one name at two nodes one gets it",
          sorted(answer.status for answer in told) == [200, 400]
          and "M_USER_IN_USE" in [answer["errcode"] for answer in told], told)
    login = stage.login("race")
    check("and logs in", login.status == 200 and stage.whoami(login["access_token"]).status == 200,
          login)


def late(stage):
    """A logout at one node that Synapse hears late, and a login to the same device at the other."""
    stage.register("bob").good()
    tablet = stage.login("bob", "public", device_id="TABLET").good()
    stage.synapse.send_signal(signal.SIGSTOP)
    try:
        out = stage.client("POST", "logout", tablet["access_token"], {}, "public")
        check("a logout is answered while Synapse hangs", out.status == 200, out)
        with ThreadPoolExecutor(1) as one:
            login = one.submit(stage.login, "bob", "second", device_id="TABLET")
            time.sleep(1)
            waits = not login.done()
            stage.synapse.send_signal(signal.SIGCONT)
            login = login.result()
        check("a login to its device at the other node waits for what is being told", waits)
    finally:
        stage.synapse.send_signal(signal.SIGCONT)
    check("and is answered", login.status == 200, login)
    time.sleep(2)
    check("no late word of the logout takes the device away",
          "TABLET" in stage.devices(stage.root, "bob"))
    check("its session is good at Synapse", stage.whoami(login["access_token"]).status == 200)
    check("the old one is not", stage.whoami(tablet["access_token"]).status == 401)


def killed(stage):
    """A node is killed while it owes Synapse a word; the other one says it."""
    carol = stage.register("carol").good()
    phone = stage.login("carol", "second", device_id="PHONE").good()
    stage.stop(stage.synapse)
    out = stage.client("POST", "logout", phone["access_token"], {}, "second")
    check("a logout is answered while Synapse is away", out.status == 200, out)
    stage.nodes["second"].kill()
    stage.nodes["second"].wait()
    stage.start_synapse()
    left = lambda: stage.devices(stage.root, "carol")
    took = until("Synapse is told", lambda: "PHONE" not in left(), 60)
    check(f"what a killed node owed Synapse the other says (after {took:.1f} s)",
          left() == [carol["device_id"]], left())
    gone = stage.whoami(phone["access_token"])
    check("and the session is out there", gone.status == 401, gone)
    check("users of the killed node log in at the one that is left",
          stage.login("carol").status == 200)
