/** Tabs after the usual pattern: arrows move, one panel at a time, each made when it is looked at. */
import { h, uid } from "../lib/dom.js";

/**
 * @param {string} label what the tabs choose between
 * @param {Array<[string, (scope: Scope) => Node]>} entries
 * @param {Scope} scope each panel gets a scope that ends when another is chosen
 */
export function tabs(label, entries, scope) {
  const panelId = uid("panel");
  const panel = h("div", { id: panelId, role: "tabpanel", class: "stack" });
  let inner = null;
  const heads = entries.map(([text], index) => h("button", {
    type: "button", role: "tab", id: uid("tab"), "aria-controls": panelId, on: { click: () => choose(index) },
  }, text));
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label }, heads);
  list.addEventListener("keydown", (event) => {
    const at = heads.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: heads.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + heads.length) % heads.length;
    choose(next);
    heads[next].focus();
  });
  const choose = (index) => {
    heads.forEach((head, number) => {
      head.setAttribute("aria-selected", String(number === index));
      head.tabIndex = number === index ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", heads[index].id);
    inner?.end();
    inner = scope.child();
    panel.replaceChildren(entries[index][1](inner));
  };
  choose(0);
  return h("div", { class: "stack" }, list, panel);
}
