// The suite `browser`: one Chromium, three servers, every page. Arguments: the program, a folder
// for what is passing, a folder for the screenshots.
import { join } from "node:path";
import { app } from "./app.mjs";
import { open, watched } from "./browser.mjs";
import * as fallback from "./fallback.mjs";
import * as login from "./login.mjs";
import { looks } from "./looks.mjs";
import { Node } from "./node.mjs";
import { like, none, part, same, summary } from "./tally.mjs";

const [program, folder, pictures] = process.argv.slice(2);
// So that what was started is ended, which a process does on its way out and not when killed.
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(130));

async function served(name, settings) {
  const node = await new Node(program, join(folder, name), settings).start();
  node.run(["user", "add", "alice", "--password-stdin"], "wonderland\n");
  return node;
}

async function guards() {
  same("no dialog was shown", 0, watched.dialogs);
  like(`every page has its policy and is not kept (${watched.documents} were looked at)`,
    /^[1-9]\d+ of them, 0 without$/,
    `${watched.documents} of them, ${watched.unguarded.length} without`);
  none("all of them the whole of it", watched.unguarded);
  none("no console has an error, no policy was violated", watched.faults);
}

const one = { AMARETTI_TRIES_PER_MINUTE_PASSWORDS: "1" };
const long = "matrix.a-homeserver-with-a-long-name.departments.university.example.org";
const main = await served("main");
main.run(["registration-token", "new", "--token", "summer-school", "--uses", "1"]);
const slow = await served("slow", one);
const stage = await served("stage", one);
const named = await served("named", { AMARETTI_SERVER_NAME: long });
const context = await open(join(folder, "profile"));
const client = await app();

const parts = [
  ...["keys", "answer", "oldClient", "wrong"].map((name) => [name, () => login[name](context, main)]),
  ["login limits", () => login.turnedAway(context, slow)],
  ["password", () => fallback.password(context, main)],
  ["registration token", () => fallback.registrationToken(context, main)],
  ["dummy", () => fallback.dummy(context, main, client)],
  ["expired", () => fallback.expired(context, main)],
  ["hostile", () => fallback.hostile(context, main)],
  ["stage limits", () => fallback.turnedAway(context, stage)],
  ["looks", () => looks(context, named, pictures)],
  ["guards", guards],
];
for (const [name, run] of parts) await part(name, run);

client.close();
await context.close();
process.exit(summary() ? 0 : 1);
