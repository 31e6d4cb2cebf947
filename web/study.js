// One study: how it stands, its history, its trials; live.
import { follow, post, studyPath } from "./api.js";
import { HistoryChart } from "./chart.js";
import { h, notify, progressBar, setBadge, setText, throttled } from "./dom.js";
import * as format from "./format.js";
import { Model } from "./model.js";
import { TrialTable } from "./table.js";
import { facts, TrialPanel } from "./trial.js";

const MANY = 1000; // trials, from which on redrawing is rarer

/** Which buttons a state has. */
const ACTIONS = {
  running: ["pause", "stop"],
  paused: ["resume", "stop"],
  stopped: ["resume"],
  failed: ["resume"],
  finished: [],
};

export class StudyPage {
  #model = new Model();
  #selected = null;
  #cleanUp = [];

  constructor(root, name, onConnection) {
    this.name = name;
    this.onConnection = onConnection;
    document.title = `${name} – Parzen`;
    this.link = (number) => `#/study/${encodeURIComponent(name)}${
      number === null ? "" : `/trial/${number}`}`;
    this.#build(root);
    this.draw = throttled(() => this.#draw(), () => 250);
    this.drawChart = throttled(() => this.#drawChart(),
      () => (this.#model.trials.size > MANY ? 1000 : 250));
    const stop = follow(name, {
      onEvent: (kind, data) => this.#onEvent(kind, data),
      onBatch: () => this.#changed(),
      onConnection: (e) => this.#onConnection(e),
    });
    const clock = setInterval(() => {
      if (this.#model.study?.state === "running" && !document.hidden) {
        this.draw(); // durations go on
      }
    }, 1000);
    this.#cleanUp = [stop, () => clearInterval(clock), () => this.table.close(),
      () => this.panel.close(), () => this.chart.close(), this.draw.cancel,
      this.drawChart.cancel];
  }

  close() {
    this.#cleanUp.forEach((f) => f());
  }

  /** Show a trial, or null: none. */
  select(number) {
    const wasOpen = this.#selected !== null;
    this.#selected = number;
    this.table.select(number);
    this.panel.select(number);
    if (this.#model.study && this.chart.chart) {
      this.chart.draw(number);
    }
    // Who walks through the table by keys stays there.
    if (number !== null && !wasOpen && !this.panel.node.hidden
        && !this.table.view.contains(document.activeElement)) {
      this.panel.title.focus({ preventScroll: true });
    }
  }

  // --- elements ---

  #build(root) {
    this.badge = h("span");
    this.reason = h("span", { class: "muted" });
    this.trouble = h("p", { class: "trouble", role: "alert", hidden: true });
    this.buttons = Object.fromEntries([["pause", "Pause"], ["resume", "Resume"], ["stop", "Stop…"]]
      .map(([what, label]) => [what, h("button", { type: "button", hidden: true,
        on: { click: () => this.#act(what) } }, label)]));
    this.#buildDialog();
    const heading = h("h1", {}, this.name);
    this.head = h("div", { class: "title" }, heading, this.badge, this.reason,
      h("span", { class: "push" }), ...Object.values(this.buttons));
    this.bar = progressBar("finished trials");
    this.stats = facts();
    this.overview = h("section", { class: "panel overview", hidden: true }, this.bar, this.stats);
    this.#buildBest();
    this.#buildHistory();
    this.table = new TrialTable(this.#model, this.link);
    this.trials = h("section", { class: "panel", hidden: true }, h("h2", {}, "Trials"),
      this.table.node);
    this.panel = new TrialPanel(this.#model, () => { location.hash = this.link(null); });
    this.empty = h("section", { class: "empty" }, h("p", {}, "Waiting for parzend…"));
    root.replaceChildren(this.head, this.trouble, this.overview,
      h("div", { class: "columns" }, this.history, this.best),
      this.trials, this.empty, this.panel.node, this.dialog);
  }

  #buildBest() {
    this.bestValue = h("p", { class: "big" });
    this.bestParams = facts();
    this.bestFacts = facts();
    this.bestLink = h("a");
    this.best = h("section", { class: "panel", hidden: true }, h("h2", {}, "Best trial"),
      this.bestValue, this.bestParams, this.bestFacts, this.bestLink);
  }

  #buildHistory() {
    this.log = h("input", { type: "checkbox", id: "log-scale",
      on: { change: () => this.chart.setLog(this.log.checked) } });
    this.chartNode = h("div", { class: "history-chart" });
    this.chart = new HistoryChart(this.chartNode, this.#model, (number) => {
      location.hash = this.link(number);
    });
    this.history = h("section", { class: "panel", hidden: true },
      h("div", { class: "title" }, h("h2", {}, "History"), h("span", { class: "push" }),
        h("label", { for: "log-scale" }, this.log, " Logarithmic")), this.chartNode);
  }

  #buildDialog() {
    const stop = (now) => {
      this.dialog.close();
      this.#send("stop", { now });
    };
    this.dialog = h("dialog", { "aria-labelledby": "stop-title" },
      h("h2", { id: "stop-title" }, "Stop this study?"),
      h("p", {}, "No new trials are started. Everything so far is kept, and Resume goes on "
        + "from here."),
      h("div", { class: "choices" },
        h("button", { type: "button", on: { click: () => stop(false) } },
          "Stop after the running trials"),
        h("button", { type: "button", class: "danger", on: { click: () => stop(true) } },
          "Stop now: running trials keep their checkpoints"),
        h("button", { type: "button", class: "quiet", autofocus: true,
          on: { click: () => this.dialog.close() } }, "Cancel")));
  }

  // --- what happens ---

  #onEvent(kind, data) {
    if (kind === "study") {
      if (this.#model.setStudy(data)) {
        this.select(null);
      }
    } else if (kind === "trial" || kind === "progress") {
      this.#model.setTrial(data);
      this.#isChartOld ||= kind === "trial";
    }
  }

  #isChartOld = true;

  #changed() {
    this.draw();
    if (this.#isChartOld) {
      this.#isChartOld = false;
      this.drawChart();
    }
  }

  #onConnection(e) {
    if (e?.status === 404) {
      this.#model.trials.clear();
      this.select(null);
      for (const node of [this.overview, this.history, this.best, this.trials, this.badge]) {
        node.hidden = true;
      }
      Object.values(this.buttons).forEach((b) => { b.hidden = true; });
      this.empty.hidden = false;
      this.empty.replaceChildren(h("h2", {}, "No such study"),
        h("p", {}, `There is no study named "${this.name}". `,
          h("a", { href: "#/" }, "All studies")));
      this.onConnection(null);
    } else {
      this.onConnection(e);
    }
  }

  #act(what) {
    if (what === "stop") {
      this.dialog.showModal();
    } else {
      this.#send(what, {});
    }
  }

  async #send(what, body) {
    try {
      this.#model.setStudy(await post(studyPath(this.name, `/${what}`), body));
      this.draw();
    } catch (e) {
      notify(e.message);
    }
  }

