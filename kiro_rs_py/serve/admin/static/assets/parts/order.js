/** The order of accounts by priority: moves in a row become one change of the file, only of what has to change. */
import { account as find, get, patch } from "../lib/store.js";
import { nameOf } from "./account.js";
import { setPriorities } from "./actions.js";
import { announce } from "./toast.js";

const SETTLE = 600;

let timer = null;

/** The priority as it will be, where that has been chosen here and is not saved yet. */
export function priorityOf(account) {
  return get().order.get(account.id) ?? account.priority;
}

const inOrder = (accounts) =>
  [...accounts].sort((one, other) => priorityOf(one) - priorityOf(other) || one.id - other.id);

/** Put an account directly before or after another one. */
export function place(id, anchorId, after) {
  const moved = find(id);
  if (!moved || id === anchorId || moved.readOnly) return;
  const list = inOrder(get().accounts.credentials).filter((entry) => entry.id !== id);
  const at = list.findIndex((entry) => entry.id === anchorId) + (after ? 1 : 0);
  list.splice(at, 0, moved);
  patch({ order: renumbered(list, at) });
  announce(`${nameOf(moved)} is number ${at + 1} of ${list.length}.`);
  clearTimeout(timer);
  timer = setTimeout(save, SETTLE);
}

/** Priorities for a list whose account at `at` is new there: it comes next, the others give way as far as needed. */
function renumbered(list, at) {
  const order = new Map(get().order);
  let last = at > 0 ? priorityOf(list[at - 1]) : -1;
  for (const entry of list.slice(at)) {
    const moved = entry === list[at];
    const own = moved ? 0 : priorityOf(entry);
    if (!moved && own > last) break;
    last = Math.max(own, last + 1);
    if (!entry.readOnly) order.set(entry.id, last);
  }
  return order;
}

async function save() {
  const { order } = get();
  const changes = [...order].filter(([id, priority]) => find(id) && find(id).priority !== priority);
  if (changes.length) await setPriorities(changes.map(([id, priority]) => ({ id, priority })));
  // Moved again meanwhile: that will be saved too.
  if (get().order === order) patch({ order: new Map() });
}
