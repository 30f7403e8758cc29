/** Questions that must be answered first. The browser's own dialog brings the focus in and back, and closes on Escape. */
import { h, uid } from "../lib/dom.js";
import { button } from "./ui.js";

/**
 * Ask before something is done.
 * @param {{title: string, text: *, action: string, danger?: boolean, word?: string}} question with `word`, the person
 *   has to type it first
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, action, danger, word }) {
  const titleId = uid("dialog");
  const textId = uid("dialog");
  const go = button({ text: action, kind: danger ? "danger" : "primary", type: "submit" });
  const typed = word && h("input", { class: "input", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": titleId, "aria-describedby": textId },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: titleId }, title),
      h("div", { id: textId, class: "muted" }, text),
      word && h("label", { class: "field" }, h("span", { class: "label" }, `Type ${word} to go on`), typed),
      h(
        "div",
        { class: "actions" },
        button({ text: "Cancel", onClick: () => dialog.close("no"), attributes: { autofocus: !word } }),
        go,
      ),
    ),
  );
  const check = () => {
    go.disabled = Boolean(word) && typed.value.trim() !== word;
  };
  typed?.addEventListener("input", check);
  check();
  dialog.querySelector("form").addEventListener("submit", () => {
    dialog.returnValue = "yes";
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close("no");
  });
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
    typed?.focus();
  });
}
