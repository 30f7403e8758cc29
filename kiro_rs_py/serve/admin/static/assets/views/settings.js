/** What can be chosen here, and what the configuration says. */
import * as api from "../lib/api.js";
import { h, refill } from "../lib/dom.js";
import { duration } from "../lib/format.js";
import { theme } from "../lib/prefs.js";
import { watch } from "../lib/store.js";
import { chooseTheme } from "../parts/theme.js";
import { toast, toastError } from "../parts/toast.js";
import { blank, card, chip, facts, failure, pageHead, skeleton, tag } from "../parts/ui.js";

export const settings = {
  title: "Settings",
  section: "settings",
  mount(root, scope) {
    root.append(h("div", { class: "page" }, pageHead({ title: "Settings" }), balancing(scope), appearance(), about(scope), configuration(scope)));
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
      return h("label", { class: "radio-card" }, radio, h("strong", null, title), text && h("span", { class: "hint" }, text));
    }));
}

function balancing(scope) {
  const box = h("div", null, skeleton("block"));
  const show = (mode) => refill(box, [mode, Date.now()], () => radioCards("mode", "Load balancing", MODES, mode, change(mode)));
  const change = (before) => async (mode) => {
    try {
      await api.put("/config/load-balancing", { mode });
      toast(`Requests are now shared by ${mode === "priority" ? "priority" : "load"}.`);
      show(mode);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      toastError(error);
      show(before);
    }
  };
  load(box, scope, "/config/load-balancing", ({ mode }) => show(mode));
  return card({ title: "Load balancing" },
    h("p", { class: "muted" }, "Which account gets the next request. Changes take effect at once and outlast a restart."), box);
}

async function load(box, scope, path, show) {
  try {
    show(await api.get(path, { signal: scope.signal }));
  } catch (error) {
    if (error instanceof api.ApiError && !scope.ended) refill(box, error.message, () => failure(error, () => load(box, scope, path, show)));
  }
}

function appearance() {
  return card({ title: "Appearance" }, radioCards("theme", "Theme", THEMES, theme(), chooseTheme));
}

function about(scope) {
  const box = h("div");
  watch(["overview"], ({ overview }) => {
    if (!overview) return refill(box, "loading", () => skeleton("", ""));
    return refill(box, [overview.version, Math.floor(overview.uptimeSeconds / 60), overview.baseUrl, overview.storeDegraded], () => facts([
      ["Version", `kiro-rs-py ${overview.version}`],
      ["Running for", duration(overview.uptimeSeconds)],
      ["Address", h("code", null, overview.baseUrl)],
      ["Credentials file", overview.storeDegraded ? chip("bad", "error", "cannot be written") : chip("good", "check-circle", "up to date")],
    ]));
  }, scope);
  return card({ title: "About" }, box);
}

function configuration(scope) {
  const box = h("div", null, skeleton("tall"));
  const only = h("input", { type: "checkbox", class: "checkbox" });
  let known = [];
  const show = () => {
    const shown = known.filter((entry) => !only.checked || entry.source !== "default");
    refill(box, [known, only.checked], () => (shown.length ? table(shown)
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

function table(list) {
  const cell = (label, content) => h("td", { role: "cell", "data-label": label }, content);
  return h("table", { class: "table dense settings-table as-cards", role: "table", "aria-label": "Configuration" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ["Setting", "Value", "Source"].map((title) =>
      h("th", { role: "columnheader", scope: "col" }, title)))),
    h("tbody", { role: "rowgroup" }, list.map(({ key, value, source }) => h("tr", { role: "row", class: source === "default" ? "default" : null },
      h("td", { role: "cell", class: "wide" }, h("code", null, key)), cell("Value", h("code", null, shown(value))),
      cell("Source", source === "default" ? h("span", { class: "muted" }, "default") : tag(source))))));
}

function shown(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "object") return Object.keys(value).length ? JSON.stringify(value) : "–";
  return String(value);
}
