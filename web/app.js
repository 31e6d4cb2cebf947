// The page: which part of it is shown, and whether parzend is there.
import { get, takeToken } from "./api.js";
import { h, setAttribute, setText } from "./dom.js";
import { StudiesPage } from "./studies.js";
import { StudyPage } from "./study.js";

const main = document.getElementById("main");
const banner = document.getElementById("banner");
let page = null;
const alarms = document.getElementById("alarms");
const HEALTH_MS = 10000;
let isConnected = false;
let askedAt = -Infinity; // for /health

/** "#/study/NAME/trial/3" -> {study, trial}; anything else is the list. */
function route() {
  const found = /^#\/study\/([^/]+)(?:\/trial\/(\d+))?$/.exec(location.hash);
  try {
    return found ? { study: decodeURIComponent(found[1]),
      trial: found[2] === undefined ? null : Number(found[2]) } : { study: null };
  } catch {
    return { study: null };
  }
}

function askForToken() {
  page?.close();
  page = null;
  banner.hidden = true;
  main.replaceChildren(h("section", { class: "empty" },
    h("h2", {}, "This page needs its token"),
    h("p", {}, "parzend shows studies only to whom it belongs. This prints the page's whole address; open it:"),
    h("pre", {}, "parzen daemon url")));
}

async function askHealth() {
  try {
    const health = await get("health");
    const daemon = document.getElementById("daemon");
    const [version] = health.version.split("+"); // what follows tells builds apart
    setText(daemon, `parzend ${version}, ${health.workers.length} worker${health.workers.length === 1 ? "" : "s"}`);
    setAttribute(daemon, "title", health.version);
    const own = page instanceof StudyPage ? null : health.trouble; // a study says it itself
    const words = [own, ...(health.alarms ?? []).map((a) => a.message ?? a)]
      .filter((w) => typeof w === "string");
    setText(alarms, words.join(" · "));
    alarms.hidden = words.length === 0;
  } catch {
    askedAt = -Infinity;
  }
}

/** Now and then. */
function tellHealth() {
  if (performance.now() - askedAt > HEALTH_MS && !document.hidden) {
    askedAt = performance.now();
    askHealth();
  }
}

/** null: all is well. */
function onConnection(error) {
  if (error === null) {
    banner.hidden = true;
    isConnected = true;
    tellHealth();
  } else if (error.status === 401) {
    askForToken();
  } else {
    isConnected = false;
    askedAt = -Infinity;
    setText(banner, error.status === 0
      ? "parzend does not answer. What you see is how it stood; the page goes on by itself when it is back."
      : `parzend refused: ${error.message}`);
    banner.hidden = false;
  }
}

function show() {
  takeToken();
  const { study, trial } = route();
  const isSame = page !== null && (page.name ?? null) === study;
  if (!isSame) {
    page?.close();
    page = study === null ? new StudiesPage(main, onConnection)
      : new StudyPage(main, study, onConnection);
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  page.select?.(trial);
}

setInterval(() => {
  if (isConnected) {
    tellHealth();
  }
}, HEALTH_MS / 2);
addEventListener("hashchange", show);
show();
