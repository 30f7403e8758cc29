/** What can be chosen here, and what the configuration says. */
import * as api from "../lib/api.js";
import { h, refill } from "../lib/dom.js";
import { absolute, duration } from "../lib/format.js";
import { isOn, possible, refused, switchNotifications } from "../parts/notify.js";
import { chooseTheme, theme } from "../parts/theme.js";
import { cell, row, table } from "../parts/table.js";
import { attempt } from "../parts/toast.js";
import { blank, card, chip, facts, load, pageHead, skeleton, switchButton, tag } from "../parts/ui.js";

export const settings = {
  title: "Settings",
  section: "settings",
  mount(root, scope) {
    root.append(h("div", { class: "page" }, pageHead({ title: "Settings" }), balancing(scope), appearance(), notifications(), about(scope), configuration(scope)));
  },
};

const MODES = [
  ["priority", "Priority", "Always the account with the lowest number that can answer; the others are a reserve."],
  ["balanced", "Balanced", "The account with the least to do, then the one that has rested longest. Spreads the load and the credits."],
];
const THEMES = [
  ["system", "As the system", "Light or dark, as your device is set."],
  ["light", "Light", ""],
  ["dark", "Dark", ""],
];

function radioCards(name, legend, entries, chosen, choose) {
  return h("fieldset", { class: "radio-cards" }, h("legend", { class: "visually-hidden" }, legend),
    entries.map(([value, title, text]) => {
      const radio = h("input", { type: "radio", name, value, prop: { checked: value === chosen } });
      radio.addEventListener("change", () => choose(value, radio));
      return h("label", { class: "radio-card" }, radio, h("strong", null, title), text && h("span", { class: "muted small" }, text));
    }));
}

function balancing(scope) {
  const box = h("div", null, skeleton("block"));
  const show = (mode) => refill(box, [mode, Date.now()], () => radioCards("mode", "Load balancing", MODES, mode, change(mode)));
  const change = (before) => async (mode) => {
    const text = `Requests are now shared by ${mode === "priority" ? "priority" : "load"}.`;
    const changed = await attempt(() => api.put("/config/load-balancing", { mode }), text);
    show(changed ? mode : before);
  };
  load(box, scope, "/config/load-balancing", ({ mode }) => show(mode));
  return card({ title: "Load balancing" },
    h("p", { class: "muted" }, "Which account gets the next request. Changes take effect at once and outlast a restart."), box);
}

function appearance() {
  return card({ title: "Appearance" }, radioCards("theme", "Theme", THEMES, theme(), chooseTheme));
}

/** Off by default, and for this device only: what the page itself shows, told while it is open in the background. */
function notifications() {
  const toggle = switchButton(async () => show(await switchNotifications(!isOn())), { "aria-label": "Notifications" });
  const text = h("p", { class: "muted small", role: "status" });
  const show = (on) => {
    toggle.setAttribute("aria-checked", String(on));
    toggle.disabled = !possible() || (refused() && !on);
    text.textContent = !possible() ? "This browser shows notifications on https and on this machine's own address only."
      : refused() ? "The browser was told not to show them; its settings for this page can change that."
        : "When an account needs a login, its quota is reached, or none can be used. While this page is open; for this device.";
  };
  show(isOn());
  return card({ title: "Notifications" }, h("div", { class: "row between one-line" }, text, toggle));
}

function about(scope) {
  const box = h("div", null, skeleton("", ""));
  const file = (path) => path && h("code", { class: "path" }, path);
  const show = (here) => refill(box, { ...here, uptimeSeconds: Math.floor(here.uptimeSeconds / 60) }, () => facts([
    ["Version", `kiro-rs-py ${here.version}, Python ${here.python}`],
    ["Running for", `${duration(here.uptimeSeconds)}, since ${absolute(here.startedAt)}`],
    ["Configuration", file(here.files.config) ?? "no file"],
    ["Accounts", file(here.files.credentials)],
    ["State", file(here.files.state)],
    ["Saving", here.unsavedBecause ? chip("bad", "error", here.unsavedBecause) : chip("good", "check-circle", "Everything is on disk")],
    ["Lock", here.lock.state === "free" ? chip("good", "check-circle", "Free") : chip("warn", "warning", `Held by ${here.lock.holder}`)],
    ["Updates", "Not looked for: the program asks nobody but Kiro. The changelog of a newer version says what is new."],
  ]));
  const ask = () => load(box, scope, "/about", show);
  ask();
  scope.every(15_000, () => document.hidden || ask());
  return card({ title: "About" }, box);
}

function configuration(scope) {
  const box = h("div", null, skeleton("tall"));
  const only = h("input", { type: "checkbox", class: "checkbox" });
  let known = [];
  const show = () => {
    const shown = known.filter((entry) => !only.checked || entry.source !== "default");
    refill(box, [known, only.checked], () => (shown.length ? settingsTable(shown)
      : blank({ icon: "settings", title: "Everything is as by default", text: "No setting differs.", level: "h3" })));
  };
  only.addEventListener("change", show);
  load(box, scope, "/config", ({ settings: list }) => {
    known = list;
    show();
  });
  const filter = h("label", { class: "check-line small" }, only, "Only what differs from the defaults");
  return card({ title: "Configuration", flush: true, head: [filter] }, box);
}

function settingsTable(list) {
  return table("Configuration", "dense settings-table", ["Setting", "Value", "Source"], list.map(({ key, value, source }) =>
    row({ class: source === "default" && "default" },
      cell(null, h("code", null, key), "wide"), cell("Value", h("code", null, shown(value))),
      cell("Source", source === "default" ? h("span", { class: "muted" }, "default") : tag(source)))));
}

function shown(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "object") return Object.keys(value).length ? JSON.stringify(value) : "–";
  return String(value);
}
