// Servers as an operator runs them, each in a folder of its own, and what a client asks of them.
import { spawn, execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";

const LOOSE = Object.fromEntries(
  ["PASSWORDS", "REGISTRATIONS", "LOGIN_TOKENS", "REFRESHES", "PROBES"]
    .map((name) => [`AMARETTI_TRIES_PER_MINUTE_${name}`, "0"]),
);
// The cost of a password is not what is looked at here.
const CHEAP = {
  AMARETTI_PASSWORD_HASHING_MEMORY_KIB: "1024",
  AMARETTI_PASSWORD_HASHING_ITERATIONS: "1",
};

export class Node {
  constructor(program, folder, settings = {}) {
    this.program = program;
    this.folder = folder;
    this.env = { ...process.env, ...LOOSE, ...CHEAP, AMARETTI_REGISTRATION: "open", ...settings };
    mkdirSync(folder, { recursive: true });
  }

  // Runs a command of the program in the folder of this server.
  run(words, input = "") {
    const { folder: cwd, env } = this;
    return execFileSync(this.program, words, { cwd, env, input, encoding: "utf8" }).trim();
  }

  // Starts to serve, and is done when it says where.
  start() {
    const words = ["serve", "--listen", "127.0.0.1:0", "--internal", "127.0.0.1:0"];
    this.child = spawn(this.program, words, { cwd: this.folder, env: this.env });
    process.on("exit", () => this.child.kill("SIGKILL"));
    return new Promise((resolve, reject) => {
      let log = "";
      const read = (piece) => {
        log += piece;
        const at = / listen=([\d.:]+)/.exec(log);
        if (!at || !log.includes(" serving ")) return;
        this.url = `http://${at[1]}`;
        resolve(this);
      };
      this.child.stdout.on("data", read);
      this.child.stderr.on("data", read);
      this.child.on("exit", () => reject(new Error(`the server has ended:\n${log}`)));
    });
  }

  stop() {
    const ended = new Promise((resolve) => this.child.on("exit", resolve));
    this.child.kill("SIGTERM");
    return ended;
  }

  // What a client asks: status and parsed body.
  async ask(method, path, { token, body } = {}) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const url = `${this.url}/_matrix/client/${path}`;
    const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    return { status: answer.status, ...await answer.json() };
  }

  async login(user, password) {
    const identifier = { type: "m.id.user", user };
    const body = { type: "m.login.password", identifier, password };
    return this.ask("POST", "v3/login", { body });
  }

  loginPage(query = "") {
    return `${this.url}/_matrix/static/client/login/${query}`;
  }

  stagePage(stage, session, version = "v3") {
    const query = session === undefined ? "" : `?session=${encodeURIComponent(session)}`;
    return `${this.url}/_matrix/client/${version}/auth/${stage}/fallback/web${query}`;
  }
}
