// The trials of a study: only the rows in view exist.
import { compareBy, h, markCut, progressBar, setAttribute, setBadge, setText, sortHeader } from "./dom.js";
import * as format from "./format.js";
import { filterColumns, parseFilter } from "./space.js";

const ROW_PX = 34; // style.css says the same
const MANY = 1000; // changes, from which on sorting anew is quicker
const BEYOND = 8; // rows kept above and below the view
const STATES = ["RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"];

const byNumber = (a, b) => a.number - b.number;

function progressText(model, t) {
  const p = t.progress;
  if (t.state !== "RUNNING" || !p) {
    return model.unit === "epoch" ? String(t.n_epochs) : model.at(t.best_epoch);
  }
  if (model.unit === "step") {
    return typeof p.loss === "number"
      ? `step ${p.epoch}, ${model.study.metric} ${format.number(p.loss, 4)}`
      : p.phase || "starting";
  }
  const loss = typeof p.loss === "number" ? `, loss ${format.number(p.loss, 4)}` : "";
  const step = p.n_steps > 0 ? ` ${p.step}/${p.n_steps}` : "";
  return p.phase === "train" ? `epoch ${format.epoch(p.epoch)},${step}${loss}`
    : p.phase === "eval" ? `epoch ${format.epoch(p.epoch)}, evaluating${step}`
      : `${p.phase || "starting"}${step}`;
}

function columnsFor(model) {
  const study = model.study;
  return [
    { key: "number", label: "Trial", numeric: true, get: (t) => t.number },
    { key: "state", label: "State", get: (t) => t.state },
    { key: "value", label: study.metric, numeric: true, get: (t) => model.value(t),
      show: (t) => format.metric(model.value(t)), isBehind: (t) => model.isInfeasible(t) },
    ...study.params.map((name) => ({ key: `param ${name}`, label: name, numeric: true,
      get: (t) => t.params[name] ?? null,
      show: (t) => format.number(t.params[name]) })),
    ...[...model.constraints].map((name) => ({ key: `constraint ${name}`, label: name,
      numeric: true, title: "a constraint: above 0 is infeasible",
      get: (t) => t.constraints?.[name] ?? null,
      show: (t) => format.number(t.constraints?.[name]),
      isBad: (t) => t.constraints?.[name] > 0 })),
    model.unit === "epoch"
      ? { key: "epochs", label: "Epochs", numeric: true, get: (t) => t.n_epochs }
      : { key: "epochs", label: "Best step", numeric: true, get: (t) => t.best_epoch },
    { key: "duration", label: "Duration", numeric: true,
      get: (t) => model.duration(t), show: (t) => format.duration(model.duration(t)) },
    { key: "attempt", label: "Attempt", numeric: true, get: (t) => t.attempt },
  ];
}

/** A row of a trial; show(t) brings it up to date. */
function makeRow(model, columns, link) {
  const row = h("tr", {});
  const shows = columns.map((c) => {
    if (c.key === "number") {
      const a = h("a");
      row.append(h("th", { scope: "row", class: "number" }, a));
      return (t) => {
        setText(a, String(t.number));
        setAttribute(a, "href", link(t.number));
      };
    }
    const td = h("td", { class: c.numeric ? "number" : null });
    row.append(td);
    if (c.key === "state") {
      const badge = h("span");
      const cause = h("span", { class: "beside" });
      td.append(badge, cause);
      return (t) => {
        setBadge(badge, t.state);
        setText(cause, t.cause ?? (model.isInfeasible(t) ? "infeasible" : ""));
        setAttribute(td, "title", t.message);
      };
    }
    if (c.key === "epochs") {
      const bar = progressBar("progress of the trial");
      const text = h("span", { class: "beside" });
      td.append(bar, text);
      return (t) => {
        bar.hidden = t.state !== "RUNNING";
        bar.set(model.fraction(t));
        setText(text, progressText(model, t));
      };
    }
    return (t) => {
      setText(td, c.show ? c.show(t) : String(c.get(t)));
      if (c.isBad) {
        td.classList.toggle("bad", c.isBad(t));
      }
    };
  });
  row.show = (t, best, selected) => {
    shows.forEach((show) => show(t));
    setAttribute(row, "class", [t.state.toLowerCase(), best ? "best" : "",
      model.isInfeasible(t) ? "infeasible" : ""].filter(Boolean).join(" "));
    setAttribute(row, "aria-current", selected ? "true" : null);
  };
  return row;
}

export class TrialTable {
  #model;
  #link;
  #columns = [];
  #rows = new Map(); // by number: those in view
  #sort = { key: "number", descending: true };
  #state = null; // shown alone, null: all
  #conditions = []; // of the filter's text
  #selected = null;
  #order = []; // the trials shown, sorted
  #compare = null; // .. by this
  #isStale = true; // it must be made anew
  #changed = new Set(); // numbers of trials that may stand elsewhere now
  #known = new Map(); // by number: each trial as order and counts have it
  #running = new Set(); // numbers
  #counts = new Map(); // of trials by state

