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

const OPERATORS = {
  "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "!=": (a, b) => a !== b,
  "<": (a, b) => a < b, ">": (a, b) => a > b, "=": (a, b) => a === b,
};

/** "lr<1e-3 cause=oom" as a list of {name, holds(value)}; throws Error with a
 * sentence. A word alone is looked for in cause and message. */
export function parseFilter(text, names) {
  return text.trim().split(/\s+/).filter(Boolean).map((word) => {
    const [, name, operator, right] = /^([^<>=!]+)(<=|>=|!=|<|>|=)(.+)$/.exec(word) ?? [];
    if (operator === undefined) {
      if (/[<>=!]/.test(word)) {
        throw new Error(`"${word}" is no condition: try ${names[0]}>0`);
      }
      return { name: null, holds: (v) => v.toLowerCase().includes(word.toLowerCase()) };
    }
    if (!names.includes(name)) {
      throw new Error(`there is no column "${name}"`);
    }
    const number = Number(right);
    const isNumber = !Number.isNaN(number);
    if (!isNumber && !["=", "!="].includes(operator)) {
      throw new Error(`"${right}" is no number`);
    }
    return { name, holds: (v) => v !== null && v !== undefined
      && OPERATORS[operator](...(isNumber && typeof v === "number" ? [v, number]
        : [String(v).toLowerCase(), right.toLowerCase()])) };
  });
}
