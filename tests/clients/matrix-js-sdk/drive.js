// Drives an unmodified matrix-js-sdk against a running server.

import { Method } from "matrix-js-sdk";
import * as by from "./checks.js";

const identifier = { type: "m.id.user", user: by.user };
const byPassword = { type: "m.login.password", identifier, password: by.password };
const renewable = { ...byPassword, refresh_token: true };
const byToken = (token) => ({ type: "m.login.token", token });

const SOFT = [401, "M_UNKNOWN_TOKEN", true];
const HARD = [401, "M_UNKNOWN_TOKEN", false];
const FORBIDDEN = [403, "M_FORBIDDEN", undefined];

const anonymous = by.client().matrix;

async function loginByPassword() {
    const { flows } = await anonymous.loginFlows();
    const offered = ["m.login.password", "m.login.token"];
    const found = offered.filter((type) => flows.some((flow) => flow.type === type));
    by.equal("password and login token are offered", found, offered);
    const wrong = anonymous.loginRequest({ ...byPassword, password: "not the password" });
    by.equal("a wrong password is forbidden", await by.refused(wrong), FORBIDDEN);
    const login = await anonymous.loginRequest(byPassword);
    by.equal("logs in by password", login.user_id, by.userId);
    by.equal("gets a refresh token only on demand", login.refresh_token, undefined);
    const { matrix, ends } = by.client(by.session(login));
    const who = await matrix.whoami();
    const told = [who.user_id, who.device_id];
    by.equal("is told its user and device", told, [by.userId, login.device_id]);
    by.equal("logs out", await matrix.logout(), {});
    by.equal("its token is dead after that", await by.refused(matrix.whoami()), HARD);
    by.equal("the client ends its session, a hard logout", ends, [false]);
}

async function loginByToken() {
    const login = await anonymous.loginRequest(byToken(by.loginToken));
    by.equal("logs in by login token", login.user_id, by.userId);
    const { matrix } = by.client(by.session(login));
    by.equal("asks who it is", (await matrix.whoami()).device_id, login.device_id);
    const again = anonymous.loginRequest(byToken(by.loginToken));
    by.equal("a login token is good once", await by.refused(again), FORBIDDEN);
    const other = by.client(by.session(await anonymous.loginRequest(byPassword))).matrix;
    await other.whoami();
    await matrix.http.authedRequest(Method.Post, "/logout/all");
    const told = await by.refused(other.whoami());
    by.equal("logging out everywhere ends the token of another device", told, HARD);
}

async function expiry() {
    const login = await anonymous.loginRequest(renewable);
    const bounded = login.expires_in_ms > 0 && login.expires_in_ms <= 2000;
    by.equal("a login that asks for it gets a token of 2 s", bounded, true);
    await by.expired(login);
    const { matrix, ends } = by.client(by.session(login));
    by.equal("an expired token is refused", await by.refused(matrix.whoami()), SOFT);
    by.equal("the client ends its session, a soft logout", ends, [true]);
    const again = await anonymous.loginRequest({ ...byPassword, device_id: login.device_id });
    by.equal("logs in again on the same device", again.device_id, login.device_id);
    const old = await by.refused(anonymous.refreshToken(login.refresh_token));
    by.equal("which ends the device's session before", old, HARD);
}

/** Options for a client that refreshes by itself, through another client that is not logged in. */
function renewing(login, answers = []) {
    const tokenRefreshFunction = async (refreshToken) => {
        const answer = await anonymous.refreshToken(refreshToken);
        answers.push(answer);
        return {
            accessToken: answer.access_token,
            refreshToken: answer.refresh_token,
            expiry: new Date(Date.now() + answer.expires_in_ms),
        };
    };
    return { ...by.session(login), refreshToken: login.refresh_token, tokenRefreshFunction };
}

