// One study as its events tell it.

export const FINAL = ["COMPLETE", "PRUNED", "FAIL"];

/** How many trials the study counts, in whatever state. */
const countOf = (study) => Object.values(study.counts).reduce((a, b) => a + b, 0);

export class Model {
  constructor() {
    this.study = null;
    this.trials = new Map(); // by number
    this.list = []; // the same, with holes where none was heard yet
    this.heard = new Map(); // number -> when its elapsed time was heard
    this.constraints = new Set(); // their names
  }

  clear() {
    this.trials.clear();
    this.list = [];
    this.heard.clear();
    this.constraints.clear();
  }

  /** True when this is another study than before, of the same name. Optuna
   * gives the id of one that it deleted to the next: none loses trials. */
  setStudy(study) {
    const isOther = this.study !== null
      && (this.study.id !== study.id
        || study.counts !== undefined && this.trials.size > countOf(study));
    if (isOther) {
      this.clear();
    }
    this.study = study;
    study.config?.objective?.constraints?.forEach((name) => this.constraints.add(name));
    return isOther;
  }

  /** Of its n_epochs an event's trial has the last ones, those that are new (a
   * progress event's has none): those that are known stay before them. */
  setTrial(trial) {
    const known = this.trials.get(trial.number)?.epochs ?? [];
    const isPart = trial.epochs?.length < trial.n_epochs;
    if (trial.epochs === undefined) {
      trial.epochs = known;
    } else if (isPart) {
      trial.epochs = known.slice(0, trial.n_epochs - trial.epochs.length).concat(trial.epochs);
    }
    for (const name in trial.constraints) {
      this.constraints.add(name); // a study of Optuna's has them in its trials alone
    }
    this.trials.set(trial.number, trial);
    this.list[trial.number] = trial;
    this.heard.set(trial.number, performance.now());
  }

  /** What its trials report after: epochs, which people count from 1, or steps
   * with numbers of their own. */
  get unit() {
    return this.study.unit ?? "epoch";
  }

  /** An epoch's or step's number as people see it. */
  at(v) {
    return typeof v !== "number" ? "–" : String(this.unit === "epoch" ? v + 1 : v);
  }

  /** Has every trial that the study counts been heard? */
  get isWhole() {
    return this.study !== null && this.trials.size >= countOf(this.study);
  }

  get isMaximized() {
    return this.study.direction === "maximize";
  }

  isBetter(a, b) {
    return this.isMaximized ? a > b : a < b;
  }

  /** It told a constraint above 0: whatever its value, it is never the best. */
  isInfeasible(trial) {
    return trial.feasible === false;
  }

  /** What became the best, one after the other: [[number, value]]. */
  bestSoFar() {
    const found = [];
    for (const t of this.inOrder()) {
      if (t.state === "COMPLETE" && typeof t.value === "number" && !this.isInfeasible(t)
        && (found.length === 0 || this.isBetter(t.value, found.at(-1)[1]))) {
        found.push([t.number, t.value]);
      }
    }
    return found;
  }

  /** In order of their numbers. */
  inOrder() {
    return this.list.filter(() => true);
  }

  /** What the table and the chart show as a trial's value: the final one; of a
   * running trial the best of its epochs so far. */
  value(trial) {
    if (typeof trial.value === "number" || trial.state !== "RUNNING") {
      return trial.value;
    }
    let best = null;
    for (const e of trial.epochs) {
      const v = e[this.study.metric];
      if (typeof v === "number" && (best === null || this.isBetter(v, best))) {
        best = v;
      }
    }
    return best;
  }

  maxEpochs() {
    const n = this.unit === "epoch" ? this.study.config?.training?.max_epochs : null;
    return typeof n === "number" ? n : null;
  }

  duration(trial) {
    return trial.state !== "RUNNING" ? trial.duration_ms
      : trial.duration_ms + performance.now() - this.heard.get(trial.number);
  }

  /** How far a running trial is, 0 to 1; null: nobody knows. */
  fraction(trial) {
    const p = trial.progress;
    const max = this.maxEpochs();
    if (!p || p.phase !== "train" && p.phase !== "eval" || max === null) {
      return null;
    }
    const inEpoch = p.phase === "eval" ? 1 : p.n_steps > 0 ? p.step / p.n_steps : 0;
    return Math.min(1, (p.epoch + inEpoch) / max);
  }
}
