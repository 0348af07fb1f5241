// Checks that print one line each, and clients of matrix-js-sdk that remember what they sent.

import { isDeepStrictEqual, inspect } from "node:util";
import * as sdk from "matrix-js-sdk";

export const baseUrl = process.env.CLIENT_URL;
export const user = process.env.CLIENT_USER;
export const userId = process.env.CLIENT_USER_ID;
export const password = process.env.CLIENT_PASSWORD;
export const loginToken = process.env.CLIENT_LOGIN_TOKEN;

const CLIENT = "matrix-js-sdk";

class Failed extends Error {}

let failed = 0;

function fail(sentence, why) {
    failed += 1;
    console.log(`FAIL  ${CLIENT}: ${sentence}: ${why}`);
}

/** Prints whether `sentence` is true; what is compared must not be a token. */
export function equal(sentence, found, expected) {
    if (!isDeepStrictEqual(found, expected)) {
        fail(sentence, `expected ${inspect(expected)}, found ${inspect(found)}`);
        throw new Failed();
    }
    console.log(`ok    ${CLIENT}: ${sentence}`);
}

/** Runs every scenario; what goes wrong in one does not keep the next from running. */
export async function run(...scenarios) {
    for (const scenario of scenarios) {
        try {
            await within(60_000, scenario());
        } catch (error) {
            if (!(error instanceof Failed)) {
                fail(scenario.name, `${error.name}, status ${error.httpStatus ?? "none"}`);
            }
        }
    }
    process.exit(failed > 0 ? 1 : 0);
}

function within(ms, work) {
    const late = new Error();
    late.name = `no end within ${ms} ms`;
    return Promise.race([work, sleep(ms).then(() => Promise.reject(late))]);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until the access token of a login or refresh answer has expired. */
export const expired = (answer) => sleep(answer.expires_in_ms + 300);

const silent = { getChild: () => silent };
for (const level of ["trace", "debug", "info", "warn", "error"]) {
    silent[level] = () => {};
}

/** A client, what it sent and was answered, and how it was told that its session is over. */
export function client(options = {}) {
    const sent = [];
    const ends = [];
    const fetchFn = async (url, init) => {
        const response = await fetch(url, init);
        const path = new URL(url).pathname.replace("/_matrix/client/", "");
        sent.push(`${init.method} ${path} ${response.status}`);
        return response;
    };
    const matrix = sdk.createClient({ baseUrl, fetchFn, logger: silent, ...options });
    matrix.on(sdk.HttpApiEvent.SessionLoggedOut, (error) => ends.push(error.data.soft_logout));
    return { matrix, sent, ends };
}

/** Options for a client that goes on with the session of a login answer. */
export function session(login) {
    const { user_id: userId, device_id: deviceId, access_token: accessToken } = login;
    return { userId, deviceId, accessToken };
}

/** Status, errcode and soft_logout of the error that a call ends in. */
export async function refused(call) {
    const error = await thrown(call);
    return [error.httpStatus, error.errcode, error.data.soft_logout];
}

/** The error that a call ends in. */
export async function thrown(call) {
    try {
        await call;
    } catch (error) {
        if (error instanceof sdk.MatrixError) {
            return error;
        }
        throw error;
    }
    throw Object.assign(new Error(), { name: "there was no error" });
}
