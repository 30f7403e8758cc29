/** What can be done to accounts, with its words before and after. Every failure is said, none is thrown. */
import * as api from "../lib/api.js";
import { h } from "../lib/dom.js";
import { credits } from "../lib/format.js";
import { reloadAccounts } from "../lib/live.js";
import { account as find } from "../lib/store.js";
import { nameOf } from "./account.js";
import { confirm } from "./dialog.js";
import { attempt, toast } from "./toast.js";

/** Do it, say so, and show what has become of it; true if it worked. */
async function act(work, done) {
  const worked = await attempt(work, done);
  await reloadAccounts();
  return worked;
}

const path = (account) => `/credentials/${account.id}`;

export function setDisabled(account, disabled) {
  const done = `${nameOf(account)} is ${disabled ? "disabled" : "enabled"}.`;
  return act(() => api.post(`${path(account)}/disabled`, { disabled }), done);
}

/** Another order of several: all of it, or nothing. */
export function setPriorities(priorities) {
  return act(() => api.post("/credentials/priorities", { priorities }), "The new order is saved.");
}

export function reset(account) {
  return act(() => api.post(`${path(account)}/reset`), `${nameOf(account)} starts afresh.`);
}

export function refreshToken(account) {
  return act(() => api.post(`${path(account)}/refresh`), `${nameOf(account)} has a new token.`);
}

export function checkBalance(account) {
  const say = (balance) => `${nameOf(account)}: ${credits(balance.remaining)} of ${credits(balance.usageLimit)} credits left.`;
  return act(() => api.get(`${path(account)}/balance?fresh=1`), say);
}

/** Delete after a question, with ten seconds to undo it; true if it is gone. */
export async function remove(account) {
  const name = nameOf(account);
  const sure = await confirm({
    title: `Delete ${name}?`,
    text: "Its tokens are removed from the credentials file. You can undo this for ten seconds; after that, signing in again is the only way back.",
    action: "Delete",
    danger: true,
  });
  if (!sure) return false;
  const gone = await act(() => api.remove(`${path(account)}?force=1`));
  if (gone) toast(`${name} was deleted.`, "", () => restore([account], []));
  return gone;
}

function restore(accounts, enable) {
  const text = accounts.length === 1 ? `${nameOf(accounts[0])} is back.` : `${accounts.length} accounts are back.`;
  return act(async () => {
    for (const account of accounts) await api.post(`${path(account)}/restore`);
    if (enable.length) await api.post("/credentials/batch", { ids: enable, action: "enable" });
  }, text);
}

/** Ask for the balances of several, one after the other. */
export function checkBalances(accounts) {
  const check = async () => {
    const failures = [];
    for (const account of accounts) {
      await api.get(`${path(account)}/balance?fresh=1`).catch((error) => failures.push([account, error]));
    }
    if (!failures.length) return;
    const [account, error] = failures[0];
    const worked = accounts.length - failures.length;
    throw new api.ApiError(207, { message: `${worked} checked, ${failures.length} not. ${nameOf(account)}: ${error.message}` });
  };
  return act(check, `${accounts.length} balances are up to date.`);
}

const BATCHES = { enable: "enabled", disable: "disabled", reset: "reset", refresh: "refreshed" };

/** Do the same to several; what failed is counted, with the first reason. */
export function batch(ids, action) {
  const work = async () => {
    const { results } = await api.post("/credentials/batch", { ids, action });
    const failed = results.filter((result) => !result.ok);
    if (!failed.length) return;
    const worked = results.length - failed.length;
    const first = find(failed[0].id);
    throw new api.ApiError(207, {
      message: `${worked} ${BATCHES[action]}, ${failed.length} not. ${first ? nameOf(first) : `#${failed[0].id}`}: ${failed[0].message}`,
    });
  };
  return act(work, `${ids.length} accounts ${BATCHES[action]}.`);
}

/** Delete several: enabled ones are disabled first, and enabled again if it is undone. */
export async function removeMany(accounts) {
  const enabled = accounts.filter((account) => !account.disabled).map((account) => account.id);
  const sure = await confirm({
    title: `Delete ${accounts.length} accounts?`,
    text: [
      enabled.length > 0 && h("p", null, `${enabled.length} of them are in use now.`),
      h("p", null, "Their tokens are removed from the credentials file. You can undo this for ten seconds."),
    ],
    action: `Delete ${accounts.length}`,
    danger: true,
    word: accounts.length > 5 ? "delete" : undefined,
  });
  if (!sure) return false;
  const ids = accounts.map((account) => account.id);
  const gone = await act(async () => {
    if (enabled.length) await api.post("/credentials/batch", { ids: enabled, action: "disable" });
    const { results } = await api.post("/credentials/batch", { ids, action: "delete" });
    const failed = results.filter((result) => !result.ok);
    if (failed.length) throw new api.ApiError(207, { message: `${failed.length} were not deleted. ${failed[0].message}` });
  });
  if (gone) toast(`${accounts.length} accounts were deleted.`, "", () => restore(accounts, enabled));
  return gone;
}

/** What can be done to one account, for a menu. `after` runs when it has been deleted. */
export function entriesFor(account, after = () => {}) {
  const needsTokens = account.authMethod === "api_key" ? "API keys have no token to refresh." : false;
  const readOnly = account.readOnly ? "It comes from the environment; change it there." : false;
  return [
    { text: "Check balance", icon: "quota", run: () => checkBalance(account) },
    { text: "Refresh token", icon: "refresh", off: needsTokens, run: () => refreshToken(account) },
    { text: "Reset failures", icon: "history", run: () => reset(account) },
    null,
    account.disabled
      ? { text: "Enable", icon: "power", run: () => setDisabled(account, false) }
      : { text: "Disable", icon: "pause", run: () => setDisabled(account, true) },
    { text: "Delete…", icon: "trash", danger: true, off: readOnly, run: async () => (await remove(account)) && after() },
  ];
}
