// The list of studies.
import { get } from "./api.js";
import { compareBy, h, markCut, progressBar, setAttribute, setBadge, setText, sortHeader } from "./dom.js";
import * as format from "./format.js";

const COLUMNS = [
  { key: "name", label: "Study", get: (s) => s.name },
  { key: "state", label: "State", get: (s) => s.state },
  { key: "best", label: "Best value", get: (s) => s.best?.value ?? null, numeric: true },
  { key: "finished", label: "Finished / target", get: (s) => s.finished / s.n_trials },
  { key: "objective", label: "Objective", get: (s) => s.metric },
  { key: "counts", label: "Trials", get: (s) => sum(s.counts) },
  { key: "eta", label: "Time left", get: (s) => s.eta_ms, numeric: true },
  { key: "created", label: "Created", get: (s) => s.created },
];
const ACTIVE_MS = 1500;
const QUIET_MS = 5000;

const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);

function describe(counts) {
  const parts = ["RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"]
    .filter((s) => counts[s] > 0)
    .map((s) => `${counts[s]} ${s.toLowerCase()}`);
  return parts.join(", ") || "none yet";
}

/** A row and how to show a study in it. */
function makeRow() {
  const link = h("a");
  const badge = h("span");
  const bar = progressBar("finished trials");
  const target = h("span", { class: "beside" });
  const cells = {
    best: h("td", { class: "number" }), objective: h("td"), counts: h("td"),
    eta: h("td", { class: "number" }), created: h("td"),
  };
  const row = h("tr", {}, h("th", { scope: "row" }, link), h("td", {}, badge),
    cells.best, h("td", {}, bar, target), cells.objective, cells.counts, cells.eta, cells.created);
  row.show = (s) => {
    setText(link, s.name);
    setAttribute(link, "href", `#/study/${encodeURIComponent(s.name)}`);
    setBadge(badge, s.state);
    setAttribute(badge, "title", s.reason);
    setText(cells.best, format.number(s.best?.value));
    bar.set(s.finished / s.n_trials);
    setText(target, `${s.finished} / ${s.n_trials}`);
    setText(cells.objective, `${s.direction} ${s.metric}`);
    setText(cells.counts, describe(s.counts));
    setText(cells.eta, format.duration(s.eta_ms));
    setText(cells.created, format.time(s.created));
  };
  return row;
}

function emptyState() {
  return h("section", { class: "empty" },
    h("h2", {}, "No studies yet"),
    h("p", {}, "Start one from the command line; it appears here by itself:"),
    h("pre", {}, "parzen run configs/quick.json"));
}

export class StudiesPage {
  #studies = [];
  #rows = new Map(); // by id
  #sort = { key: "created", descending: true };
  #timer = null;
  #isOver = false;

  constructor(root, onConnection) {
    this.onConnection = onConnection;
    document.title = "Parzen";
    this.search = h("input", { type: "search", id: "search", placeholder: "Search",
      "aria-label": "Search studies by name", on: { input: () => this.#draw() } });
    this.headers = COLUMNS.map((c) => sortHeader(c.label, c.key, (key) => this.#sortBy(key),
      { class: c.numeric ? "number" : null }));
    this.body = h("tbody");
    this.none = h("p", { class: "muted", hidden: true }, "No study has a name like this.");
    this.view = h("div", { class: "scroll", on: { scroll: () => markCut(this.view) } },
      h("table", {}, h("thead", {}, h("tr", {}, ...this.headers)), this.body));
    this.resize = new ResizeObserver(() => markCut(this.view));
    this.resize.observe(this.view);
    this.list = h("section", { class: "panel studies", hidden: true }, this.view,
      this.none);
    this.empty = emptyState();
    this.empty.hidden = true;
    root.replaceChildren(
      h("div", { class: "title" }, h("h1", {}, "Studies"), this.search),
      this.list, this.empty);
    this.#poll();
  }

  close() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.resize.disconnect();
  }

  async #poll() {
    try {
      const reply = document.hidden ? null : await get("studies");
      if (this.#isOver) {
        return;
      }
      if (reply) {
        this.onConnection(null);
        this.#studies = reply.studies;
        this.#draw();
      }
    } catch (e) {
      if (this.#isOver) {
        return;
      }
      this.onConnection(e);
      if (e.status === 401) {
        return;
      }
    }
    const isActive = this.#studies.some((s) => s.state === "running");
    this.#timer = setTimeout(() => this.#poll(), isActive ? ACTIVE_MS : QUIET_MS);
  }

  #sortBy(key) {
    this.#sort = { key, descending: this.#sort.key === key && !this.#sort.descending };
    this.#draw();
  }

  #draw() {
    const column = COLUMNS.find((c) => c.key === this.#sort.key);
    const wanted = this.search.value.trim().toLowerCase();
    const shown = this.#studies
      .filter((s) => s.name.toLowerCase().includes(wanted))
      .sort(compareBy(column.get, this.#sort.descending, (a, b) => a.id - b.id));
    const rows = shown.map((s) => {
      const row = this.#rows.get(s.id) ?? makeRow();
      row.show(s);
      return [s.id, row];
    });
    this.#rows = new Map(rows);
    const nodes = rows.map(([, row]) => row);
    if (nodes.length !== this.body.children.length
        || nodes.some((n, i) => n !== this.body.children[i])) {
      this.body.replaceChildren(...nodes);
    }
    for (const th of this.headers) {
      th.show(this.#sort);
    }
    this.list.hidden = this.#studies.length === 0;
    this.empty.hidden = this.#studies.length > 0;
    this.none.hidden = shown.length > 0;
    markCut(this.view);
  }
}
