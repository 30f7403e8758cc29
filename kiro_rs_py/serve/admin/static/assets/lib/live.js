/** Keeps the store up to date: everything once, then whatever the event stream says. */
import * as api from "./api.js";
import { addRequest, get, MOST_REQUESTS, patch } from "./store.js";
import { EventStream } from "./stream.js";

const listeners = new Set();
let stream = null;

/** Begin for a session that has just been opened. `denied` is called when the server no longer knows it. */
export function start(denied) {
  stop();
  stream = new EventStream("/api/admin/events", {
    event: receive,
    open: () => {
      patch({ live: { status: "live", since: null } });
      reload();
    },
    lost: () => {
      if (get().live.status !== "stale") patch({ live: { status: "stale", since: Date.now() } });
    },
    denied,
  });
  stream.connect();
  window.addEventListener("online", reconnect);
  document.addEventListener("visibilitychange", whenVisible);
}

export function stop() {
  stream?.close();
  stream = null;
  window.removeEventListener("online", reconnect);
  document.removeEventListener("visibilitychange", whenVisible);
}

/** Try again at once instead of after the pause. */
export function reconnect() {
  stream?.connect();
}

function whenVisible() {
  if (!document.hidden && get().live.status === "stale") reconnect();
}

/** Take an event of the stream. */
export function receive(name, data) {
  if (name === "credentials") patch({ accounts: data, failure: null });
  else if (name === "overview") patch({ overview: data });
  else if (name === "request") addRequest(data);
  for (const listener of [...listeners]) if (listener.name === name) listener.run(data);
}

/** Be told of events of one name ("login", "import") until the scope ends. */
export function listen(name, run, scope) {
  const listener = { name, run };
  listeners.add(listener);
  scope.add(() => listeners.delete(listener));
}

/** Load everything again; a failure is kept for the screens that have nothing to show. */
export async function reload() {
  try {
    const [accounts, overview, activity] = await Promise.all([
      api.get("/credentials"),
      api.get("/overview"),
      api.get(`/requests?limit=${MOST_REQUESTS}`),
    ]);
    patch({ accounts, overview, requests: activity.requests, failure: null });
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    patch({ failure: error });
  }
}

/** Load the accounts again, after something was done to them: the answer must be seen even while the stream is down. */
export async function reloadAccounts() {
  try {
    patch({ accounts: await api.get("/credentials") });
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
  }
}
