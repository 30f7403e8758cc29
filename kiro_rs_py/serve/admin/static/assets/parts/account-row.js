/** One account as a row. Rows live as long as their account is listed and change cell by cell, so nothing blinks. */
import { h, icon, refill, say, set } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { get } from "../lib/store.js";
import { ago, left } from "../lib/ticker.js";
import { marks, methodOf, nameOf, planOf, quotaBar, stateChip, stateOf, underName } from "./account.js";
import { entriesFor, setDisabled } from "./actions.js";
import { menuButton } from "./menu.js";
import { place, priorityOf } from "./order.js";
import { cell } from "./table.js";
import { switchButton } from "./ui.js";

/** The columns in their order; `choice` marks those that can be left out, `sort` those that can be sorted by. */
export const COLUMNS = [
  { name: "select", classes: "select tight" },
  { name: "who", title: "Account", sort: "name", classes: "who wide" },
  { name: "state", title: "State", sort: "state", classes: "cause wide" },
  { name: "credits", title: "Credits", sort: "credits", classes: "quota wide" },
  { name: "method", title: "Method", choice: true, hidden: true, classes: "nowrap hide-medium" },
  { name: "plan", title: "Plan", choice: true, hidden: true, classes: "hide-medium" },
  { name: "used", title: "Last used", sort: "used", choice: true, classes: "nowrap hide-wide" },
  { name: "requests", title: "Requests", sort: "requests", choice: true, classes: "nowrap hide-medium" },
  { name: "day", title: "Last 24 h", choice: true, hidden: true, classes: "nowrap hide-medium" },
  { name: "flight", title: "In flight", choice: true, hidden: true, classes: "number hide-medium" },
  { name: "error", title: "Last error", choice: true, hidden: true, classes: "hide-medium" },
  { name: "token", title: "Token expires", choice: true, hidden: true, classes: "nowrap hide-medium" },
  { name: "region", title: "Region", choice: true, hidden: true, classes: "nowrap hide-medium" },
  { name: "priority", title: "Priority", sort: "priority", choice: true, classes: "tight" },
  { name: "enabled", title: "Enabled", classes: "tight" },
  { name: "menu", title: "Actions", classes: "menu-cell tight" },
];

/** What each plain cell shows: the members it depends on, and how it is built. */
const PLAIN = {
  state: [["state", "stateCause", "stateUntil"], (account) => [
    stateChip(account),
    !["active", "disabled"].includes(account.state) && account.stateCause && remark(account.stateCause),
  ]],
  credits: [["balance", "label", "email", "maskedApiKey"], (account) => quotaBar(account)],
  method: [["provider", "authMethod"], methodOf],
  plan: [["subscriptionTitle", "balance"], planOf],
  used: [["lastUsedAt"], ({ lastUsedAt }) => ago(lastUsedAt)],
  requests: [["successCount", "failureTotal", "inFlight"], ({ successCount, failureTotal, inFlight }) => [
    outcomes(successCount, failureTotal),
    inFlight > 0 && h("div", { class: "muted small number" }, `${count(inFlight)} in flight`),
  ]],
  day: [["successToday", "failureToday"], ({ successToday, failureToday }) => outcomes(successToday, failureToday)],
  flight: [["inFlight"], ({ inFlight }) => count(inFlight)],
  error: [["lastError"], ({ lastError }) => (lastError ? remark(lastError) : "–")],
  token: [["expiresAt", "authMethod"], ({ expiresAt, authMethod }) => (authMethod === "api_key" || !expiresAt ? "–" : expiry(expiresAt))],
  region: [["apiRegion", "authRegion"], ({ apiRegion, authRegion }) => apiRegion ?? authRegion ?? "–"],
};

const remark = (text) => h("div", { class: "muted small truncate", title: text }, text);

function outcomes(answered, failed) {
  return [
    h("span", { class: "number" }, count(answered)),
    failed > 0 && h("span", { class: "muted small number" }, ` · ${count(failed)} failed`),
  ];
}

function expiry(time) {
  return new Date(time) > new Date() ? ["in ", left(time, "number")] : "when next used";
}

export class AccountRow {
  #cells = {};
  #account = null;
  #isSelected;

