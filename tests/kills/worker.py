"""A worker: a client with users of its own, that acts until the node is killed under it."""

import collections
import random
import time

import acts
from people import Check
from wire import Client, Gone, Violation

# How many users a worker acts for; earlier ones are only looked at from then on.
ACTIVE = 4
# How many sessions a user has before the worker rather ends one.
SESSIONS = 6
# How long after its making a login token is tried, in seconds; it lives for two minutes.
FRESH = 90
# A user is given a login token once a minute.
PAUSE = 61


class Worker:
    """Acts for its users one act after another, so that what must be true is known exactly."""

    def __init__(self, index, seed, node, tally):
        self.index, self.node, self.tally = index, node, tally
        self.random = random.Random(f"{seed}/{index}")
        self.trail = collections.deque(maxlen=20)
        self.users, self.archive, self.tokens = [], [], []
        self.touched = []
        self.pending = None
        self.violation = None
        self.killed_at = None
        self.count = 0
        self.made = collections.Counter()

    def number(self):
        """A number that no other act has."""
        self.count += 1
        return f"{self.index}-{self.count}"

    def registered(self, act):
        """A registration was acknowledged, or found to be done."""
        self.users.append(act.user)
        self.touched.append(act.user)
        self.made["once" if act.once else "often"] += 1
        if len(self.users) > ACTIVE:
            self.archive.append(self.users.pop(0))

    def stock_up(self):
        """Fetches by the command line what acts will need."""
        while len(self.tokens) < 2:
            self.tokens.append(self.node.run("registration-token", "new", "--uses", "1"))
        for user in self.users:
            user.stock = [one for one in user.stock if time.monotonic() < one[1] + FRESH]
            # One minted offline counts as begun a minute ago, so no such ending may be younger.
            if not user.stock and not user.was_ended and self.random.random() < 0.3:
                token = self.node.run("token", "mint", "--kind", "login", "--user", user.name)
                user.stock.append((token, time.monotonic()))

    def act(self, moment):
        """Acts until the connection is gone; what was under way is then pending."""
        client = Client(self.node.address, self.trail, moment)
        self.pending = None
        try:
            while not moment.is_killed.is_set():
                self.pending = self.choose()
                if self.pending.user not in self.touched:
                    self.touched.append(self.pending.user)
                if self.pending.uses:
                    self.pending.session.used = True
                self.pending.act(client)
                self.tally.count(f"acknowledged {self.pending.name}")
                self.pending = None
        except Gone as gone:
            if not moment.is_killed.is_set():
                self.violation = Violation(f"the node hung up without being killed: {gone}")
        except Violation as violation:
            self.violation = violation

    def choose(self):
        """The next act."""
        draw = self.random.random
        if len(self.users) < 2 or draw() < 0.07:
            once = bool(self.tokens) and draw() < 0.7
            token = self.tokens.pop() if once else "often"
            name = f"user{self.number()}"
            return acts.Register(self, name, f"password of {name}", token, once)
        user = self.random.choice(self.users)
        if not user.live:
            return acts.Login(self, user)
        if user.stock and draw() < 0.5:
            return acts.LoginByToken(self, user)
        session = self.random.choice(user.live)
        if len(user.live) > SESSIONS:
            return self.random.choice((acts.Logout, acts.LogoutAll))(self, user, session)
        kind, = self.random.choices(*zip(*self.kinds(user, session)))
        return kind(self, user, session) if kind is not acts.Login or draw() < 0.3 else \
            acts.Login(self, user)

    def kinds(self, user, session):
        """What may be done with a session, and how often it is."""
        asked = user.asked_for_token_at
        yield acts.Login, 6
        yield acts.Logout, 3
        yield acts.LogoutAll, 1.5
        yield acts.ChangePassword, 3
        yield acts.Look, 2
        if session.refresh:
            yield acts.Refresh, 8
        if asked is None or time.monotonic() > asked + PAUSE:
            yield acts.GetToken, 2

    def check(self):
        """After the restart: settles what was pending and holds the node to the model."""
        client = Client(self.node.address, self.trail)
        try:
            if self.violation:
                return
            if self.pending:
                became = self.pending.settle(client)
                self.tally.count(f"killed during {self.pending.name}: {became}")
            check = Check(client, self.tally)
            for user in self.touched:
                # A user whose registration never was is no user.
                if user in self.users or user in self.archive:
                    check.all_of(user)
            if self.archive:
                check.standing(self.random.choice(self.archive))
            self.stock_up()
        except Gone as gone:
            self.violation = Violation(f"the node hung up while it was checked: {gone}")
        except Violation as violation:
            self.violation = violation
        self.pending, self.touched = None, []

    def check_everything(self):
        """At the end: everybody there ever was."""
        self.touched = [*self.archive, *self.users]
        self.check()
