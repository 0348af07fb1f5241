"""Drives an unmodified matrix-nio against a running server."""

import asyncio
import sys
from contextlib import asynccontextmanager

import checks as by
from nio import AsyncClient, LoginError, LoginResponse, LogoutResponse, WhoamiError, WhoamiResponse

# A login that nio has no argument for: it neither keeps the refresh token nor the lifetime.
RENEWABLE = {
    "type": "m.login.password",
    "identifier": {"type": "m.id.user", "user": by.USER},
    "password": by.PASSWORD,
    "refresh_token": True,
}


@asynccontextmanager
async def client():
    """A client that has not logged in."""
    nio = AsyncClient(by.BASE, by.USER_ID)
    try:
        yield nio
    finally:
        await nio.close()


def refused(answer):
    """What nio makes of an error."""
    return type(answer), answer.status_code, answer.soft_logout


async def login_by_password(checks):
    async with client() as nio:
        offered = (await nio.login_info()).flows
        wanted = {"m.login.password", "m.login.token"}
        checks.true("password and login token are offered", wanted <= set(offered))
        answer = await nio.login("not the password")
        told = (type(answer), answer.status_code)
        checks.equal("a wrong password is forbidden", told, (LoginError, "M_FORBIDDEN"))
        login = await nio.login(by.PASSWORD, device_name="nio")
        checks.equal("logs in by password", type(login), LoginResponse)
        checks.equal("the login names its user", login.user_id, by.USER_ID)
        who = await nio.whoami()
        checks.equal("asks who it is", type(who), WhoamiResponse)
        told = (who.user_id, who.device_id)
        checks.equal("is told its user and device", told, (by.USER_ID, login.device_id))
        token = nio.access_token
        checks.equal("logs out", type(await nio.logout()), LogoutResponse)
        nio.restore_login(login.user_id, login.device_id, token)
        told = refused(await nio.whoami())
        dead = (WhoamiError, "M_UNKNOWN_TOKEN", False)
        checks.equal("its token is dead after that, a hard logout", told, dead)


async def login_by_token(checks):
    async with client() as nio, client() as other:
        login = await nio.login(token=by.LOGIN_TOKEN)
        checks.equal("logs in by login token", type(login), LoginResponse)
        checks.equal("the login token names its user", (await nio.whoami()).user_id, by.USER_ID)
        again = await other.login(token=by.LOGIN_TOKEN)
        told = (type(again), again.status_code)
        checks.equal("a login token is good once", told, (LoginError, "M_FORBIDDEN"))
        await other.login(by.PASSWORD)
        other_token = other.access_token
        answer = await nio.logout(all_devices=True)
        checks.equal("logs out everywhere", type(answer), LogoutResponse)
        told = await by.whoami(other_token)
        checks.equal("the token of another device is dead after that", told, by.UNKNOWN_HARD)


async def soft_logout(checks):
    async with client() as nio:
        login = await nio.login_raw(RENEWABLE)
        checks.equal("logs in for a token that expires", type(login), LoginResponse)
        await asyncio.sleep(2.5)
        told = refused(await nio.whoami())
        soft = (WhoamiError, "M_UNKNOWN_TOKEN", True)
        checks.equal("is told a soft logout when it has expired", told, soft)
        again = await nio.login(by.PASSWORD)
        checks.equal("logs in again on the same device", again.device_id, login.device_id)
        checks.equal("logs out of it", type(await nio.logout()), LogoutResponse)


async def refresh_by_hand(checks):
    _, login = await by.ask("POST", "login", body=RENEWABLE)
    async with client() as nio:

        async def use(pair):
            nio.restore_login(login["user_id"], login["device_id"], pair["access_token"])
            return (await nio.whoami()).device_id

        last = await by.refresh_by_hand(checks, login, use)
        nio.restore_login(login["user_id"], login["device_id"], last["access_token"])
        checks.equal("logs out of a refreshed session", type(await nio.logout()), LogoutResponse)
    await by.dead(checks, "logging out", last)


if __name__ == "__main__":
    scenarios = (login_by_password, login_by_token, soft_logout, refresh_by_hand)
    sys.exit(asyncio.run(by.Checks("matrix-nio").run(*scenarios)))
