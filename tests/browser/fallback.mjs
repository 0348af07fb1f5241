// The pages of interactive auth: a stage is passed there, and the client's request then succeeds.
import { alert, began, focus, go, told, type } from "./browser.mjs";
import { like, none, same } from "./tally.mjs";

const DONE = "Done";

// Opens a page of a stage in a client that is called back.
async function opened(context, url) {
  const page = await context.newPage();
  await page.addInitScript(() => { window.onAuthDone = () => { window.authDone = true; }; });
  await go(page, url);
  return page;
}

async function callback(page) {
  await page.getByRole("heading", { name: DONE, exact: true }).waitFor();
  await page.waitForFunction(() => window.authDone, undefined, { timeout: 2000 }).catch(() => {});
  return page.evaluate(() => window.authDone === true);
}

export async function password(context, node) {
  const { access_token: token } = await node.login("alice", "wonderland");
  const request = (body) => node.ask("POST", "v1/login/get_token", { token, body });
  const { status, session } = await request({});
  same("a client is asked for a proof", 401, status);
  same("before the page was used its session proves nothing", 401,
    (await request({ auth: { session } })).status);
  const page = await opened(context, node.stagePage("m.login.password", session));
  same("the page of the password begins in its field", "password", await focus(page));
  same("the field has its name and nothing is wrong yet",
    { name: "Password", description: "", invalid: "false" }, await told(page));
  await type(page, "looking glass");
  await page.keyboard.press("Enter");
  same("a wrong password shows an alert", "Invalid password.", await alert(page));
  same("which is announced with the field, where the focus is",
    { name: "Password", description: "Invalid password.", invalid: "true" }, await told(page));
  same("the client is not told that it is done", false,
    await page.evaluate(() => window.authDone === true));
  same("and its session still proves nothing", 401, (await request({ auth: { session } })).status);
  await page.keyboard.type("wonderland");
  await page.keyboard.press("Tab");
  same("behind the field comes the button", "button Continue", await focus(page));
  await page.keyboard.press("Enter");
  same("the right one calls window.onAuthDone", true, await callback(page));
  const repeated = await request({ auth: { session } });
  like("the repeated request succeeds", /^200 mma?l?_/, `${repeated.status} ${repeated.login_token}`);
  same("and only once", 403, (await request({ auth: { session } })).status);
  await page.close();
}

export async function registrationToken(context, node) {
  const body = { username: "dinah", password: "looking-glass-house" };
  const request = (auth) => node.ask("POST", "v3/register", { body: { ...body, auth } });
  const { session } = await request();
  const page = await opened(context, node.stagePage("m.login.registration_token", session, "r0"));
  same("the page of the registration token begins in its field", "token", await focus(page));
  await page.keyboard.press("Enter");
  same("nothing is sent without a token", "token", await focus(page));
  await type(page, `no "such' <b>token</b>`);
  await page.keyboard.press("Enter");
  same("a wrong token shows an alert", "Invalid registration token.", await alert(page));
  same("which is announced with the field",
    { name: "Token", description: "Invalid registration token.", invalid: "true" }, await told(page));
  await type(page, "summer-school");
  await page.keyboard.press("Enter");
  same("the right one calls window.onAuthDone", true, await callback(page));
  const { status, user_id } = await request({ session });
  same("the repeated registration succeeds", [200, "@dinah:localhost"], [status, user_id]);
  like("the token is used up by it", /summer-school +0 +1 /, node.run(["registration-token", "list"]));
  await page.close();
}

// Opened as a web client opens it: in a window, from another origin.
export async function dummy(context, node, client) {
  const body = { username: "lorina", password: "looking-glass-house" };
  const request = (auth) => node.ask("POST", "v3/register", { body: { ...body, auth } });
  const { session } = await request();
  const opener = await context.newPage();
  await go(opener, client.at(node.stagePage("m.login.dummy", session)));
  const opening = context.waitForEvent("page");
  await opener.keyboard.press("Enter");
  const page = await opening;
  await began(page);
  same("the page that asks nothing begins at its button", "button Continue", await focus(page));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: DONE, exact: true }).waitFor();
  await opener.waitForFunction(() => window.messages.length > 0);
  same("without a callback the opener is sent authDone", [["authDone", node.url]],
    await opener.evaluate(() => window.messages));
  const { status, user_id } = await request({ session });
  same("the repeated registration succeeds", [200, "@lorina:localhost"], [status, user_id]);
  await page.close();
  await opener.close();
}

export async function expired(context, node) {
  for (const stage of ["m.login.password", "m.login.registration_token", "m.login.dummy"]) {
    const page = await opened(context, node.stagePage(stage, "no session of ours"));
    if (stage !== "m.login.dummy") await type(page, "wonderland");
    await page.keyboard.press("Enter");
    const message = "This request has expired: go back and begin again.";
    same(`${stage}: an unknown session is told`, message, await alert(page));
    same(`${stage}: it is announced where the focus is`, message, (await told(page)).description);
    await page.close();
  }
}

// Quotes, markup, and the marks of our own templates.
export async function hostile(context, node) {
  const session = `'"><script>window.hit=1</script><img src=x onerror=window.hit=1>{{field}}{{wrong}}&amp;`;
  const fields = ["m.login.password", "m.login.registration_token", "m.login.dummy"];
  for (const stage of fields) {
    const page = await context.newPage();
    const look = () => page.evaluate(() => ({
      session: document.querySelector("input[name=session]").value,
      strangers: document.querySelectorAll("script, img, b").length, hit: window.hit ?? "none",
    }));
    const text = { session, strangers: 0, hit: "none" };
    await go(page, node.stagePage(stage, session));
    same(`${stage}: markup in the session stays text`, text, await look());
    if (stage !== "m.login.dummy") await type(page, session);
    await page.keyboard.press("Enter");
    await alert(page);
    same(`${stage}: and in the page that refuses it`, text, await look());
    await page.close();
  }
  const page = await context.newPage();
  await go(page, node.loginPage(`?device_id=${encodeURIComponent(session)}#${session}`));
  same("markup in the query of the login page is nowhere", "none",
    await page.evaluate(() => (/hit|onerror/.test(document.documentElement.outerHTML) ? "there" : "none")));
  for (const stage of ["m.login.token", "m.login.recaptcha", `<script>`]) {
    const answer = await page.goto(node.stagePage(encodeURIComponent(stage), "x"));
    same(`there is no page of the stage ${stage}`, [404, "application/json"],
      [answer.status(), answer.headers()["content-type"]]);
  }
  const missing = await fetch(node.stagePage("m.login.dummy"));
  same("without a session there is no page", 400, missing.status);
  none("nothing was run", await page.evaluate(() => (window.hit ? ["window.hit is set"] : [])));
  await page.close();
}

// A node that takes one password a minute.
export async function turnedAway(context, node) {
  const { access_token: token } = await node.login("alice", "wonderland");
  const { session } = await node.ask("POST", "v1/login/get_token", { token, body: {} });
  const page = await opened(context, node.stagePage("m.login.password", session));
  await type(page, "wonderland");
  await page.keyboard.press("Enter");
  like("too many tries are a page that says how long to wait",
    /^Too many tries: wait \d+ seconds\.$/, await alert(page));
  same("it is announced with the field", await alert(page), (await told(page)).description);
  await page.close();
}
