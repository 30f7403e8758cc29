/** The sign-in screen: the key is exchanged for a session and forgotten. */
import * as api from "../lib/api.js";
import { h, say } from "../lib/dom.js";
import { field } from "../parts/form.js";
import { themeButton } from "../parts/theme.js";
import { busy, button, notice } from "../parts/ui.js";

/** @param {{enter: () => void, reason: string|null}} options `reason` says why the person is here again */
export function mountDoor(root, scope, { enter, reason }) {
  document.title = "Sign in · kiro-rs-py";
  const key = field({ name: "key", label: "Admin key", required: true, secret: true, attributes: { autocomplete: "current-password" } });
  const go = button({ text: "Sign in", kind: "primary", type: "submit" });
  const remember = h("input", { type: "checkbox", class: "checkbox", name: "remember" });
  const trouble = h("div", { role: "alert", hidden: true });
  const lock = makeLock(key, go, scope);

  const submit = async (event) => {
    event.preventDefault();
    trouble.hidden = true;
    if (!key.validate() || go.disabled) return key.input.focus();
    try {
      await busy(go, () => api.signIn(key.value, remember.checked));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      refused(error);
      return undefined;
    }
    key.input.value = "";
    return enter();
  };

  const refused = (error) => {
    if (error.status === 429) lock(error.retryAfter ?? 15);
    else if (error.status === 401) key.setProblem("This is not the admin key.");
    else {
      trouble.hidden = false;
      trouble.replaceChildren(notice("bad", error.message));
    }
    key.input.focus();
    key.input.select();
  };

  root.append(h("main", { class: "gate" },
    h("div", { class: "brand" }, h("img", { src: "/admin/assets/mark.svg", alt: "" }), "kiro-rs-py"),
    h("div", { class: "card" },
      h("h1", null, "Sign in"),
      reason && notice("", reason),
      h("form", { class: "stack", novalidate: true, on: { submit } },
        key.element,
        h("label", { class: "check-line" }, remember, h("span", null, "Remember on this device",
          h("span", { class: "muted small block" }, "Stay signed in when the browser is closed: until 12 hours without use, 7 days at most."))),
        trouble,
        go),
      h("p", { class: "muted small" },
        "The key is ", h("code", null, "admin_api_key"), " in your configuration. It is exchanged for a session and not stored in this browser.")),
    themeButton()));
  key.input.focus();
}

/** After too many wrong keys: says how long to wait, and lets nobody press until then. */
function makeLock(key, go, scope) {
  let ends = 0;
  const label = go.querySelector("span");
  const tell = () => {
    if (!ends) return;
    const seconds = Math.ceil((ends - Date.now()) / 1000);
    if (seconds > 0) {
      // Once at the field, which is read aloud; the seconds run on the button.
      if (!go.disabled) key.setProblem("Too many wrong keys: the door is locked for a while, also for the right one.");
      go.disabled = true;
      say(label, `Locked for ${seconds} s`);
      return;
    }
    ends = 0;
    go.disabled = false;
    say(label, "Sign in");
    key.setProblem(null);
    key.input.focus();
  };
  scope.every(500, tell);
  return (seconds) => {
    ends = Date.now() + seconds * 1000;
    tell();
  };
}
