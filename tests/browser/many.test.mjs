// 5,000 trials, told by a server of canned events: the page stays fluid.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { Browser, ROOT, until } from "./harness.mjs";

const N = 5000;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css",
  ".svg": "image/svg+xml" };
const streams = new Set();
let server;
let browser;
let origin;

function study(extra = {}) {
  return { name: "many", id: 1, seq: 1, state: "running", reason: null, metric: "val-loss",
    direction: "minimize", n_trials: 2 * N, counts: { WAITING: 0, RUNNING: 1, COMPLETE: N,
      PRUNED: 0, FAIL: 0 }, finished: N, best: null, created: 1, active_ms: 1, eta_ms: 1,
    workers: 1, data: null, config: { training: { max_epochs: 3 } }, params: ["lr", "units"],
    running: [], trouble: null, ...extra };
}

function trial(number, extra = {}) {
  const state = number % 50 === 7 ? "FAIL" : number % 9 === 4 ? "PRUNED" : "COMPLETE";
  const value = state === "FAIL" ? null : 1 + Math.sin(number) / 2 + 100 / (number + 100);
  return { number, seq: number + 2, state, cause: state === "FAIL" ? "oom" : null, message: null,
    attempt: 1, value, best_epoch: 1, start: 1000 * number, end: 1000 * number + 900,
    params: { lr: 1e-4 * (1 + number % 7), units: 64 }, n_epochs: 2,
    epochs: [0, 1].map((epoch) => ({ epoch, "train-loss": 2 - epoch, "val-loss": value })),
    checkpoint: null, progress: null, enqueued: false, nondeterministic: false, ...extra };
}

const event = (name, data, id) => `${id ? `id: ${id}\n` : ""}event: ${name}\ndata: ${
  JSON.stringify(data)}\n\n`;

async function serve(request, reply) {
  const at = request.url.split("?")[0];
  if (at === "/api/v1/health") {
    reply.end(JSON.stringify({ version: "0", workers: [] }));
  } else if (at === "/api/v1/studies/many/events") {
    reply.writeHead(200, { "Content-Type": "text/event-stream" });
    reply.write(event("study", study()));
    reply.write(Array.from({ length: N }, (_, i) => event("trial", trial(i), i + 2)).join(""));
    streams.add(reply);
    reply.on("close", () => streams.delete(reply));
  } else {
    const file = at === "/" ? "web/index.html" : at === "/echarts.min.js"
      ? "build/web/echarts.min.js" : `web${at}`;
    const body = await readFile(path.join(ROOT, file)).catch(() => null);
    reply.writeHead(body ? 200 : 404, { "Content-Type": TYPES[path.extname(file)] ?? "text/plain" });
    reply.end(body ?? "");
  }
}

before(async () => {
  server = http.createServer(serve);
  await new Promise((done) => { server.listen(0, "127.0.0.1", done); });
  origin = `http://127.0.0.1:${server.address().port}`;
  browser = await Browser.start();
});
after(async () => {
  await browser?.close();
  server.closeAllConnections();
  server.close();
});

