// How much each parameter matters, as bars.
import { get, studyPath } from "./api.js";
import { h, progressBar, setText } from "./dom.js";
import * as format from "./format.js";

const FEW = 2; // complete trials that say nothing yet
const AGAIN_MS = 1500; // while newer ones are being computed
const REST_MS = 5000;

export class ImportancePanel {
  #study;
  #wanted = -1; // COMPLETE trials that the study has
  #complete = -1; // .. when it was asked last
  #asks = 0; // only the last one's reply is drawn: replies may overtake each other
  #isBusy = false; // the last one's is under way
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
    this.#wanted = complete;
    if (complete !== this.#complete && complete >= FEW && this.#timer === null && !this.#isBusy) {
      this.#ask();
    }
  }

  #rest(ms, isPending) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (isPending) {
        this.#ask();
      } else {
        this.update(this.#wanted);
      }
    }, ms);
  }

  async #ask() {
    const turn = ++this.#asks;
    let reply = null;
    this.#isBusy = true;
    this.#complete = this.#wanted;
    try {
      reply = await get(`${studyPath(this.#study, "/importances")}?evaluator=${this.kind.value}`);
    } catch {
      this.#complete = -1; // the page says elsewhere that parzend is gone
    }
    if (this.#isOver || turn !== this.#asks) {
      return;
    }
    this.#isBusy = false;
    if (reply?.importances.length > 0) {
      this.#draw(reply);
    }
    this.#rest(reply?.pending ? AGAIN_MS : REST_MS, Boolean(reply?.pending));
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
