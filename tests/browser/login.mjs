// The login page: its keys, its answer to the client, its words when something is wrong.
import { alert, focus, go, told, type } from "./browser.mjs";
import { like, none, same } from "./tally.mjs";

// What a client puts into the page before it runs.
function client() {
  window.heard = [];
  window.matrixLogin = { onLogin: (answer) => window.heard.push(["matrixLogin", answer]) };
  window.onLogin = (answer) => window.heard.push(["onLogin", answer]);
}

async function logIn(page, user, password) {
  await type(page, user);
  await page.keyboard.press("Tab");
  await type(page, password);
  await page.keyboard.press("Enter");
}

export async function keys(context, node) {
  const page = await context.newPage();
  await go(page, node.loginPage());
  same("the login page begins in the username", "user", await focus(page));
  same("the username has its name", "Username", (await told(page)).name);
  await page.keyboard.press("Tab");
  same("then comes the password", "password", await focus(page));
  same("the password has its name", "Password", (await told(page)).name);
  await page.keyboard.press("Tab");
  same("then the button", "submit", await focus(page));
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  same("and back again", "user", await focus(page));
  await page.keyboard.type("alice");
  await page.keyboard.press("Enter");
  same("without a password nothing is sent and it is asked for", "password", await focus(page));
  await page.close();
}

export async function answer(context, node) {
  const page = await context.newPage();
  await page.addInitScript(client);
  const named = "?device_id=KEYBOARD1&initial_device_display_name=Kitchen%20%C3%A9%20%3Cb%3E%2B1";
  await go(page, node.loginPage(named));
  await logIn(page, "alice", "wonderland");
  await page.waitForFunction(() => window.heard.length === 2);
  const heard = await page.evaluate(() => window.heard);
  same("both names of the callback are called, the present one first", ["matrixLogin", "onLogin"],
    heard.map(([name]) => name));
  const [[, first], [, second]] = heard;
  same("both get the same", first, second);
  same("it is the parsed answer", ["@alice:localhost", "KEYBOARD1"],
    [first.user_id, first.device_id]);
  const token = first.access_token;
  like("with an access token", /^mma_/, token);
  const { devices } = await node.ask("GET", "v3/devices", { token });
  const device = devices.find((device) => device.device_id === "KEYBOARD1");
  same("the device has the name of the query", "Kitchen é <b>+1", device?.display_name);
  same("the page says that it is done and has the focus there", "You are logged in",
    (await told(page)).name);
  same("the form is gone", 0, await page.locator("form").count());
  none("nothing secret is in the address", /wonderland|mma_/.test(page.url()) ? [page.url()] : []);
  await page.close();
}

export async function oldClient(context, node) {
  const page = await context.newPage();
  await page.addInitScript(() => { window.onLogin = (answer) => { window.heard = answer; }; });
  await go(page, node.loginPage());
  await page.keyboard.type("@alice:localhost");
  await page.keyboard.press("Tab");
  await page.keyboard.type("wonderland");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => window.heard);
  same("a client of 2018 hears of it, and a whole user id and the space bar do as well",
    "@alice:localhost", await page.evaluate(() => window.heard.user_id));
  await page.close();
}

export async function wrong(context, node) {
  const page = await context.newPage();
  await page.addInitScript(client);
  await go(page, node.loginPage());
  await logIn(page, "alice", "looking glass");
  const message = "The username or the password is wrong.";
  same("a wrong password shows an alert", message, await alert(page));
  same("the focus is in the password", "password", await focus(page));
  same("which is announced as wrong, with the reason",
    { name: "Password", description: message, invalid: "true" }, await told(page));
  await page.keyboard.type("wonderland");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => window.heard.length > 0);
  same("typing goes over what was wrong, and Enter logs in", "@alice:localhost",
    await page.evaluate(() => window.heard[0][1].user_id));
  await go(page, node.loginPage());
  await logIn(page, "nobody", "wonderland");
  same("an unknown user is told the same", message, await alert(page));
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  same("the button by Enter tries again, with the focus in the password after it",
    [message, "password"], [await alert(page), await focus(page)]);
  await page.close();
}

// A node that takes one password a minute, and is then stopped.
export async function turnedAway(context, node) {
  const page = await context.newPage();
  await go(page, node.loginPage());
  await logIn(page, "alice", "looking glass");
  await alert(page);
  await page.keyboard.press("Enter");
  const many = page.getByRole("alert").filter({ hasText: "Too many tries" });
  await many.waitFor();
  like("too many tries are told, and how long to wait",
    /^Too many tries\. Wait ([2-9]|\d\d) seconds and try again\.$/, await many.innerText());
  same("the focus is in the password then too", "password", await focus(page));
  await node.stop();
  await page.keyboard.press("Enter");
  const away = page.getByRole("alert").filter({ hasText: "cannot be reached" });
  await away.waitFor();
  same("a server that is away is told", "The server cannot be reached. Try again in a moment.",
    await away.innerText());
  same("it is announced with the password", await away.innerText(), (await told(page)).description);
  await page.close();
}