test("5,000 trials: few rows exist, scrolling shows others, updates are cheap", async () => {
  const page = await browser.open(`${origin}/#t=x/study/many`);
  await page.waitForSelector("tr[data-number='4999']");
  assert.ok(await page.$$eval("tr[data-number]", (r) => r.length) < 60);
  // That there are more is seen: rows are counted, and the last one is cut.
  const foot = () => page.textContent(".trials + p");
  assert.equal(await foot(), "Rows 1 to 14 of 5000");
  assert.ok(await page.$eval(".trials", (n) => n.clientHeight % 34 > 10
    && n.classList.contains("cut-below")));
  await page.fill("#filter", "oom");
  assert.equal(await foot(), "Rows 1 to 14 of 100 (5000 trials)");
  await page.fill("#filter", "oom trial<60");
  assert.equal(await foot(), "2 of 5000 trials");
  await page.fill("#filter", "");
  await page.$eval(".trials", (n) => { n.scrollTop = 34 * 2500; });
  await page.waitForSelector("tr[data-number='2490']");
  assert.ok(await page.$$eval("tr[data-number]", (r) => r.length) < 60);

  // 400 progress events in 4 s: how long was the page ever busy?
  await page.evaluate(() => {
    window.longest = 0;
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) {
        window.longest = Math.max(window.longest, e.duration);
      }
    }).observe({ type: "longtask" });
  });
  const running = (step) => event("progress", trial(N, { state: "RUNNING", value: null, end: null,
    epochs: undefined, progress: { phase: "train", epoch: 1, step, n_steps: 400, loss: 1,
      elapsed_ms: 10 * step } }));
  for (let step = 0; step < 400; step++) {
    streams.forEach((s) => s.write(running(step)));
    await new Promise((done) => { setTimeout(done, 10); });
  }
  const longest = await page.evaluate(() => window.longest);
  assert.ok(longest < 400, `busy for ${longest} ms at a time`);
  assert.equal(await page.$eval(".trials", (n) => n.scrollTop), 34 * 2500 + 34);
  await page.$eval(".trials", (n) => { n.scrollTop = 0; });
  assert.ok(await until(async () => /epoch 2, 399\/400/.test(
    await page.textContent("tr[data-number='5000']"))));
  // What changes finds its place among the sorted, and the counts follow.
  await page.click("thead button:has-text('val-loss')");
  const first = () => page.$eval("tr[data-number]", (r) => Number(r.dataset.number));
  const state = (name) => page.textContent(
    `[aria-label='Filter by state'] .chip:has-text('${name}')`);
  streams.forEach((s) => s.write(event("trial", trial(N, { value: 0.1 }), N + 2)));
  assert.ok(await until(async () => await first() === N));
  assert.equal(await state("running"), "running 0");
  streams.forEach((s) => s.write(event("trial", trial(3, { value: 0.05 }), N + 3)));
  assert.ok(await until(async () => await first() === 3));
  await page.fill("#filter", "value<0.2");
  assert.equal(await page.$$eval("tr[data-number]", (r) => r.length), 2);
  streams.forEach((s) => s.write(event("trial", trial(3, { value: 0.5 }), N + 4)
    + event("trial", trial(9, { value: 0.15 }), N + 5)));
  const shown = () => page.$$eval("tr[data-number]", (r) => r.map((n) => Number(n.dataset.number)));
  assert.ok(await until(async () => String(await shown()) === `${N},9`));
  assert.equal(await state("All"), `All ${N + 1}`);
  await page.screenshot({ path: path.join(ROOT, "build/screenshots/many.png") });
  assert.deepEqual(page.complaints, []);
});

test("another study of the same name takes the table over, whatever was running", async () => {
  const page = await browser.open(`${origin}/#t=x/study/many`);
  await page.waitForSelector("tr[data-number='4999']");
  const tell = (...events) => streams.forEach((s) => s.write(events.join("")));
  const runs = { state: "RUNNING", value: null, end: null };
  const shown = () => page.$$eval("tr[data-number]",
    (r) => r.map((n) => `${n.dataset.number} ${n.className.trim()}`).join(", "));
  tell(event("trial", trial(N, runs), N + 2));
  await page.waitForSelector(`tr.running[data-number='${N}']`);

  tell(event("study", study({ id: 2, counts: { RUNNING: 1, COMPLETE: 1 } })),
    event("trial", trial(0), N + 3), event("trial", trial(1, runs), N + 4));
  assert.ok(await until(async () => await shown() === "1 running, 0 complete"), await shown());
  // Later ones, too, are put in place among them.
  tell(event("trial", trial(1), N + 5), event("trial", trial(2, runs), N + 6));
  assert.ok(await until(async () => await shown() === "2 running, 1 complete, 0 complete"),
    await shown());
  assert.equal(await page.textContent("[aria-label='Filter by state'] .chip:has-text('running')"),
    "running 1");
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
