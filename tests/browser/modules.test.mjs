// The page's modules that need no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventParser } from "../../web/api.js";
import { compareBy, throttled } from "../../web/dom.js";
import * as format from "../../web/format.js";
import { Model } from "../../web/model.js";
import { describe, distributions, filterColumns, parseFilter, scaleOf } from "../../web/space.js";
import { curves, parallel, slice } from "../../web/plots.js";
import { thinned } from "../../web/thin.js";

test("events are found however their bytes are cut", () => {
  const text = "retry: 1000\n\n: ping\n\nid: 7\nevent: trial\ndata: {\"a\": \"x: y\"}\n\n"
    + "event: study\ndata: {}\n\n";
  const expected = [{ id: "7", event: "trial", data: "{\"a\": \"x: y\"}" },
    { id: null, event: "study", data: "{}" }];
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) {
      events.push(...parser.feed(text.slice(at, at + size)));
    }
    assert.deepEqual(events, expected);
  }
});

test("numbers are short and exact enough", () => {
  const cases = [[0, "0"], [12, "12"], [0.00037076482723456843, "3.708e-4"], [1e-5, "1e-5"],
    [0.9910714285714286, "0.99107"], [null, "–"], ["nan", "nan"], [-0.5, "-0.5"],
    [123456.789, "123460"]];
  for (const [v, text] of cases) {
    assert.equal(format.number(v), text);
  }
  assert.equal(format.duration(70), "70 ms");
  assert.equal(format.duration(5400), "5.4 s");
  assert.equal(format.duration(65000), "1 min 5 s");
  assert.equal(format.duration(3.7e6), "1 h 1 min");
  assert.equal(format.duration(null), "–");
});

test("sorting puts what is missing last, either way", () => {
  const rows = [{ v: 2 }, { v: null }, { v: 1 }, { v: "nan" }];
  const order = (descending) => [...rows].sort(compareBy((r) => r.v, descending, () => 0))
    .map((r) => r.v);
  assert.deepEqual(order(false), [1, 2, "nan", null]);
  assert.deepEqual(order(true), ["nan", 2, 1, null]);
});

test("a study that has fewer trials than were heard is another", () => {
  const m = new Model();
  const study = (n) => ({ id: 1, counts: { RUNNING: 0, COMPLETE: n } });
  m.setStudy(study(2));
  m.setTrial({ number: 0, state: "COMPLETE", epochs: [] });
  m.setTrial({ number: 1, state: "COMPLETE", epochs: [] });
  assert.equal(m.setStudy(study(2)), false);
  assert.equal(m.trials.size, 2);
  assert.equal(m.setStudy(study(1)), true);
  assert.equal(m.trials.size, 0);
});

test("progress keeps the epochs that are known", () => {
  const m = new Model();
  m.setStudy({ id: 1, metric: "val-loss", direction: "minimize",
    config: { training: { max_epochs: 4 } } });
  m.setTrial({ number: 3, state: "RUNNING", value: null,
    epochs: [{ epoch: 0, "val-loss": 2 }, { epoch: 1, "val-loss": "nan" },
      { epoch: 2, "val-loss": 1 }] });
  m.setTrial({ number: 3, state: "RUNNING", value: null,
    progress: { phase: "train", epoch: 3, step: 5, n_steps: 10, elapsed_ms: 1 } });
  const t = m.trials.get(3);
  assert.equal(t.epochs.length, 3);
  assert.equal(m.value(t), 1);
  assert.equal(m.fraction(t), 0.875);
  assert.equal(m.setStudy({ id: 1 }), false);
  assert.equal(m.setStudy({ id: 2 }), true);
  assert.equal(m.trials.size, 0);
});

test("new epochs are put behind those that are known", () => {
  const m = new Model();
  m.setStudy({ id: 1, metric: "f", unit: "step", direction: "maximize" });
  const steps = () => m.trials.get(0).epochs.map((e) => `${e.step}:${e.f}`).join(" ");
  const tell = (n_epochs, epochs) => m.setTrial({ number: 0, state: "RUNNING", n_epochs, epochs });
  tell(2, [{ step: 0, f: 1 }, { step: 1, f: 2 }]);
  tell(3, [{ step: 2, f: 3 }]);
  tell(4, [{ step: 2, f: 3 }, { step: 3, f: 4 }]);
  assert.equal(steps(), "0:1 1:2 2:3 3:4");
  tell(4, [{ step: 3, f: 4 }]);
  assert.equal(steps(), "0:1 1:2 2:3 3:4");
  tell(1, [{ step: 5, f: 6 }]); // it begins anew
  assert.equal(steps(), "5:6");
});

