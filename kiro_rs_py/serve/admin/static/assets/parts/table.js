/** Tables that become cards on a phone. Their display changes there, so every element says its role itself. */
import { h } from "../lib/dom.js";

/**
 * @param {string} label
 * @param {string} classes
 * @param {Array<string|[*, string]>} heads what stands in each heading, with its classes
 * @param {Array} rows
 */
export function table(label, classes, heads, rows = []) {
  return h("table", { class: `table as-cards ${classes}`, role: "table", "aria-label": label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((head) => {
      const [content, extra] = [head].flat();
      return h("th", { role: "columnheader", scope: "col", class: extra || null }, content);
    }))),
    h("tbody", { role: "rowgroup" }, rows));
}

export function row(attributes, ...cells) {
  return h("tr", { role: "row", ...attributes }, cells);
}

/** `label` is the column's title where the table is shown as cards; null for cells that speak for themselves. */
export function cell(label, content, classes = "") {
  return h("td", { role: "cell", "data-label": label, class: classes || null }, content);
}
