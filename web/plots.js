// Plots of all trials as the chart library wants them told: the value against
// one parameter, parallel coordinates, the curves of all trials.
import { compareBy } from "./dom.js";
import * as format from "./format.js";
import { scaleOf } from "./space.js";
import { LARGE, thinned } from "./thin.js";

const COARSE = [200, 80]; // cells of a slice, whose points are larger than the history's
const AGES = 5; // of trials, that a slice shades
const MOST_LINES = 500; // of parallel coordinates
const MOST_STEPS = 200; // of one curve
const MOST_POINTS = 150000; // of all curves

/** A trial as a tooltip tells it. */
export function describeTrial(model, t) {
  const why = t.cause ?? (model.isInfeasible(t) ? "infeasible" : null);
  return [`trial ${t.number}: ${t.state.toLowerCase()}${why ? `, ${why}` : ""}`,
    `${model.study.metric} ${format.number(model.value(t))}`,
    ...Object.entries(t.params).map(([k, v]) => `${k} ${format.number(v)}`)].join("\n");
}

const kindOf = (model, t) => (t.state === "COMPLETE" && model.isInfeasible(t) ? "infeasible"
  : t.state.toLowerCase());

/** What the three plots share. notice: a sentence in the middle, or above. */
function base(model, look, notice, isEmpty) {
  return {
    animation: false,
    aria: { enabled: true },
    title: { show: Boolean(notice), text: notice ?? "",
      ...(isEmpty ? { left: "center", top: "middle" } : { right: 0, bottom: 2, padding: 2 }),
      textStyle: { color: look.c.muted, fontSize: 12, fontWeight: "normal" } },
    tooltip: look.tooltip({ trigger: "item", formatter: (p) => {
      const t = model.trials.get(p.data?.number);
      return t ? describeTrial(model, t) : "";
    } }),
    grid: { left: 12, right: 24, top: 56, bottom: 34, containLabel: true },
  };
}

/** look: {c: colours, axis(), tooltip(), legend()} of the page's charts. view:
 * {param, isLog, selected, width}. Values against one parameter; late trials
 * are darker. */
export function slice(model, look, { param, isLog, selected }) {
  const { c } = look;
  const scale = scaleOf(model, param);
  const groups = { complete: [], infeasible: [], pruned: [], selected: [] };
  for (const t of model.inOrder()) {
    const y = model.value(t);
    if (!Object.hasOwn(t.params, param) || typeof y !== "number" || isLog && y <= 0) {
      continue;
    }
    // Points of one choice stand beside each other.
    const x = scale.names ? scale.names.indexOf(String(t.params[param]))
      + 0.4 * ((t.number * 0.618) % 1 - 0.5) : t.params[param];
    const point = { value: [x, y], number: t.number };
    groups[kindOf(model, t)]?.push(point);
    if (t.number === selected) {
      groups.selected.push(point);
    }
  }
  const isEmpty = groups.complete.length + groups.infeasible.length + groups.pruned.length === 0;
  const points = (name, colour, extra = {}) => ({ name, type: "scatter", symbolSize: 8,
    data: thinned(groups[name], isLog, COARSE), itemStyle: { color: colour }, large: true,
    largeThreshold: LARGE, ...extra });
  const complete = thinned(groups.complete.reverse(), isLog, COARSE); // the newest stay
  // Points of one age are drawn as one shape: a shade for each is slow.
  const ofAge = (age) => points("complete", c.accent, {
    data: complete.filter((p) => Math.floor(AGES * p.number / model.trials.size) === age),
    itemStyle: { color: c.accent, opacity: (age + 1) / AGES } });
  return {
    ...base(model, look, isEmpty ? `No trial with ${param} has a value yet` : null, isEmpty),
    legend: look.legend({ top: 4, left: 4, selected: { pruned: false },
      data: ["complete", "infeasible", "pruned"].filter((name) => groups[name].length > 0) }),
    xAxis: look.axis({ name: param, nameLocation: "middle", nameGap: 26, scale: true,
      splitLine: { show: false }, ...(scale.names
        ? { type: "value", min: -1, max: scale.names.length, splitNumber: 12, minInterval: 1,
          axisLabel: { color: c.muted, hideOverlap: true,
            formatter: (i) => scale.names[i] ?? "" } }
        : { type: scale.type }) }),
    yAxis: look.axis({ type: isLog ? "log" : "value", scale: true, name: model.study.metric }),
    series: [...Array.from({ length: AGES }, (_, age) => ofAge(age)),
      points("infeasible", c.muted, { symbolSize: 6, itemStyle: { color: c.muted, opacity: 0.5 } }),
      points("pruned", c.pruned, { symbol: "triangle" }),
      points("selected", "transparent", { symbolSize: 17, silent: true, z: 5,
        itemStyle: { color: "transparent", borderColor: c.text, borderWidth: 2 } })],
  };
}

