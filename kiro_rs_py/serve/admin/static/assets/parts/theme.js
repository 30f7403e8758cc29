/** Choosing light or dark, from wherever the choice is offered. */
import { icon, set } from "../lib/dom.js";
import { write } from "../lib/prefs.js";
import { button } from "./ui.js";

/** The name that theme.js, which runs before everything else, looks for too. */
const STORED = "kiro-admin-theme";
const THEMES = { system: ["system", "as the system"], light: ["sun", "light"], dark: ["moon", "dark"] };

/** "system", "light" or "dark". */
export const theme = () => document.documentElement.dataset.theme ?? "system";

/** Take a theme, and make every choice on the page show it. */
export function chooseTheme(name) {
  const own = name === "system" ? null : name;
  set(document.documentElement, "data-theme", own);
  write("localStorage", STORED, own);
  document.querySelectorAll("[data-theme-button]").forEach(show);
  for (const radio of document.querySelectorAll("input[name=theme]")) radio.checked = radio.value === name;
}

/** Steps through the themes; several such buttons may be on a page. */
export function themeButton() {
  const names = Object.keys(THEMES);
  const next = () => chooseTheme(names[(names.indexOf(theme()) + 1) % names.length]);
  const element = button({ label: "Theme", icon: "system", kind: "quiet", onClick: next, attributes: { "data-theme-button": true } });
  show(element);
  return element;
}

function show(element) {
  const [symbol, words] = THEMES[theme()];
  const text = `Theme: ${words}. Change it`;
  set(element, "aria-label", text);
  set(element, "title", text);
  element.querySelector(".icon").replaceWith(icon(symbol));
}