  /**
   * @param {{isSelected: (id: number) => boolean, onSelect: (id: number, on: boolean) => void}} selection
   * @param {{orderable: () => boolean, neighbour: (id: number, by: number) => object|null}} moving whether the order can
   *   be changed in the list that is shown, and who is above or below
   */
  constructor(account, { isSelected, onSelect }, moving) {
    this.#isSelected = isSelected;
    this.element = h("tr", { role: "row", dataset: { id: account.id } });
    for (const { name, title, classes } of COLUMNS) {
      const label = title && !["who", "menu", "state", "credits"].includes(name) ? title : null;
      this.element.append((this.#cells[name] = cell(label, null, `${classes} col-${name}`)));
    }
    this.#makeControls(account, onSelect, moving);
    this.update(account);
  }

  #makeControls(account, onSelect, moving) {
    const current = () => this.#account;
    this.checkbox = h("input", { type: "checkbox", class: "checkbox" });
    this.checkbox.addEventListener("change", () => onSelect(account.id, this.checkbox.checked));
    this.toggle = switchButton(() => setDisabled(current(), !current().disabled));
    this.places = new Places(current, moving);
    this.link = h("a", { class: "name truncate", href: `#/accounts/${account.id}` });
    this.under = h("span", { class: "muted small truncate" });
    this.marks = h("span", { class: "marks" });
    this.#cells.select.append(this.checkbox);
    this.#cells.who.append(h("div", { class: "name-cell" }, h("div", { class: "name-line row one-line" }, this.link, this.marks), this.under));
    this.#cells.priority.append(this.places.element);
    this.#cells.enabled.append(this.toggle);
    this.menu = menuButton({ label: "Actions", icon: "more", kind: "quiet", small: true }, () => entriesFor(current()));
    this.#cells.menu.append(this.menu);
  }

  /** Show an account as it is now. */
  update(account) {
    this.#account = account;
    const name = nameOf(account);
    const selected = this.#isSelected(account.id);
    this.checkbox.checked = selected;
    set(this.element, "aria-selected", String(selected));
    set(this.checkbox, "aria-label", `Select ${name}`);
    say(this.link, name);
    say(this.under, underName(account));
    const shown = marks(account);
    refill(this.marks, shown.map((mark) => mark.textContent), () => shown);
    this.marks.hidden = !shown.length;
    for (const [column, [members, build]] of Object.entries(PLAIN)) {
      refill(this.#cells[column], [members.map((member) => account[member]), get().masked], () => build(account));
    }
    set(this.toggle, "aria-checked", String(!account.disabled));
    set(this.toggle, "aria-label", `${name} enabled`);
    set(this.menu, "aria-label", `Actions for ${name}`);
    this.places.update(account);
    set(this.element, "data-state", stateOf(account).text);
  }
}

/** A grip to drag by, and two arrows that do the same by keyboard: one place up or down in the list that is shown. */
class Places {
  constructor(account, moving) {
    this.account = account;
    this.moving = moving;
    this.number = h("output");
    this.grip = h("span", { class: "grip", title: "Drag to change the order" }, icon("grip"));
    this.up = h("button", { type: "button", on: { click: () => this.#step(this.up, -1) } }, icon("arrow-up"));
    this.down = h("button", { type: "button", on: { click: () => this.#step(this.down, 1) } }, icon("arrow-down"));
    this.element = h("div", { class: "stepper", role: "group" }, this.grip, this.up, this.number, this.down);
  }

  update(account) {
    const name = nameOf(account);
    const movable = this.moving.orderable() && !account.readOnly;
    const why = account.readOnly ? "It comes from the environment" : movable ? null : "Sort by priority to change the order";
    say(this.number, String(priorityOf(account)));
    this.grip.hidden = !movable;
    set(this.element, "aria-label", `Priority of ${name}`);
    set(this.up, "aria-label", `Move ${name} up`);
    set(this.down, "aria-label", `Move ${name} down`);
    for (const [element, by] of [[this.up, -1], [this.down, 1]]) {
      set(element, "title", why);
      // Not `disabled`: a button that is pressed until the end must not lose the focus.
      set(element, "aria-disabled", movable && this.moving.neighbour(account.id, by) ? null : "true");
    }
  }

  #step(element, by) {
    if (element.getAttribute("aria-disabled") === "true") return;
    const { id } = this.account();
    place(id, this.moving.neighbour(id, by).id, by > 0);
  }
}
