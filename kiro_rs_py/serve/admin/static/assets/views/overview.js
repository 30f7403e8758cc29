/** The first look: is everything well, and if not, what to do. */
import { h, icon, refill, say, set } from "../lib/dom.js";
import { count, credits, latency, modelName, share, shortCount } from "../lib/format.js";
import { reload } from "../lib/live.js";
import { account as find, get, MOST_REQUESTS, watch, watchKind } from "../lib/store.js";
import { ago } from "../lib/ticker.js";
import { firstSteps, nameOf, quotaBar, stateChip, underName } from "../parts/account.js";
import { alertContent, idsOf } from "../parts/alerts.js";
import { trafficChart } from "../parts/chart.js";
import { words } from "../parts/request-table.js";
import { button, card, failure, notice, pageHead, skeleton } from "../parts/ui.js";

const MOST_ACCOUNTS = 8;
const MOST_LINES = 6;

export const overview = {
  title: "Overview",
  section: "overview",
  mount(root, scope) {
    const body = h("div", { class: "page" });
    root.append(body);
    watchKind(["overview", "accounts", "failure"], kindOf, (kind, inner, state) =>
      body.replaceChildren(pageHead({ title: "Overview" }), ...CONTENT[kind](inner, state)), scope);
  },
};

function kindOf({ overview: facts, accounts, failure: error }) {
  if (!facts || !accounts) return error ? "failed" : "loading";
  return accounts.credentials.length ? "full" : "empty";
}

const CONTENT = {
  loading: () => [skeleton("block", "block", "tall")],
  failed: (_, { failure: error }) => [card({}, failure(error, reload))],
  empty: (scope) => [alerts(scope), card({}, welcome())],
  full: (scope) => [
    alerts(scope),
    tiles(scope),
    h("div", { class: "columns" }, h("div", { class: "stack" }, traffic(scope), latest(scope)), quotas(scope)),
  ],
};

function welcome() {
  return firstSteps("Add your first account",
    "kiro-rs-py passes your clients' requests on to your Kiro subscription. Sign in once in the browser, or bring tokens you already have from Kiro IDE, kiro-cli or kiro-rs.");
}

// --- what wants attention ---

const ADVICE = {
  no_accounts: ["Add account", () => "#/add"],
  reauth_required: ["Sign in again", (id) => `#/accounts/${id}`],
  registration_expiring: ["Sign in again", (id) => `#/accounts/${id}`],
};

function alerts(scope) {
  const box = h("div", { class: "stack tight" });
  watch(["overview", "accounts", "masked"], ({ overview: facts, masked }) => {
    const list = facts.alerts.filter((alert) => alert.code !== "no_accounts");
    const { total, active } = facts.accounts;
    const names = list.flatMap(idsOf).map(find).map((entry) => entry && [nameOf(entry), entry.balance?.nextResetAt]);
    refill(box, [list, total, active, masked, names], () => (list.length ? list.map(alertNotice) : well(total, active)));
  }, scope);
  return box;
}

function well(total, active) {
  if (!total) return [];
  const text = total === 1 ? "The account is ready for requests." : `${active} of ${total} accounts are ready for requests.`;
  return notice("good", h("p", null, h("strong", null, "All well. "), text));
}

function alertNotice(alert) {
  const [text, href] = ADVICE[alert.code] ?? ["Open", (id) => `#/accounts/${id}`];
  const ids = idsOf(alert);
  const link = ids.length === 1 ? button({ text, small: true, href: href(ids[0]) })
    : ids.length > 1 && button({ text: "Show them", small: true, href: `#/accounts/in/${alert.code}` });
  return notice(alert.level === "error" ? "bad" : "warn", h("p", null, alertContent(alert)), link || null);
}

// --- numbers ---

function tiles(scope) {
  const box = h("dl", { class: "tiles" });
  const tile = (title) => {
    const parts = [h("dd"), h("dd", { class: "muted small" })];
    box.append(h("div", { class: "tile" }, h("dt", { class: "muted small" }, title), parts));
    return parts;
  };
  const [rpm, errors, flight, tokens, spent] = ["Requests", "Failures", "In flight", "Tokens today", "Credits today"].map(tile);
  watch(["overview"], ({ overview: facts }) => {
    put(rpm, count(facts.requestsPerMinute), "in the last minute");
    put(errors, share(facts.errorRate), "of the last 5 min");
    set(errors[0], "class", facts.errorRate >= 0.05 ? "bad" : null);
    put(flight, count(facts.inFlight), "running now");
    put(tokens, shortCount(facts.tokensToday.input + facts.tokensToday.output),
      `${shortCount(facts.tokensToday.input)} in, ${shortCount(facts.tokensToday.output)} out`);
    put(spent, credits(facts.creditsToday), "since midnight UTC");
  }, scope);
  return box;
}

function put([value, note], text, explanation) {
  say(value, text);
  say(note, explanation);
}

// --- traffic and requests ---

function traffic(scope) {
  const box = h("div", { class: "stack tight" });
  const draw = () => {
    const { requests } = get();
    refill(box, [requests?.[0]?.requestId, requests?.length, Math.floor(Date.now() / 60_000)], () =>
      trafficChart(requests ?? [], requests?.length === MOST_REQUESTS));
  };
  watch(["requests"], draw, scope);
  scope.every(10_000, draw);
  return card({ title: "Traffic" }, box);
}

function latest(scope) {
  const box = h("div");
  watch(["requests"], ({ requests }) => {
    const lines = (requests ?? []).slice(0, MOST_LINES);
    refill(box, lines, () => (lines.length ? h("ul", { class: "lines request-list" }, lines.map(requestLine)) : noRequests()));
  }, scope);
  const more = h("a", { href: "#/activity", class: "small" }, "All activity");
  return card({ title: "Latest requests", head: [more] }, box);
}

function noRequests() {
  return h("p", { class: "muted" }, "No request yet. ", h("a", { href: "#/connect" }, "Connect a client"), " and it shows up here.");
}

function requestLine(request) {
  const failed = Boolean(request.error);
  return h("li", null,
    icon(failed ? "error" : "check-circle", failed ? "bad" : "good"),
    h("span", { class: "truncate" }, request.model ? modelName(request.model) : request.route, failed && h("span", { class: "muted" }, ` · ${words(request.error)}`)),
    h("span", { class: "muted small nowrap" }, `${latency(request.totalMs)} · `, ago(request.time)));
}

// --- quotas ---

function quotas(scope) {
  const box = h("div");
  watch(["accounts", "masked"], ({ accounts, masked }) => {
    const shown = fullest(accounts.credentials).slice(0, MOST_ACCOUNTS);
    const facts = shown.map((entry) => [entry.id, entry.label, entry.email, entry.state, entry.stateUntil, entry.balance]);
    refill(box, [facts, masked], () => h("ul", { class: "quota-list" }, shown.map(quotaLine)));
  }, scope);
  const more = h("a", { href: "#/accounts", class: "small" }, "All accounts");
  return card({ title: "Credits", head: [more] }, box);
}

/** Those with the least left first; those nobody knows about last. */
function fullest(accounts) {
  const weight = ({ balance }) => (balance ? balance.usagePercentage : -1);
  return [...accounts].sort((one, other) => weight(other) - weight(one));
}

function quotaLine(account) {
  const name = h("a", { class: "name truncate", href: `#/accounts/${account.id}`, title: underName(account) }, nameOf(account));
  return h("li", { class: "stack tight" }, h("div", { class: "row between" }, name, stateChip(account)), quotaBar(account));
}
