"""Checks that print one line each, and the requests that a client under test has no call for."""

import asyncio
import os
import sys
import traceback

import aiohttp

BASE = os.environ["CLIENT_URL"]
USER = os.environ["CLIENT_USER"]
USER_ID = os.environ["CLIENT_USER_ID"]
PASSWORD = os.environ["CLIENT_PASSWORD"]
LOGIN_TOKEN = os.environ["CLIENT_LOGIN_TOKEN"]

UNKNOWN_SOFT = (401, "M_UNKNOWN_TOKEN", True)
UNKNOWN_HARD = (401, "M_UNKNOWN_TOKEN", False)


class Failed(Exception):
    """A check that did not hold; its line is printed already."""


class Checks:
    """The checks of one client."""

    def __init__(self, client):
        self.client = client
        self.failed = 0

    def equal(self, sentence, found, expected):
        """Prints whether `sentence` is true; what is compared must not be a token."""
        if found != expected:
            self.fail(sentence, f"expected {expected!r}, found {found!r}")
            raise Failed
        print(f"ok    {self.client}: {sentence}", flush=True)

    def true(self, sentence, holds):
        """Prints whether `sentence` is true: for what must not be shown."""
        self.equal(sentence, bool(holds), True)

    def fail(self, sentence, why):
        """Prints that `sentence` is not true."""
        self.failed += 1
        print(f"FAIL  {self.client}: {sentence}: {why}", flush=True)

    async def run(self, *scenarios):
        """Runs every scenario; what goes wrong in one does not keep the next from running."""
        for scenario in scenarios:
            try:
                await asyncio.wait_for(scenario(self), timeout=60)
            except Failed:
                pass
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                self.fail(scenario.__name__.replace("_", " "), type(error).__name__)
        return 1 if self.failed else 0


async def ask(method, path, token=None, body=None):
    """Status and JSON of a request made without the client."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session:
        url = f"{BASE}/_matrix/client/v3/{path}"
        async with session.request(method, url, headers=headers, json=body) as response:
            return response.status, await response.json()


async def whoami(token):
    """What a client is told about a token."""
    return verdict(await ask("GET", "account/whoami", token))


async def refresh(refresh_token):
    """Status and JSON of an exchange."""
    return await ask("POST", "refresh", body={"refresh_token": refresh_token})


def verdict(answer):
    """Status, errcode and soft_logout of an answer."""
    status, body = answer
    return status, body.get("errcode"), body.get("soft_logout")


async def expired(login):
    """Waits until the access token of a login or refresh answer has expired."""
    await asyncio.sleep(login["expires_in_ms"] / 1000 + 0.3)


async def retired(refresh_token):
    """The verdict on a refresh token whose successor has been used: it comes within 5 seconds,
    because a first use reaches the store behind the request."""
    for _ in range(50):
        answer = verdict(await refresh(refresh_token))
        if answer[0] != 200:
            break
        await asyncio.sleep(0.1)
    return answer


async def refresh_by_hand(checks, login, use):
    """Takes a login answer through two exchanges; `use` lets the client use an access token and
    gives the device it is told. Returns the last answer."""
    first = login["refresh_token"]
    checks.true("a login that asks for it gets a token of 2 s", 0 < login["expires_in_ms"] <= 2000)
    await expired(login)
    told = await whoami(login["access_token"])
    checks.equal("an expired token is a soft logout", told, UNKNOWN_SOFT)
    status, pair = await refresh(first)
    checks.equal("the refresh token still is good", status, 200)
    _, again = await refresh(first)
    keys = ("access_token", "refresh_token")
    same = all(again.get(key) == pair[key] for key in keys)
    checks.true("a repeated exchange gives the same pair", same)
    checks.equal("the new token is of the same device", await use(pair), login["device_id"])
    told = await retired(first)
    checks.equal("the first use of it retires the old refresh token", told, UNKNOWN_SOFT)
    status, last = await refresh(pair["refresh_token"])
    checks.equal("the new refresh token is good", status, 200)
    return last


async def dead(checks, sentence, answer):
    """Checks that both tokens of an answer are gone for good."""
    told = await whoami(answer["access_token"])
    checks.equal(f"{sentence} ends its access token", told, UNKNOWN_HARD)
    told = verdict(await refresh(answer["refresh_token"]))
    checks.equal(f"{sentence} ends its refresh token", told, UNKNOWN_HARD)
