/** All accounts: find, sort, and do the same to many. */
import { h, icon, refill, say } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { reload } from "../lib/live.js";
import { get, watch } from "../lib/store.js";
import { firstSteps, methodOf, nameOf, STATES } from "../parts/account.js";
import { COLUMNS } from "../parts/account-row.js";
import { AccountTable } from "../parts/account-table.js";
import { batch, checkBalances, removeMany } from "../parts/actions.js";
import { filterSelect, offer } from "../parts/form.js";
import { showBeside } from "../parts/menu.js";
import { priorityOf } from "../parts/order.js";
import { blank, button, card, failure, notice, pageHead, skeleton } from "../parts/ui.js";

const SORTS = {
  priority: ["Priority", priorityOf],
  name: ["Name", (account) => nameOf(account).toLowerCase()],
  state: ["State", (account) => Object.keys(STATES).indexOf(account.state)],
  credits: ["Credits used", (account) => account.balance?.usagePercentage ?? -1],
  used: ["Last used", (account) => account.lastUsedAt ?? ""],
  requests: ["Requests", (account) => account.successCount],
};

export const accounts = {
  title: "Accounts",
  section: "accounts",
  mount(root, scope, [state]) {
    root.append(new AccountsPage(scope, state in STATES ? state : null).element);
  },
};

class AccountsPage {
  #filter = { text: "", state: null, method: "", region: "" };
  #sort = { key: "priority", descending: false };

