"""A real client: matrix-js-sdk, with encryption."""

import os
import subprocess

from stage import ROOT, SERVER, check, failed, passed


def play(stage):
    environment = {**os.environ, "CLIENT_URL": stage.url, "CLIENT_SERVER": SERVER,
                   "CLIENT_PASSWORD": stage.PASSWORD}
    drive = ROOT / "tests/clients/matrix-js-sdk/synapse.js"
    done = subprocess.run(["node", str(drive)], capture_output=True, text=True, env=environment,
                          timeout=150, check=False)
    for line in done.stdout.splitlines():
        if line.startswith(("ok", "FAIL")):
            (passed if line.startswith("ok") else failed).append(line)
            print(line, flush=True)
    check("matrix-js-sdk goes through to its end", done.returncode == 0,
          done.stderr[-2000:] + done.stdout[-500:])
