// What the page asks of parzend: JSON calls, and one stream of events.

const KEY = "parzen-token";
const SILENCE_MS = 40000; // pings come every 15 s
const HIDDEN_MS = 60000; // a hidden page gives its connection back
const DELAYS_MS = [300, 1000, 2000, 4000, 8000];

/** The address may bring the token, as #t=TOKEN: keep it, hide it. */
export function takeToken() {
  const found = /^#t=([A-Za-z0-9_-]+)(\/.*)?$/.exec(location.hash);
  if (found) {
    sessionStorage.setItem(KEY, found[1]);
    history.replaceState(null, "", `#${found[2] || "/"}`);
  }
}

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status; // 0: nobody answered
  }
}

async function ask(method, path, { body, headers = {}, signal } = {}) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      signal,
      cache: "no-store",
      headers: {
        Authorization: `Bearer ${sessionStorage.getItem(KEY) || ""}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (e) {
    throw new ApiError(0, "parzend does not answer");
  }
  if (!response.ok) {
    const reply = await response.json().catch(() => ({}));
    throw new ApiError(response.status,
      reply.error?.message || `parzend said ${response.status}`);
  }
  return response;
}

export async function get(path) {
  return (await ask("GET", path)).json();
}

export async function getText(path) {
  return (await ask("GET", path)).text();
}

export async function post(path, body) {
  return (await ask("POST", path, { body })).json();
}

export async function remove(path) {
  return (await ask("DELETE", path)).json();
}

export function studyPath(name, rest = "") {
  return `studies/${encodeURIComponent(name)}${rest}`;
}

/** Cuts text that comes in pieces into {id, event, data}. */
export class EventParser {
  #rest = "";

  feed(text) {
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop();
    return blocks.map((block) => {
      const event = { id: null, event: null, data: "" };
      for (const line of block.split("\n")) {
        const [, field, value] = /^([a-z]*): ?(.*)$/.exec(line) || [];
        if (field in event) {
          event[field] = value;
        }
      }
      return event;
    }).filter((e) => e.event !== null);
  }
}

const sleep = (ms, signal) => new Promise((done) => {
  const timer = setTimeout(done, ms);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    done();
  }, { once: true });
});

/** Follow a study until the returned function is called.
 *
 * onEvent(kind, data) for each event, onBatch() after the events of one piece,
 * onConnection(null | ApiError): live, or why not. A stream that breaks is
 * opened again, and begins after the last event that was seen. */
export function follow(name, { onEvent, onBatch, onConnection }) {
  const life = new AbortController();
  let attempt = null; // the connection there is
  let lastId = null;

  async function read(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    for (;;) {
      const watchdog = setTimeout(() => attempt.abort(), SILENCE_MS);
      const { done, value } = await reader.read()
        .finally(() => clearTimeout(watchdog));
      if (done) {
        return;
      }
      for (const e of parser.feed(value)) {
        onEvent(e.event, JSON.parse(e.data));
        lastId = e.id ?? lastId;
      }
      onBatch();
    }
  }

  async function connect() {
    attempt = new AbortController();
    const stop = () => attempt.abort();
    life.signal.addEventListener("abort", stop, { once: true });
    try {
      const response = await ask("GET", studyPath(name, "/events"), {
        signal: attempt.signal,
        headers: lastId === null ? {} : { "Last-Event-ID": lastId },
      });
      onConnection(null);
      await read(response);
    } finally {
      life.signal.removeEventListener("abort", stop);
    }
  }

  const visible = () => new Promise((done) => {
    const look = () => {
      if (!document.hidden || life.signal.aborted) {
        document.removeEventListener("visibilitychange", look);
        done();
      }
    };
    document.addEventListener("visibilitychange", look);
    life.signal.addEventListener("abort", look, { once: true });
    look();
  });

  let hiddenTimer = null;
  const onVisibility = () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) {
      hiddenTimer = setTimeout(() => attempt?.abort(), HIDDEN_MS);
    }
  };
  document.addEventListener("visibilitychange", onVisibility);

  async function run() {
    for (let failures = 0; !life.signal.aborted;) {
      const began = performance.now();
      try {
        await connect();
      } catch (e) {
        if (life.signal.aborted) {
          return;
        }
        if (!document.hidden) {
          onConnection(e instanceof ApiError ? e
            : new ApiError(0, "parzend does not answer"));
        }
        if (e instanceof ApiError && [401, 404].includes(e.status)) {
          return; // asking again does not help
        }
      }
      failures = performance.now() - began > 5000 ? 0 : failures + 1;
      await sleep(DELAYS_MS[Math.min(failures, DELAYS_MS.length - 1)], life.signal);
      await visible();
    }
  }

  run();
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    clearTimeout(hiddenTimer);
    life.abort();
  };
}
