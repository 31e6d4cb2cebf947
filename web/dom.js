// Elements made by code: what comes from outside is only ever text.

/** h("a", {href, class, on: {click}}, "text", child, ...) */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) {
        node.addEventListener(event, listener);
      }
    } else if (value === true) {
      node.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

/** Change the text only when it differs: selections and readers stay. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}

/** A state as a coloured word. */
export function setBadge(node, state) {
  setText(node, state.toLowerCase());
  setAttribute(node, "class", `badge ${state.toLowerCase()}`);
}

/** A bar; fraction null: busy, nobody knows how far. */
export function progressBar(label) {
  const fill = h("span", { class: "fill" });
  const bar = h("span", { class: "bar", role: "progressbar", "aria-label": label,
    "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  bar.set = (fraction) => {
    const percent = fraction === null ? null
      : Math.round(100 * Math.min(1, Math.max(0, fraction)));
    bar.classList.toggle("busy", percent === null);
    setAttribute(bar, "aria-valuenow", percent);
    fill.style.width = percent === null ? "" : `${percent}%`;
  };
  return bar;
}

const SHARE = 8; // fn() may take one part in so many of the time

/** Calls of the returned function lead to at most one fn() in each interval, and
 * to fewer when fn() takes long; the last call's is always included. */
export function throttled(fn, interval_ms) {
  let timer = null;
  let next = -Infinity;
  const run = () => {
    const began = performance.now();
    timer = null;
    fn();
    const now = performance.now();
    next = now + Math.max(interval_ms, (SHARE - 1) * (now - began));
  };
  const ask = () => {
    if (timer === null) {
      timer = setTimeout(run, Math.max(0, next - performance.now()));
    }
  };
  ask.cancel = () => {
    clearTimeout(timer);
    timer = null;
  };
  return ask;
}

/** A view with more to the right or below than it shows has a shadow there. */
export function markCut(view) {
  view.classList.toggle("cut-right", view.scrollLeft + view.clientWidth < view.scrollWidth - 1);
  view.classList.toggle("cut-below", view.scrollTop + view.clientHeight < view.scrollHeight - 1);
}

/** A button in a table's head that sorts by its column. */
export function sortHeader(label, key, onSort, props = {}) {
  const th = h("th", { scope: "col", ...props },
    h("button", { type: "button", on: { click: () => onSort(key) } }, label));
  th.show = (sort) => {
    const mine = sort.key === key;
    setAttribute(th, "aria-sort", mine
      ? (sort.descending ? "descending" : "ascending") : "none");
  };
  return th;
}

/** For Array.sort: missing last, before them what isBehind, numbers before
 * text, ties by `tie`. */
export function compareBy(get, descending, tie, isBehind = () => false) {
  const sign = descending ? -1 : 1;
  return (a, b) => {
    const x = get(a);
    const y = get(b);
    const missing = (v) => v === null || v === undefined;
    if (missing(x) || missing(y)) {
      return missing(x) - missing(y) || tie(a, b);
    }
    if (isBehind(a) !== isBehind(b)) {
      return isBehind(a) - isBehind(b);
    }
    const order = typeof x === "number" && typeof y === "number" ? x - y
      : typeof x === "number" ? -1 : typeof y === "number" ? 1
        : String(x).localeCompare(String(y));
    return sign * order || tie(a, b);
  };
}

/** Say something that went wrong, or well; it goes by itself, or by a click. */
export function notify(message, isGood = false) {
  const node = document.getElementById("notice");
  node.textContent = message;
  node.classList.toggle("good", isGood);
  node.hidden = false;
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => { node.hidden = true; }, 12000);
  node.onclick = () => { node.hidden = true; };
}
