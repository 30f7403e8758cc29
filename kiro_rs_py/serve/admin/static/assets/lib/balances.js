/**
 * Fills in balances that nobody has asked for lately, so that the bars are not empty: few accounts, one after the other,
 * only while the page is looked at. The server answers from memory for five minutes and shares calls between pages.
 */
import * as api from "./api.js";
import { reloadAccounts } from "./live.js";
import { account, get, watch } from "./store.js";

const OLD = 30 * 60_000;
const MOST = 12;
const PAUSE = 300;
const ASKABLE = new Set(["active", "cooling", "exhausted"]);

/** Do that until the scope ends. */
export function keepBalances(scope) {
  const asked = new Map();
  let running = false;
  const round = async () => {
    if (running || document.hidden || !get().accounts) return;
    running = true;
    const due = get().accounts.credentials.filter((entry) => isDue(entry, asked)).slice(0, MOST);
    for (const { id } of due) {
      if (scope.ended || get().live.status === "stale") break;
      asked.set(id, Date.now());
      if (!account(id)) continue;
      // A failure shows on the account itself; here it only means that the bar stays as it is.
      await api.get(`/credentials/${id}/balance`, { signal: scope.signal }).catch(() => {});
      if (scope.ended) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    running = false;
    if (due.length && !scope.ended) await reloadAccounts();
  };
  scope.every(60_000, round);
  watch(["accounts"], ({ accounts }) => accounts && asked.size === 0 && round(), scope);
}

function isDue({ id, state, balance }, asked) {
  if (!ASKABLE.has(state) || Date.now() - (asked.get(id) ?? 0) < OLD) return false;
  return !balance?.cachedAt || Date.now() - new Date(balance.cachedAt) > OLD;
}
