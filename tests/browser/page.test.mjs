// The page against a real parzend.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { BIN, Browser, Daemon, ROOT, until } from "./harness.mjs";

const HOSTILE = "<img src=x onerror=alert(1)>";
const LONG = { n_trials: 200, "training.max_epochs": 400, "training.early_stopping": null };
let daemon;
let browser;

before(async () => {
  daemon = await Daemon.start();
  browser = await Browser.start();
});
after(async () => {
  await browser?.close();
  await daemon?.close();
});

const text = (page, selector) => page.textContent(selector);
const finished = (page) => page.$eval(".overview dd", (n) => parseInt(n.textContent, 10));
const shot = (page, name) => page.screenshot({ path: path.join(ROOT, "build/screenshots", name) });

async function assertQuiet(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

test("with no studies the page says what to type", async () => {
  const page = await browser.open(daemon.address());
  await page.waitForSelector("text=No studies yet");
  assert.match(await text(page, ".empty pre"), /^parzen run configs\/quick\.json$/);
  assert.equal(await page.evaluate(() => location.hash), "#/");
  assert.equal(await page.evaluate(() => sessionStorage.getItem("parzen-token")), daemon.token);
  await assertQuiet(page);
});

test("without the token there is nothing to see", async () => {
  const page = await browser.open(`${daemon.origin}/`);
  await page.waitForSelector("text=This page needs its token");
  assert.match(await text(page, ".empty pre"), /parzen daemon url/);
  await assertQuiet(page);
});

test("the server refuses strangers", async () => {
  assert.equal((await daemon.ask("GET", "/api/v1/studies")).status, 401);
  const right = { Authorization: `Bearer ${daemon.token}` };
  assert.equal((await daemon.ask("GET", "/api/v1/studies", { headers: right })).status, 200);
  assert.equal((await daemon.ask("GET", "/", { headers: { Host: "evil.example" } })).status, 421);
  assert.equal((await daemon.ask("GET", "/api/v1/studies",
    { headers: { ...right, Origin: "http://evil.example" } })).status, 403);
  assert.equal((await daemon.ask("OPTIONS", "/api/v1/studies", { headers: right })).status, 405);
});

test("only loopback listens", async () => {
  const hex = daemon.port.toString(16).toUpperCase().padStart(4, "0");
  const lines = (await readFile("/proc/net/tcp", "utf8")).split("\n")
    .concat((await readFile("/proc/net/tcp6", "utf8").catch(() => "")).split("\n"));
  const listening = lines.map((l) => l.trim().split(/\s+/))
    .filter((f) => f[3] === "0A" && f[1]?.endsWith(`:${hex}`)).map((f) => f[1]);
  assert.deepEqual(listening, [`0100007F:${hex}`]);
});

test("other sites cannot read the page or the API", async () => {
  const page = await browser.open(`${daemon.origin}/`);
  const blocked = await page.evaluate(async () => {
    const node = document.createElement("div");
    try {
      node.innerHTML = "<b>x</b>";
      return "made HTML from a string";
    } catch (e) {
      return e.constructor.name;
    }
  });
  assert.equal(blocked, "TypeError");
  await page.context().close();
});

test("a study appears, fills and ends without a reload", async () => {
  const page = await browser.open(daemon.address());
  await page.waitForSelector("text=No studies yet");
  await daemon.study("small", { n_trials: 4, "training.max_epochs": 2 });
  await page.click("tbody a:has-text('small')");
  await page.waitForSelector(".overview:not([hidden])");
  await page.evaluate(() => { window.sameDocument = true; });
  assert.ok(await until(async () => await finished(page) >= 1, 60000));
  assert.ok(await until(async () => await finished(page) === 4, 60000));
  assert.ok(await until(async () => await text(page, ".title .badge") === "finished"));
  assert.equal(await page.evaluate(() => window.sameDocument), true);
  assert.equal(await page.$$eval(".trials tbody tr[data-number]", (r) => r.length), 4);
  assert.match(await text(page, ".big"), /^val-acc (0\.\d+|1)$/);
  const { best } = await daemon.api("GET", "studies/small");
  assert.match(await text(page, ".columns"), new RegExp(best.checkpoint.replace(/\W/g, "\\$&")));
  await shot(page, "study-light.png");
  await assertQuiet(page);
});

test("a trial opens by click, shows its epochs, and closes by Escape", async () => {
  const page = await browser.open(daemon.address("/study/small"));
  await page.click("tr[data-number='2'] td:nth-child(3)");
  await page.waitForSelector("aside.trial:not([hidden])");
  assert.equal(await text(page, "aside h2"), "Trial 2");
  assert.equal(await page.$$eval("aside tbody tr", (r) => r.length), 2);
  assert.match(page.url(), /#\/study\/small\/trial\/2$/);
  await page.click("text=Show the end of the log");
  await page.waitForSelector("aside .log:not([hidden])");
  await shot(page, "trial-light.png");
  await page.keyboard.press("Escape");
  assert.ok(await until(() => page.$eval("aside", (n) => n.hidden)));
  await page.focus(".trials");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.ok(await until(async () => await text(page, "aside h2") === "Trial 2"));
  await assertQuiet(page);
});

test("a trial that is not there is said not to be", async () => {
  const page = await browser.open(daemon.address("/study/small/trial/999"));
  await page.waitForSelector("text=There is no trial 999 in this study: its trials are 0 to 3.");
  assert.equal(await page.isVisible("aside >> text=Show the end of the log"), false);
  await page.evaluate(() => { location.hash = "#/study/small/trial/1"; });
  await page.waitForSelector("aside .badge.complete");
  assert.equal(await page.isVisible("aside .message"), false);
  await page.evaluate(() => { location.hash = "#/study/small/trial/4"; });
  await page.waitForSelector("text=There is no trial 4");
  await page.keyboard.press("Escape");
  assert.ok(await until(() => page.$eval("aside", (n) => n.hidden)));
  await assertQuiet(page);
});

test("a point of the chart selects its trial", async () => {
  const page = await browser.open(daemon.address("/study/small"));
  await page.waitForSelector(".history-chart canvas");
  const at = await page.evaluate(() => {
    const chart = window.echarts.getInstanceByDom(document.querySelector(".history-chart"));
    const { value } = chart.getOption().series[0].data.find((d) => d.number === 1);
    const [x, y] = chart.convertToPixel({ seriesIndex: 0 }, value);
    return { x, y };
  });
  await page.click(".history-chart", { position: at });
  assert.ok(await until(async () => await text(page, "aside h2") === "Trial 1"));
  await assertQuiet(page);
});

test("infeasible trials are grey, last by value, and never the best", async () => {
  await daemon.api("POST", "studies", { study: "limited", n_trials: 6, seed: 1,
    sampler: { type: "brute-force" }, params: { x: { int: [0, 5] } },
    objective: { type: "command", direction: "minimize", directory: "/", constraints: ["room"],
      command: ["sh", "-c", "echo \"parzen: {\\\"constraints\\\": [$((2 - $1))],"
        + " \\\"value\\\": $1}\"", "sh", "{x}"] } });
  const page = await browser.open(daemon.address("/study/limited"));
  assert.ok(await until(async () => await text(page, ".title .badge") === "finished", 60000));
  assert.match(await text(page, ".big"), /^value 2$/);
  await page.click("thead button:has-text('value')");
  const rows = await page.$$eval("tr[data-number]", (all) => all.map((row) =>
    [Number(row.children[2].textContent), row.classList.contains("infeasible"),
      row.children[1].textContent.includes("infeasible")]));
  assert.deepEqual(rows, [2, 3, 4, 5, 0, 1].map((v) => [v, v < 2, v < 2]));
  // Its constraint has a column, and what is above 0 is marked.
  assert.equal(await text(page, "thead th:nth-child(5)"), "room");
  assert.deepEqual(await page.$$eval("tr[data-number] td:nth-child(5)", (all) => all.map((td) =>
    [Number(td.textContent), td.classList.contains("bad")])),
  [0, -1, -2, -3, 2, 1].map((v) => [v, v > 0]));
  await page.fill("#filter", "room>0 infeasible");
  assert.equal(await page.$$eval("tr[data-number]", (r) => r.length), 2);
  await page.fill("#filter", "");
  const shown = await page.evaluate(() => {
    const { series } = window.echarts.getInstanceByDom(
      document.querySelector(".history-chart")).getOption();
    const of = (name) => series.find((s) => s.name === name).data;
    return { grey: of("infeasible").map((d) => d.value[1]).sort(),
      best: of("best so far").at(-1)[1] };
  });
  assert.deepEqual(shown, { grey: [0, 1], best: 2 });
  await shot(page, "infeasible-light.png");
  await assertQuiet(page);
});

test("of two importances asked for, the later is drawn, whichever comes first", async () => {
  const page = await browser.open("about:blank");
  let release;
  const held = new Promise((done) => { release = done; });
  await page.route("**/importances?evaluator=*", async (route) => {
    const param = new URL(route.request().url()).searchParams.get("evaluator");
    if (param === "mdi") {
      await held;
    }
    await route.fulfill({ json: { importances: [{ param, importance: 1 }], n_trials: 4,
      pending: false } });
  });
  await page.goto(daemon.address("/study/small"));
  await page.waitForSelector(".bars dt:has-text('ped-anova')");
  await page.evaluate(() => {
    window.drawn = [];
    new MutationObserver(() => window.drawn.push(document.querySelector(".bars dt").textContent))
      .observe(document.querySelector(".bars"), { childList: true });
  });
  await page.selectOption("select[aria-label=Evaluator]", "mdi");
  await page.selectOption("select[aria-label=Evaluator]", "fanova");
  await page.waitForSelector(".bars dt:has-text('fanova')");
  const late = page.waitForResponse(/evaluator=mdi/);
  release();
  await (await late).finished();
  await page.selectOption("select[aria-label=Evaluator]", "ped-anova");
  await page.waitForSelector(".bars dt:has-text('ped-anova')");
  assert.deepEqual(await page.evaluate(() => window.drawn), ["fanova", "ped-anova"]);
  await assertQuiet(page);
});

test("columns sort and states filter", async () => {
  const page = await browser.open(daemon.address("/study/small"));
  await page.waitForSelector("tr[data-number]");
  const values = () => page.$$eval("tr[data-number] td:nth-child(3)",
    (cells) => cells.map((c) => Number(c.textContent)));
  await page.click("thead button:has-text('val-acc')");
  const down = await values();
  assert.deepEqual(down, [...down].sort((a, b) => b - a));
  assert.equal(await page.getAttribute("thead th:nth-child(3)", "aria-sort"), "descending");
  await page.click("thead button:has-text('val-acc')");
  const up = await values();
  assert.deepEqual(up, [...up].sort((a, b) => a - b));
  assert.equal(await page.getAttribute("thead th:nth-child(3)", "aria-sort"), "ascending");
  await page.click(".chip:has-text('complete')");
  assert.equal((await values()).length, 4);
  assert.equal(await page.getAttribute(".chip:has-text('complete')", "aria-pressed"), "true");
  await assertQuiet(page);
});

test("a filter keeps the trials that hold, and says what is wrong with it", async () => {
  const page = await browser.open(daemon.address("/study/small"));
  await page.waitForSelector("tr[data-number]");
  const rows = () => page.$$eval("tr[data-number]", (r) => r.length);
  await page.fill("#filter", "trial>=1 trial<3 state=complete");
  assert.equal(await rows(), 2);
  await page.fill("#filter", "valeu>0");
  assert.match(await text(page, "#filter-wrong"), /no column "valeu"/);
  assert.equal(await rows(), 4);
  await page.fill("#filter", "val-acc>0 complete");
  assert.equal(await rows(), 4);
  await page.fill("#filter", "val-acc>2 oom");
  await page.waitForSelector(
    'text=No trials like this: val-acc>2, "oom" in states, causes and messages.');
  await assertQuiet(page);
});

test("what is shown can be had as CSV", async () => {
  const page = await browser.open(daemon.address("/study/small"));
  await page.waitForSelector("tr[data-number]");
  await page.fill("#filter", "trial<2");
  const [download] = await Promise.all([page.waitForEvent("download"),
    page.click("button:text-is('CSV')")]);
  assert.equal(download.suggestedFilename(), "small.csv");
  const lines = (await readFile(await download.path(), "utf8")).split("\r\n");
  const { stdout } = await promisify(execFile)(path.join(BIN, "parzen"),
    ["--state", daemon.state, "export", "small", "--csv", "-"]);
  assert.deepEqual(lines.slice(0, 1), stdout.split("\r\n").slice(0, 1));
  const cells = (line) => line.split(",").map((c) => (Number.isNaN(Number(c)) ? c : Number(c)));
  assert.deepEqual(lines.slice(1, 3).map(cells), stdout.split("\r\n").slice(1, 3).reverse().map(cells));
  assert.equal(lines.length, 4);
  await assertQuiet(page);
});

test("slices, parallel coordinates and curves are drawn when they are chosen", async () => {
  const page = await browser.open(daemon.address("/study/small"));
  await page.waitForSelector(".history-chart canvas");
  assert.equal(await page.$$eval(".plot canvas", (n) => n.length), 0);
  const series = (name) => page.evaluate((wanted) => {
    const { series: all } = window.echarts.getInstanceByDom(document.querySelector(".plot")).getOption();
    return all.filter((s) => s.name === wanted).flatMap((s) => s.data);
  }, name);
  const trials = (await daemon.api("GET", "studies/small/trials")).trials;
  await page.click(".chip:text-is('Slice')");
  await page.selectOption("select[aria-label=Parameter]", "lr");
  assert.deepEqual((await series("complete")).map((p) => p.value),
    trials.map((t) => [t.params.lr, t.value]), "from the oldest to the newest");
  await shot(page, "slice.png");
  await page.click(".chip:text-is('Parallel')");
  assert.equal(await page.isVisible("select[aria-label=Parameter]"), false);
  assert.equal((await series("complete")).length + (await series("best")).length, 4);
  await shot(page, "parallel.png");
  await page.click(".chip:text-is('Curves')");
  const [best] = await series("best");
  assert.deepEqual(best.coords, trials[best.number].epochs.map((e) => [e.epoch + 1, e["val-acc"]]));
  await page.click("tr[data-number='3'] td:nth-child(3)");
  assert.ok(await until(async () => (await series("selected"))[0]?.number === 3));
  await shot(page, "curves.png");
  await assertQuiet(page);
});

test("importances are bars", async () => {
  const page = await browser.open(daemon.address("/study/small"));
  await page.waitForSelector(".bars dt");
  const shares = await page.$$eval(".bars [role=progressbar]",
    (bars) => bars.map((b) => Number(b.getAttribute("aria-valuenow"))));
  assert.ok(shares.length > 0 && shares.every((v) => v >= 0 && v <= 100), String(shares));
  assert.deepEqual(shares, [...shares].sort((a, b) => b - a));
  await assertQuiet(page);
});

test("steps, failures and their logs of a command; retry asks which", async () => {
  await daemon.api("POST", "studies", { study: "command", n_trials: 9, workers: 1,
    stop: { max_failures: 2 },
    objective: { type: "command", command: ["sh", "-c",
      "echo 'parzen: {\"step\": 5, \"value\": 2}'; echo it is broken >&2; exit 3"] },
    params: { x: { float: [1, 9] } } });
  const page = await browser.open(daemon.address("/study/command/trial/0"));
  await page.waitForSelector("aside .badge.fail");
  await page.waitForSelector("aside h3:has-text('Steps')");
  assert.ok(await until(async () => /it is broken/.test(await text(page, "pre.log"))));
  assert.deepEqual(await page.$$eval("aside thead th", (n) => n.map((c) => c.textContent)),
    ["step", "value"]);
  assert.ok(await until(async () => await text(page, ".title .badge") === "failed", 30000));
  await page.click("aside .close");
  await page.click("button:text-is('Retry…')");
  assert.match(await text(page, "#retry-cause"), /all 2.*exit: 2/);
  await shot(page, "retry.png");
  await page.keyboard.press("Escape");
  await assertQuiet(page);
});

test("a finished study makes room for what is enqueued", async () => {
  const hold = path.join(daemon.state, "hold");
  await daemon.api("POST", "studies", { study: "one", n_trials: 1,
    objective: { type: "command", command: ["sh", "-c",
      `while [ -e ${hold} ]; do sleep 0.05; done; echo 'parzen: {"value": {x}}'`] },
    params: { x: { float: [1, 9] } } });
  const page = await browser.open(daemon.address("/study/one"));
  const ended = (n) => until(async () => await text(page, ".title .badge") === "finished"
    && await finished(page) === n, 30000);
  assert.ok(await ended(1));
  // A reply that comes later than the events that followed it.
  await writeFile(hold, "");
  await page.route(/\/studies\/one$/, async (route) => {
    const response = await route.fetch();
    await rm(hold);
    await until(() => ended(2));
    await route.fulfill({ response });
  });
  await page.click("button:text-is('Enqueue…')");
  await page.getByLabel("x", { exact: true }).fill("2.5");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#notice.good:not([hidden])");
  assert.match(await text(page, "#notice"), /trial 1, tried next.*target is now 2/);
  assert.ok(await ended(2));
  assert.deepEqual((await daemon.api("GET", "studies/one/trials/1")).params, { x: 2.5 });
  await assertQuiet(page);
});

test("a study that a stop rule ended resumes, one that came to its target does not", async () => {
  await daemon.api("POST", "studies", { study: "ruled", n_trials: 3, workers: 1,
    stop: { value: 5 }, objective: { type: "command", direction: "maximize",
      command: ["sh", "-c", "echo 'parzen: {\"value\": 7}'"] },
    params: { x: { float: [1, 9] } } });
  const page = await browser.open(daemon.address("/study/ruled"));
  const ended = (n) => until(async () => await text(page, ".title .badge") === "finished"
    && await finished(page) === n, 30000);
  const resume = page.locator("button:text-is('Resume')");
  for (const n of [1, 2]) {
    assert.ok(await ended(n));
    await resume.click();
  }
  assert.ok(await ended(3));
  assert.ok(await until(() => resume.isHidden()));
  await assertQuiet(page);
});

test("names are text, whatever they say", async () => {
  await daemon.study(HOSTILE, LONG);
  const page = await browser.open(daemon.address());
  await page.waitForSelector("tbody a >> text=onerror");
  assert.equal(await page.$$eval("main img", (n) => n.length), 0);
  await page.click("tbody a >> text=onerror");
  await page.waitForSelector("tr[data-number]");
  assert.equal(await text(page, "h1"), HOSTILE);
  assert.equal(await page.$$eval("main img", (n) => n.length), 0);
  await assertQuiet(page);
});

test("a running trial's bar moves; sorting and scrolling stay", async () => {
  const page = await browser.open(daemon.address(`/study/${encodeURIComponent(HOSTILE)}`),
    { viewport: { width: 700, height: 700 } });
  await page.waitForSelector("tr[data-number]");
  await page.click("thead button:has-text('State')");
  await page.$eval(".trials", (n) => { n.scrollLeft = 60; });
  const progress = () => text(page, "tr[data-number='0'] td:nth-last-child(3)");
  assert.ok(await until(async () => /epoch \d+, \d+\/\d+/.test(await progress()), 60000));
  const first = await progress();
  assert.ok(await until(async () => await progress() !== first));
  assert.equal(await page.getAttribute("thead th:nth-child(2)", "aria-sort"), "ascending");
  assert.equal(await page.$eval(".trials", (n) => n.scrollLeft), 60);
  await assertQuiet(page);
});

test("buttons pause, resume and, when confirmed, stop", async () => {
  const page = await browser.open(daemon.address(`/study/${encodeURIComponent(HOSTILE)}`));
  const state = (name) => until(async () => await text(page, ".title .badge") === name);
  await page.click("button:text-is('Pause')");
  assert.ok(await state("paused"));
  await page.click("button:text-is('Resume')");
  assert.ok(await state("running"));
  await page.click("button:text-is('Stop…')");
  await page.click("dialog[open] >> text=Cancel");
  assert.equal((await daemon.api("GET", `studies/${encodeURIComponent(HOSTILE)}`)).state, "running");
  await page.click("button:text-is('Stop…')");
  await page.click("dialog[open] >> text=Stop now");
  assert.ok(await state("stopped"));
  assert.equal((await daemon.api("GET", `studies/${encodeURIComponent(HOSTILE)}`)).state, "stopped");
  await assertQuiet(page);
});

test("a point is enqueued, like another or by hand", async () => {
  const at = `studies/${encodeURIComponent(HOSTILE)}`;
  const page = await browser.open(daemon.address(`/study/${encodeURIComponent(HOSTILE)}/trial/0`));
  await page.waitForSelector("aside .badge");
  await page.click("text=Enqueue one like this…");
  const lr = page.getByLabel("lr", { exact: true });
  const [first] = (await daemon.api("GET", `${at}/trials`)).trials;
  assert.equal(Number(await lr.inputValue()), first.params.lr);
  await lr.fill("0.00123");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#notice.good:not([hidden])");
  const number = Number(/trial (\d+)/.exec(await text(page, "#notice"))[1]);
  const trial = await daemon.api("GET", `${at}/trials/${number}`);
  assert.deepEqual([trial.state, trial.params.lr], ["WAITING", 0.00123]);
  await assertQuiet(page);
});

test("a study that is deleted is gone, and said to be", async () => {
  const address = daemon.address(`/study/${encodeURIComponent(HOSTILE)}`);
  const page = await browser.open(address);
  const other = await browser.open(address);
  await page.waitForSelector("tr[data-number]");
  await other.waitForSelector("tr[data-number]");
  await other.click("button:text-is('Delete…')");
  await other.click("dialog[open] >> text=Cancel");
  await other.click("button:text-is('Delete…')");
  await other.click("dialog[open] >> text=Delete it");
  await other.waitForSelector("h1:text-is('Studies')");
  await assertQuiet(other);
  await page.waitForSelector("text=No such study");
  await assertQuiet(page);
});

test("light, dark and narrow", async () => {
  const dark = await browser.open(daemon.address("/study/small"), { colorScheme: "dark" });
  await dark.waitForSelector(".history-chart canvas");
  const back = () => dark.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const asDark = await back();
  await shot(dark, "study-dark.png");
  await dark.click("#theme");
  assert.equal(await text(dark, "#theme"), "Theme: light");
  assert.notEqual(await back(), asDark);
  await dark.reload();
  await dark.waitForSelector(".history-chart canvas");
  assert.equal(await text(dark, "#theme"), "Theme: light");
  await assertQuiet(dark);
  const narrow = await browser.open(daemon.address("/study/small"),
    { viewport: { width: 390, height: 844 } });
  await narrow.waitForSelector("tr[data-number]");
  const overflow = await narrow.evaluate(() =>
    document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0);
  await shot(narrow, "study-narrow.png");
  // Tables scroll sideways, and say so; the first column stays.
  const left = (cell) => narrow.$eval(cell, (n) => n.getBoundingClientRect().left);
  const isCut = () => narrow.$eval(".trials", (n) => n.classList.contains("cut-right"));
  const at = await left(".trials tr[data-number] th");
  assert.ok(await isCut());
  await narrow.$eval(".trials", (n) => { n.scrollLeft = 9999; });
  assert.ok(await until(async () => !await isCut()));
  assert.equal(await left(".trials tr[data-number] th"), at);
  assert.equal(await left(".trials thead th"), at);
  await narrow.click(".brand");
  await narrow.waitForSelector("td:text-is('maximize val-acc')");
  assert.equal(await narrow.$eval(".studies tbody td:nth-child(4)", (n) =>
    n.getBoundingClientRect().right <= innerWidth), true, "what is finished is in view");
  await assertQuiet(narrow);
});

test("when parzend goes, the page says so, and goes on when it is back", async () => {
  const page = await browser.open(daemon.address("/study/small"));
  await page.waitForSelector("tr[data-number]");
  const { port } = daemon;
  await daemon.end("SIGKILL");
  await page.waitForSelector("#banner:not([hidden])");
  assert.match(await text(page, "#banner"), /parzend does not answer/);
  assert.equal(await page.$$eval("tr[data-number]", (r) => r.length), 4);
  await daemon.run({ port });
  assert.ok(await until(() => page.$eval("#banner", (n) => n.hidden), 30000));
  await daemon.api("POST", "studies/small/resume", { n_trials: 5 });
  assert.ok(await until(async () => await finished(page) === 5, 60000));
  await assertQuiet(page);
});
