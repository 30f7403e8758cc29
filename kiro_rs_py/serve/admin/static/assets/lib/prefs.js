/** What this browser remembers: theme, columns and notifications for good, the mask of addresses for this tab. No more. */
import { get, patch } from "./store.js";

const MASK = "kiro-admin-mask";
const COLUMNS = "kiro-admin-columns";

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
