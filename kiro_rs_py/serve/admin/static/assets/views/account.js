/** One account: what it is, what is left of it, how it fares, and everything that can be changed about it. */
import * as api from "../lib/api.js";
import { h, refill } from "../lib/dom.js";
import { absolute, count, credits, date } from "../lib/format.js";
import { reload, reloadAccounts } from "../lib/live.js";
import { account as find, watch, watchKind } from "../lib/store.js";
import { ago, left } from "../lib/ticker.js";
import { marks, methodOf, nameOf, planOf, quotaBar, shownEmail, stateChip, stateOf } from "../parts/account.js";
import { historyCard, modelsCard, testCard } from "../parts/account-cards.js";
import { checkBalance, entriesFor, refreshToken, remove, reset, setDisabled } from "../parts/actions.js";
import { field, form } from "../parts/form.js";
import { menuButton } from "../parts/menu.js";
import { requestTable } from "../parts/request-table.js";
import { attempt, toast } from "../parts/toast.js";
import { blank, button, card, facts, failure, meter, notice, pageHead, skeleton } from "../parts/ui.js";

const BACK = { href: "#/accounts", text: "Accounts" };
const MOST_REQUESTS = 20;

export const account = {
  title: "Account",
  section: "accounts",
  mount(root, scope, [text]) {
    const id = Number(text);
    const page = h("div", { class: "page" });
    root.append(page);
    watchKind(["accounts", "failure"], (state) => kindOf(state, id), (kind, inner, state) =>
      page.replaceChildren(...CONTENT[kind](inner, id, state)), scope);
  },
};

function kindOf({ accounts, failure: error }, id) {
  if (!accounts) return error ? "failed" : "loading";
  return find(id) ? "found" : "missing";
}

const CONTENT = {
  loading: () => [pageHead({ title: "Account", back: BACK }), skeleton("block", "tall")],
  failed: (_, __, { failure: error }) => [pageHead({ title: "Account", back: BACK }), card({}, failure(error, reload))],
  missing: (_, id) => [pageHead({ title: `Account #${id}`, back: BACK }), card({}, blank({
    icon: "search",
    title: "There is no such account",
    text: "It may have been deleted, here or in the credentials file.",
    actions: [button({ text: "All accounts", href: "#/accounts" })],
  }))],
  found: (scope, id) => {
    const test = testCard(scope, id);
    return [
      head(scope, id),
      advice(scope, id),
      h("div", { class: "columns detail" },
        h("div", { class: "stack" }, quota(scope, id), test.element, editor(id)),
        h("div", { class: "stack" }, health(scope, id), historyCard(scope, id), identity(scope, id))),
      modelsCard(scope, id, test.offer),
      requests(scope, id),
    ];
  },
};

/** Build a box's content from the account, anew whenever one of the members changes. */
function about(scope, id, members, build, box = h("div")) {
  watch(["accounts", "masked"], ({ masked }) => {
    const entry = find(id);
    if (entry) refill(box, [members.map((member) => entry[member]), masked], () => build(entry));
  }, scope);
  return box;
}

const toAccounts = () => {
  location.hash = BACK.href;
};

function head(scope, id) {
  const toggle = button({ text: "Disable", icon: "pause", work: () => setDisabled(find(id), !find(id).disabled) });
  const more = menuButton({ label: "More actions", icon: "more" }, () => entriesFor(find(id), toAccounts));
  const title = about(scope, id, ["label", "email"], nameOf, h("span"));
  const line = about(scope, id, ["state", "stateUntil", "isCurrent", "readOnly", "unsaved"],
    (entry) => [stateChip(entry), ...marks(entry)], h("div", { class: "row" }));
  watch(["accounts"], () => {
    if (find(id)) toggle.querySelector("span").textContent = find(id).disabled ? "Enable" : "Disable";
  }, scope);
  return pageHead({ title, lead: line, back: BACK, actions: [toggle, more] });
}

