/** Recent requests and administrative actions. */
import { h, reconcile, refill, set } from "../lib/dom.js";
import { count, modelName } from "../lib/format.js";
import { reload } from "../lib/live.js";
import { account as find, get, watch } from "../lib/store.js";
import { ago } from "../lib/ticker.js";
import { nameOf } from "../parts/account.js";
import { filterSelect, offer } from "../parts/form.js";
import { requestFacts, requestRow, requestTable } from "../parts/request-table.js";
import { cell, row, table } from "../parts/table.js";
import { tabs } from "../parts/tabs.js";
import { blank, button, card, chip, failure, load, pageHead, skeleton } from "../parts/ui.js";

const CHUNK = 50;
const RESULTS = { "": () => true, good: (request) => !request.error, bad: (request) => Boolean(request.error) };

export const activity = {
  title: "Activity",
  section: "activity",
  mount(root, scope) {
    const panels = tabs("Activity", [
      ["Requests", (inner) => new Requests(inner).element],
      ["Administration", auditPanel],
    ], scope);
    root.append(h("div", { class: "page" },
      pageHead({ title: "Activity", lead: "What came and how it went; never what was said. The last 500 requests since the start." }), panels));
  },
};

class Requests {
  #filter = { model: "", account: "", result: "" };
  #limit = CHUNK;
  #paused = null;

  constructor(scope) {
    this.model = this.#select("Model", "model");
    this.account = this.#select("Account", "account");
    this.result = this.#select("Result", "result");
    offer(this.result, [["good", "Answered"], ["bad", "Failed"]], "");
    this.pause = button({ text: "Pause", icon: "pause", onClick: () => this.#togglePause() });
    this.table = requestTable([]);
    this.rows = this.table.querySelector("tbody");
    this.more = button({ text: "Show more", onClick: () => this.#showMore() });
    this.foot = h("div", { class: "table-more" }, this.more);
    this.state = h("div");
    this.list = h("div", { class: "card flush" }, this.table, this.foot, this.state);
    this.element = h("div", { class: "stack" },
      h("div", { class: "toolbar stack" }, h("div", { class: "row" }, this.model, this.account, this.result, this.pause)), this.list);
    this.rows.addEventListener("click", (event) => this.#toggleRow(event));
    watch(["requests", "accounts", "failure", "masked"], () => this.#show(), scope);
  }

  #select(title, name) {
    return filterSelect(title, (value) => {
      this.#filter[name] = value;
      this.#limit = CHUNK;
      this.#show();
    });
  }

  #togglePause() {
    this.#paused = this.#paused ? null : (get().requests ?? []);
    set(this.pause, "aria-pressed", String(Boolean(this.#paused)));
    this.pause.querySelector("span").textContent = this.#paused ? "Go on" : "Pause";
    this.#show();
  }

  #showMore() {
    this.#limit += CHUNK;
    this.#show();
  }

  #show() {
    const { requests, failure: error } = get();
    const all = this.#paused ?? requests;
    this.table.hidden = !all?.length;
    if (!all) {
      this.foot.hidden = true;
      refill(this.state, error?.message ?? "loading", () => (error ? failure(error, reload) : skeleton("tall")));
      return;
    }
    this.#showFilters(all);
    const { model, account, result } = this.#filter;
    const found = all.filter((request) => RESULTS[result](request) && (!model || request.model === model)
      && (!account || String(request.credentialId) === account));
    const shown = found.slice(0, this.#limit);
    reconcile(this.rows, shown, (request) => request.requestId, (request) => this.#row(request));
    this.table.hidden = !shown.length;
    this.foot.hidden = found.length <= shown.length;
    this.more.querySelector("span").textContent = `Show more of ${count(found.length)}`;
    refill(this.state, shown.length ? "rows" : all.length ? "filtered" : "none", () => this.#nothing(shown, all));
  }

  #nothing(shown, all) {
    if (shown.length) return [];
    if (all.length) return blank({ icon: "search", title: "No request matches", text: "Take a filter away to see more." });
    return blank({ icon: "activity", title: "No requests yet",
      text: "As soon as a client sends one, it appears here, without its content.",
      actions: [button({ text: "Connect a client", icon: "connect", kind: "primary", href: "#/connect" })] });
  }

  #showFilters(all) {
    const models = [...new Set(all.map((request) => request.model).filter(Boolean))].sort();
    const ids = [...new Set(all.map((request) => request.credentialId).filter((id) => id !== null && id !== undefined))];
    const names = ids.map((id) => [String(id), find(id) ? nameOf(find(id)) : `#${id}`]);
    offer(this.model, models.map((name) => [name, modelName(name)]), this.#filter.model);
    offer(this.account, names, this.#filter.account);
  }

  #row(request) {
    const element = requestRow(request);
    const opener = button({ label: `Details of the request to ${request.model ? modelName(request.model) : request.route}`, icon: "chevron-right",
      kind: "quiet", small: true, attributes: { "aria-expanded": "false", "data-details": request.requestId } });
    element.querySelector(".when").append(opener);
    return { element };
  }

  #toggleRow(event) {
    const opener = event.target.closest("[data-details]");
    if (!opener) return;
    const request = (this.#paused ?? get().requests).find((entry) => entry.requestId === opener.dataset.details);
    const shown = opener.closest("tr");
    const open = opener.getAttribute("aria-expanded") === "true";
    opener.setAttribute("aria-expanded", String(!open));
    if (open) shown.querySelector(".request-details")?.remove();
    else if (request) shown.querySelector("td").append(h("div", { class: "request-details" }, requestFacts(request)));
  }
}

const ACTIONS = {
  "credential.add": "Account added", "credential.delete": "Account deleted", "credential.restore": "Account restored",
  "credential.edit": "Account changed", "credential.disabled": "Account switched", "credential.priority": "Priority set",
  "credential.reset": "Account reset", "credential.refresh": "Token refreshed", "credential.batch": "Several changed",
  "credential.priorities": "Order changed", "credential.test": "Account tested",
  "key.create": "Client key created", "key.edit": "Client key changed", "key.delete": "Client key deleted",
  "config.load-balancing": "Balancing changed", "login.start": "Sign-in begun", "login.cancel": "Sign-in cancelled",
  "import.start": "Import begun", "import.cancel": "Import cancelled", "session.open": "Signed in",
  "session.close": "Signed out", access: "Refused at the door",
};

/** Who did what: asked for when it is looked at, and again every ten seconds. */
function auditPanel(scope) {
  const box = h("div", null, skeleton("tall"));
  const show = ({ audit }) => refill(box, audit, () => (audit.length ? auditTable(audit) : blank({
    icon: "history", title: "Nothing was done yet", text: "Changes made here or through the API are listed, with who made them.",
  })));
  const ask = () => load(box, scope, "/audit", show);
  ask();
  scope.every(10_000, ask);
  return card({ flush: true, attributes: { "aria-label": "Administrative actions" } }, box);
}

function auditTable(entries) {
  return table("Administrative actions", "dense", ["Action", "Account", "Outcome", "By", "When"], entries.map(auditRow));
}

function auditRow({ time, who, peer, action, credentialId, outcome }) {
  return row(null,
    cell(null, ACTIONS[action] ?? action),
    cell("Account", credentialId === null ? "–" : `#${credentialId}`),
    cell("Outcome", outcome === "done" ? chip("good", "check-circle", "Done") : chip("bad", "error", outcome)),
    cell("By", `${who} from ${peer}`),
    cell("When", ago(time)));
}
