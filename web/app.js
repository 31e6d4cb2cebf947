// The page: which part of it is shown, and whether parzend is there.
import { get, takeToken } from "./api.js";
import { h, setText } from "./dom.js";
import { StudiesPage } from "./studies.js";
import { StudyPage } from "./study.js";

const main = document.getElementById("main");
const banner = document.getElementById("banner");
let page = null;
let isTold = false; // the daemon's version is shown

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

async function tellVersion() {
  if (isTold) {
    return;
  }
  isTold = true;
  try {
    const health = await get("health");
    setText(document.getElementById("daemon"),
      `parzend ${health.version}, ${health.workers.length} workers`);
  } catch {
    isTold = false;
  }
}

/** null: all is well. */
function onConnection(error) {
  if (error === null) {
    banner.hidden = true;
    tellVersion();
  } else if (error.status === 401) {
    askForToken();
  } else {
    isTold = false;
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

addEventListener("hashchange", show);
show();
