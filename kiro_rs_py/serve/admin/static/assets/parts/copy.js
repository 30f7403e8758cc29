/** Copying to the clipboard, on plain-HTTP addresses too, where browsers hide the modern way. */
import { h, icon } from "../lib/dom.js";
import { toast } from "./toast.js";
import { button } from "./ui.js";

/** A button that copies `text`, or what `text()` gives; `face` is its text if it is not to be an icon only. */
export function copyButton(text, label = "Copy", face = null) {
  const element = button({ label, text: face, icon: "copy", kind: face ? "primary" : "quiet", small: true });
  element.addEventListener("click", async () => {
    const worked = await copy(typeof text === "function" ? text() : text, element);
    if (!worked) return toast("The browser does not allow copying. Select the text instead.", "bad");
    toast("Copied.");
    element.querySelector(".icon").replaceWith(icon("check"));
    return setTimeout(() => element.querySelector(".icon").replaceWith(icon("copy")), 1500);
  });
  return element;
}

async function copy(text, beside) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "visually-hidden", readonly: true, "aria-hidden": "true", prop: { value: text } });
    beside.after(area);
    area.select();
    const worked = document.execCommand("copy");
    area.remove();
    beside.focus();
    return worked;
  }
}
