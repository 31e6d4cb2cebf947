// What a study's config searches, and filters over its trials.

/** Distributions of a config by parameter name: Map of {kind, low, high, log,
 * step, choices}. */
export function distributions(config) {
  const found = new Map();
  const visit = (node, key) => {
    if (node === null || typeof node !== "object" || Array.isArray(node)) {
      return;
    }
    const name = node.name ?? key;
    if (Array.isArray(node.choice)) {
      found.set(name, { kind: "choice", choices: node.choice });
    } else if (Array.isArray(node.float) || Array.isArray(node.int)) {
      const kind = node.int ? "int" : "float";
      const [low, high] = node[kind];
      found.set(name, { kind, low, high, log: node.log === true, step: node.step ?? null });
    } else {
      Object.entries(node).forEach(([k, v]) => visit(v, k));
    }
  };
  visit(config ?? null, "");
  return found;
}

/** "0.001 to 0.1, log" */
export function describe(dist) {
  if (dist.kind === "choice") {
    return `one of ${dist.choices.map(String).join(", ")}`;
  }
  return `${dist.low} to ${dist.high}${dist.log ? ", log" : ""}${
    dist.kind === "int" ? ", whole" : ""}`;
}

/** The axis of a parameter: {type: "value" | "log"}, or {type: "category",
 * names}. What a config does not tell (a study of Optuna's has none) its trials do. */
export function scaleOf(model, name) {
  const dist = distributions(model.study.config).get(name);
  if (dist && dist.kind !== "choice") {
    return { type: dist.log ? "log" : "value" };
  }
  const seen = new Set(dist?.choices);
  if (!dist) {
    model.trials.forEach((t) => Object.hasOwn(t.params, name) && seen.add(t.params[name]));
    if ([...seen].every((v) => typeof v === "number")) {
      return { type: "value" };
    }
  }
  return { type: "category", names: [...seen].map(String) };
}

const OPERATORS = {
  "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "!=": (a, b) => a !== b,
  "<": (a, b) => a < b, ">": (a, b) => a > b, "=": (a, b) => a === b,
};

const UNITS = { ms: 1e-3, s: 1, m: 60, min: 60, h: 3600 }; // of durations

/** What a filter's conditions may name: Map of name -> {get(trial), seconds}.
 * A parameter comes before a constraint, that before the metric, and that
 * before our own words. */
export function filterColumns(model) {
  const { study, unit } = model;
  const value = (t) => model.value(t);
  const number = (t) => t.number;
  const epochs = (t) => t.n_epochs;
  const own = { value, [study.metric]: value, trial: number, number, state: (t) => t.state,
    cause: (t) => t.cause, attempt: (t) => t.attempt, epochs,
    ...(unit === "step" ? { step: (t) => t.best_epoch } : { epoch: epochs }),
    feasible: (t) => t.feasible };
  const columns = new Map(Object.entries(own).map(([name, get]) => [name, { get }]));
  if (!columns.has("duration")) {
    columns.set("duration", { seconds: true, get: (t) => {
      const ms = model.duration(t);
      return ms === null ? null : ms / 1000;
    } });
  }
  for (const name of model.constraints) {
    columns.set(name, { get: (t) => t.constraints?.[name] });
  }
  for (const name of study.params) {
    columns.set(name, { get: (t) => t.params[name] });
  }
  return columns;
}

/** What a word alone is looked for in. */
export const WORD_PLACES = "states, causes and messages";

function hasWord(t, word) {
  if (word === "feasible") {
    return t.feasible === true;
  }
  const said = [t.state, t.state === "FAIL" ? "failed" : "", t.cause, t.message,
    t.feasible === false ? "infeasible" : ""];
  return said.some((s) => s?.toLowerCase().includes(word));
}

/** "2.5", "500ms", "1m" in seconds; NaN: it is none of these. */
function seconds(text) {
  const [, amount, unit] = /^([\d.]+)([a-z]*)$/.exec(text) ?? [];
  return Number(amount) * (unit === "" ? 1 : UNITS[unit]);
}

/** "lr<1e-3 cause=oom pruned" as a list of {text, holds(trial)}; throws Error
 * with a sentence. columns: of filterColumns(). */
export function parseFilter(text, columns) {
  return text.trim().split(/\s+/).filter(Boolean).map((word) => {
    const [, name, operator, right] = /^([^<>=!]+)(<=|>=|!=|<|>|=)(.+)$/.exec(word) ?? [];
    if (operator === undefined) {
      if (/[<>=!]/.test(word)) {
        throw new Error(`"${word}" is no condition: try value>0`);
      }
      return { text: `"${word}" in ${WORD_PLACES}`,
        holds: (t) => hasWord(t, word.toLowerCase()) };
    }
    const column = columns.get(name) ?? columns.get(name.toLowerCase());
    if (column === undefined) {
      throw new Error(`there is no column "${name}"; there are ${[...columns.keys()].join(", ")}`);
    }
    const number = column.seconds ? seconds(right) : Number(right);
    const isNumber = !Number.isNaN(number);
    if (!isNumber && (column.seconds || !["=", "!="].includes(operator))) {
      throw new Error(column.seconds ? `"${right}" is no duration: try ${name}>2s, 500ms or 1m`
        : `"${right}" is no number`);
    }
    const compare = OPERATORS[operator];
    return { text: word, holds: (t) => {
      const v = column.get(t);
      return v !== null && v !== undefined && (isNumber && typeof v === "number"
        ? compare(v, number) : compare(String(v).toLowerCase(), right.toLowerCase()));
    } };
  });
}
