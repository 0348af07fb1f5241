// How every page looks: contrast and structure by axe-core, overflow, and screenshots for people.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { alert, go, type } from "./browser.mjs";
import { none } from "./tally.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { desktop: [1280, 800], phone: [390, 844], narrow: [320, 568], large: [320, 568] };

// The pages, each as steps that lead to it.
function scenes(node, session) {
  const stage = (name) => (page) => go(page, node.stagePage(name, session));
  const wrong = (to) => async (page) => {
    await to(page);
    const password = page.locator("#user").count().then((count) => count > 0);
    if (await password) await type(page, "alice");
    if (await password) await page.keyboard.press("Tab");
    await type(page, "looking glass");
    await page.keyboard.press("Enter");
    await alert(page);
  };
  const login = (page) => go(page, node.loginPage());
  const [password, token, dummy] = ["password", "registration_token", "dummy"]
    .map((name) => stage(`m.login.${name}`));
  return {
    login, "login-wrong": wrong(login), "login-done": (page) => loggedIn(page, node),
    password, "password-wrong": wrong(password), token, "token-wrong": wrong(token), dummy,
    done: async (page) => {
      await dummy(page);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Done" }).waitFor();
    },
  };
}

async function loggedIn(page, node) {
  await go(page, node.loginPage());
  await page.keyboard.type("alice");
  await page.keyboard.press("Tab");
  await page.keyboard.type("wonderland");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "You are logged in" }).waitFor();
}

// What sticks out of the window or of the card, and what is cut off.
function overflow() {
  const card = document.querySelector("main").getBoundingClientRect();
  const root = document.documentElement;
  const wide = root.scrollWidth > root.clientWidth ? [`the page is ${root.scrollWidth} px wide`] : [];
  const out = [...document.querySelectorAll("main *")].filter((element) => {
    const { left, right, bottom, width } = element.getBoundingClientRect();
    return width > 0 && (left < card.left || right > card.right || bottom > card.bottom ||
      element.scrollWidth > element.clientWidth + 1 && element.tagName !== "INPUT");
  });
  return [...wide, ...out.map((element) => `out of its place: ${element.outerHTML}`)];
}

// What a finger can hit: at least 44 px high, as the platforms advise.
function small() {
  const all = [...document.querySelectorAll("input:not([type=hidden]), button")];
  return all.filter((element) => element.getBoundingClientRect().height < 44)
    .map((element) => `too small: ${element.outerHTML}`);
}

// Words that go on in the next line. The name of a server may.
function broken() {
  const all = [...document.querySelectorAll("h1, p, label, button, [role=alert]")];
  const texts = all.flatMap((element) => [...element.childNodes])
    .filter((node) => node.nodeType === Node.TEXT_NODE);
  return texts.flatMap((node) => [...node.data.matchAll(/\S+/g)].filter(({ 0: word, index }) => {
    const range = new Range();
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    return range.getClientRects().length > 1;
  }).map(([word]) => `broken: ${word}`));
}

// Whether text is as large as somebody has asked for.
function otherText(pixels) {
  const found = getComputedStyle(document.querySelector("p")).fontSize;
  return found === `${pixels}px` ? [] : [`the text has ${found}, not ${pixels}px`];
}

async function violations(page) {
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => window.axe.run(document));
  if (passes.length < 10) return [`axe-core has looked at ${passes.length} rules only`];
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((n) => n.html)}`);
}

// The whole page. The window grows to it first: Chromium drops the size of the text when it is made
// to draw what lies below the window.
async function photograph(page, path, [width, height], enlarge) {
  const tall = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: Math.max(height, tall) });
  await enlarge();
  await page.screenshot({ path, animations: "disabled" });
  await page.setViewportSize({ width, height });
}

// One page in one size, light and dark: what is wrong with it.
async function faults(page, arrive, size, file) {
  const pixels = size === "large" ? 32 : 16;
  const devtools = await page.context().newCDPSession(page);
  const fontSizes = { standard: pixels, fixed: pixels };
  const enlarge = () => devtools.send("Page.setFontSizes", { fontSizes });
  const [width, height] = SIZES[size];
  await page.setViewportSize({ width, height });
  const all = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await arrive(page);
    await enlarge();
    const found = [await violations(page), await page.evaluate(overflow),
      await page.evaluate(small), await page.evaluate(broken),
      await page.evaluate(otherText, pixels)];
    await photograph(page, `${file}-${colorScheme}.png`, SIZES[size], enlarge);
    found.push(await page.evaluate(otherText, pixels));
    all.push(...found.flat().map((fault) => `${colorScheme}: ${fault}`));
  }
  await devtools.detach();
  return all;
}

export async function looks(context, node, pictures) {
  const { session } = await node.ask("POST", "v3/register", { body: {} });
  for (const [name, arrive] of Object.entries(scenes(node, session))) {
    const page = await context.newPage();
    for (const size of Object.keys(SIZES)) {
      none(`${name}, ${size}: axe-core and a ruler find nothing, light or dark`,
        await faults(page, arrive, size, join(pictures, `${name}-${size}`)));
    }
    await page.close();
  }
}
