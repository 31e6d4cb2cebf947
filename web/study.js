// One study: how it stands, its history, its trials; live.
import { Actions } from "./actions.js";
import { follow, get, post, remove, studyPath } from "./api.js";
import { ChartPanel } from "./chart.js";
import { h, notify, progressBar, setBadge, setText, throttled } from "./dom.js";
import * as format from "./format.js";
import { ImportancePanel } from "./importances.js";
import { Model } from "./model.js";
import { TrialTable } from "./table.js";
import { facts, TrialPanel } from "./trial.js";

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
    this.draw = throttled(() => this.#draw(), 250);
    this.drawChart = throttled(() => this.charts.draw(), 250);
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
      () => this.panel.close(), () => this.charts.close(), () => this.importances.close(),
      this.draw.cancel,
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
    this.charts.select(number);
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
    this.actions = new Actions(this.#model, { send: (what, body) => this.#send(what, body),
      enqueue: (params) => this.#enqueue(params), remove: () => this.#remove() });
    const heading = h("h1", {}, this.name);
    this.head = h("div", { class: "title" }, heading, this.badge, this.reason,
      h("span", { class: "push" }), ...Object.values(this.actions.buttons));
    this.bar = progressBar("finished trials");
    this.stats = facts();
    this.overview = h("section", { class: "panel overview", hidden: true }, this.bar, this.stats);
    this.#buildBest();
    this.charts = new ChartPanel(this.#model, (number) => { location.hash = this.link(number); },
      () => this.drawChart());
    this.table = new TrialTable(this.#model, this.link);
    this.trials = h("section", { class: "panel", hidden: true }, h("h2", {}, "Trials"),
      this.table.node);
    this.panel = new TrialPanel(this.#model, () => { location.hash = this.link(null); },
      (params) => this.actions.openEnqueue(params));
    this.importances = new ImportancePanel(this.name);
    this.empty = h("section", { class: "empty" }, h("p", {}, "Waiting for parzend…"));
    root.replaceChildren(this.head, this.trouble, this.overview,
      h("div", { class: "columns" }, this.charts.node,
        h("div", { class: "side" }, this.best, this.importances.node)),
      this.trials, this.empty, this.panel.node, ...this.actions.dialogs);
  }

  #buildBest() {
    this.bestValue = h("p", { class: "big" });
    this.bestParams = facts();
    this.bestFacts = facts();
    this.bestLink = h("a");
    this.best = h("section", { class: "panel", hidden: true }, h("h2", {}, "Best trial"),
      this.bestValue, this.bestParams, this.bestFacts, this.bestLink);
  }

  // --- what happens ---

  #onEvent(kind, data) {
    if (kind === "study") {
      if (this.#model.setStudy(data)) {
        this.table.reset();
        this.select(null);
      }
    } else if (kind === "trial" || kind === "progress") {
      this.#model.setTrial(data);
      this.table.change(data.number);
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
      this.#model.clear();
      this.table.reset();
      this.select(null);
      for (const node of [this.overview, this.charts.node, this.best, this.importances.node,
        this.trials, this.badge]) {
        node.hidden = true;
      }
      this.actions.draw(null);
      this.empty.hidden = false;
      this.empty.replaceChildren(h("h2", {}, "No such study"),
        h("p", {}, `There is no study named "${this.name}". `,
          h("a", { href: "#/" }, "All studies")));
      this.onConnection(null);
    } else {
      this.onConnection(e);
    }
  }

  /** Ask parzend; what it refuses is said. */
  async #try(ask) {
    try {
      await ask();
    } catch (e) {
      notify(e.message);
    }
  }

  // What came of it is drawn when its event comes: a reply may be older than
  // the events that were heard since it was written.

  #send(what, body) {
    return this.#try(() => post(studyPath(this.name, `/${what}`), body));
  }

  #enqueue(params) {
    return this.#try(async () => {
      const target = this.#model.study.n_trials;
      const trial = await post(studyPath(this.name, "/enqueue"), { params });
      const { n_trials: now, state, counts } = await get(studyPath(this.name));
      const waits = state !== "running" && counts.WAITING > 0;
      notify(`This is trial ${trial.number}`
        + (waits ? "; Resume lets the study go on." : ", tried next.")
        + (now > target ? ` The target is now ${now}.` : ""), true);
    });
  }

  #remove() {
    return this.#try(async () => {
      await remove(studyPath(this.name));
      location.hash = "#/";
      notify(`Study "${this.name}" is deleted.`, true);
    });
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
    this.actions.draw(s);
    this.importances.update(s.counts.COMPLETE);
    this.overview.hidden = false;
    this.#drawStats(s);
    this.#drawBest(s);
    const hasTrials = this.#model.trials.size > 0;
    this.trials.hidden = this.charts.node.hidden = !hasTrials;
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
    this.bestFacts.set([
      ...(t.best_epoch === null ? [] : [[this.#model.unit === "step" ? "Step" : "Epoch",
        this.#model.at(t.best_epoch)]]),
      ...(t.checkpoint ? [["Checkpoint", t.checkpoint]] : [])]);
    setText(this.bestLink, `Trial ${t.number} in detail`);
    this.bestLink.href = this.link(t.number);
  }

  #drawEmpty(s, hasTrials) {
    this.empty.hidden = hasTrials;
    if (!hasTrials) {
      this.empty.replaceChildren(h("h2", {}, "No trials yet"), ...s.preparing
        ? this.#preparation(s) : [], h("p", {},
        s.preparing || s.state === "running" && s.unit === "step"
          ? "The first trial appears here by itself."
          : s.state === "running" ? "The data set is being prepared; the first trial appears here by itself."
          : "Nothing has run so far."));
    }
  }
}
