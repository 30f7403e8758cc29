/** The browser's own notifications, while the page is open: off until somebody switches them on for this device. */
import { read, write } from "../lib/prefs.js";
import { watch } from "../lib/store.js";
import { alertText, idsOf } from "./alerts.js";

const NAME = "kiro-admin-notify";
const TITLES = {
  reauth_required: "An account needs a new login",
  quota_exhausted: "The quota of an account is reached",
  no_usable_account: "No account can be used",
};

/** Browsers allow them on https and on this machine's own addresses only. */
export const possible = () => "Notification" in window && isSecureContext;

export const refused = () => possible() && Notification.permission === "denied";

export const isOn = () => possible() && Notification.permission === "granted" && read("localStorage", NAME) === "yes";

/** Switch them on, which may make the browser ask, or off. Whether they are on then. */
export async function switchNotifications(on) {
  const allowed = on && possible() && (await Notification.requestPermission()) === "granted";
  write("localStorage", NAME, allowed ? "yes" : null);
  return allowed;
}

const keysOf = (alert) => (idsOf(alert).length ? idsOf(alert).map((id) => `${alert.code} ${id}`) : [alert.code]);

/** Tell of alerts that were not there before, until the scope ends; what there is at the start is on the page anyway. */
export function keepNotifying(scope) {
  let known = null;
  watch(["overview"], ({ overview }) => {
    if (!overview) return;
    const alerts = overview.alerts.filter((alert) => alert.code in TITLES);
    const news = known && alerts.filter((alert) => keysOf(alert).some((key) => !known.has(key)));
    known = new Set(alerts.flatMap(keysOf));
    if (isOn()) news?.forEach(show);
  }, scope);
}

function show(alert) {
  const note = new Notification(TITLES[alert.code], { body: alertText(alert), tag: alert.code, icon: "/admin/assets/mark.svg" });
  note.addEventListener("click", () => {
    window.focus();
    location.hash = idsOf(alert).length === 1 ? `#/accounts/${idsOf(alert)[0]}` : "#/";
    note.close();
  });
}
