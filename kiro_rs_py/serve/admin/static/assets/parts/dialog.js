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
  const textId = uid("dialog");
  const go = button({ text: action, kind: danger ? "danger" : "primary", type: "submit", attributes: { value: "yes" } });
  const typed = word && h("input", { class: "input", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
  const check = () => {
    go.disabled = Boolean(word) && typed.value.trim() !== word;
  };
  typed?.addEventListener("input", check);
  check();
  const dialog = titled(title, { class: "dialog", "aria-describedby": textId }, (heading) => h("form", { method: "dialog" },
    heading,
    h("div", { id: textId, class: "muted" }, text),
    word && h("label", { class: "field" }, h("span", { class: "label" }, `Type ${word} to go on`), typed),
    h("div", { class: "actions" },
      button({ text: "Cancel", onClick: () => dialog.close("no"), attributes: { autofocus: !word } }), go)));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close("no");
  });
  return open(dialog, typed, () => dialog.returnValue === "yes");
}

/** A dialog whose heading is its name. */
function titled(title, attributes, build) {
  const id = uid("dialog");
  return h("dialog", { "aria-labelledby": id, ...attributes }, build(h("h2", { id }, title)));
}

/** Show it with the focus on an element, and give the answer when it has been closed. */
function open(dialog, focused, answer) {
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer());
    });
    dialog.showModal();
    focused?.focus();
  });
}

/**
 * A form in a dialog, which closes when `send` has worked; what `send` gives then, or null.
 * @param {{title: string, fields: Array, submit: string, send: (values: object) => Promise<object>}} options
 */
export function formDialog({ title, fields, submit, send }) {
  let answer = null;
  const cancel = button({ text: "Cancel", onClick: () => dialog.close() });
  const keep = async (values) => {
    answer = await send(values);
    dialog.close();
  };
  const dialog = titled(title, { class: "dialog wide" }, (heading) =>
    [heading, form({ fields, submit, send: keep, cancel, grid: true })]);
  return open(dialog, fields[0].input, () => answer);
}
