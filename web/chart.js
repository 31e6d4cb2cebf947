// The charts, and the panel of those of a study. Tooltips are drawn as text on the canvas, never as HTML.
import { h, setAttribute } from "./dom.js";
import * as format from "./format.js";
import { curves, describeTrial, parallel, slice } from "./plots.js";
import { LARGE, thinned } from "./thin.js";

// The chart library empties its element by writing "" into it as HTML, which the page's
// policy lets pass; any other HTML from a string is an error.
window.trustedTypes?.createPolicy("default", { createHTML: (s) => (s === "" ? s : null) });

const FEW = 30; // trials that need no slider
const MANY = 500; // that need small points
const SERIES_BEFORE_RING = Array.from({ length: 6 }, () => ({})); // unchanged

function colours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(name).trim();
  return { text: get("--text"), muted: get("--muted"), line: get("--line"),
    panel: get("--panel"), accent: get("--accent"), best: get("--best"),
    pruned: get("--pruned"), fail: get("--bad"), running: get("--running"),
    second: get("--second") };
}

function axis(c, extra = {}) {
  return {
    axisLine: { lineStyle: { color: c.line } },
    axisTick: { lineStyle: { color: c.line } },
    axisLabel: { color: c.muted, hideOverlap: true },
    splitLine: { lineStyle: { color: c.line, opacity: 0.6 } },
    nameTextStyle: { color: c.muted },
    ...extra,
  };
}

function tooltip(c, extra) {
  return { renderMode: "richText", confine: true, backgroundColor: c.panel,
    borderColor: c.line, textStyle: { color: c.text, fontSize: 12 }, ...extra };
}

function legend(c, extra) {
  return { type: "scroll", itemHeight: 9, itemWidth: 12, textStyle: { color: c.muted },
    inactiveColor: c.line, pageIconColor: c.muted, pageTextStyle: { color: c.muted }, ...extra };
}

/** An ECharts instance that fits its element and follows the theme. */
class Chart {
  constructor(node) {
    this.node = node;
    this.resize = new ResizeObserver(() => {
      if (node.clientWidth > 0) { // it is in view
        this.chart?.resize();
      }
    });
    this.resize.observe(node);
    this.onTheme = () => this.rebuild();
    document.addEventListener("themechange", this.onTheme);
  }

  open() {
    this.chart ??= window.echarts.init(this.node, null, { renderer: "canvas" });
    return this.chart;
  }

  close() {
    document.removeEventListener("themechange", this.onTheme);
    this.resize.disconnect();
    this.chart?.dispose();
    this.chart = null;
  }
}

/** Values over trial numbers, and the best so far. */
class HistoryChart extends Chart {
  isLog = false;
  #model;
  #selected = null;
  #foot = 0; // where trials without a value stand

  constructor(node, model, onSelect) {
    super(node);
    this.#model = model;
    this.onSelect = onSelect;
  }