  // --- drawing ---

  #draw() {
    const s = this.#model.study;
    if (s === null) {
      return;
    }
    this.badge.hidden = false;
    setBadge(this.badge, s.state);
    setText(this.reason, s.reason ?? "");
    setText(this.trouble, s.trouble ?? "");
    this.trouble.hidden = !s.trouble;
    for (const [what, button] of Object.entries(this.buttons)) {
      button.hidden = !(ACTIONS[s.state] ?? []).includes(what);
    }
    this.overview.hidden = false;
    this.#drawStats(s);
    this.#drawBest(s);
    const hasTrials = this.#model.trials.size > 0;
    this.trials.hidden = this.history.hidden = !hasTrials;
    this.#drawEmpty(s, hasTrials);
    if (hasTrials) {
      this.table.draw();
    }
    this.panel.select(this.#selected);
  }

  #drawStats(s) {
    this.bar.set(s.finished / s.n_trials);
    const { RUNNING: running, FAIL: failed, PRUNED: pruned } = s.counts;
    this.stats.set([
      ["Finished", `${s.finished} of ${s.n_trials}${pruned ? `, ${pruned} pruned` : ""}${
        failed ? `, ${failed} failed` : ""}`],
      [`Best ${s.metric}`, format.number(s.best?.value)],
      ["Running", `${running} ${running === 1 ? "trial" : "trials"}`],
      ["Time left", s.eta_ms === null ? "–" : `about ${format.duration(s.eta_ms)}`],
      ["Active", format.duration(s.active_ms)],
      ["Created", format.time(s.created)],
      ...(s.data ? [["Data", `${s.data.classes} classes; ${s.data.train} train, ${
        s.data.val} validation, ${s.data.test} test`]] : []),
    ]);
  }

  /** How far the preparation of the data is: words and, where it is known, a bar. */
  #preparation(s) {
    const p = s.preparing;
    const amount = (n) => (p.unit === "bytes" ? `${(n / 1e6).toFixed(1)} MB` : `${n} ${p.unit}`);
    const words = h("p", {}, `The data set is being prepared: ${p.phase}${
      p.unit ? `, ${amount(p.done)}` : ""}${p.unit && p.total ? ` of ${amount(p.total)}` : ""}`);
    if (!p.total) {
      return [words];
    }
    const bar = progressBar("preparation of the data");
    bar.set(p.done / p.total);
    return [words, bar];
  }

  #drawBest(s) {
    this.best.hidden = s.best === null;
    if (s.best === null) {
      return;
    }
    const t = s.best;
    setText(this.bestValue, `${s.metric} ${format.number(t.value, 6)}`);
    this.bestParams.set(Object.entries(t.params).map(([k, v]) => [k, format.number(v, 6)]));
    this.bestFacts.set([["Epoch", format.epoch(t.best_epoch)],
      ...(t.checkpoint ? [["Checkpoint", t.checkpoint]] : [])]);
    setText(this.bestLink, `Trial ${t.number} in detail`);
    this.bestLink.href = this.link(t.number);
  }

  #drawEmpty(s, hasTrials) {
    this.empty.hidden = hasTrials;
    if (!hasTrials) {
      this.empty.replaceChildren(h("h2", {}, "No trials yet"), ...s.preparing
        ? this.#preparation(s) : [], h("p", {},
        s.preparing ? "The first trial appears here by itself."
          : s.state === "running" ? "The data set is being prepared; the first trial appears here by itself."
          : "Nothing has run so far."));
    }
  }

  #drawChart() {
    if (this.#model.trials.size === 0) {
      return;
    }
    this.history.hidden = false;
    const canBeLog = this.chart.canBeLog();
    this.log.disabled = !canBeLog;
    if (!canBeLog && this.log.checked) {
      this.log.checked = false;
      this.chart.setLog(false);
    }
    this.chart.draw(this.#selected);
  }
}