/** Each complete trial a line through its parameters and its value. */
export function parallel(model, look, { isLog, selected, width }) {
  const { c } = look;
  const names = model.study.params;
  const scales = names.map((name) => scaleOf(model, name));
  const all = model.inOrder().filter((t) => t.state === "COMPLETE"
    && typeof t.value === "number" && !(isLog && t.value <= 0))
    .sort(compareBy((t) => t.value, model.isMaximized, (a, b) => a.number - b.number,
      (t) => model.isInfeasible(t)));
  const kept = all.slice(0, MOST_LINES).reverse(); // the best lie on top
  const groups = { complete: [], infeasible: [], best: [], selected: [] };
  for (const t of kept) {
    const line = { number: t.number, value: [...names.map((name, i) => (
      !Object.hasOwn(t.params, name) ? "-" : scales[i].names ? String(t.params[name])
        : t.params[name])), t.value] };
    groups[t.number === model.study.best?.number ? "best" : kindOf(model, t)].push(line);
    if (t.number === selected) {
      groups.selected.push(line);
    }
  }
  const values = groups.complete.map((line) => line.value.at(-1));
  const isPartial = kept.some((t) => names.some((name) => !Object.hasOwn(t.params, name)));
  const notice = all.length === 0 ? "No trial is complete yet"
    : [all.length > kept.length ? `the best ${kept.length} of ${all.length}` : "",
      isPartial ? "straight past an axis: without that parameter" : ""].filter(Boolean).join("; ");
  const lines = (name, colour, extra) => ({ name, type: "parallel", data: groups[name],
    itemStyle: { color: colour }, lineStyle: { color: colour, width: 1, opacity: 0.5, ...extra },
    emphasis: { lineStyle: { width: 3, opacity: 1 } } });
  return {
    ...base(model, look, notice, all.length === 0),
    legend: look.legend({ top: 4, left: 4, data: ["complete", "infeasible", "best"]
      .filter((name) => groups[name].length > 0) }),
    visualMap: { show: false, dimension: names.length, seriesIndex: 0,
      min: values.length ? values.reduce((a, b) => Math.min(a, b)) : 0,
      max: values.length ? values.reduce((a, b) => Math.max(a, b)) : 1,
      inRange: { opacity: model.isMaximized ? [0.15, 0.9] : [0.9, 0.15] } },
    parallel: { left: 50, right: 50, top: 66, bottom: 26, parallelAxisDefault: {
      axisLine: { lineStyle: { color: c.muted } }, axisTick: { lineStyle: { color: c.muted } },
      axisLabel: { color: c.text, hideOverlap: true, formatter: (v) => format.number(v, 3) },
      nameTextStyle: { color: c.text }, nameGap: 12,
      nameTruncate: { maxWidth: (width - 100) / (names.length + 0.5), ellipsis: "…" } } },
    parallelAxis: [...names.map((name, dim) => ({ dim, name, type: scales[dim].type, scale: true,
      ...(scales[dim].names ? { data: scales[dim].names } : {}) })),
    { dim: names.length, name: model.study.metric, type: isLog ? "log" : "value", scale: true }],
    series: [lines("complete", c.accent, {}), lines("infeasible", c.muted, { opacity: 0.25 }),
      lines("best", c.best, { width: 3, opacity: 1 }),
      lines("selected", c.text, { width: 2, opacity: 1 })],
  };
}

/** What all trials reported, each a curve: as many as there is room for, the
 * newest first. */
export function curves(model, look, { isLog, selected }) {
  const { c } = look;
  const { unit } = model;
  const { metric, best } = model.study;
  const groups = { complete: [], infeasible: [], pruned: [], fail: [], running: [], waiting: [],
    best: [], selected: [] };
  const range = { x: [Infinity, -Infinity], y: [Infinity, -Infinity] };
  let room = MOST_POINTS;
  let n = 0;
  let all = 0;
  for (const t of model.inOrder().reverse()) {
    const told = t.epochs.filter((e) => typeof e[metric] === "number" && !(isLog && e[metric] <= 0));
    all += told.length > 0;
    const isKept = t.number === best?.number || t.number === selected;
    if (told.length === 0 || room <= 0 && !isKept) {
      continue;
    }
    const every = Math.ceil(told.length / MOST_STEPS);
    const coords = told.filter((_, i) => i % every === 0 || i === told.length - 1)
      .map((e) => [e[unit] + (unit === "epoch" ? 1 : 0), e[metric]]);
    coords.forEach(([x, y]) => {
      range.x = [Math.min(range.x[0], x), Math.max(range.x[1], x)];
      range.y = [Math.min(range.y[0], y), Math.max(range.y[1], y)];
    });
    room -= coords.length;
    n += 1;
    const curve = { coords, number: t.number };
    groups[t.number === best?.number ? "best" : kindOf(model, t)].push(curve);
    if (t.number === selected) {
      groups.selected.push(curve);
    }
  }
  const notice = n === 0 ? `No trial has told a ${unit} yet`
    : n < all ? `the newest ${n} of ${all}` : null;
  const lines = (name, colour, extra = {}) => ({ name, type: "lines", coordinateSystem: "cartesian2d",
    polyline: true, large: true, largeThreshold: 300, data: groups[name], cursor: "pointer",
    itemStyle: { color: colour }, lineStyle: { color: colour, width: 1, opacity: n > 300 ? 0.15 : 0.4, ...extra },
    emphasis: { lineStyle: { width: 3, opacity: 1 } } });
  return {
    ...base(model, look, notice, n === 0),
    legend: look.legend({ top: 4, left: 4, right: 150, data: ["complete", "infeasible", "pruned",
      "fail", "running", "best"].filter((name) => groups[name].length > 0) }),
    xAxis: look.axis({ type: "value", name: unit, nameLocation: "middle", nameGap: 26,
      minInterval: 1, splitLine: { show: false }, min: n ? range.x[0] : 0, max: n ? range.x[1] : 1 }),
    yAxis: look.axis({ type: isLog ? "log" : "value", scale: true, name: metric }),
    series: [lines("fail", c.fail), lines("pruned", c.pruned), lines("infeasible", c.muted),
      lines("complete", c.accent), lines("running", c.running, { width: 2, opacity: 1 }),
      lines("waiting", c.muted), lines("best", c.best, { width: 3, opacity: 1 }),
      lines("selected", c.text, { width: 2, opacity: 1 }),
      // Lines do not make room for themselves on an axis, points do.
      { type: "scatter", silent: true, symbolSize: 0, tooltip: { show: false },
        data: n ? [[range.x[0], range.y[0]], [range.x[1], range.y[1]]] : [] }],
  };
}