  /** @param {string|null} state the filter to begin with */
  constructor(scope, state) {
    this.#filter.state = state;
    this.table = new AccountTable(scope, {
      onSelection: (ids) => this.#showBulk(ids),
      onSort: (key) => this.#sortBy(key),
    });
    this.table.sortedBy("priority", false);
    this.problems = h("div", { class: "stack tight" });
    this.pills = h("div", { class: "pills", role: "group", "aria-label": "Filter by state" });
    this.nothing = h("div", { hidden: true });
    this.bulk = h("div", { class: "bulk-bar row", role: "region", "aria-label": "Selected accounts", hidden: true });
    this.#makeToolbar(scope);
    this.#makeBulk();
    this.content = h("div", { class: "stack" }, this.problems, this.toolbar,
      h("div", { class: "card flush" }, this.table.element, this.nothing), this.bulk);
    this.waiting = h("div", null, skeleton("block", "tall"));
    this.head = pageHead({ title: "Accounts", lead: " ", actions: [
      button({ text: "Import", icon: "import", href: "#/import" }),
      button({ text: "Add account", icon: "plus", kind: "primary", href: "#/add" }),
    ] });
    this.element = h("div", { class: "page" }, this.head, this.waiting, this.content);
    watch(["accounts", "failure", "masked", "order"], (state) => this.#show(state), scope);
  }

  #makeToolbar(scope) {
    const search = h("input", { class: "input", type: "search", placeholder: "Search", "aria-label": "Search accounts",
      autocomplete: "off", spellcheck: "false" });
    search.addEventListener("input", () => this.#refilter({ text: search.value.trim().toLowerCase() }));
    scope.on(document, "keydown", (event) => {
      if (event.key !== "/" || event.target.closest("input, textarea, select, dialog") || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      search.focus();
    });
    this.method = filterSelect("Method", (method) => this.#refilter({ method }));
    this.region = filterSelect("Region", (region) => this.#refilter({ region }));
    const options = Object.entries(SORTS).map(([key, [text]]) => h("option", { value: key }, `Sort by ${text.toLowerCase()}`));
    this.sorting = h("select", { class: "input sort-select", "aria-label": "Sort by" }, options);
    this.sorting.addEventListener("change", () => this.#sortBy(this.sorting.value, false));
    const columns = button({ label: "Columns", icon: "columns", kind: "desktop-only", attributes: { "aria-expanded": "false" } });
    columns.addEventListener("click", () => showBeside(this.#columnMenu(), columns));
    this.search = search;
    this.toolbar = h("div", { class: "toolbar stack" }, this.pills,
      h("div", { class: "row" }, h("div", { class: "search" }, icon("search"), search), this.method, this.region, this.sorting, columns));
  }

  #columnMenu() {
    const choices = COLUMNS.filter((column) => column.choice).map(({ name, title }) => {
      const box = h("input", { type: "checkbox", class: "checkbox", prop: { checked: !this.table.isHidden(name) } });
      box.addEventListener("change", () => this.table.toggleColumn(name));
      return h("label", null, box, title);
    });
    return h("div", { class: "menu", popover: "auto", role: "group", "aria-label": "Columns" }, choices);
  }

  #makeBulk() {
    const act = (text, name, action) =>
      button({ text, icon: name, small: true, work: () => batch([...this.table.selection], action) });
    const chosen = () => get().accounts.credentials.filter((entry) => this.table.selection.has(entry.id));
    this.chosen = h("p", { role: "status" });
    this.bulk.append(this.chosen, act("Enable", "power", "enable"), act("Disable", "pause", "disable"),
      act("Reset", "history", "reset"), act("Refresh tokens", "refresh", "refresh"),
      button({ text: "Check credits", icon: "quota", small: true, work: () => checkBalances(chosen()) }),
      button({ text: "Delete", icon: "trash", small: true, kind: "danger", onClick: () => removeMany(chosen()) }),
      button({ label: "Clear selection", icon: "close", kind: "quiet", small: true, onClick: () => this.table.clearSelection() }));
  }

  #showBulk(ids) {
    this.bulk.hidden = !ids.size;
    say(this.chosen, `${count(ids.size)} selected`);
  }

  #show({ accounts: status, failure: error }) {
    this.content.hidden = !status?.credentials.length;
    this.waiting.hidden = Boolean(status?.credentials.length);
    if (!status) {
      if (error) refill(this.waiting, error.message, () => card({}, failure(error, reload)));
      return;
    }
    const some = status.credentials.length > 0;
    refill(this.waiting, [some, status.problems], () => (some ? [] : [...problems(status.problems), card({}, empty())]));
    this.table.prune(new Set(status.credentials.map((entry) => entry.id)));
    refill(this.problems, status.problems, () => problems(status.problems));
    const { total, available } = status;
    say(this.head.querySelector("p"), total ? `${count(available)} of ${count(total)} enabled` : "No accounts yet");
    this.#showFilters(status.credentials);
    this.#showRows();
  }

  #showFilters(all) {
    const numbers = Object.keys(STATES).map((name) => [name, all.filter((entry) => entry.state === name).length]);
    const shown = numbers.filter(([name, number]) => number > 0 || name === this.#filter.state);
    refill(this.pills, [shown, all.length, this.#filter.state], () => [
      this.#pill("All", all.length, null),
      ...shown.map(([name, number]) => this.#pill(STATES[name].text, number, name)),
    ]);
    fillSelect(this.method, [...new Set(all.map(methodOf))].sort(), this.#filter.method);
    fillSelect(this.region, [...new Set(all.map(regionOf).filter(Boolean))].sort(), this.#filter.region);
  }

  #pill(text, number, state) {
    const pressed = String(this.#filter.state === state);
    return h("button", { type: "button", class: "button small", "aria-pressed": pressed, on: { click: () => this.#refilter({ state }) } },
      text, h("span", { class: "number" }, count(number)));
  }

  #refilter(change) {
    Object.assign(this.#filter, change);
    this.#showFilters(get().accounts.credentials);
    this.#showRows(true);
  }

  #sortBy(key, descending = this.#sort.key === key && !this.#sort.descending) {
    this.#sort = { key, descending };
    this.sorting.value = key;
    this.table.sortedBy(key, descending);
    this.#showRows(true);
  }

  #showRows(fresh = false) {
    const { text, state, method, region } = this.#filter;
    const value = SORTS[this.#sort.key][1];
    const sign = this.#sort.descending ? -1 : 1;
    const found = get().accounts.credentials
      .filter((entry) => (!state || entry.state === state) && (!method || methodOf(entry) === method))
      .filter((entry) => (!region || regionOf(entry) === region) && (!text || searched(entry).includes(text)))
      .map((entry) => [value(entry), entry])
      .sort(([one, a], [other, b]) => (one < other ? -sign : one > other ? sign : a.id - b.id))
      .map(([, entry]) => entry);
    this.table.show(found, { fresh });
    this.nothing.hidden = found.length > 0;
    this.table.element.hidden = !found.length;
    if (!found.length) refill(this.nothing, "nothing", () => this.#noMatch());
  }

  #noMatch() {
    const clear = () => {
      this.search.value = this.method.value = this.region.value = "";
      this.#refilter({ text: "", state: null, method: "", region: "" });
      this.search.focus();
    };
    return blank({ icon: "search", title: "No account matches", text: "Try another word, or take the filters away.",
      actions: [button({ text: "Show all accounts", onClick: clear })] });
  }
}

const regionOf = (account) => account.apiRegion ?? account.authRegion;

function searched(account) {
  return [account.id, account.label, account.email, account.subscriptionTitle, methodOf(account), account.maskedApiKey]
    .join(" ").toLowerCase();
}

/** A filter nobody needs, with one value only, is not shown. */
function fillSelect(element, values, chosen) {
  element.hidden = values.length < 2 && !chosen;
  offer(element, values.map((value) => [value, value]), chosen);
}

function problems(list) {
  return list.map(({ sentence }) => notice("warn", h("p", null, "An entry of the credentials file is left out. ", sentence)));
}

function empty() {
  return firstSteps("No accounts yet",
    "Sign in with Builder ID or your organisation right here, or bring tokens from Kiro IDE, kiro-cli, kiro-rs or an export.");
}
