"""What clients do: each act, what it means once it is acknowledged, and what became of one that was not.

`act` does it and brings the model up to date; it ends with `Gone` when the node is killed under it.
`settle` is asked after the restart: it finds out whether the act was done, wholly or not at all,
and brings the model up to date. It gives "done", "not done" or, where nobody can tell, "either".
"""

import time

from people import User, login_body, minted_at, observe
from wire import Violation


class Act:
    """An act of one worker upon one of its users."""

    # Whether it is done with an access token of the session, which is thereby used.
    uses = False

    def __init__(self, worker, user, session=None):
        self.worker, self.user, self.session = worker, user, session
        self.tally, self.random = worker.tally, worker.random

    @property
    def name(self):
        return type(self).__name__

    def holds(self, sentence, truth, found):
        self.tally.holds(sentence, truth, found)

    def look(self, client, session):
        """What the node says of a session, which is used by that."""
        session.used = True
        return client.whoami(session.access)

    def lost_devices(self, client, but=()):
        """Devices that the node has and the model does not."""
        found = observe(client, self.user, but)
        expected = self.user.devices()
        missing = set(expected) - set(found)
        if missing:
            raise Violation(f"devices of acknowledged logins are gone: {missing}")
        return sorted(set(found) - set(expected))


class Register(Act):
    """A user is made, with a registration token that is good once or often."""

    def __init__(self, worker, name, password, token, once):
        super().__init__(worker, User(name, password))
        self.token, self.once = token, once
        self.opened = None
        self.body = {"username": name, "password": password,
                     "refresh_token": self.random.random() < 0.5}

    def act(self, client):
        challenge = client.post("v3/register", self.body).must(401)
        self.opened = challenge.body["session"]
        self.finish(client.post("v3/register", self.final(), last=True).must(200))

    def final(self):
        stage = {"type": "m.login.registration_token", "token": self.token, "session": self.opened}
        return {**self.body, "auth": stage}

    def finish(self, answer):
        session = self.user.begin(answer.body)
        session.again = ("v3/register", self.final())
        self.worker.registered(self)

    def settle(self, client):
        path = f"v3/register/available?username={self.user.name}"
        exists = client.get(path).must(200, 400).status == 400
        path = f"v1/register/m.login.registration_token/validity?token={self.token}"
        good = client.get(path).must(200).body["valid"]
        self.holds("a registration token is spent exactly when its account exists",
                   not self.once or good != exists, f"account {exists}, token good {good}")
        if self.opened is None:
            self.holds("an unproved registration makes nothing", not exists, self.user.name)
            self.worker.tokens.append(self.token) if self.once else None
            return "not done"
        answer = client.post("v3/register", self.final())
        right = answer.body.get("user_id") == self.user.id() and "access_token" in answer.body
        self.holds("a registration whose answer was lost is answered when it is repeated",
                   answer.status == 200 and right, answer)
        self.finish(answer)
        found = client.devices(self.user.live[0].access)
        self.holds("a repeated registration makes one device", found == self.user.devices(), found)
        self.user.live[0].again = None
        return "done" if exists else "not done"


class Login(Act):
    """A login by password, on a new device or on one that exists."""

    def __init__(self, worker, user, session=None):
        super().__init__(worker, user, session)
        self.body = login_body(user, user.password, refresh_token=self.random.random() < 0.6)
        if session:
            self.body["device_id"] = session.device

    @property
    def name(self):
        return "Login on a known device" if self.session else "Login"

    def act(self, client):
        self.user.begin(client.post("v3/login", self.body, last=True).must(200).body)

    def settle(self, client):
        if self.session:
            return self.settle_known(client)
        lost = self.lost_devices(client)
        self.holds("a login whose answer was lost has made one device or none", len(lost) < 2, lost)
        self.user.orphans.update(lost)
        return "done" if lost else "not done"

    def settle_known(self, client):
        answer = self.look(client, self.session)
        self.holds("a login on a known device ends its session or leaves it",
                   answer.is_dead or answer.status == 200, answer)
        if not answer.is_dead:
            return "not done"
        self.user.end_device(self.session.device)
        self.user.orphans.add(self.session.device)
        return "done"


