// How much each parameter matters, as bars.
import { get, studyPath } from "./api.js";
import { h, progressBar, setText } from "./dom.js";
import * as format from "./format.js";

const FEW = 2; // complete trials that say nothing yet
const AGAIN_MS = 1500; // while newer ones are being computed
const REST_MS = 5000;

export class ImportancePanel {
  #study;
  #complete = -1; // COMPLETE trials of what is shown
  #timer = null;
  #isOver = false;

  constructor(study) {
    this.#study = study;
    this.kind = h("select", { "aria-label": "Evaluator", on: { change: () => this.#ask() } },
      ...["ped-anova", "fanova", "mdi"].map((name) => h("option", {}, name)));
    this.list = h("dl", { class: "bars" });
    this.foot = h("p", { class: "muted small-text" });
    this.node = h("section", { class: "panel", hidden: true },
      h("div", { class: "title" }, h("h2", {}, "Importance"), h("span", { class: "push" }),
        this.kind), this.list, this.foot);
  }

  close() {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  /** The study has so many complete trials now. */
  update(complete) {
    if (complete === this.#complete || complete < FEW || this.#timer !== null) {
      return;
    }
    this.#complete = complete;
    this.#ask();
  }

  #again(ms, ask) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (ask) {
        this.#ask();
      }
    }, ms);
  }

  async #ask() {
    let reply = null;
    try {
      reply = await get(`${studyPath(this.#study, "/importances")}?evaluator=${this.kind.value}`);
    } catch {
      this.#complete = -1; // the page says elsewhere that parzend is gone
    }
    if (this.#isOver) {
      return;
    }
    if (reply?.importances.length > 0) {
      this.#draw(reply);
    }
    this.#again(reply?.pending ? AGAIN_MS : REST_MS, Boolean(reply?.pending));
  }

  #draw({ importances, n_trials: n }) {
    this.node.hidden = false;
    this.list.replaceChildren(...importances.flatMap(({ param, importance }) => {
      const bar = progressBar(`importance of ${param}`);
      bar.set(importance);
      return [h("dt", {}, param), h("dd", {}, bar,
        h("span", { class: "beside" }, format.percent(importance)))];
    }));
    setText(this.foot, `from ${n} complete trials`);
  }
}
