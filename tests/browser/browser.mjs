// A Chromium that is used with the keyboard and watched: console, policy, headers.
import { chromium } from "playwright-core";

const QUIET = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-proxy-server",
];
// Chromium notes every answer of 400 and above. These are what the suite provokes.
const EXPECTED = /^Failed to load resource: (net::ERR_CONNECTION_REFUSED|.* status of (401|403|404|429|503) )/;

// What pages were found to do that they must not, and which pages there were.
export const watched = { faults: [], unguarded: [], documents: 0, dialogs: 0 };

function watch(context) {
  context.on("console", (message) => {
    const told = `${message.type()} on ${message.page()?.url()}: ${message.text()}`;
    const bad = ["error", "warning"].includes(message.type());
    if (bad && !EXPECTED.test(message.text())) watched.faults.push(told);
  });
  context.on("weberror", (error) => watched.faults.push(`thrown: ${error.error().stack}`));
  context.on("dialog", (dialog) => {
    watched.dialogs += 1;
    return dialog.dismiss();
  });
  context.on("response", (response) => {
    if (response.request().resourceType() !== "document") return;
    if (!/\/_matrix\/.*(login|auth)\//.test(response.url()) || response.status() === 404) return;
    watched.documents += 1;
    const { "content-security-policy": policy = "", ...headers } = response.headers();
    const guarded = /default-src 'none'/.test(policy) && /frame-ancestors 'none'/.test(policy) &&
      !/unsafe|\*/.test(policy) && headers["x-content-type-options"] === "nosniff" &&
      headers["referrer-policy"] === "no-referrer" && headers["cache-control"] === "no-store" &&
      headers["content-type"] === "text/html; charset=utf-8";
    if (!guarded) watched.unguarded.push(`${response.status()} ${response.url()}: ${policy}`);
  });
}

export async function open(folder) {
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: "/usr/bin/chromium", args: QUIET, chromiumSandbox: false, timeout: 60_000,
    viewport: { width: 1280, height: 800 },
  });
  context.setDefaultTimeout(10_000);
  watch(context);
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.effectiveDirective} refuses ${event.blockedURI}`);
    });
  });
  return context;
}

// Goes to a page and waits until a control has the focus, as people do before they type.
export async function go(page, url) {
  await page.goto(url);
  await began(page);
}

export function began(page) {
  return page.waitForFunction(() => document.activeElement?.autofocus);
}

// What has the focus, as its id or what it says.
export function focus(page) {
  return page.evaluate(() => {
    const { id, tagName, textContent } = document.activeElement;
    return id || `${tagName.toLowerCase()} ${textContent}`.trim();
  });
}

// What a screen reader is told of what has the focus.
export async function told(page) {
  const devtools = await page.context().newCDPSession(page);
  const { nodes } = await devtools.send("Accessibility.getFullAXTree");
  await devtools.detach();
  const has = (node, name) => node.properties?.find((property) => property.name === name)?.value.value;
  const node = nodes.findLast((node) => has(node, "focused") === true);
  const invalid = has(node, "invalid") ?? "false";
  return { name: node.name?.value, description: node.description?.value ?? "", invalid };
}

// Whether an element is a live region that speaks at once, and what it says.
export async function alert(page) {
  const found = page.getByRole("alert").filter({ hasText: /\S/ });
  await found.waitFor();
  await page.waitForFunction(() => document.activeElement !== document.body);
  return found.innerText();
}

// Types over what is in the field that has the focus.
export async function type(page, text) {
  await page.keyboard.press("Control+A");
  await page.keyboard.type(text);
}