/** Why it is not in use, and the way back. */
function advice(scope, id) {
  return about(scope, id, ["state", "stateCause", "clientSecretExpiresAt"], (entry) => {
    const state = stateOf(entry);
    const ends = entry.clientSecretExpiresAt;
    if (entry.state === "active") {
      return ends && new Date(ends) - Date.now() < 7 * 86_400_000
        ? notice("warn", h("p", null, `Sign in again by ${date(ends)}: its client registration ends then.`), signIn(entry))
        : [];
    }
    const act = {
      reauth_required: () => signIn(entry),
      disabled: () => button({ text: "Enable", small: true, onClick: () => setDisabled(find(id), false) }),
    }[entry.state] ?? (() => button({ text: "Reset", small: true, onClick: () => reset(find(id)) }));
    const text = entry.state === "disabled" ? null : entry.stateCause;
    return notice(state.kind === "bad" ? "bad" : state.kind === "warn" ? "warn" : "",
      [h("p", null, h("strong", null, `${state.text}. `), state.help), text && h("p", { class: "small" }, text)], act());
  });
}

function signIn(entry) {
  if (entry.authMethod === "api_key") return button({ text: "New API key", small: true, href: "#/add/api-key" });
  if (entry.authMethod === "social") return button({ text: "Import new tokens", small: true, href: "#/import" });
  const way = entry.provider === "BuilderId" ? "builder-id" : "idc";
  return button({ text: "Sign in again", small: true, href: `#/add/${way}` });
}

const PARTS = { plan: "Plan", trial: "Trial", bonus: "Bonus" };

function quota(scope, id) {
  const check = button({ text: "Check now", icon: "refresh", small: true, work: () => checkBalance(find(id)) });
  const box = about(scope, id, ["balance", "subscriptionTitle"], (entry) => {
    const { balance } = entry;
    if (!balance) return h("p", { class: "muted" }, "The balance is not known yet.");
    const reset = balance.nextResetAt ? balance.nextResetAt * 1000 : null;
    const { overage } = balance;
    return h("div", { class: "stack" },
      quotaBar(entry, true),
      balance.parts?.length > 1 && balance.parts.map((part) => h("div", { class: "stack tight" },
        h("div", { class: "row between small" }, h("span", null, PARTS[part.kind] ?? part.name),
          part.expiresAt && h("span", { class: "muted" }, `until ${date(part.expiresAt)}`)),
        meter({ used: part.used, limit: part.limit, label: `${PARTS[part.kind] ?? part.name} credits` }))),
      facts([
        ["Plan", planOf(entry)],
        ["Renewed", reset && h("span", { title: absolute(reset) }, `${date(reset)}, in `, left(new Date(reset).toISOString()))],
        ["Beyond the plan", overage && `${credits(overage.used)} of ${credits(overage.cap)} credits, ${credits(overage.charges)} ${overage.currency}`],
        ["As of", balance.cachedAt && ago(balance.cachedAt)],
      ]));
  });
  return card({ title: "Credits", head: [check] }, box);
}

function health(scope, id) {
  const afresh = button({ text: "Reset", icon: "history", small: true, work: () => reset(find(id)) });
  const members = ["successCount", "failureTotal", "failureCount", "inFlight", "lastUsedAt", "lastError", "stateSince", "successToday", "failureToday"];
  const box = about(scope, id, members, (entry) => facts([
    ["Answered", count(entry.successCount)],
    ["Failed", entry.failureCount ? `${count(entry.failureTotal)}, ${count(entry.failureCount)} in a row` : count(entry.failureTotal)],
    ["Last 24 hours", `${count(entry.successToday)} answered, ${count(entry.failureToday)} failed`],
    ["In flight", count(entry.inFlight)],
    ["Last used", ago(entry.lastUsedAt)],
    ["In this state", entry.stateSince && ["since ", ago(entry.stateSince)]],
    ["Last error", entry.lastError],
  ]));
  return card({ title: "Health", head: [afresh] }, box);
}

