/** What wants a person's attention, in words with the accounts' names as they are shown here. */
import { date } from "../lib/format.js";
import { account as find } from "../lib/store.js";
import { ago } from "../lib/ticker.js";
import { nameOf } from "./account.js";

/** The numbers of the accounts an alert is about. */
export const idsOf = (alert) => alert.credentialIds ?? (alert.credentialId === undefined ? [] : [alert.credentialId]);

/** The server knows labels and numbers only; addresses are put in here. */
export function alertText(alert) {
  return alert.message.replace(/Account #(-?\d+)/g, (text, number) => {
    const entry = find(Number(number));
    return entry ? nameOf(entry) : text;
  });
}

/** The same with times that stay true, as children of an element. */
export function alertContent(alert) {
  const entry = find(alert.credentialId);
  if (alert.code !== "quota_exhausted" || !entry) return [alertText(alert)];
  const reset = entry.balance?.nextResetAt ? new Date(entry.balance.nextResetAt * 1000).toISOString() : null;
  const end = reset && alert.until && Math.abs(new Date(reset) - new Date(alert.until)) < 60_000
    ? ["resets on ", date(reset)] : ["is asked again ", alert.until ? ago(alert.until) : "later"];
  return ["The quota of ", nameOf(entry), " was reached ", ago(alert.since), "; it ", end, "."];
}