test("what is infeasible is never the best, and stands behind what is feasible", () => {
  const m = new Model();
  m.setStudy({ id: 1, metric: "value", unit: "step", direction: "maximize" });
  const values = [[0.9, false], [0.5, true], [0.4, undefined], [0.8, false], [0.6, true]];
  values.forEach(([value, feasible], number) =>
    m.setTrial({ number, state: "COMPLETE", value, feasible }));
  m.setTrial({ number: 5, state: "FAIL", value: null });
  assert.deepEqual(m.bestSoFar(), [[1, 0.5], [4, 0.6]]);
  const order = (descending) => m.inOrder().sort(compareBy((t) => t.value, descending,
    () => 0, (t) => m.isInfeasible(t))).map((t) => t.number);
  assert.deepEqual(order(true), [4, 1, 2, 0, 3, 5]);
  assert.deepEqual(order(false), [2, 1, 4, 3, 0, 5]);
});

test("steps have numbers of their own, epochs are counted from 1", () => {
  const m = new Model();
  m.setStudy({ id: 1, metric: "value", unit: "step", direction: "maximize",
    config: { training: { max_epochs: 10 } } });
  m.setTrial({ number: 0, state: "RUNNING", value: null, progress: { phase: "command", epoch: 5 },
    epochs: [{ step: 1, value: 3 }, { step: 5, value: 2 }] });
  assert.equal(m.at(5), "5");
  assert.equal(m.value(m.trials.get(0)), 3);
  assert.equal(m.fraction(m.trials.get(0)), null);
  m.setStudy({ id: 1, unit: "epoch" });
  assert.equal(m.at(5), "6");
  assert.equal(m.at(null), "–");
});

test("what a config searches is found wherever it stands", () => {
  const found = distributions({ stop: { value: null }, data: { splits: ["a"] },
    params: { x: { float: [1, 9] }, k: { choice: ["a", 2] } },
    training: { lr: { float: [1e-5, 1e-3], log: true, name: "rate" },
      early_stopping: { patience: { int: [1, 5] } } } });
  assert.deepEqual([...found.keys()].sort(), ["k", "patience", "rate", "x"]);
  assert.equal(describe(found.get("rate")), "0.00001 to 0.001, log");
  assert.equal(describe(found.get("patience")), "1 to 5, whole");
  assert.deepEqual(found.get("k").choices, ["a", 2]);
  assert.equal(distributions(null).size, 0);
});

test("filters are conditions on what the table shows, or words", () => {
  const m = new Model();
  m.setStudy({ id: 1, metric: "f1", unit: "step", direction: "maximize", params: ["lr", "cause_of"],
    config: { objective: { constraints: ["size"] } } });
  const add = (number, more) => m.setTrial({ number, state: "COMPLETE", cause: null, message: null,
    value: number / 10, best_epoch: number, n_epochs: 2 * number, attempt: 1,
    duration_ms: 1000 * number, params: { lr: 10 ** -number }, ...more });
  add(1, { constraints: { size: -1 }, feasible: true });
  add(2, { constraints: { size: 3 }, feasible: false });
  add(3, { state: "PRUNED" });
  add(4, { state: "FAIL", value: null, cause: "oom", message: "out of Memory",
    params: {}, duration_ms: null });
  const held = (text) => m.inOrder().filter((t) =>
    parseFilter(text, filterColumns(m)).every((c) => c.holds(t))).map((t) => t.number);
  const cases = [["", [1, 2, 3, 4]], ["f1>0.1", [2, 3]], ["value>0.1", [2, 3]],
    ["number=3", [3]], ["Trial!=3", [1, 2, 4]], ["duration>2", [3]], ["duration>=2s", [2, 3]],
    ["duration<1500ms", [1]], ["Duration<0.04m", [1, 2]], ["step>2", [3, 4]], ["size>0", [2]],
    [" lr<=1e-2  f1<0.3", [2]], ["cause=OOM memory", [4]], ["feasible=false", [2]],
    ["pruned", [3]], ["infeasible", [2]], ["feasible", [1]], ["failed", [4]], ["oom", [4]],
    ["optuna", []]];
  for (const [filter, numbers] of cases) {
    assert.deepEqual(held(filter), numbers, filter);
  }
  for (const [filter, why] of [["lrr<1", /no column "lrr"; there are value, f1, .*, lr/],
    ["lr<", /no condition/], ["lr>x", /no number/], ["duration>2d", /no duration: try/]]) {
    assert.throws(() => held(filter), why);
  }
  m.setStudy({ id: 2, metric: "val-acc", unit: "epoch", params: ["value"] });
  add(1, { params: { value: 7 } });
  assert.deepEqual(held("value=7 epoch=2 val-acc=0.1"), [1]);
  assert.throws(() => held("size>0"), /no column "size"/);
});

