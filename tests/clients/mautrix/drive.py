"""Drives an unmodified mautrix against a running server."""

import asyncio
import sys
from contextlib import asynccontextmanager

import checks as by
from mautrix.client import ClientAPI
from mautrix.errors import MForbidden, MUnknownToken
from mautrix.types import LoginType


@asynccontextmanager
async def client():
    """A client that has not logged in."""
    mautrix = ClientAPI(base_url=by.BASE)
    try:
        yield mautrix
    finally:
        await mautrix.api.session.close()


async def raised(call):
    """Error and status that a call ends in."""
    try:
        await call
    except (MForbidden, MUnknownToken) as error:
        return type(error), error.http_status
    return None


async def login_by_password(checks):
    async with client() as mautrix:
        offered = await mautrix.get_login_flows()
        both = [offered.supports_type(kind) for kind in (LoginType.PASSWORD, LoginType.TOKEN)]
        checks.equal("password and login token are offered", both, [True, True])
        told = await raised(mautrix.login(by.USER_ID, password="not the password"))
        checks.equal("a wrong password is forbidden", told, (MForbidden, 403))
        login = await mautrix.login(by.USER_ID, password=by.PASSWORD, device_name="mautrix")
        checks.equal("logs in by password", login.user_id, by.USER_ID)
        who = await mautrix.whoami()
        told = (who.user_id, who.device_id)
        checks.equal("is told its user and device", told, (by.USER_ID, login.device_id))
        await mautrix.logout(clear_access_token=False)
        told = await raised(mautrix.whoami())
        checks.equal("its token is dead after logging out", told, (MUnknownToken, 401))
        told = await by.whoami(login.access_token)
        checks.equal("which is a hard logout", told, by.UNKNOWN_HARD)


async def login_by_token(checks):
    async with client() as mautrix, client() as other:
        request = {"login_type": LoginType.TOKEN, "token": by.LOGIN_TOKEN}
        login = await mautrix.login(**request)
        checks.equal("logs in by login token", login.user_id, by.USER_ID)
        who = await mautrix.whoami()
        checks.equal("asks who it is", who.device_id, login.device_id)
        told = await raised(other.login(**request))
        checks.equal("a login token is good once", told, (MForbidden, 403))
        await other.login(by.USER_ID, password=by.PASSWORD)
        await mautrix.logout_all()
        told = await raised(other.whoami())
        everywhere = "logging out everywhere ends the token of another device"
        checks.equal(everywhere, told, (MUnknownToken, 401))


async def log_in_again(checks):
    async with client() as mautrix:
        login = await mautrix.login(by.USER_ID, password=by.PASSWORD)
        again = await mautrix.login(by.USER_ID, password=by.PASSWORD)
        checks.equal("logs in again on the same device", again.device_id, login.device_id)
        told = await by.whoami(login.access_token)
        checks.equal("which ends the device's session before", told, by.UNKNOWN_HARD)
        checks.equal("and not its new one", (await mautrix.whoami()).device_id, login.device_id)
        await mautrix.logout()


async def refresh_by_hand(checks):
    async with client() as mautrix:
        answer = await mautrix.login(by.USER_ID, password=by.PASSWORD, refresh_token=True)
        login = answer.serialize()
        checks.true("is given a refresh token on demand", "refresh_token" in login)

        async def use(pair):
            mautrix.api.token = pair["access_token"]
            return (await mautrix.whoami()).device_id

        last = await by.refresh_by_hand(checks, login, use)
        mautrix.api.token = last["access_token"]
        await mautrix.logout()
    await by.dead(checks, "logging out", last)


if __name__ == "__main__":
    scenarios = (login_by_password, login_by_token, log_in_again, refresh_by_hand)
    sys.exit(asyncio.run(by.Checks("mautrix").run(*scenarios)))
