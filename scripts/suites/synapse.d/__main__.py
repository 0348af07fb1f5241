"""Runs every scene against each version that is named."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

import accounts
import away
import clients
import looked_at
import narrowed
import secure
import sessions
import several
import switch
from stage import ROOT, Stage, check, failed, passed


def play(version, title, act):
    folder = tempfile.mkdtemp(prefix="synapse.")
    os.chmod(folder, 0o755)
    stage = Stage(version, folder)
    asked = [stage.python, "-c",
             "from importlib.metadata import version; print(version('matrix-synapse'))"]
    release = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    title = f"Synapse {release}{title}"
    print(f"== {title}", flush=True)
    began, before = time.monotonic(), len(failed)
    try:
        stage.prepare()
        act(stage)
        logs(stage)
    except (SystemExit, Exception) as error:  # whatever it is, what was started is stopped
        if not isinstance(error, SystemExit):
            traceback.print_exc()
        check(f"{title}: goes through to its end", False, error)
    finally:
        stage.stop_all()
        if len(failed) > before:
            stage.fail()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"== {title}: {time.monotonic() - began:.0f} s", flush=True)


def alone(stage):
    """One node on SQLite, and a Synapse that had users before."""
    stage.start_synapse()
    switch.before(stage)
    stage.start_node()
    stage.start_nginx()
    for scene in (switch, sessions, narrowed, looked_at, accounts, clients, away, secure):
        scene.play(stage)
    switch.back(stage)


def logs(stage):
    """What was written while all that went on."""
    for name in (*(f"{node}.log" for node in stage.nodes), "access.log"):
        text = (stage.folder / name).read_text(errors="replace")
        found = re.search(r"mm[a-z]_[A-Za-z0-9_-]{16}", text) or stage.secret in text
        check(f"no token and no secret is in {name}", not found and text)
        check(f"no panic is in {name}", "panicked" not in text)


for chosen in sys.argv[1:]:
    play(chosen, "", alone)
play(sys.argv[1], ", two nodes", several.together)
print(f"{len(passed)} passed, {len(failed)} failed")
sys.exit(0 if passed and not failed else 1)
