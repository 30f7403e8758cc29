/** The table of accounts. Rows are made as they are scrolled to, so that a thousand accounts cost no more than fifty. */
import { h, icon, reconcile, set } from "../lib/dom.js";
import { hiddenColumns, keepHiddenColumns } from "../lib/prefs.js";
import { AccountRow, COLUMNS } from "./account-row.js";
import { draggableRows } from "./drag.js";
import { place } from "./order.js";
import { table } from "./table.js";

const CHUNK = 50;

export class AccountTable {
  #accounts = [];
  #limit = CHUNK;
  #selected = new Set();
  #hidden = new Set(hiddenColumns() ?? COLUMNS.filter((column) => column.hidden).map((column) => column.name));
  #orderable = false;
  #index = new Map();
  #moving = {
    orderable: () => this.#orderable,
    neighbour: (id, by) => this.#accounts[(this.#index.get(id) ?? -9) + by] ?? null,
  };

  /**
   * @param {Scope} scope
   * @param {{onSelection: (ids: Set<number>) => void, onSort: (key: string) => void}} handlers
   */
  constructor(scope, { onSelection, onSort }) {
    this.onSelection = onSelection;
    this.all = h("input", { type: "checkbox", class: "checkbox", "aria-label": "Select all accounts shown" });
    this.all.addEventListener("change", () => this.#selectAll(this.all.checked));
    this.table = table("Accounts", "accounts", COLUMNS.map((column) =>
      [this.#heading(column, onSort), `${column.classes} col-${column.name}`]));
    this.body = this.table.querySelector("tbody");
    this.more = h("div", { class: "table-more muted small" });
    this.element = h("div", null, this.table, this.more);
    const observer = new IntersectionObserver(
      (seen) => seen.some((entry) => entry.isIntersecting) && this.#showMore(),
      { rootMargin: "600px" },
    );
    observer.observe(this.more);
    scope.add(() => observer.disconnect());
    draggableRows(this.body, scope, place);
    this.#applyColumns();
  }

  #heading({ name, title, sort }, onSort) {
    if (name === "select") return this.all;
    if (sort) return h("button", { type: "button", on: { click: () => onSort(sort) } }, title, icon("sort"));
    return name === "menu" ? h("span", { class: "visually-hidden" }, title) : title;
  }

  /** Show these accounts, in this order. `fresh` starts at the top again, after a change of filter or order. */
  show(accounts, { fresh = false } = {}) {
    this.#accounts = accounts;
    this.#index = new Map(accounts.map((account, index) => [account.id, index]));
    if (fresh) this.#limit = CHUNK;
    this.#render();
  }

  /** Mark the column that is sorted by. */
  sortedBy(key, descending) {
    this.#orderable = key === "priority" && !descending;
    for (const { name, sort } of COLUMNS.filter((column) => column.sort)) {
      const heading = this.table.querySelector(`th.col-${name}`);
      const sorted = sort === key;
      set(heading, "aria-sort", sorted ? (descending ? "descending" : "ascending") : null);
      heading.querySelector(".icon").replaceWith(icon(sorted ? (descending ? "arrow-down" : "arrow-up") : "sort"));
    }
  }

  /** The ids that are selected. */
  get selection() {
    return this.#selected;
  }

  /** Forget selected accounts that are not among these any more. */
  prune(known) {
    const before = this.#selected.size;
    for (const id of [...this.#selected]) if (!known.has(id)) this.#selected.delete(id);
    if (this.#selected.size !== before) this.#changed();
  }

  clearSelection() {
    this.#selected.clear();
    this.#changed();
  }

  isHidden(name) {
    return this.#hidden.has(name);
  }

  toggleColumn(name) {
    if (!this.#hidden.delete(name)) this.#hidden.add(name);
    keepHiddenColumns([...this.#hidden]);
    this.#applyColumns();
  }

  #applyColumns() {
    this.table.classList.toggle("chosen", hiddenColumns() !== null);
    for (const { name } of COLUMNS) this.table.classList.toggle(`no-${name}`, this.#hidden.has(name));
  }

  #selectAll(on) {
    this.#selected = on ? new Set(this.#accounts.map((account) => account.id)) : new Set();
    this.#changed();
  }

  #select(id, on) {
    if (on) this.#selected.add(id);
    else this.#selected.delete(id);
    this.#changed();
  }

  #changed() {
    this.#render();
    this.onSelection(this.#selected);
  }

  #showMore() {
    if (this.#limit >= this.#accounts.length) return;
    this.#limit += CHUNK;
    this.#render();
  }

  #render() {
    const shown = this.#accounts.slice(0, this.#limit);
    const selection = { isSelected: (id) => this.#selected.has(id), onSelect: (id, on) => this.#select(id, on) };
    reconcile(this.body, shown, (account) => account.id, (account) => new AccountRow(account, selection, this.#moving));
    const chosen = this.#accounts.filter((account) => this.#selected.has(account.id)).length;
    this.all.checked = chosen > 0 && chosen === this.#accounts.length;
    this.all.indeterminate = chosen > 0 && chosen < this.#accounts.length;
    this.more.hidden = shown.length >= this.#accounts.length;
    this.more.textContent = `${shown.length} of ${this.#accounts.length}`;
  }
}
