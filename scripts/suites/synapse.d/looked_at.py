"""`amaretti doctor` looks at all of it."""

import subprocess

from stage import BINARY, check


def play(stage):
    told = doctor(stage, "nginx")
    check("the doctor finds nothing to mend", told.returncode == 0 and "FAIL" not in told.stdout,
          told.stdout + told.stderr)
    told = doctor(stage, "synapse")
    check("and what is missing where Synapse is reached past the proxy",
          told.returncode == 1 and "FAIL" in told.stdout, told.stdout + told.stderr)
    check("it shows no secret", stage.secret not in told.stdout + told.stderr)


def doctor(stage, at):
    asked = [BINARY, "doctor", "--homeserver-yaml", "homeserver.yaml",
             "--url", f"http://127.0.0.1:{stage.ports[at]}"]
    return subprocess.run(asked, capture_output=True, text=True, cwd=stage.folder,
                          env=stage.environment(), timeout=120, check=False)