async function refreshing() {
    const login = await anonymous.loginRequest(renewable);
    const answers = [];
    const { matrix, sent, ends } = by.client(renewing(login, answers));
    await by.expired(login);
    const who = await matrix.whoami();
    by.equal("refreshes when its token has expired", answers.length, 1);
    const [asked, retried] = ["GET v3/account/whoami 401", "GET v3/account/whoami 200"];
    by.equal("and repeats the request", sent, [asked, retried]);
    by.equal("on the same device", who.device_id, login.device_id);
    await by.expired(answers[0]);
    const three = await Promise.all([matrix.whoami(), matrix.whoami(), matrix.whoami()]);
    const devices = new Set(three.map((each) => each.device_id));
    by.equal("three requests at once go on", [...devices], [login.device_id]);
    by.equal("with one more refresh", answers.length, 2);
    by.equal("its session goes on", ends, []);
    const retired = await by.refused(anonymous.refreshToken(login.refresh_token));
    by.equal("the refresh token before is retired, a soft logout", retired, SOFT);
    by.equal("logs out of a refreshed session", await matrix.logout(), {});
    by.equal("its token is dead after that", await by.refused(matrix.whoami()), HARD);
    by.equal("the client ends its session, a hard logout", ends, [false]);
    const last = await by.refused(anonymous.refreshToken(answers.at(-1).refresh_token));
    by.equal("its refresh token is dead too", last, HARD);
}

async function wrongRefreshToken() {
    const login = await anonymous.loginRequest(renewable);
    const text = login.refresh_token;
    const other = text.at(-10) === "A" ? "B" : "A";
    const forged = text.slice(0, -10) + other + text.slice(-9);
    const told = await by.refused(anonymous.refreshToken(forged));
    by.equal("a wrong refresh token is refused", told, SOFT);
    const { matrix, ends } = by.client({ ...renewing(login), refreshToken: forged });
    await by.expired(login);
    by.equal("a client that has one is not refreshed", await by.refused(matrix.whoami()), SOFT);
    by.equal("and ends its session, a soft logout", ends, [true]);
    const right = by.client(renewing(login)).matrix;
    by.equal("the right one still is good", (await right.whoami()).device_id, login.device_id);
    await right.logout();
}

async function getToken() {
    const { flows } = await anonymous.loginFlows();
    if (!flows.find((flow) => flow.type === "m.login.token")?.get_login_token) {
        console.log("get_token: not served yet");
        return;
    }
    const login = await anonymous.loginRequest(byPassword);
    const { matrix, ends } = by.client(by.session(login));
    const asked = await by.thrown(matrix.requestLoginToken());
    by.equal("get_token asks who it is first", [asked.httpStatus, asked.errcode], [401, undefined]);
    by.equal("by the password first", asked.data.flows[0].stages, ["m.login.password"]);
    const auth = { ...byPassword, session: asked.data.session };
    const wrong = { ...auth, password: "not the password" };
    const again = await by.thrown(matrix.requestLoginToken(wrong));
    const told = [again.httpStatus, again.errcode, again.data.session];
    by.equal("may try again", told, [401, "M_FORBIDDEN", asked.data.session]);
    const { login_token: token, expires_in_ms: ms } = await matrix.requestLoginToken(auth);
    by.equal("is given a login token of two minutes", ms > 0 && ms <= 120_000, true);
    const lent = await anonymous.loginRequest(byToken(token));
    const same = [lent.user_id === by.userId, lent.device_id === login.device_id];
    by.equal("which logs the same user in on another device", same, [true, false]);
    const twice = await by.refused(anonymous.loginRequest(byToken(token)));
    by.equal("once", twice, FORBIDDEN);
    const next = await by.thrown(matrix.requestLoginToken());
    by.equal("is asked anew the next time", [next.httpStatus, next.errcode], [401, undefined]);
    by.equal("none of which ended its session", ends, []);
    await by.client(by.session(lent)).matrix.logout();
    await matrix.logout();
}

await by.run(loginByPassword, loginByToken, expiry, refreshing, wrongRefreshToken, getToken);