  rebuild() {
    if (!this.chart) {
      return;
    }
    this.chart.setOption(this.#base());
    this.draw();
  }

  #base() {
    const c = colours();
    const model = this.#model;
    const points = (name, symbol, colour, size, extra = {}) => ({ name, type: "scatter",
      symbol, symbolSize: size, itemStyle: { color: colour }, cursor: "pointer",
      emphasis: { scale: 1.6 }, large: true, largeThreshold: LARGE, ...extra });
    return {
      animation: false,
      aria: { enabled: true },
      grid: { left: 12, right: 20, top: 40, bottom: 52, containLabel: true },
      legend: legend(c, { top: 4, left: 4, right: 4 }),
      tooltip: tooltip(c, { trigger: "item", formatter: (p) => {
        const t = model.trials.get(p.data?.number);
        return t ? describeTrial(model, t) : "";
      } }),
      xAxis: axis(c, { type: "value", name: "trial", nameLocation: "middle", nameGap: 26,
        minInterval: 1, min: 0, splitLine: { show: false } }),
      yAxis: axis(c, { type: this.isLog ? "log" : "value", scale: true }),
      dataZoom: [
        { type: "inside", id: "wheel", zoomOnMouseWheel: "shift", moveOnMouseWheel: false },
        { type: "slider", id: "slider", height: 16, bottom: 6, borderColor: c.line,
          fillerColor: `${c.accent}22`, handleStyle: { color: c.accent },
          textStyle: { color: c.muted }, showDataShadow: false, brushSelect: false,
          labelFormatter: (v) => String(Math.round(v)) }],
      series: [
        points("complete", "circle", c.accent, 8),
        points("infeasible", "circle", c.muted, 6, { itemStyle: { color: c.muted, opacity: 0.5 } }),
        points("pruned", "triangle", c.pruned, 8),
        points("failed", "path://M0 0L3 3M3 0L0 3", c.fail, 9,
          { large: false, itemStyle: { color: c.fail, borderColor: c.fail, borderWidth: 2 } }),
        points("running", "circle", "transparent", 8, { itemStyle: { color: "transparent",
          borderColor: c.running, borderWidth: 2 } }),
        { name: "best so far", type: "line", step: "end", symbol: "none", silent: true, z: 4,
          lineStyle: { color: c.best, width: 2 }, itemStyle: { color: c.best } },
        points("selected", "circle", "transparent", 17, { silent: true, z: 5,
          itemStyle: { color: "transparent", borderColor: c.text, borderWidth: 2 },
          tooltip: { show: false } })],
    };
  }

