/** Menus that open from a button: arrows move, Escape and a click elsewhere close, the focus goes back. */
import { h, icon } from "../lib/dom.js";
import { button } from "./ui.js";

/**
 * A button that opens a menu, made anew each time it opens.
 * @param {{text?: string, label: string, icon: string, small?: boolean, kind?: string}} face
 * @param {() => Array<{text: string, icon: string, danger?: boolean, off?: string|false, run: () => void}|null>} entries
 *   null is a line between; `off` is the reason why an entry cannot be used now
 */
export function menuButton(face, entries) {
  const opener = button({ ...face, attributes: { "aria-haspopup": "menu", "aria-expanded": "false" } });
  opener.addEventListener("click", () => open(opener, face.label, entries()));
  return opener;
}

function open(opener, label, entries) {
  const menu = h("div", { class: "menu", role: "menu", "aria-label": label, popover: "auto" });
  menu.append(...entries.map((entry) => (entry === null ? h("hr") : item(menu, entry))));
  menu.addEventListener("keydown", move);
  showBeside(menu, opener);
  menu.querySelector("button").focus();
}

function item(menu, entry) {
  const press = () => {
    if (entry.off) return;
    menu.hidePopover();
    entry.run();
  };
  const attributes = {
    class: entry.danger ? "danger" : null, type: "button", role: "menuitem", tabindex: "-1",
    "aria-disabled": entry.off ? "true" : null, title: entry.off || null, on: { click: press },
  };
  return h("button", attributes, icon(entry.icon), entry.text);
}

function move(event) {
  const items = [...event.currentTarget.querySelectorAll("button")];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Tab") event.currentTarget.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  items.at(to % items.length).focus();
}

/** Open a popover below its button, or above it where there is more room; it is removed when it closes. */
export function showBeside(popover, opener) {
  document.body.append(popover);
  opener.setAttribute("aria-expanded", "true");
  popover.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    opener.setAttribute("aria-expanded", "false");
    popover.remove();
  });
  popover.showPopover();
  const box = opener.getBoundingClientRect();
  const { offsetHeight: height, offsetWidth: width } = popover;
  const below = box.bottom + 4;
  const top = below + height > innerHeight && box.top > height ? box.top - height - 4 : below;
  popover.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`;
  popover.style.left = `${Math.max(8, Math.min(box.right - width, innerWidth - width - 8))}px`;
  const close = () => popover.isConnected && popover.hidePopover();
  addEventListener("scroll", close, { once: true, capture: true, passive: true });
  addEventListener("resize", close, { once: true });
}
