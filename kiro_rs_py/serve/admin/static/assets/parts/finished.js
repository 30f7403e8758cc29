/** What stands at the end of adding an account: that it worked, whose it is, and where to go from here. */
import { h, icon } from "../lib/dom.js";
import { account as find, watch } from "../lib/store.js";
import { nameOf, quotaBar, stateChip, underName } from "./account.js";
import { button, card, notice } from "./ui.js";

/**
 * @param {Scope} scope
 * @param {number} id of the account
 * @param {string[]} warnings
 * @param {() => void} again begins anew
 */
export function finished(scope, id, warnings, again) {
  const box = h("div", { class: "stack" });
  const title = h("h2", { tabindex: "-1" }, "The account is ready");
  watch(["accounts", "masked"], () => {
    const entry = find(id);
    box.replaceChildren(...(entry ? summary(entry) : []));
  }, scope);
  queueMicrotask(() => title.focus());
  return card({ attributes: { class: "card finished" } },
    h("div", { class: "row" }, icon("check-circle", "big good"), title),
    box,
    warnings.map((text) => notice("warn", h("p", null, text))),
    h("div", { class: "actions" },
      button({ text: "Open it", kind: "primary", href: `#/accounts/${id}` }),
      button({ text: "Add another", icon: "plus", onClick: again }),
      button({ text: "Connect a client", icon: "connect", href: "#/connect" })));
}

function summary(entry) {
  return [
    h("div", { class: "row between" },
      h("div", null, h("strong", null, nameOf(entry)), h("div", { class: "muted small" }, underName(entry))),
      stateChip(entry)),
    entry.balance && quotaBar(entry),
  ].filter(Boolean);
}
