// Drives an unmodified matrix-js-sdk, with encryption, against Synapse behind a running server.

import * as by from "./checks.js";

const anonymous = by.client().matrix;
const name = (user) => `@${user}:${process.env.CLIENT_SERVER}`;
const identifier = (user) => ({ type: "m.id.user", user });
const byPassword = (user) => ({
    type: "m.login.password",
    identifier: identifier(user),
    password: by.password,
    refresh_token: true,
});

async function register(user) {
    const wanted = { username: user, password: by.password, refresh_token: true };
    const asked = await by.thrown(anonymous.registerRequest(wanted));
    const auth = { type: "m.login.dummy", session: asked.data.session };
    return anonymous.registerRequest({ ...wanted, auth });
}

/** A client that refreshes by itself and encrypts, following its rooms. */
async function living(login) {
    const refreshes = [];
    const tokenRefreshFunction = async (refreshToken) => {
        const answer = await anonymous.refreshToken(refreshToken);
        refreshes.push(answer);
        return {
            accessToken: answer.access_token,
            refreshToken: answer.refresh_token,
            expiry: new Date(Date.now() + answer.expires_in_ms),
        };
    };
    const options = { ...by.session(login), refreshToken: login.refresh_token };
    const made = by.client({ ...options, tokenRefreshFunction });
    await made.matrix.initRustCrypto({ useIndexedDB: false });
    await made.matrix.startClient({ initialSyncLimit: 10 });
    return { ...made, refreshes };
}

async function until(what, true_) {
    for (let tries = 0; tries < 200; tries += 1) {
        const found = await true_();
        if (found) {
            return found;
        }
        await by.sleep(100);
    }
    throw Object.assign(new Error(), { name: `never: ${what}` });
}

/** The identity key of a device as Synapse hands it out. */
async function identity(asking, login) {
    const answer = await asking.downloadKeysForUsers([login.user_id]);
    const keys = answer.device_keys[login.user_id]?.[login.device_id]?.keys ?? {};
    return keys[`curve25519:${login.device_id}`];
}

async function read(matrix, roomId, text) {
    return until(`${text} is read`, () => {
        const events = matrix.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
        return events.find((event) => event.getContent().body === text);
    });
}

async function encrypted() {
    const [louise, mike] = [await register("louise"), await register("mike")];
    by.equal("registers", [louise.user_id, mike.user_id], [name("louise"), name("mike")]);
    const a = await living(louise);
    const b = await living(mike);
    const keys = await until("keys are at Synapse", () => identity(b.matrix, louise));
    const { room_id: roomId } = await a.matrix.createRoom({
        invite: [mike.user_id],
        initial_state: [
            {
                type: "m.room.encryption",
                state_key: "",
                content: { algorithm: "m.megolm.v1.aes-sha2" },
            },
        ],
    });
    await until("is invited", () => b.matrix.getRoom(roomId));
    await b.matrix.joinRoom(roomId);
    await until("both are in", () => a.matrix.getRoom(roomId)?.getJoinedMemberCount() === 2);
    await a.matrix.sendTextMessage(roomId, "down the hole");
    const first = await read(b.matrix, roomId, "down the hole");
    by.equal("sends what another reads, encrypted", first.isEncrypted(), true);
    const before = [a.refreshes.length, b.refreshes.length];
    await by.expired({ expires_in_ms: 4500 });
    await a.matrix.sendTextMessage(roomId, "after the end of its token");
    const second = await read(b.matrix, roomId, "after the end of its token");
    by.equal("goes on encrypted after its token has expired", second.isEncrypted(), true);
    const more = [a.refreshes.length > before[0], b.refreshes.length > before[1]];
    by.equal("both have refreshed by themselves", more, [true, true]);
    by.equal("its keys at Synapse are the same", await identity(b.matrix, louise), keys);
    by.equal("neither was logged out", [a.ends, b.ends], [[], []]);
    await second_device(a, louise);
    const once = await a.matrix.whoami();
    by.equal("is still on its device", once.device_id, louise.device_id);
    by.equal("logs out", await a.matrix.logout(), {});
    const told = await by.thrown(a.matrix.whoami());
    by.equal("and is out", [told.httpStatus, told.errcode], [401, "M_UNKNOWN_TOKEN"]);
    const left = await identity(b.matrix, louise);
    by.equal("with its keys gone from Synapse", left, undefined);
    a.matrix.stopClient();
    b.matrix.stopClient();
}

async function second_device(a, login) {
    const asked = await by.thrown(a.matrix.requestLoginToken());
    const auth = { ...byPassword("louise"), session: asked.data.session };
    const { login_token: token } = await a.matrix.requestLoginToken(auth);
    const lent = await anonymous.loginRequest({ type: "m.login.token", token, refresh_token: true });
    const same = [lent.user_id, lent.device_id === login.device_id];
    by.equal("provisions a second device by get_token", same, [login.user_id, false]);
    const lender = await living(lent);
    const keys = await until("its keys are there", () => identity(lender.matrix, lent));
    by.equal("which uploads keys of its own", typeof keys, "string");
    by.equal("and logs out", await lender.matrix.logout(), {});
    lender.matrix.stopClient();
}

// The client prints what it does; tokens are in it.
for (const level of ["log", "warn", "error", "info", "debug", "trace"]) {
    const said = console[level];
    console[level] = (line, ...more) => {
        if (/^(ok |FAIL )/.test(line)) {
            said(line, ...more);
        }
    };
}
await by.run(encrypted);
