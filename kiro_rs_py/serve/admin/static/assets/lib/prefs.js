/** What this browser remembers: theme, columns and notifications for good, the mask of addresses for this tab. No more. */
import { get, patch } from "./store.js";

const THEME = "kiro-admin-theme";
const MASK = "kiro-admin-mask";
const COLUMNS = "kiro-admin-columns";

export const THEMES = ["system", "light", "dark"];

export function read(storage, name) {
  try {
    return window[storage].getItem(name);
  } catch {
    return null; // storage may be forbidden
  }
}

export function write(storage, name, value) {
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

/** The names of the hidden columns, or null if none were ever chosen. */
export function hiddenColumns() {
  return read("localStorage", COLUMNS)?.split(" ").filter(Boolean) ?? null;
}

export function keepHiddenColumns(names) {
  write("localStorage", COLUMNS, names.join(" "));
}

export function loadMask() {
  patch({ masked: read("sessionStorage", MASK) === "yes" });
}

export function toggleMask() {
  const masked = !get().masked;
  write("sessionStorage", MASK, masked ? "yes" : null);
  patch({ masked });
}
