/** How an account is called, what its state means, and how both are shown. */
import { h } from "../lib/dom.js";
import { maskEmail } from "../lib/format.js";
import { get } from "../lib/store.js";
import { left } from "../lib/ticker.js";
import { blank, button, chip, meter, tag } from "./ui.js";

/**
 * What each state is called, how it looks and what a person can do about it. The order is that of the filter.
 * @type {Object<string, {text: string, kind: string, icon: string, help: string}>}
 */
export const STATES = {
  active: { text: "Active", kind: "good", icon: "check-circle", help: "Ready for requests." },
  cooling: {
    text: "Cooling", kind: "cold", icon: "cooling",
    help: "Resting after the service asked for a pause. It comes back by itself.",
  },
  exhausted: {
    text: "Out of credits", kind: "warn", icon: "empty-quota",
    help: "The credits are used up. It comes back when they are renewed.",
  },
  reauth_required: {
    text: "Needs sign-in", kind: "bad", icon: "key",
    help: "Its tokens are no longer accepted. Sign in again with the same account; nothing else is lost.",
  },
  suspended: {
    text: "Suspended", kind: "bad", icon: "ban",
    help: "The provider has locked this account. It is not asked any more; the provider's support can help.",
  },
  invalid_config: {
    text: "Wrong settings", kind: "bad", icon: "wrench",
    help: "Something in its settings cannot work. Correct it below, then reset the account.",
  },
  disabled: { text: "Disabled", kind: "", icon: "pause", help: "Switched off by hand. Requests pass it by." },
};

const METHODS = { social: "Social", idc: "Identity Center", api_key: "API key" };
const PROVIDERS = { BuilderId: "Builder ID", Github: "GitHub", ApiKey: "API key", Enterprise: "Identity Center" };

export const stateOf = (account) =>
  STATES[account.state] ?? { text: account.state, kind: "", icon: "info", help: "" };

/** "Builder ID", "Google", "API key". */
export function methodOf(account) {
  return PROVIDERS[account.provider] ?? account.provider ?? METHODS[account.authMethod] ?? account.authMethod ?? "–";
}

/** An e-mail address as it may be shown now. */
export function shownEmail(email) {
  return email && get().masked ? maskEmail(email) : email;
}

/** What to call an account: its label, else its address, else its key or number. */
export function nameOf(account) {
  return account.label || shownEmail(account.email) || account.maskedApiKey || `Account #${account.id}`;
}

/** The line under its name. */
export function underName(account) {
  const email = account.label ? shownEmail(account.email) : null;
  const plan = planOf(account);
  return [`#${account.id}`, email, methodOf(account), plan === "–" ? null : plan].filter(Boolean).join(" · ");
}

/** The state with, where it ends by itself, the time that is left. */
export function stateChip(account) {
  const state = stateOf(account);
  const until = account.state !== "disabled" && account.stateUntil;
  return chip(state.kind, state.icon, state.text, until ? [" ", left(account.stateUntil, "number")] : null);
}

/** Marks that are not states. */
export function marks(account) {
  return [
    account.isCurrent && tag("Next", "accent"),
    account.readOnly && tag("From the environment"),
    account.unsaved && tag("Not saved"),
  ].filter(Boolean);
}

/** The quota bar, or why there is none. */
export function quotaBar(account, large = false) {
  const { balance } = account;
  if (!balance) return h("span", { class: "muted small" }, "Not checked yet");
  const label = `Credits of ${nameOf(account)}`;
  return meter({ used: balance.currentUsage, limit: balance.usageLimit, label, large });
}

/** "KIRO PRO+" → "Pro+". */
export function planOf(account) {
  const title = account.subscriptionTitle || account.balance?.subscriptionTitle;
  return title ? title.replace(/^KIRO\s+/i, "").toLowerCase().replace(/^./, (first) => first.toUpperCase()) : "–";
}

/** What stands where no account is yet. */
export function firstSteps(title, text) {
  return blank({ icon: "accounts", title, text, actions: [
    button({ text: "Add account", icon: "plus", kind: "primary", href: "#/add" }),
    button({ text: "Import tokens", icon: "import", href: "#/import" }),
  ] });
}
