/** Short messages at the edge of the page: spoken by screen readers, gone by themselves, never more than four. */
import { ApiError } from "../lib/api.js";
import { fill, h, icon } from "../lib/dom.js";
import { button } from "./ui.js";

const MOST = 4;
const SHORT = 5_000;
const UNDO = 10_000;
const ICONS = { good: "check-circle", bad: "error", "": "info" };

let box = null;
let spoken = null;

/** Put the box for messages into the page, and the regions that screen readers read from. */
export function mountToasts() {
  box = h("div", { class: "toasts", popover: "manual" });
  spoken = {
    polite: h("div", { class: "visually-hidden", role: "status" }),
    urgent: h("div", { class: "visually-hidden", role: "alert" }),
  };
  document.body.append(box, spoken.polite, spoken.urgent);
}

/** Tell screen readers only: everybody else sees it happen. */
export function announce(text) {
  fill(spoken.polite, h("p", null, text));
}

/**
 * Do something and say that it is done, or in the server's words why not.
 * @param {() => Promise<*>} work
 * @param {string|((answer: *) => string)} [done]
 * @returns {Promise<boolean>} whether it worked
 */
export async function attempt(work, done) {
  try {
    const answer = await work();
    const text = typeof done === "function" ? done(answer) : done;
    if (text) toast(text);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // Without a session the page is back at its door, which says why.
    if (error.status !== 401) toast(error.message, "bad");
    return false;
  }
}

/** Say something. `kind`: "good", "bad" or "". With `undo` it can be undone for ten seconds. */
export function toast(text, kind = "good", undo = null) {
  const element = h("div", { class: `toast ${kind}`.trim() }, icon(undo ? "trash" : ICONS[kind], kind || "muted"), h("p", null, text));
  fill(spoken[kind === "bad" ? "urgent" : "polite"], h("p", null, undo ? `${text} It can be undone for 10 seconds.` : text));
  const end = expire(element, undo ? UNDO : SHORT);
  if (undo) {
    element.append(
      button({ text: "Undo", icon: "undo", small: true, onClick: () => (end(), undo()) }),
      h("div", { class: "countdown", "aria-hidden": "true" }),
    );
  }
  element.append(button({ label: "Dismiss", icon: "close", kind: "quiet", small: true, onClick: end }));
  box.append(element);
  while (box.children.length > MOST) box.firstElementChild.remove();
  raise();
}

/** Above dialogs too, which live in the browser's top layer. */
function raise() {
  if (box.matches(":popover-open")) box.hidePopover();
  box.showPopover();
}

function expire(element, after) {
  const end = () => {
    clearTimeout(timer);
    element.remove();
    if (!box.children.length && box.matches(":popover-open")) box.hidePopover();
  };
  let timer = setTimeout(end, after);
  if (after === SHORT) {
    // Who reads or is about to press something gets more time. An undo ends when the server's does.
    const hold = () => clearTimeout(timer);
    const release = () => {
      clearTimeout(timer);
      timer = setTimeout(end, after);
    };
    for (const event of ["mouseenter", "focusin"]) element.addEventListener(event, hold);
    for (const event of ["mouseleave", "focusout"]) element.addEventListener(event, release);
  }
  return end;
}
