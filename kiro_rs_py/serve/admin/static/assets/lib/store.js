/** What the page knows. Screens watch the parts they show. */

/** How many requests are kept; a page that stays open must not grow. */
export const MOST_REQUESTS = 500;

const state = {
  /** CredentialsStatus, or null while unknown. */
  accounts: null,
  overview: null,
  requests: null,
  /** ApiError of the first load, until it works. */
  failure: null,
  /** "connecting" | "live" | "stale"; `since` is when the stream was last alive, in ms. */
  live: { status: "connecting", since: null },
  /** Whether e-mail addresses are masked. */
  masked: false,
  /** Priorities chosen here that are not saved yet, by account number. */
  order: new Map(),
};

const watchers = new Set();
let scheduled = false;
const changed = new Set();

/** The present state; do not change it. */
export function get() {
  return state;
}

/** Change some members. Watchers are told a moment later, once for all changes made until then. */
export function patch(changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (state[name] === value) continue;
    state[name] = value;
    changed.add(name);
  }
  if (changed.size && !scheduled) {
    scheduled = true;
    queueMicrotask(tell);
  }
}

function tell() {
  scheduled = false;
  const names = [...changed];
  changed.clear();
  for (const watcher of [...watchers]) {
    // One watcher may have ended another one's scope.
    if (watchers.has(watcher) && names.some((name) => watcher.names.includes(name))) watcher.run(state);
  }
}

/**
 * Run now, and whenever one of `names` changes, until the scope ends.
 * @param {string[]} names
 * @param {(state) => void} run
 * @param {Scope} scope
 */
export function watch(names, run, scope) {
  const watcher = { names, run };
  watchers.add(watcher);
  scope.add(() => watchers.delete(watcher));
  run(state);
}

/**
 * Run now, and whenever the state is of another kind, until the scope ends. Each kind has a scope of its own.
 * @param {string[]} names
 * @param {(state) => string} kindOf
 * @param {(kind: string, scope: Scope, state) => void} run
 * @param {Scope} scope
 */
export function watchKind(names, kindOf, run, scope) {
  let known = null;
  let inner = null;
  watch(names, (now) => {
    const kind = kindOf(now);
    if (kind === known) return;
    known = kind;
    inner?.end();
    inner = scope.child();
    run(kind, inner, now);
  }, scope);
}

/** Put a request in front; the oldest gives way. */
export function addRequest(request) {
  const known = state.requests ?? [];
  if (known.some((other) => other.requestId === request.requestId)) return;
  patch({ requests: [request, ...known].slice(0, MOST_REQUESTS) });
}

/** Forget everything that belongs to the session. */
export function forget() {
  patch({ accounts: null, overview: null, requests: null, failure: null, order: new Map(), live: { status: "connecting", since: null } });
}

/** The account of that number, if it is known. */
export function account(id) {
  return state.accounts?.credentials.find((entry) => entry.id === id) ?? null;
}
