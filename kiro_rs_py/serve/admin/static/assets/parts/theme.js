/** Choosing light or dark, from wherever the choice is offered. */
import { icon, set } from "../lib/dom.js";
import { setTheme, theme, THEMES } from "../lib/prefs.js";
import { button } from "./ui.js";

const THEME_ICONS = { system: "system", light: "sun", dark: "moon" };
const THEME_NAMES = { system: "as the system", light: "light", dark: "dark" };

/** Take a theme, and make every choice on the page show it. */
export function chooseTheme(name) {
  setTheme(name);
  document.querySelectorAll("[data-theme-button]").forEach(show);
  for (const radio of document.querySelectorAll("input[name=theme]")) radio.checked = radio.value === name;
}

/** Steps through the themes; several such buttons may be on a page. */
export function themeButton() {
  const element = button({ label: "Theme", icon: "system", kind: "quiet", attributes: { "data-theme-button": true } });
  element.addEventListener("click", () => chooseTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]));
  show(element);
  return element;
}

function show(element) {
  const name = theme();
  const text = `Theme: ${THEME_NAMES[name]}. Change it`;
  set(element, "aria-label", text);
  set(element, "title", text);
  element.querySelector(".icon").replaceWith(icon(THEME_ICONS[name]));
}
