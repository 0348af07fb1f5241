"""Asks the node over HTTP and says what a wrong answer is."""

import collections
import http.client
import json
import threading


class Gone(Exception):
    """The connection ended before the answer did: nobody knows whether it was done."""


class Violation(Exception):
    """Something that must never be."""


class Tally:
    """Counts, from several threads, how often each sentence was found true."""

    def __init__(self):
        self.counts = collections.Counter()
        self.lock = threading.Lock()

    def holds(self, sentence, truth=True, found=""):
        """Counts a sentence that is true; one that is not is a violation."""
        if not truth:
            raise Violation(f"this does not hold: {sentence}" + (f"\n  found: {found}" if found else ""))
        self.count(sentence)

    def count(self, what):
        with self.lock:
            self.counts[what] += 1


class Moment:
    """When the node is killed."""

    def __init__(self):
        self.is_near, self.is_killed = threading.Event(), threading.Event()


class Answer:
    """A whole answer: what was asked, the status, the JSON of the body."""

    def __init__(self, asked, status, body):
        self.asked, self.status, self.body = asked, status, body

    def __str__(self):
        shown = {key: value for key, value in self.body.items() if not is_secret(key)}
        return f"{self.asked} -> {self.status} {json.dumps(shown)}"

    def must(self, *statuses):
        """Itself, if its status is one of these."""
        if self.status not in statuses:
            raise Violation(f"expected {' or '.join(map(str, statuses))}: {self}")
        return self

    @property
    def is_dead(self):
        """Whether a token was refused because a fact has ended its session."""
        unknown = self.body.get("errcode") == "M_UNKNOWN_TOKEN"
        return self.status == 401 and unknown and self.body.get("soft_logout") is False

    @property
    def is_retired(self):
        """Whether a refresh token was refused because a newer one has been used."""
        unknown = self.body.get("errcode") == "M_UNKNOWN_TOKEN"
        return self.status == 401 and unknown and self.body.get("soft_logout") is True


def is_secret(key):
    return key in ("access_token", "refresh_token", "login_token", "session")


class Client:
    """One connection to one node. It keeps a trail of what was asked last."""

    def __init__(self, address, trail, moment=None):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=10)
        self.trail = trail
        self.moment = moment

    def ask(self, method, path, body=None, token=None, last=False):
        """The answer to a request; `Gone` if there is none.

        The last request of an act loses its answer once the moment of a kill has come near, so that
        more kills hit what is done and not yet acknowledged.
        """
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        asked = f"{method} {path}"
        data = None if body is None else json.dumps(body)
        try:
            self.connection.request(method, f"/_matrix/client/{path}", data, headers)
            if last and self.moment and self.moment.is_near.is_set():
                self.moment.is_killed.wait(10)
                raise ConnectionAbortedError("the answer is lost")
            response = self.connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.trail.append(f"{asked} -> {type(error).__name__}")
            raise Gone(f"{asked}: {error!r}") from error
        answer = Answer(asked, response.status, parsed(text))
        self.trail.append(str(answer))
        if answer.status >= 500:
            raise Violation(f"the node answers for a fault of its own: {answer} {text[:200]!r}")
        return answer

    def get(self, path, token=None):
        return self.ask("GET", path, None, token)

    def post(self, path, body, token=None, last=False):
        return self.ask("POST", path, body, token, last)

    def whoami(self, token):
        return self.get("v3/account/whoami", token)

    def devices(self, token):
        """The ids of the devices of the token's user."""
        answer = self.get("v3/devices", token).must(200)
        return sorted(device["device_id"] for device in answer.body["devices"])


def parsed(text):
    """The JSON object of a body; where there is none, its text under a name of ours."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"text": text.decode(errors="replace")}
