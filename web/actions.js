// What a user can do to a study: buttons, and the dialogs behind them.
import { h, setText } from "./dom.js";
import { describe, distributions } from "./space.js";

/** Which buttons a state has; "target" and "enqueue" of a running one too.
 * "resume" of a finished one only while it has a rest (hasRest). */
const BUTTONS = {
  running: ["pause", "stop", "target", "enqueue", "retry", "delete"],
  paused: ["resume", "stop", "enqueue", "retry", "delete"],
  stopped: ["resume", "target", "enqueue", "retry", "delete"],
  failed: ["resume", "target", "enqueue", "retry", "delete"],
  finished: ["resume", "target", "enqueue", "retry", "delete"],
};
const LABELS = { pause: "Pause", resume: "Resume", stop: "Stop…", target: "Target…",
  enqueue: "Enqueue…", retry: "Retry…", delete: "Delete…" };

/** Has it something to go on with? A finished one has when a stop rule ended it,
 * or when trials wait. */
function hasRest({ state, finished, n_trials: target, counts }) {
  return state !== "finished" || finished < target || counts.WAITING > 0;
}

/** A dialog that asks; show() opens it. Enter does `label`, Escape nothing. */
function question(title, label, onYes, { danger = false } = {}, ...children) {
  const heading = h("h2", {}, title);
  const yes = h("button", { class: danger ? "danger" : "main" }, label);
  const form = h("form", { method: "dialog" }, heading, ...children,
    h("div", { class: "row" }, yes, h("button", { type: "button", class: "quiet",
      on: { click: () => node.close() } }, "Cancel")));
  const node = h("dialog", { "aria-label": title }, form);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    node.close();
    onYes();
  });
  node.heading = heading;
  return node;
}

export class Actions {
  #model;
  #do;

  /** act: {send(what, body), enqueue(params), remove()} */
  constructor(model, act) {
    this.#model = model;
    this.#do = act;
    this.buttons = Object.fromEntries(Object.entries(LABELS).map(([what, label]) =>
      [what, h("button", { type: "button", hidden: true,
        class: what === "delete" ? "quiet" : null,
        on: { click: () => this.#click(what) } }, label)]));
    this.#buildStop();
    this.#buildTarget();
    this.#buildEnqueue();
    this.#buildRetry();
    this.remove = question("Delete this study?", "Delete it", () => act.remove(),
      { danger: true }, h("p", {}, "Its trials, checkpoints and logs are deleted. "
        + "This cannot be undone."));
    this.dialogs = [this.stop, this.target, this.enqueue, this.retry, this.remove];
  }

  /** null: no study, no buttons. */
  draw(study) {
    const has = study === null ? [] : study.foreign ? ["delete"] : BUTTONS[study.state] ?? [];
    for (const [what, button] of Object.entries(this.buttons)) {
      button.hidden = !has.includes(what) || what === "retry" && !(study.counts.FAIL > 0)
        || what === "resume" && !hasRest(study);
    }
  }

  #click(what) {
    const dialogs = { stop: this.stop, delete: this.remove };
    if (what === "target") {
      this.#openTarget();
    } else if (what === "enqueue") {
      this.openEnqueue({});
    } else if (what === "retry") {
      this.#openRetry();
    } else if (dialogs[what]) {
      dialogs[what].showModal();
    } else {
      this.#do.send(what, {});
    }
  }

  // --- stop ---

  #buildStop() {
    const choose = (now) => {
      this.stop.close();
      this.#do.send("stop", { now });
    };
    this.stop = h("dialog", { "aria-labelledby": "stop-title" },
      h("h2", { id: "stop-title" }, "Stop this study?"),
      h("p", {}, "No new trials are started. Everything so far is kept, and Resume goes on "
        + "from here."),
      h("div", { class: "choices" },
        h("button", { type: "button", on: { click: () => choose(false) } },
          "Stop after the running trials"),
        h("button", { type: "button", class: "danger", on: { click: () => choose(true) } },
          "Stop now: running trials keep their checkpoints"),
        h("button", { type: "button", class: "quiet", autofocus: true,
          on: { click: () => this.stop.close() } }, "Cancel")));
  }

  // --- the target ---

  #buildTarget() {
    this.trials = h("input", { type: "number", id: "target", min: 1, max: 1000000, step: 1,
      required: true });
    this.target = question("How many trials?", "Go on to this target", () =>
      this.#do.send("resume", { n_trials: Number(this.trials.value) }), {},
    h("p", {}, "Finished trials (complete and pruned) over all runs of the study."),
    h("label", { for: "target" }, "Target "), this.trials);
  }

  #openTarget() {
    const { n_trials: n, finished, state } = this.#model.study;
    this.trials.value = state === "finished" ? Math.max(n, finished) + 10 : n;
    this.trials.min = Math.max(1, finished);
    this.target.showModal();
    this.trials.select();
  }

  // --- enqueue ---

  #buildEnqueue() {
    this.fields = h("div", { class: "fields" });
    this.enqueue = question("Try this next", "Enqueue", () => this.#sendEnqueue(), {},
      h("p", {}, "Exactly once, as one of the study's trials: a target without room for it "
        + "is raised by one. What is left empty is chosen by the sampler."), this.fields);
  }

  /** values: what the fields hold at first. */
  openEnqueue(values) {
    this.inputs = new Map();
    const rows = [...distributions(this.#model.study.config)].map(([name, dist], i) => {
      const id = `param-${i}`;
      const isChoice = dist.kind === "choice";
      const input = isChoice
        ? h("select", { id }, h("option", { value: "" }, "–"),
          ...dist.choices.map((c, k) => h("option", { value: k }, String(c))))
        : h("input", { id, type: "number", min: dist.low, max: dist.high,
          step: dist.step ?? (dist.kind === "int" ? 1 : "any"), placeholder: describe(dist) });
      if (values[name] !== undefined && values[name] !== null) {
        input.value = isChoice ? dist.choices.indexOf(values[name]) : values[name];
      }
      this.inputs.set(name, () => (input.value === "" ? undefined
        : isChoice ? dist.choices[Number(input.value)] : Number(input.value)));
      return [h("label", { for: id }, name), input];
    });
    this.fields.replaceChildren(...rows.flat());
    this.enqueue.showModal();
  }

  #sendEnqueue() {
    const params = Object.fromEntries([...this.inputs].map(([name, value]) => [name, value()])
      .filter(([, value]) => value !== undefined));
    this.#do.enqueue(params);
  }

  // --- retry ---

  #buildRetry() {
    this.cause = h("select", { id: "retry-cause" });
    this.retry = question("Retry failed trials", "Try again", () =>
      this.#do.send("retry", this.cause.value ? { cause: this.cause.value } : {}), {},
    h("p", {}, "They keep their numbers and parameters, and go on from their last "
      + "checkpoint. A target without room for them is raised."), h("label", { for: "retry-cause" }, "Which "), this.cause);
  }

  #openRetry() {
    const causes = new Map();
    for (const t of this.#model.trials.values()) {
      if (t.state === "FAIL") {
        causes.set(t.cause, (causes.get(t.cause) ?? 0) + 1);
      }
    }
    const total = this.#model.study.counts.FAIL;
    setText(this.retry.heading, total === 1 ? "Retry the failed trial?" : "Retry failed trials?");
    this.cause.replaceChildren(h("option", { value: "" }, `all ${total}`),
      ...[...causes].map(([cause, n]) => h("option", { value: cause }, `${cause}: ${n}`)));
    this.retry.showModal();
  }
}
