/** The keys that clients come with: made here, shown once, switched off or revoked. */
import * as api from "../lib/api.js";
import { h, refill } from "../lib/dom.js";
import { absolute, count } from "../lib/format.js";
import { ago, left } from "../lib/ticker.js";
import { copyButton } from "../parts/copy.js";
import { confirm, formDialog } from "../parts/dialog.js";
import { field } from "../parts/form.js";
import { menuButton } from "../parts/menu.js";
import { cell, row, table } from "../parts/table.js";
import { attempt, toast } from "../parts/toast.js";
import { blank, button, card, chip, load, notice, pageHead, skeleton, switchButton } from "../parts/ui.js";

const ASK_EVERY = 10_000;
const DAY = 86_400_000;
const TERMS = [["", "Never"], ["7", "In 7 days"], ["30", "In 30 days"], ["90", "In 90 days"], ["365", "In a year"], ["date", "On a day…"]];

export const keys = {
  title: "Client keys",
  section: "keys",
  mount(root, scope) {
    root.append(new KeysPage(scope).element);
  },
};

class KeysPage {
  #scope;

  constructor(scope) {
    this.#scope = scope;
    this.secret = h("div", { class: "stack" });
    this.list = h("div", null, skeleton("tall"));
    const make = button({ text: "New key", icon: "plus", kind: "primary", onClick: () => this.#create() });
    this.element = h("div", { class: "page" },
      pageHead({ title: "Client keys", lead: "One for each program or person, so that each can be taken away alone.", actions: [make] }),
      this.secret, card({ flush: true, attributes: { "aria-label": "Client keys" } }, this.list));
    this.#load();
    scope.every(ASK_EVERY, () => document.hidden || this.#load());
  }

  #load() {
    return load(this.list, this.#scope, "/keys", ({ keys: list, configured }) =>
      refill(this.list, [list, configured], () => (list.length || configured?.present ? this.#table(list, configured) : this.#none())));
  }

  #none() {
    return blank({ icon: "key", title: "No client key yet", text: "Make one for each client. It is shown once; only its fingerprint is kept here.",
      actions: [button({ text: "New key", icon: "plus", kind: "primary", onClick: () => this.#create() })] });
  }

  #table(list, configured) {
    const actions = h("span", { class: "visually-hidden" }, "Actions");
    return table("Client keys", "keys", ["Key", "State", "Models", "Requests", "Last used", "Expires", "Enabled", actions],
      [configured?.present && configuredRow(), list.map((key) => this.#row(key))]);
  }

  #row(key) {
    const flip = () => this.#do(() => api.patch(`/keys/${key.id}`, { enabled: !key.enabled }),
      `${key.name} is ${key.enabled ? "disabled" : "enabled"}.`);
    const toggle = switchButton(flip, { "aria-checked": String(key.enabled), "aria-label": `${key.name} enabled` });
    const menu = menuButton({ label: `Actions for ${key.name}`, icon: "more", kind: "quiet", small: true }, () => [
      { text: "Edit…", icon: "wrench", run: () => this.#edit(key) },
      null,
      { text: "Revoke…", icon: "trash", danger: true, run: () => this.#revoke(key) },
    ]);
    return row(null,
      cell(null, [h("strong", { class: "block truncate" }, key.name), h("code", { class: "block muted small" }, `${key.prefix}…`)], "wide key-name"),
      cell("State", stateOf(key)),
      cell("Models", key.models?.length ? h("div", { class: "truncate", title: key.models.join(", ") }, key.models.join(", ")) : h("span", { class: "muted" }, "all")),
      cell("Requests", h("span", { class: "number" }, count(key.requests))),
      cell("Last used", ago(key.lastUsedAt), "nowrap"),
      cell("Expires", expiry(key), "nowrap"),
      cell("Enabled", toggle),
      cell(null, menu, "menu-cell right"));
  }

  async #do(work, done) {
    await attempt(work, done);
    await this.#load();
  }

  async #create() {
    const fields = keyFields();
    const made = await formDialog({ title: "New client key", fields, submit: "Make the key", send: (values) => api.post("/keys", toBody(values)) });
    if (!made) return;
    this.#reveal(made);
    await this.#load();
  }

  /** The only time that the key is seen. It is in this element alone, and goes with it. */
  #reveal({ key, secret }) {
    const output = h("output", { "aria-label": `Key ${key.name}`, tabindex: "-1" }, secret);
    const done = button({ text: "I have copied it", onClick: () => this.secret.replaceChildren() });
    const element = card({ title: `The key for ${key.name}`, attributes: { class: "card reveal" } },
      notice("warn", h("p", null, h("strong", null, "Copy it now. "), "It is shown this once and cannot be found out again.")),
      h("div", { class: "secret row" }, output, copyButton(secret, "Copy the key", "Copy")),
      h("div", { class: "actions" }, done, button({ text: "Connect a client", icon: "connect", href: "#/connect" })));
    this.secret.replaceChildren(element);
    output.focus();
  }

  async #edit(key) {
    const fields = keyFields(key);
    const saved = await formDialog({ title: `Edit ${key.name}`, fields, submit: "Save", send: (values) => api.patch(`/keys/${key.id}`, toBody(values)) });
    if (!saved) return;
    toast("The changes are saved.");
    await this.#load();
  }

  async #revoke(key) {
    const sure = await confirm({ title: `Revoke ${key.name}?`, action: "Revoke", danger: true,
      text: "Clients that use it are refused from now on. This cannot be undone; switching it off can." });
    if (sure) await this.#do(() => api.remove(`/keys/${key.id}`), `${key.name} is revoked.`);
  }
}

function configuredRow() {
  return row(null,
    cell(null, [h("strong", { class: "block" }, "The configured key"), h("span", { class: "block muted small" }, h("code", null, "api_key"), " of the configuration")], "wide key-name"),
    cell("State", chip("good", "check-circle", "Active")), cell("Models", h("span", { class: "muted" }, "all")),
    cell("Requests", "–"), cell("Last used", "–"), cell("Expires", h("span", { class: "muted" }, "never")),
    cell(null, null, "nothing"), cell(null, null, "nothing"));
}

const STATES = { active: ["good", "check-circle", "Active"], disabled: ["", "pause", "Disabled"], expired: ["warn", "warning", "Expired"] };

function stateOf(key) {
  const [kind, name, text] = STATES[key.state] ?? ["", "info", key.state];
  return chip(kind, name, text);
}

function expiry({ expiresAt, state }) {
  if (!expiresAt) return h("span", { class: "muted" }, "never");
  return state === "expired" ? ago(expiresAt) : ["in ", left(expiresAt)];
}

/** The fields of a key, new or to be changed. */
function keyFields(key = null) {
  const name = field({ name: "name", label: "Name", value: key?.name ?? "", required: true, wide: true, attributes: { maxlength: 64 },
    hint: "Who or what uses it, like “laptop” or “CI”." });
  const terms = key?.expiresAt ? [["keep", `As it is: ${absolute(key.expiresAt)}`], ...TERMS] : TERMS;
  const term = field({ name: "term", label: "Expires", options: terms, value: key?.expiresAt ? "keep" : "", bare: true });
  const day = field({ name: "expiresAt", label: "Last day", type: "date", required: true, check: laterDay });
  const models = field({ name: "models", label: "Models", value: key?.models?.join(", ") ?? "", wide: true, bare: true,
    hint: "Names with commas between. Empty: all." });
  const show = () => {
    day.element.hidden = term.value !== "date";
  };
  term.input.addEventListener("change", show);
  show();
  return [name, term, day, models];
}

const laterDay = (value) => (new Date(`${value}T23:59:59`) > Date.now() ? null : "This day is over.");

/** What the API wants of what was typed. */
function toBody({ name, term = "", expiresAt, models }) {
  const body = { name, models: models ? models.split(",").map((part) => part.trim()).filter(Boolean) : null };
  if (term === "date") body.expiresAt = new Date(`${expiresAt}T23:59:59`).toISOString();
  else if (term !== "keep") body.expiresAt = term ? new Date(Date.now() + Number(term) * DAY).toISOString() : null;
  return body;
}
