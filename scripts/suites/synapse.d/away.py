"""Synapse away: nobody is logged out, no logout waits, and what it missed it is told afterwards."""

import signal
import time

from stage import check, until


def play(stage):
    stopped(stage)
    restarted(stage)


def stopped(stage):
    """It hangs: it takes connections and says nothing."""
    stage.register("heidi").good()
    phone = stage.login("heidi", device_id="PHONE").good()
    stage.login("heidi", device_id="TABLET").good()
    stage.synapse.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        out = stage.client("POST", "logout", phone["access_token"], {})
        took = time.monotonic() - began
        check(f"a logout waits two seconds for a Synapse that hangs ({took:.2f} s)",
              out.status == 200 and took < 3, out)
        dead = stage.introspect(phone["access_token"])
        check("and counts here at once", dead.json == {"active": False}, dead)
    finally:
        stage.synapse.send_signal(signal.SIGCONT)
    left = lambda: stage.devices(stage.root, "heidi")
    took = until("Synapse is told of the logout", lambda: "PHONE" not in left(), 60)
    check(f"Synapse is told once it goes on (after {took:.1f} s)", "TABLET" in left(), left())


def restarted(stage):
    """It is stopped, and started again after a while."""
    ivan = stage.register("ivan").good()
    phone = stage.login("ivan", device_id="PHONE", refresh_token=True).good()
    tablet = stage.login("ivan", device_id="TABLET").good()
    stage.stop(stage.synapse)
    told = stage.login("ivan", device_id="NEW")
    check("while Synapse is away nobody logs in, and nobody is refused for it",
          told.status == 503 and told.headers["Retry-After"], told)
    told = stage.register("judy")
    check("nobody registers", told.status == 503, told)
    pair = stage.client("POST", "refresh", body={"refresh_token": phone["refresh_token"]})
    check("sessions are renewed", pair.status == 200, pair)
    began = time.monotonic()
    out = stage.client("POST", "logout", tablet["access_token"], {})
    took = time.monotonic() - began
    check(f"a logout is answered ({took:.2f} s)", out.status == 200 and took < 2.5, out)
    stage.run("user", "deactivate", "carol")
    time.sleep(5)
    stage.start_synapse()
    left = lambda: stage.devices(stage.root, "ivan")
    took = until("Synapse is told", lambda: "TABLET" not in left(), 60)
    check(f"Synapse is told of it once it is back (after {took:.1f} s)",
          left() == sorted([ivan["device_id"], "PHONE"]), left())
    known = lambda: stage.mas("GET", "query_user?localpart=carol")["is_deactivated"]
    until("Synapse is told of the deactivation", known, 30)
    check("and of an account that ended meanwhile", known() is True)
    check("whoever was there goes on", stage.whoami(ivan["access_token"]).status == 200)
    told = stage.register("judy")
    check("whoever could not register does now", told.status == 200, told)