function identity(scope, id) {
  const renew = button({ text: "Refresh token", icon: "refresh", small: true, work: () => refreshToken(find(id)) });
  renew.hidden = find(id).authMethod === "api_key";
  const members = ["email", "provider", "authMethod", "refreshTokenHash", "maskedApiKey", "expiresAt", "authRegion",
    "apiRegion", "hasProfileArn", "hasProxy", "clientSecretExpiresAt", "endpoint"];
  const box = about(scope, id, members, (entry) => facts([
    ["Number", `#${id}`],
    ["E-mail", shownEmail(entry.email)],
    ["Sign-in", methodOf(entry)],
    ["API key", entry.maskedApiKey && h("code", null, entry.maskedApiKey)],
    ["Refresh token", entry.refreshTokenHash && h("code", { title: "The first digits of its SHA-256" }, entry.refreshTokenHash.slice(0, 12))],
    ["Access token", entry.authMethod !== "api_key" && entry.expiresAt && lifetime(entry.expiresAt)],
    ["Registration", entry.clientSecretExpiresAt && `until ${date(entry.clientSecretExpiresAt)}`],
    ["Regions", [entry.authRegion && `${entry.authRegion} (sign-in)`, entry.apiRegion && `${entry.apiRegion} (requests)`].filter(Boolean).join(", ")],
    ["Profile", entry.hasProfileArn ? "known" : "not known"],
    ["Proxy", entry.hasProxy ? "its own" : null],
    ["Endpoint", entry.endpoint],
  ]));
  return card({ title: "Identity", head: [renew] }, box);
}

function lifetime(time) {
  return new Date(time) > new Date() ? ["expires in ", left(time)] : "expired; renewed when it is next used";
}

/** The form is filled once: what somebody types must not be changed under their hands. */
function editor(id) {
  const entry = find(id);
  if (entry.readOnly) {
    return card({ title: "Settings" }, h("p", { class: "muted" }, "This account comes from the environment and is changed there."));
  }
  const whole = (value) => (/^\d{1,9}$/.test(value) ? null : "Priority is a whole number from 0.");
  const region = (value) => (/^[a-z]{2,}(-[a-z]+)+-\d+$/.test(value) ? null : "Regions look like us-east-1 or eu-central-1.");
  const fields = [
    field({ name: "label", bare: true, label: "Label", value: entry.label ?? "", hint: "Shown in place of the address.", attributes: { maxlength: 100 } }),
    field({ name: "priority", label: "Priority", value: String(entry.priority), required: true, check: whole,
      hint: "Lower is preferred.", attributes: { inputmode: "numeric" } }),
    field({ name: "authRegion", bare: true, label: "Sign-in region", value: entry.authRegion ?? "", check: region }),
    field({ name: "apiRegion", bare: true, label: "Request region", value: entry.apiRegion ?? "", check: region }),
    field({ name: "proxyUrl", bare: true, label: "Proxy", value: "", wide: true,
      hint: entry.hasProxy ? "It has one, which is not shown. Type another to replace it." : "http, https or socks5; direct goes without the general one." }),
  ];
  const save = async (changes, done) => {
    await api.patch(`/credentials/${id}`, changes);
    await reloadAccounts();
    toast(done);
  };
  const send = (values) => {
    const changes = { label: values.label ?? null, priority: Number(values.priority) };
    for (const name of ["authRegion", "apiRegion"]) if ((values[name] ?? "") !== (entry[name] ?? "")) changes[name] = values[name] ?? null;
    if (values.proxyUrl) changes.proxyUrl = values.proxyUrl;
    return save(changes, "The changes are saved.");
  };
  const noProxy = entry.hasProxy
    && button({ text: "Remove its proxy", work: () => attempt(() => save({ proxyUrl: null }, "The proxy is removed.")) });
  const away = button({ text: "Delete account…", icon: "trash", kind: "danger push",
    onClick: async () => (await remove(find(id))) && toAccounts() });
  return card({ title: "Settings", attributes: { class: "card editor" } }, form({ fields, submit: "Save", grid: true, send, cancel: [noProxy, away] }));
}

function requests(scope, id) {
  const box = h("div");
  watch(["requests"], ({ requests: all }) => {
    const own = (all ?? []).filter((request) => request.credentialId === id).slice(0, MOST_REQUESTS);
    refill(box, own, () => (own.length
      ? requestTable(own, false)
      : blank({ icon: "activity", title: "No requests yet", text: "Requests that this account answers show up here.", level: "h3" })));
  }, scope);
  return card({ title: "Requests", flush: true, head: [h("a", { class: "small", href: "#/activity" }, "All activity")] }, box);
}
