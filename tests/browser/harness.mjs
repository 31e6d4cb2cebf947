// A real parzend in a state directory of its own, and a real browser.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const ROOT = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../..");
export const BIN = path.resolve(ROOT, process.env.PARZEN_BIN ?? "build/bin");
const require = createRequire(path.join(ROOT, "build/npm-test/"));
const { chromium } = require("playwright-core");

/** Until fn() is true; false when the time is over. */
export async function until(fn, ms = 20000) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) {
    if (await fn()) {
      return true;
    }
  }
  return false;
}

export class Daemon {
  static async start(options = {}) {
    const d = new Daemon();
    d.state = await mkdtemp(path.join(tmpdir(), "parzen-page-"));
    await d.run(options);
    return d;
  }

  /** On this state directory; again after an end. */
  async run({ port = 0 } = {}) {
    this.log = "";
    this.process = spawn(path.join(BIN, "parzend"), ["--state", this.state,
      "--port", String(port), "--workers", "2"], { stdio: ["ignore", "ignore", "pipe"] });
    this.process.stderr.on("data", (d) => { this.log += d; });
    const isReady = await until(() => /info ready/.test(this.log) || this.process.exitCode !== null);
    if (!isReady || this.process.exitCode !== null) {
      throw new Error(`parzend did not start:\n${this.log}`);
    }
    this.port = Number(await readFile(path.join(this.state, "port"), "utf8"));
    this.token = await readFile(path.join(this.state, "token"), "utf8");
    this.origin = `http://127.0.0.1:${this.port}`;
  }

  async end(signal = "SIGTERM") {
    const over = new Promise((done) => { this.process.once("exit", done); });
    this.process.kill(signal);
    await over;
  }

  async close() {
    await this.end();
    await rm(this.state, { recursive: true });
  }

  /** {status, headers, text} */
  ask(method, at, { headers = {}, body } = {}) {
    return new Promise((done, fail) => {
      const request = http.request({ host: "127.0.0.1", port: this.port, method, path: at,
        agent: false, headers }, (reply) => {
        let text = "";
        reply.on("data", (d) => { text += d; });
        reply.on("end", () => done({ status: reply.statusCode, headers: reply.headers, text }));
      });
      request.on("error", fail);
      request.end(body);
    });
  }

  async api(method, at, body) {
    const reply = await this.ask(method, `/api/v1/${at}`, {
      headers: { Authorization: `Bearer ${this.token}`,
        ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body && JSON.stringify(body) });
    if (reply.status >= 300) {
      throw new Error(`${method} ${at}: ${reply.status} ${reply.text}`);
    }
    return JSON.parse(reply.text);
  }

  /** A study of the shipped small data set; changes are "training.lr" paths. */
  async study(name, changes = {}) {
    const config = JSON.parse(await readFile(path.join(ROOT, "configs/quick.json"), "utf8"));
    delete config.$schema;
    config.study = name;
    config.data.source = path.join(ROOT, "configs", config.data.source);
    for (const [at, value] of Object.entries(changes)) {
      const keys = at.split(".");
      const last = keys.pop();
      keys.reduce((o, k) => o[k], config)[last] = value;
    }
    return this.api("POST", "studies", config);
  }

  /** The address that brings the token. */
  address(at = "") {
    return `${this.origin}/#t=${this.token}${at}`;
  }
}

export class Browser {
  static async start() {
    const b = new Browser();
    b.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
    return b;
  }

  /** A page of its own profile; complaints collects errors and violations. */
  async open(url, options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1360, height: 900 }, ...options });
    const page = await context.newPage();
    page.complaints = [];
    page.on("pageerror", (e) => page.complaints.push(`error: ${e.message}`));
    page.on("console", (m) => {
      if (/Content Security Policy|Trusted/i.test(m.text())) {
        page.complaints.push(m.text());
      }
    });
    page.on("dialog", (d) => {
      page.complaints.push(`dialog: ${d.message()}`);
      d.dismiss();
    });
    await page.goto(url);
    return page;
  }

  async close() {
    await this.browser.close();
  }
}
