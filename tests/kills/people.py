"""The model: users as they must be after everything that was acknowledged, and the check of it."""

import base64
import time

# How long a repeated exchange is given the same pair is 30 s; near its end we do not look.
SAME_PAIR = 25.0


class Session:
    """A login that we hold the tokens of."""

    def __init__(self, body):
        self.device = body["device_id"]
        self.access = body["access_token"]
        self.refresh = body.get("refresh_token")
        # Access tokens of earlier generations: they live on until they expire.
        self.earlier = []
        # The refresh token that was exchanged last, and when.
        self.spent = None
        # Path and body of the request that it came of, where a repetition is given it again.
        self.again = None
        self.used = False

    def renew(self, body):
        """Takes the next pair."""
        self.spent = (self.refresh, time.monotonic())
        self.earlier = [*self.earlier, self.access][-2:]
        self.access, self.refresh = body["access_token"], body["refresh_token"]
        self.used = False
        self.again = None


class User:
    """A user whom one worker alone acts for."""

    def __init__(self, name, password):
        self.name, self.password = name, password
        self.old_password = None
        self.live, self.dead = [], []
        # Devices of logins whose answer was lost: nobody holds their tokens.
        self.orphans = set()
        # Login tokens that have not been tried, and when they were made.
        self.stock = []
        self.asked_for_token_at = None
        # Whether all of its sessions were ended once.
        self.was_ended = False

    def id(self):
        return f"@{self.name}:localhost"

    def devices(self):
        return sorted({session.device for session in self.live} | self.orphans)

    def begin(self, body):
        """A session has begun: what lived on its device has ended."""
        session = Session(body)
        self.end_device(session.device)
        self.live.append(session)
        return session

    def end_device(self, device):
        self.end([session for session in self.live if session.device == device])
        self.orphans.discard(device)

    def end(self, sessions):
        self.live = [session for session in self.live if session not in sessions]
        self.dead = [*self.dead, *sessions][-8:]

    def end_all(self, spared=()):
        """Every session has ended, and with them what was minted from them."""
        self.end([session for session in self.live if session not in spared])
        self.orphans.clear()
        self.stock.clear()
        self.was_ended = True


def login_body(user, password, **more):
    return {"type": "m.login.password", "password": password,
            "identifier": {"type": "m.id.user", "user": user.name}, **more}


def observe(client, user, but=()):
    """The devices that the user really has, seen by a session other than these."""
    witness = next((one for one in user.live if one not in but and one.again is None), None)
    if witness is None:
        body = login_body(user, user.password, device_id="WITNESS")
        witness = user.begin(client.post("v3/login", body).must(200).body)
    witness.used = True
    return client.devices(witness.access)


def minted_at(token):
    """When a token was minted, in seconds: the identifier says so."""
    raw = base64.urlsafe_b64decode(token[4:] + "=" * (-len(token[4:]) % 4))
    return int.from_bytes(raw[36:42], "big") / 1000


class Check:
    """Holds the node to the model of one user."""

    def __init__(self, client, tally):
        self.client, self.tally = client, tally

    def all_of(self, user):
        for session in list(user.live):
            self.repeated(user, session)
            self.exchanged(session)
        self.standing(user)
        self.password(user)

    def standing(self, user):
        """Nobody who lives is turned away, nobody who ended comes back, no device too many."""
        for session in user.live:
            for token in (*session.earlier, session.access):
                answer = self.client.whoami(token)
                self.tally.holds("a live session is never refused", answer.status == 200, answer)
                right = answer.body == {"user_id": user.id(), "device_id": session.device,
                                        "is_guest": False}
                self.tally.holds("a token says whose it is", right, answer)
            session.used = True
        for session in user.dead:
            self.is_over(session)
        found = observe(self.client, user)
        expected = user.devices()
        self.tally.holds("the devices are those of the sessions", found == expected,
                         f"{user.name}: {found}, expected {expected}")

    def is_over(self, session):
        answer = self.client.whoami(session.access)
        self.tally.holds("an ended session stays ended", answer.is_dead, answer)
        if session.refresh:
            answer = self.client.post("v3/refresh", {"refresh_token": session.refresh})
            self.tally.holds("an ended session is not renewed", answer.status == 401, answer)
        if session.again:
            answer = self.client.post(*session.again)
            self.tally.holds("an ended session is not given again",
                             "access_token" not in answer.body, answer)

    def repeated(self, user, session):
        """What a lost answer is worth: the same session again, until it is used."""
        if session.again is None:
            return
        path, body = session.again
        registers = "register" in path
        refused = 200 if registers else 403
        answer = self.client.post(path, body).must(200, refused)
        same = answer.body.get("access_token") == session.access
        # Killed before the first use was written down, a node may give the session once more.
        kept = same or (session.used and "access_token" not in answer.body)
        what = "registration" if registers else "login by token"
        self.tally.holds(f"a repeated {what} gives the same session until it is used", kept, answer)
        self.client.whoami(session.access).must(200)
        session.used = True
        answer = self.client.post(path, body).must(refused)
        over = "access_token" not in answer.body
        self.tally.holds(f"a repeated {what} gives nothing once it was used", over, answer)
        session.again = None
        if registers:
            self.tally.holds("a repeated registration gives the same user",
                             answer.body.get("user_id") == user.id(), answer)

    def exchanged(self, session):
        """A refresh token that was exchanged gives the same pair or is retired."""
        if session.spent is None:
            return
        spent, at = session.spent
        ask = lambda token: self.client.post("v3/refresh", {"refresh_token": token})
        if time.monotonic() < at + SAME_PAIR:
            answer = ask(spent)
            same = (answer.body.get("access_token"), answer.body.get("refresh_token"))
            right = same == (session.access, session.refresh) or (session.used and answer.is_retired)
            self.tally.holds("an exchanged refresh token gives the same pair or is retired",
                             right, answer)
        answer = ask(session.refresh)
        self.tally.holds("an acknowledged pair can be renewed", answer.status == 200, answer)
        session.renew(answer.body)
        answer = ask(spent)
        self.tally.holds("a refresh token of two generations ago is retired", answer.is_retired,
                         answer)
        session.spent = None

    def password(self, user):
        """The last acknowledged password is the password, and no other is."""
        if user.old_password:
            answer = self.client.post("v3/login", login_body(user, user.old_password))
            self.tally.holds("a replaced password is refused", answer.status == 403, answer)
        body = login_body(user, user.password, device_id="CHECK")
        answer = self.client.post("v3/login", body)
        self.tally.holds("the acknowledged password lets its user in", answer.status == 200, answer)
        user.begin(answer.body)
