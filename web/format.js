// Numbers and times as people read them.

/** 5 significant digits; "nan", "inf" as they come; nothing: a dash. */
export function number(v, digits = 5) {
  if (v === null || v === undefined) {
    return "–";
  }
  if (typeof v !== "number") {
    return String(v);
  }
  if (Number.isInteger(v) && Math.abs(v) < 1e9) {
    return String(v);
  }
  const size = Math.abs(v);
  return size !== 0 && (size < 1e-3 || size >= 1e7)
    ? v.toExponential(Math.min(digits - 1, 3)).replace(/\.?0+e/, "e")
    : String(Number(v.toPrecision(digits)));
}

/** An epoch: people count from 1, files and JSON from 0. */
export function epoch(v) {
  return typeof v === "number" ? String(v + 1) : "–";
}

/** A number for a metric's column: fixed width, so that columns line up. */
export function metric(v) {
  return typeof v === "number" && Math.abs(v) >= 1e-3 && Math.abs(v) < 1000
    ? v.toFixed(4) : number(v);
}

export function duration(ms) {
  if (ms === null || ms === undefined) {
    return "–";
  }
  const s = Math.max(0, ms) / 1000;
  if (ms > 0 && s < 1) {
    return `${Math.round(ms)} ms`;
  }
  if (s < 60) {
    return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  }
  const minutes = Math.floor(s / 60);
  if (minutes < 60) {
    return `${minutes} min ${Math.floor(s % 60)} s`;
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function time(ms) {
  return ms === null || ms === undefined ? "–"
    : new Date(ms).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/* A finished trial's: "332 MB, 314 MB planned". */
export function memory(t) {
  const mb = (n) => `${Math.round(n / 1e6)} MB`;
  const whose = t.peak_of_worker ? " (its worker's)" : "";
  return mb(t.peak_bytes) + whose + (t.planned_bytes ? `, ${mb(t.planned_bytes)} planned` : "");
}

export function percent(fraction) {
  return `${Math.round(100 * fraction)} %`;
}

const METRICS = ["train-loss", "train-acc", "val-loss", "val-acc", "test-acc"]; // of an epoch

/** Trials as CSV with the columns of `parzen export STUDY --csv FILE`: names of
 * parameters and constraints; of trainings the metrics, too. */
export function csv({ params, constraints, isTraining }, trials) {
  const cell = (v) => {
    const text = v === null || v === undefined ? "" : String(v);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text;
  };
  const at = (ms) => (ms > 0 ? new Date(ms).toISOString() : "");
  const names = ["number", "state", "value", ...params.map((name) => `params_${name}`), "start",
    "end", "duration_ms", "best_epoch", "attempt", "cause", "message", "checkpoint", "feasible",
    ...constraints.map((name) => `constraints_${name}`),
    ...(isTraining ? METRICS.map((name) => `metrics_${name}`) : [])];
  const epochOf = (t) => t.epochs?.find((e) => e.epoch === t.best_epoch) ?? t.epochs?.at(-1);
  const rows = trials.map((t) => [t.number, t.state, t.value,
    ...params.map((name) => (Object.hasOwn(t.params, name) ? t.params[name] : null)), at(t.start),
    at(t.end), t.duration_ms, t.best_epoch, t.attempt, t.cause, t.message, t.checkpoint, t.feasible,
    ...constraints.map((name) => t.constraints?.[name]),
    ...(isTraining ? METRICS.map((name) => epochOf(t)?.[name]) : [])]);
  return [names, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