class LoginByToken(Act):
    """A login by a login token, with a txn_id."""

    def __init__(self, worker, user):
        super().__init__(worker, user)
        token, _ = user.stock.pop()
        self.body = {"type": "m.login.token", "token": token, "txn_id": f"t{worker.number()}",
                     "refresh_token": self.random.random() < 0.5}

    def act(self, client):
        self.finish(client.post("v3/login", self.body, last=True).must(200))

    def finish(self, answer):
        session = self.user.begin(answer.body)
        session.again = ("v3/login", self.body)

    def settle(self, client):
        before = self.lost_devices(client)
        self.holds("a login by token whose answer was lost has made one device or none",
                   len(before) < 2, before)
        answer = client.post("v3/login", self.body)
        self.holds("a login token with the same txn_id gives a session after a lost answer",
                   answer.status == 200, answer)
        after = self.lost_devices(client)
        self.holds("a login token never makes two sessions",
                   after == [answer.body["device_id"]] and (not before or before == after),
                   f"before {before}, after {after}, answered {answer}")
        other = client.post("v3/login", {**self.body, "txn_id": "another"})
        self.holds("a login token with another txn_id is refused", other.status == 403, other)
        self.finish(answer)
        return "done" if before else "not done"


class Refresh(Act):
    """A refresh token is exchanged."""

    def act(self, client):
        body = {"refresh_token": self.session.refresh}
        self.session.renew(client.post("v3/refresh", body, last=True).must(200).body)

    def settle(self, client):
        self.session.spent = None
        killed_at = self.worker.killed_at
        answer = client.post("v3/refresh", {"refresh_token": self.session.refresh})
        self.holds("a refresh whose answer was lost can be repeated", answer.status == 200, answer)
        self.session.renew(answer.body)
        return "done" if minted_at(self.session.refresh) < killed_at else "not done"


class Logout(Act):
    """A session is ended, with its device."""

    uses = True

    def act(self, client):
        client.post("v3/logout", {}, self.session.access, True).must(200)
        self.user.end([self.session])

    def settle(self, client):
        answer = self.look(client, self.session)
        self.holds("a logout is wholly done or not at all", answer.is_dead or answer.status == 200,
                   answer)
        if answer.is_dead:
            self.user.end([self.session])
        return "done" if answer.is_dead else "not done"


class LogoutAll(Act):
    """Every session of a user is ended."""

    uses = True

    def act(self, client):
        client.post("v3/logout/all", {}, self.session.access, True).must(200)
        self.user.end_all()

    def settle(self, client):
        answers = [self.look(client, session) for session in self.user.live]
        dead = [answer.is_dead for answer in answers]
        whole = all(dead) or not any(dead)
        self.holds("a logout everywhere ends every session or none", whole,
                   " / ".join(map(str, answers)))
        if dead[0]:
            self.user.end_all()
        return "done" if dead[0] else "not done"


class ChangePassword(Act):
    """A user takes another password; other sessions end with it or live on."""

    uses = True

    def __init__(self, worker, user, session):
        super().__init__(worker, user, session)
        self.others = self.random.random() < 0.6
        self.password = f"password {worker.number()}"

    def act(self, client):
        body = {"new_password": self.password, "logout_devices": self.others}
        path = "v3/account/password"
        challenge = client.post(path, body, self.session.access).must(401)
        stage = {**login_body(self.user, self.user.password), "session": challenge.body["session"]}
        client.post(path, {**body, "auth": stage}, self.session.access, True).must(200)
        self.done()

    def done(self):
        self.user.old_password, self.user.password = self.user.password, self.password
        if self.others:
            self.user.end_all(spared=[self.session])

    def settle(self, client):
        bodies = [login_body(self.user, password, device_id="CHECK")
                  for password in (self.user.password, self.password)]
        answers = [client.post("v3/login", body).must(200, 403) for body in bodies]
        lets_in = [answer.status == 200 for answer in answers]
        self.holds("after a change of password one of the two lets in", sum(lets_in) == 1, lets_in)
        changed = lets_in[1]
        if changed:
            self.done()
        else:
            self.user.old_password = self.password
        self.user.begin(answers[changed].body)
        return "done" if changed else "not done"


class GetToken(Act):
    """A user asks for a login token for another device."""

    uses = True

    def act(self, client):
        self.user.asked_for_token_at = time.monotonic()
        answer = self.ask(client).must(200)
        self.user.stock.append((answer.body["login_token"], time.monotonic()))

    def ask(self, client):
        stage = login_body(self.user, self.user.password)
        return client.post("v1/login/get_token", {"auth": stage}, self.session.access, True)

    def settle(self, client):
        answer = self.ask(client)
        self.holds("a login token whose answer was lost was given or not",
                   answer.status in (200, 429), answer)
        if answer.status == 200:
            self.user.stock.append((answer.body["login_token"], time.monotonic()))
        return "done" if answer.status == 429 else "not done"


class Look(Act):
    """A token is used: what a first use is noticed by."""

    uses = True

    def act(self, client):
        client.whoami(self.session.access).must(200)

    def settle(self, client):
        # Whether the use was noticed before the node was killed cannot be told from outside.
        return "either"
