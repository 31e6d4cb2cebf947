// One trial in detail, beside the study.
import { getText, studyPath } from "./api.js";
import { EpochChart } from "./chart.js";
import { h, notify, setBadge, setText } from "./dom.js";
import * as format from "./format.js";

const LOG_LINES = 200, LOG_BYTES = 64 << 10; // the end of a log says what went wrong

/** A list of names and values that is kept up to date: rows is [[name, text]]. */
export function facts() {
  const node = h("dl", { class: "facts" });
  node.set = (rows) => {
    const shape = rows.map(([name]) => name).join("\n");
    if (node.shape !== shape) {
      node.shape = shape;
      node.replaceChildren(...rows.flatMap(([name]) => [h("dt", {}, name), h("dd")]));
    }
    rows.forEach(([, text], i) => setText(node.children[2 * i + 1], text));
  };
  return node;
}

export class TrialPanel {
  #model;
  #number = null;
  #drawn = ""; // what the epochs showed last
  #logOf = null; // the trial whose log was asked for

  /** onEnqueue(params): the user wants something like this trial. */
  constructor(model, onClose, onEnqueue) {
    this.#model = model;
    this.title = h("h2", { tabindex: -1 });
    this.badge = h("span");
    this.message = h("p", { class: "message", hidden: true });
    this.params = facts();
    this.facts = facts();
    this.chartNode = h("div", { class: "epoch-chart" });
    this.head = h("tr");
    this.body = h("tbody");
    this.heading = h("h3");
    this.epochs = h("section", {}, this.heading, this.chartNode,
      h("div", { class: "scroll" },
        h("table", { class: "small" }, h("thead", {}, this.head), this.body)));
    this.similar = h("button", { type: "button", on: { click: () =>
      onEnqueue(this.#model.trials.get(this.#number).params) } }, "Enqueue one like this…");
    this.log = h("pre", { class: "log", hidden: true, tabindex: 0, "aria-label": "Log" });
    this.detail = h("div", {}, h("h3", {}, "Parameters"), this.params, this.facts, this.epochs,
      h("div", { class: "row" },
        h("button", { type: "button", on: { click: () => this.#showLog() } },
          "Show the end of the log"), this.similar), this.log);
    this.node = h("aside", { class: "trial", hidden: true, "aria-label": "Trial" },
      h("header", {}, this.title, this.badge,
        h("button", { type: "button", class: "quiet close", on: { click: onClose } }, "Close")),
      this.message, this.detail);
    this.chart = new EpochChart(this.chartNode);
    this.onKey = (e) => {
      if (e.key === "Escape" && !this.node.hidden && !document.querySelector("dialog[open]")) {
        onClose();
      }
    };
    document.addEventListener("keydown", this.onKey);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    this.chart.close();
  }

  /** null: hide. */
  select(number) {
    if (number !== this.#number) {
      this.#number = number;
      this.#drawn = "";
      this.log.hidden = true;
      this.log.textContent = "";
      this.#logOf = null;
    }
    this.draw();
  }

  draw() {
    const t = this.#model.trials.get(this.#number);
    const isMissing = t === undefined && this.#number !== null && this.#model.isWhole;
    this.node.hidden = t === undefined && !isMissing;
    this.detail.hidden = this.badge.hidden = isMissing;
    setText(this.title, `Trial ${this.#number}`);
    if (isMissing) {
      const last = this.#model.trials.size - 1;
      setText(this.message, `There is no trial ${this.#number} in this study: ${last < 0
        ? "it has none yet" : last === 0 ? "its only one is trial 0"
          : `its trials are 0 to ${last}`}.`);
      this.message.hidden = false;
      this.message.classList.add("bad");
    }
    if (t === undefined) {
      return;
    }
    const study = this.#model.study;
    setBadge(this.badge, t.state);
    setText(this.message, [t.cause, t.message].filter(Boolean).join(": "));
    this.message.hidden = this.message.textContent === "";
    this.message.classList.toggle("bad", t.state === "FAIL");
    this.similar.hidden = study.foreign;
    if (t.state === "FAIL" && this.#logOf !== t.number) {
      this.#showLog(); // what it said is what is wanted
    }
    this.params.set(Object.entries(t.params).map(([k, v]) => [k, format.number(v, 8)]));
    this.facts.set(this.#factsOf(t));
    this.#drawEpochs(t);
  }

  #factsOf(t) {
    const study = this.#model.study;
    return [
      [study.metric, format.number(this.#model.value(t), 8)],
      ...(t.best_epoch === null ? [] : [[`Best ${this.#model.unit}`,
        this.#model.at(t.best_epoch)]]),
      ...(t.constraints ? [[this.#model.isInfeasible(t) ? "Infeasible" : "Constraints",
        Object.entries(t.constraints).map(([k, v]) => `${k} ${format.number(v)}`).join(", ")]]
        : []),
      ["Duration", format.duration(this.#model.duration(t))],
      ["Started", format.time(t.start)],
      ...(t.peak_bytes ? [["Memory", format.memory(t)]] : []),
      ["Attempt", String(t.attempt)],
      ...(t.enqueued ? [["Enqueued", "by a user"]] : []),
      ...(t.nondeterministic ? [["Repeatable", "no: an attempt told otherwise than the one before it"]] : []),
      ...(t.checkpoint ? [["Checkpoint", t.checkpoint]] : []),
    ];
  }

  #drawEpochs(t) {
    this.epochs.hidden = t.epochs.length === 0;
    const drawn = JSON.stringify(t.epochs);
    if (this.epochs.hidden || drawn === this.#drawn) {
      return;
    }
    this.#drawn = drawn;
    const { unit } = this.#model;
    setText(this.heading, unit === "step" ? "Steps" : "Epochs");
    this.chart.draw(t.epochs, unit);
    const names = Object.keys(t.epochs[0]);
    this.head.replaceChildren(...names.map((n) => h("th", { scope: "col", class: "number" }, n)));
    this.body.replaceChildren(...t.epochs.map((e) => h("tr",
      { class: e[unit] === t.best_epoch ? "best" : null },
      ...names.map((n) => h("td", { class: "number" },
        n === unit ? this.#model.at(e[n]) : format.metric(e[n]))))));
  }

  async #showLog() {
    const number = this.#number;
    this.#logOf = number;
    try {
      const text = await getText(studyPath(this.#model.study.name, `/trials/${number}/log?tail=${LOG_BYTES}`));
      if (number === this.#number) {
        const lines = text.trimEnd().split("\n").slice(-LOG_LINES).join("\n");
        this.log.textContent = lines || "The worker has written nothing.";
        this.log.hidden = false;
        this.log.scrollTop = this.log.scrollHeight;
      }
    } catch (e) {
      notify(e.message);
    }
  }
}