test("of many points few are drawn", () => {
  const points = Array.from({ length: 100000 }, (_, i) =>
    ({ value: [i, 10 ** (-8 * ((i * 7919) % 1000) / 1000)], number: i }));
  const few = thinned(points, true);
  assert.ok(few.length < 401 * 122 && few.length > 20000, String(few.length));
  assert.ok(thinned(points).length < few.length / 2); // most lie at the foot
  assert.equal(thinned(points.slice(0, 100)).length, 100);
});

test("who takes long is called less often", async () => {
  let calls = 0;
  const slow = throttled(() => {
    calls += 1;
    for (const end = performance.now() + 20; performance.now() < end;) { /* busy */ }
  }, 1);
  for (const end = performance.now() + 400; performance.now() < end;) {
    slow();
    await new Promise((done) => { setTimeout(done, 1); });
  }
  slow.cancel();
  assert.ok(calls >= 1 && calls <= 4, String(calls));
});

test("plots show what there is, and of very many as much as there is room for", () => {
  const m = new Model();
  m.setStudy({ id: 1, metric: "f1", unit: "step", direction: "maximize", params: ["lr", "kind"],
    best: { number: 9999 },
    config: { params: { lr: { float: [1e-5, 1], log: true }, kind: { choice: ["a", 2] } } } });
  const look = { c: {}, axis: (o) => o, tooltip: (o) => o, legend: (o) => o };
  const named = (option, name) => option.series.filter((s) => s.name === name).flatMap((s) => s.data);
  assert.match(slice(m, look, { param: "lr" }).title.text, /No trial with lr/);
  assert.match(parallel(m, look, { width: 500 }).title.text, /No trial is complete/);
  assert.match(curves(m, look, {}).title.text, /No trial has told a step/);
  for (let number = 0; number < 10000; number++) {
    const value = (number + 1) / 10000;
    m.setTrial({ number, state: number % 4 === 1 ? "PRUNED" : "COMPLETE", value,
      feasible: number % 10 !== 0, params: { lr: 10 ** -(number % 5), ...(number % 2 ? { kind: 2 } : {}) },
      epochs: Array.from({ length: 20 }, (_, step) => ({ step, f1: value * step })) });
  }
  assert.deepEqual(scaleOf(m, "kind"), { type: "category", names: ["a", "2"] });
  assert.deepEqual(scaleOf(m, "lr"), { type: "log" });
  const bare = new Model(); // as a study of Optuna's, without a config
  bare.setStudy({ id: 2, config: null, params: ["x", "y"] });
  [1, 2].forEach((x, number) => bare.setTrial({ number, params: { x, y: `${x}` } }));
  assert.deepEqual([scaleOf(bare, "x"), scaleOf(bare, "y")],
    [{ type: "value" }, { type: "category", names: ["1", "2"] }]);

  const byKind = slice(m, look, { param: "kind", selected: 5 });
  assert.ok(named(byKind, "complete").every((p) => Math.abs(p.value[0] - 1) < 0.3));
  assert.equal(named(byKind, "selected")[0].number, 5);
  const lines = parallel(m, look, { width: 500, selected: 9998 });
  assert.equal(named(lines, "complete").length + named(lines, "best").length, 500);
  assert.deepEqual(named(lines, "selected")[0].value, [10 ** -3, "-", 0.9999]);
  assert.match(lines.title.text, /the best 500 of 7500; straight past/);
  const all = curves(m, look, { selected: 0 });
  assert.match(all.title.text, /the newest 7501 of 10000/);
  assert.deepEqual(named(all, "best")[0].coords[19], [19, 19]);
  assert.equal(named(all, "selected")[0].number, 0);
  assert.ok(named(curves(m, look, { isLog: true }), "best")[0].coords.every(([, y]) => y > 0));
});

test("CSV quotes what needs it", () => {
  const text = format.csv({ params: ["a,b"], constraints: [], isTraining: false }, [{ number: 0, state: "FAIL", value: null, params: { "a,b": 0.5 },
    start: 1000, end: 0, attempt: 1, cause: "exit", message: "it said \"no\"\nand ended" }]);
  assert.equal(text, "number,state,value,\"params_a,b\",start,end,duration_ms,best_epoch,attempt,cause,"
    + "message,checkpoint,feasible\r\n0,FAIL,,0.5,1970-01-01T00:00:01.000Z,,,,1,exit,"
    + "\"it said \"\"no\"\"\nand ended\",,\r\n");
});