  /** link(number): the address of a trial. */
  constructor(model, link) {
    this.#model = model;
    this.#link = link;
    this.filters = new Map([null, ...STATES].map((state) => [state,
      h("button", { type: "button", class: "chip", "aria-pressed": "false",
        on: { click: () => this.#filter(state) } })]));
    this.filter = h("input", { type: "search", id: "filter", spellcheck: "false",
      "aria-label": "Filter the trials",
      "aria-describedby": "filter-wrong", on: { input: () => this.#filterBy() } });
    this.wrong = h("p", { class: "muted", id: "filter-wrong", role: "status", hidden: true });
    this.head = h("tr");
    this.above = h("tr", { class: "spacer", "aria-hidden": "true" });
    this.below = h("tr", { class: "spacer", "aria-hidden": "true" });
    this.body = h("tbody", {}, this.above, this.below);
    this.table = h("table", {}, h("caption", { class: "hidden" }, "Trials"),
      h("thead", {}, this.head), this.body);
    this.view = h("div", { class: "scroll trials", tabindex: 0, role: "region",
      "aria-label": "Trials", on: {
        scroll: () => this.#drawRows(), keydown: (e) => this.#onKey(e) } }, this.table);
    this.body.addEventListener("click", (e) => this.#onClick(e));
    this.count = h("p", { class: "muted small-text" });
    this.none = h("p", { class: "muted pad", hidden: true });
    this.node = h("div", {},
      h("div", { class: "chips", role: "group", "aria-label": "Filter by state" },
        ...this.filters.values(), h("span", { class: "push" }),
        h("button", { type: "button", title: "Download the trials shown, as CSV",
          on: { click: () => this.#download() } }, "CSV"), this.filter), this.wrong, this.view, this.count, this.none);
    this.resize = new ResizeObserver(() => this.#drawRows());
    this.resize.observe(this.view);
  }

  close() {
    this.resize.disconnect();
  }

  select(number) {
    this.#selected = number;
    this.#drawRows();
  }

  /** A trial of the model is another now, or new; draw() shows it. */
  change(number) {
    this.#changed.add(number);
  }

  /** All trials are others. */
  reset() {
    this.#isStale = true;
  }

  draw() {
    this.#drawHead();
    if (this.#isStale || this.#changed.size > MANY) {
      this.#makeOrder();
    } else {
      this.#mendOrder();
    }
    this.#changed.clear();
    this.#drawFilters();
    this.#drawNone();
    this.#drawRows();
  }

  #makeOrder() {
    const column = this.#columns.find((c) => c.key === this.#sort.key);
    this.#compare = compareBy(column.get, this.#sort.descending, byNumber, column.isBehind);
    this.#known.clear();
    this.#running.clear(); // those of another study, too
    STATES.forEach((state) => this.#counts.set(state, 0));
    for (const t of this.#model.trials.values()) {
      this.#know(t);
    }
    this.#order = [...this.#model.trials.values()].filter((t) => this.#holds(t))
      .sort(this.#compare);
    this.#isStale = false;
  }

  /** Only what changed is taken out and put in where it belongs now; so is what
   * runs, for its duration does. */
  #mendOrder() {
    this.#running.forEach((number) => this.#changed.add(number));
    const gone = new Set();
    for (const number of this.#changed) {
      const old = this.#known.get(number);
      if (old !== undefined) {
        gone.add(old);
        this.#counts.set(old.state, this.#counts.get(old.state) - 1);
      }
    }
    if (gone.size > 0) {
      this.#order = this.#order.filter((t) => !gone.has(t));
    }
    for (const number of this.#changed) {
      const t = this.#model.trials.get(number);
      if (t === undefined) { // told before the study became another
        this.#forget(number);
        continue;
      }
      this.#know(t);
      if (this.#holds(t)) {
        this.#order.splice(this.#placeOf(t), 0, t);
      }
    }
  }

  #know(t) {
    this.#known.set(t.number, t);
    this.#counts.set(t.state, this.#counts.get(t.state) + 1);
    if (t.state === "RUNNING") {
      this.#running.add(t.number);
    } else {
      this.#running.delete(t.number);
    }
  }

  #forget(number) {
    this.#known.delete(number);
    this.#running.delete(number);
  }

  /** Before which one of the order a trial belongs. */
  #placeOf(t) {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#order[middle], t) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** The columns change when the study's parameters become known. */
  #drawHead() {
    const columns = columnsFor(this.#model);
    if (columns.map((c) => c.key).join("\n") !== this.#columns.map((c) => c.key).join("\n")) {
      this.#columns = columns;
      this.#isStale = true;
      setAttribute(this.filter, "placeholder",
        `Filter: ${this.#model.study.metric}>0.9 duration<2m pruned`);
      this.head.replaceChildren(...columns.map((c) => sortHeader(c.label, c.key,
        (key) => this.#sortBy(key), { class: c.numeric ? "number" : null, title: c.title })));
      this.#rows.forEach((row) => row.remove());
      this.#rows.clear();
      for (const spacer of [this.above, this.below]) {
        spacer.replaceChildren(h("td", { colspan: columns.length }));
      }
    }
    for (const th of this.head.children) {
      th.show(this.#sort);
    }
  }

  #drawFilters() {
    for (const [state, chip] of this.filters) {
      const n = state === null ? this.#model.trials.size : this.#counts.get(state);
      setText(chip, `${state === null ? "All" : state.toLowerCase()} ${n}`);
      setAttribute(chip, "aria-pressed", String(state === this.#state));
      chip.hidden = n === 0 && state !== null && state !== this.#state;
    }
  }

  /** Nothing is shown: what was looked for. */
  #drawNone() {
    const wanted = [...(this.#state === null ? [] : [`state=${this.#state.toLowerCase()}`]),
      ...this.#conditions.map((c) => c.text)];
    this.none.hidden = this.#order.length > 0;
    setText(this.none, `No trials like this: ${wanted.join(", ")}.`);
  }

  /** Put the rows in view in place; the others give way to two spacers. */
  #drawRows() {
    if (this.#columns.length === 0) {
      return; // nothing is known yet
    }
    const n = this.#order.length;
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW_PX) - BEYOND);
    const last = Math.min(n, Math.ceil((this.view.scrollTop + this.view.clientHeight)
      / ROW_PX) + BEYOND);
    const best = this.#model.study?.best?.number;
    const rows = new Map();
    let before = this.above;
    for (const t of this.#order.slice(first, last)) {
      const row = this.#rows.get(t.number) ?? makeRow(this.#model, this.#columns, this.#link);
      row.dataset.number = t.number;
      row.show(t, t.number === best, t.number === this.#selected);
      rows.set(t.number, row);
      if (before.nextSibling !== row) {
        before.after(row);
      }
      before = row;
    }
    for (const [number, row] of this.#rows) {
      if (!rows.has(number)) {
        row.remove();
      }
    }
    this.#rows = rows;
    this.above.firstChild.style.height = `${first * ROW_PX}px`;
    this.below.firstChild.style.height = `${Math.max(0, n - last) * ROW_PX}px`;
    setAttribute(this.table, "aria-rowcount", n + 1);
    this.#drawCount(n);
    markCut(this.view);
  }

  /** Which rows are in view, of how many. */
  #drawCount(n) {
    const height = this.view.clientHeight - this.head.clientHeight;
    const from = Math.min(n, Math.round(this.view.scrollTop / ROW_PX) + 1);
    const to = Math.min(n, Math.floor((this.view.scrollTop + height) / ROW_PX + 0.1));
    const all = this.#model.trials.size;
    const isWhole = to - from + 1 >= n;
    setText(this.count, isWhole ? (n < all ? `${n} of ${all} trials` : "")
      : `Rows ${from} to ${to} of ${n}${n < all ? ` (${all} trials)` : ""}`);
  }

  #sortBy(key) {
    const descends = this.#sort.key === key ? !this.#sort.descending
      : key === "value" && this.#model.isMaximized;
    this.#sort = { key, descending: descends };
    this.#drawAnew();
  }

  #drawAnew() {
    this.#isStale = true;
    this.view.scrollTop = 0;
    this.draw();
  }

  #filter(state) {
    this.#state = state;
    this.#drawAnew();
  }

  #holds(t) {
    return (this.#state === null || t.state === this.#state)
      && this.#conditions.every((c) => c.holds(t));
  }

  #filterBy() {
    try {
      this.#conditions = parseFilter(this.filter.value, filterColumns(this.#model));
      this.wrong.hidden = true;
    } catch (e) {
      this.#conditions = [];
      setText(this.wrong, e.message);
      this.wrong.hidden = false;
    }
    this.#drawAnew();
  }

  #download() {
    const { name, params } = this.#model.study;
    const columns = { params, constraints: [...this.#model.constraints],
      isTraining: this.#model.unit === "epoch" };
    const url = URL.createObjectURL(new Blob([format.csv(columns, this.#order)],
      { type: "text/csv" }));
    h("a", { href: url, download: `${name.replace(/[^\w.-]+/g, "_")}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  }

  #onClick(e) {
    const row = e.target.closest("tr[data-number]");
    if (row && !e.target.closest("a")) {
      location.hash = this.#link(Number(row.dataset.number));
    }
  }

  /** Up and down move the selection. */
  #onKey(e) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (step === undefined || this.#order.length === 0) {
      return;
    }
    e.preventDefault();
    const at = this.#order.findIndex((t) => t.number === this.#selected);
    const next = at < 0 ? 0 : Math.min(this.#order.length - 1, Math.max(0, at + step));
    const top = next * ROW_PX;
    if (top < this.view.scrollTop) {
      this.view.scrollTop = top;
    } else if (top + 2 * ROW_PX > this.view.scrollTop + this.view.clientHeight) {
      this.view.scrollTop = top + 2 * ROW_PX - this.view.clientHeight;
    }
    this.select(this.#order[next].number); // the next key may be here before the hash
    location.hash = this.#link(this.#selected);
  }
}
