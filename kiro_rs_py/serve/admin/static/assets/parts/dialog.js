/** Questions that must be answered first. The browser's own dialog brings the focus in and back, and closes on Escape. */
import { h, uid } from "../lib/dom.js";
import { form } from "./form.js";
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

/**
 * A form in a dialog, which closes when `send` has worked; what `send` gives then, or null.
 * @param {{title: string, fields: Array, submit: string, send: (values: object) => Promise<object>}} options
 */
export function formDialog({ title, fields, submit, send }) {
  const titleId = uid("dialog");
  let answer = null;
  const cancel = button({ text: "Cancel", onClick: () => dialog.close() });
  const keep = async (values) => {
    answer = await send(values);
    dialog.close();
  };
  const dialog = h("dialog", { class: "dialog wide", "aria-labelledby": titleId },
    h("h2", { id: titleId }, title), form({ fields, submit, send: keep, cancel, grid: true }));
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    dialog.showModal();
    fields[0].input.focus();
  });
}
