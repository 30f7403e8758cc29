/** Keeps the store up to date: everything once, then whatever the event stream says. */
import * as api from "./api.js";
import { addRequest, get, MOST_REQUESTS, patch } from "./store.js";
import { EventStream } from "./stream.js";

const listeners = new Set();
let stream = null;

/** Keep to date until the scope, that of a session, ends. `denied` is called when the server no longer knows it. */
export function start(scope, denied) {
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
  scope.add(() => stream.close());
  scope.on(window, "online", reconnect);
  scope.on(document, "visibilitychange", () => {
    if (!document.hidden && get().live.status === "stale") reconnect();
  });
  reconnect();
}

/** Try again at once instead of after the pause. */
export function reconnect() {
  stream.connect();
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
