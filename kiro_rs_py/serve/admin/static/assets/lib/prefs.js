/** What this browser remembers: the theme for good, the mask of e-mail addresses for this tab. Nothing else, ever. */
import { get, patch } from "./store.js";

const THEME = "kiro-admin-theme";
const MASK = "kiro-admin-mask";

export const THEMES = ["system", "light", "dark"];

function read(storage, name) {
  try {
    return window[storage].getItem(name);
  } catch {
    return null; // storage may be forbidden
  }
}

function write(storage, name, value) {
  try {
    if (value === null) window[storage].removeItem(name);
    else window[storage].setItem(name, value);
  } catch {
    // then it holds until the page is left
  }
}

export function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

/** "system", "light" or "dark". */
export function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  write("localStorage", THEME, name === "system" ? null : name);
}

export function loadMask() {
  patch({ masked: read("sessionStorage", MASK) === "yes" });
}

export function toggleMask() {
  const masked = !get().masked;
  write("sessionStorage", MASK, masked ? "yes" : null);
  patch({ masked });
}
