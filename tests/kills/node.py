"""The node that is killed: its process, its folder, its log, its command line."""

import os
import pathlib
import re
import signal
import subprocess
import time

from wire import Violation

SETTINGS = {
    "AMARETTI_DATA": "data",
    "AMARETTI_KEYS": "keys",
    "AMARETTI_LISTEN": "127.0.0.1:0",
    "AMARETTI_INTERNAL": "127.0.0.1:0",
    "AMARETTI_ACCESS_TOKEN_LIFETIME": "1h",
    # The cheapest hash there is: this suite is about what is written, not about hashing.
    "AMARETTI_PASSWORD_HASHING_AT_ONCE": "0",
    "AMARETTI_PASSWORD_HASHING_MEMORY_KIB": "8",
    "AMARETTI_PASSWORD_HASHING_ITERATIONS": "1",
    "AMARETTI_TRIES_PER_MINUTE_PASSWORDS": "0",
    "AMARETTI_TRIES_PER_MINUTE_REGISTRATIONS": "0",
    "AMARETTI_TRIES_PER_MINUTE_LOGIN_TOKENS": "0",
    "AMARETTI_TRIES_PER_MINUTE_REFRESHES": "0",
    "AMARETTI_TRIES_PER_MINUTE_PROBES": "0",
}

SERVING = re.compile(r" serving listen=(\S+) internal=(\S+)")
PATIENCE = 20.0


class Node:
    """One data folder and, most of the time, the process that serves it."""

    def __init__(self, binary, folder):
        self.binary = pathlib.Path(binary).resolve()
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AMARETTI_")}
        self.environment = kept | SETTINGS
        self.process = None
        self.address = None
        self.internal = None
        self.runs = 0

    def log(self, back=0):
        return self.folder / f"run-{self.runs - back}.log"

    def spawn(self):
        """Starts the process and does not wait for it."""
        self.runs += 1
        self.log(20).unlink(missing_ok=True)
        with open(self.log(), "wb") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve"], cwd=self.folder, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)

    def start(self):
        """Starts the process and waits until it says that it serves; gives how long that took."""
        began = time.monotonic()
        self.spawn()
        while time.monotonic() < began + PATIENCE:
            serving = SERVING.search(self.log().read_text(errors="replace"))
            if serving:
                self.address, self.internal = serving.groups()
                return time.monotonic() - began
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        raise Violation("the node starts again after it was killed, and did not: "
                        f"exit code {self.process.poll()}\n{self.tail()}")

    def kill(self):
        """Ends the process as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        code = self.process.wait()
        if code != -signal.SIGKILL:
            raise Violation(f"the node ended by itself, with code {code}\n{self.tail()}")

    def run(self, *arguments):
        """What the command line says, beside the running process."""
        done = subprocess.run([self.binary, *arguments], cwd=self.folder, env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Violation(f"amaretti {' '.join(arguments)}: code {done.returncode}\n{done.stderr}")
        return done.stdout.strip()

    def tail(self):
        """The last lines of this run's log and of the one before."""
        lines = []
        for back in (1, 0):
            file = self.log(back)
            if file.exists():
                text = file.read_text(errors="replace").splitlines()
                lines += [f"  --- {file.name}", *(f"  {line}" for line in text[-15:])]
        return "\n".join(lines)