  /** All values that the chart may show are positive. */
  canBeLog() {
    return this.#model.inOrder().every((t) => {
      const v = this.#model.value(t);
      return typeof v !== "number" || v > 0;
    });
  }

  setLog(isLog) {
    this.isLog = isLog;
    this.rebuild();
  }

  /** The ring around one trial; null: none. */
  select(number) {
    this.#selected = number;
    this.chart?.setOption({ series: [...SERIES_BEFORE_RING, { data: this.#ring() }] });
  }

  #ring() {
    const t = this.#model.trials.get(this.#selected);
    const v = t && this.#model.value(t);
    const y = typeof v === "number" ? v : t?.state === "FAIL" ? this.#foot : null;
    return y === null ? [] : [{ value: [t.number, y], number: t.number }];
  }

  draw() {
    if (!this.chart) {
      this.open().setOption(this.#base());
      this.chart.on("click", (p) => {
        if (p.data?.number !== undefined) {
          this.onSelect(p.data.number);
        }
      });
    }
    const model = this.#model;
    const groups = { COMPLETE: [], INFEASIBLE: [], PRUNED: [], FAIL: [], RUNNING: [] };
    const bestLine = model.bestSoFar();
    const failed = [];
    let low = Infinity;
    let high = -Infinity;
    let x = 0;
    for (const t of model.inOrder()) {
      const v = model.value(t);
      x = t.number;
      if (typeof v === "number") {
        const group = t.state === "COMPLETE" && model.isInfeasible(t) ? "INFEASIBLE" : t.state;
        groups[group]?.push({ value: [x, v], number: x });
        low = Math.min(low, v);
        high = Math.max(high, v);
      } else if (t.state === "FAIL") {
        failed.push(x);
      }
    }
    if (bestLine.length > 0) {
      bestLine.push([x, bestLine.at(-1)[1]]);
    }
    // Trials without a value stand at the foot of the chart.
    const foot = !Number.isFinite(low) ? (this.isLog ? 1 : 0) : this.isLog
      ? low / (high > low ? (high / low) ** 0.08 : 1.1) : low - 0.08 * (high - low || 1);
    this.#foot = foot;
    failed.forEach((n) => groups.FAIL.push({ value: [n, foot], number: n }));
    for (const state of Object.keys(groups)) {
      groups[state] = thinned(groups[state], this.isLog);
    }
    const isLong = model.trials.size > FEW;
    const names = [["complete", groups.COMPLETE], ["infeasible", groups.INFEASIBLE],
      ["pruned", groups.PRUNED], ["failed", groups.FAIL], ["running", groups.RUNNING],
      ["best so far", bestLine]]
      .filter(([, data]) => data.length > 0).map(([name]) => name);
    this.chart.setOption({ legend: { data: names }, grid: { bottom: isLong ? 52 : 28 },
      dataZoom: [{ id: "slider", show: isLong }],
      series: [{ data: groups.COMPLETE, symbolSize: model.trials.size > MANY ? 4 : 8 },
        { data: groups.INFEASIBLE }, { data: groups.PRUNED }, { data: groups.FAIL },
        { data: groups.RUNNING }, { data: bestLine }, { data: this.#ring() }] });
  }
}

/** A slice, parallel coordinates or all curves: the whole is told anew each time. */
class PlotChart extends Chart {
  kind = null;
  param = null;
  isLog = false;
  selected = null;
  #model;

  constructor(node, model, onSelect) {
    super(node);
    this.#model = model;
    this.onSelect = onSelect;
  }

  rebuild() {
    if (this.chart) {
      this.draw();
    }
  }

  draw() {
    if (!this.chart) {
      this.open().on("click", (p) => {
        if (p.data?.number !== undefined) {
          this.onSelect(p.data.number);
        }
      });
    }
    const c = colours();
    const line = { onZero: false, lineStyle: { color: c.line } };
    const look = { c, axis: (extra) => axis(c, { axisLine: line, ...extra }),
      tooltip: (extra) => tooltip(c, extra), legend: (extra) => legend(c, extra) };
    const view = { param: this.param, isLog: this.isLog, selected: this.selected,
      width: this.node.clientWidth };
    this.chart.setOption({ slice, parallel, curves }[this.kind](this.#model, look, view), true);
  }
}

const VIEWS = { history: "History", slice: "Slice", parallel: "Parallel", curves: "Curves" };

/** The charts of a study, one in view; only that one is drawn. */
export class ChartPanel {
  #model;
  #view = "history";
  #params = "";

  /** onSelect(number): a trial was clicked. onWish(): draw() is wanted. */
  constructor(model, onSelect, onWish) {
    this.#model = model;
    this.onWish = onWish;
    this.chips = new Map(Object.entries(VIEWS).map(([view, label]) => [view,
      h("button", { type: "button", class: "chip", on: { click: () => this.show(view) } }, label)]));
    this.log = h("input", { type: "checkbox", id: "log-scale",
      on: { change: () => this.#setLog(this.log.checked) } });
    this.param = h("select", { "aria-label": "Parameter", hidden: true,
      on: { change: () => this.draw() } });
    this.historyNode = h("div", { class: "history-chart" });
    this.plotNode = h("div", { class: "history-chart plot", hidden: true });
    this.history = new HistoryChart(this.historyNode, model, onSelect);
    this.plot = new PlotChart(this.plotNode, model, onSelect);
    this.node = h("section", { class: "panel history", hidden: true, "aria-label": "Charts" },
      h("div", { class: "title" }, h("div", { class: "chips", role: "group", "aria-label": "Chart" },
        ...this.chips.values()), this.param, h("span", { class: "push" }),
      h("label", { for: "log-scale" }, this.log, " Logarithmic")), this.historyNode, this.plotNode);
    this.#mark();
  }

  close() {
    this.history.close();
    this.plot.close();
  }

  show(view) {
    this.#view = view;
    this.#mark();
    this.draw();
  }

  select(number) {
    this.history.select(number);
    if (this.plot.selected !== number) {
      this.plot.selected = number;
      if (this.#view !== "history") {
        this.onWish();
      }
    }
  }

  draw() {
    if (this.#model.trials.size === 0) {
      return;
    }
    this.node.hidden = false;
    const canBeLog = this.history.canBeLog();
    this.log.disabled = !canBeLog;
    if (!canBeLog && this.log.checked) {
      this.log.checked = false;
      this.#setLog(false);
    }
    if (this.#view === "history") {
      this.history.draw();
    } else {
      this.#drawParams();
      Object.assign(this.plot, { kind: this.#view, param: this.param.value, isLog: this.log.checked });
      this.plot.draw();
    }
  }

  #mark() {
    for (const [view, chip] of this.chips) {
      setAttribute(chip, "aria-pressed", String(view === this.#view));
    }
    this.historyNode.hidden = this.#view !== "history";
    this.plotNode.hidden = this.#view === "history";
    this.param.hidden = this.#view !== "slice";
  }

  #drawParams() {
    const { params } = this.#model.study;
    if (params.join("\n") !== this.#params) {
      const chosen = this.param.value;
      this.#params = params.join("\n");
      this.param.replaceChildren(...params.map((name) => h("option", {}, name)));
      if (params.includes(chosen)) {
        this.param.value = chosen;
      }
    }
  }

  #setLog(isLog) {
    this.history.setLog(isLog);
    if (this.#view !== "history") {
      this.draw();
    }
  }
}

/** What a trial reported over its epochs or steps: accuracies have an axis of
 * their own beside losses. */
export class EpochChart extends Chart {
  #epochs = [];
  #unit = "epoch";

  rebuild() {
    if (this.chart) {
      this.draw(this.#epochs, this.#unit);
    }
  }

  #line(c, name, isSecond, epochs, unit) {
    const isTrain = name.startsWith("train");
    const colour = name === "test-acc" ? c.running : name.endsWith("-acc") ? c.second : c.accent;
    const plus = unit === "epoch" ? 1 : 0;
    return { name, type: "line", yAxisIndex: isSecond ? 1 : 0,
      symbolSize: epochs.length > FEW ? 0 : 5, itemStyle: { color: colour },
      lineStyle: { color: colour, width: 2, type: isTrain ? "dashed" : "solid" },
      data: epochs.map((e) => [e[unit] + plus, typeof e[name] === "number" ? e[name] : null]) };
  }

  draw(epochs, unit) {
    this.#epochs = epochs;
    this.#unit = unit;
    const c = colours();
    const isAccuracy = (n) => n.endsWith("-acc");
    const names = Object.keys(epochs[0]).filter((n) => n !== unit
      && epochs.some((e) => typeof e[n] === "number"));
    const isMixed = names.some(isAccuracy) && !names.every(isAccuracy);
    const left = names.filter((n) => !isMixed || !isAccuracy(n));
    const y = (name, extra) => axis(c, { type: "value", scale: true, name, ...extra });
    this.open().setOption({
      animation: false,
      aria: { enabled: true },
      grid: { left: 8, right: 8, top: 52, bottom: 24, containLabel: true },
      // The line alone, as long as it needs to show whether it is dashed.
      legend: { top: 0, left: 0, itemHeight: 9, itemWidth: 30, itemStyle: { opacity: 0 },
        textStyle: { color: c.muted } },
      tooltip: tooltip(c, { trigger: "axis", formatter: (items) =>
        [`${unit} ${items[0].value[0]}`, ...items.map((i) =>
          `${i.seriesName} ${format.number(i.value[1])}`)].join("\n") }),
      xAxis: axis(c, { type: "value", minInterval: 1, name: unit,
        nameLocation: "middle", nameGap: 24, splitLine: { show: false },
        min: "dataMin", max: "dataMax" }),
      yAxis: isMixed ? [y("loss"), y("accuracy", { splitLine: { show: false } })]
        : [y(left.length === 1 ? left[0] : "")],
      series: names.map((n) => this.#line(c, n, isMixed && isAccuracy(n), epochs, unit)),
    }, true);
  }
}
