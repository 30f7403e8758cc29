/** A device login under way: open the page, compare the code, wait. Told by events, and by asking in case they fail. */
import * as api from "../lib/api.js";
import { h, icon, say } from "../lib/dom.js";
import { countdown } from "../lib/format.js";
import { listen, reloadAccounts } from "../lib/live.js";
import { copyButton } from "./copy.js";
import { attempt } from "./toast.js";
import { button, card, notice } from "./ui.js";

const ASK_EVERY = 3_000;
const SOON = 120_000;

export class DeviceLogin {
  #login;
  #scope;
  #handlers;
  #over = false;

  /**
   * @param {object} login the answer of POST /logins
   * @param {Scope} scope when it ends while the login is pending, the login is cancelled
   * @param {{done: (result: object) => void, again: () => Promise<void>, giveUp: () => void}} handlers
   */
  constructor(login, scope, handlers) {
    this.#login = login;
    this.#scope = scope;
    this.#handlers = handlers;
    this.left = h("span", { class: "left muted number push" });
    this.status = h("div", { class: "waiting row" },
      icon("refresh", "spin"), h("span", { role: "status" }, "Waiting for you to confirm…"), this.left);
    this.element = h("div", { class: "stack" }, this.#steps());
    listen("login", (news) => news.id === login.id && this.#take(news), scope);
    scope.every(ASK_EVERY, () => this.#ask());
    scope.every(1000, () => this.#countDown());
    scope.add(() => this.#over || api.remove(`/logins/${login.id}`).catch(() => {}));
    this.#countDown();
  }

  #steps() {
    const { userCode, verificationUri, verificationUriComplete: uri, qr } = this.#login;
    const open = h("a", { class: "button primary", href: safeLink(uri), target: "_blank", rel: "noopener noreferrer" },
      icon("external"), h("span", null, "Open the page"));
    const cancel = button({ text: "Cancel", small: true, onClick: () => this.#cancel() });
    return card({},
      h("div", { class: "device" },
        h("ol", { class: "steps" },
          h("li", null, h("div", null, h("h2", { tabindex: "-1" }, "Open the sign-in page"), open,
            h("p", { class: "muted small" }, "Or go to ", h("code", null, verificationUri), " on any device."))),
          h("li", null, h("div", null, h("h2", null, "Check that it shows this code"),
            h("div", { class: "user-code row" }, h("output", { "aria-label": "Code" }, userCode), copyButton(userCode, "Copy the code")))),
          h("li", null, h("div", null, h("h2", null, "Confirm there"),
            h("p", { class: "muted" }, "This page notices by itself.")))),
        h("figure", { class: "qr muted small" }, qrImage(qr), h("figcaption", null, "Or scan it with your phone"))),
      h("div", { class: "stack tight" }, this.status, h("div", { class: "actions" }, cancel)));
  }

  #countDown() {
    const remaining = new Date(this.#login.expiresAt) - Date.now();
    say(this.left, remaining > 0 ? `${countdown(this.#login.expiresAt)} left` : "");
    this.left.classList.toggle("soon", remaining < SOON);
  }

  async #ask() {
    if (this.#over || document.hidden) return;
    try {
      this.#take(await api.get(`/logins/${this.#login.id}`, { signal: this.#scope.signal }));
    } catch (error) {
      if (error.status === 404) this.#end({ status: "expired", message: "The server does not know this sign-in any more." });
    }
  }

  async #take(news) {
    if (this.#over || news.status === "pending") return;
    this.#over = true;
    if (news.status === "completed") {
      await reloadAccounts();
      this.#scope.end();
      this.#handlers.done(news);
    } else this.#end(news);
  }

  #end({ status, message }) {
    this.#over = true;
    this.#scope.end();
    if (status === "cancelled") return this.#handlers.giveUp();
    const retry = button({ text: "Get a new code", icon: "refresh", kind: "primary", work: () => attempt(this.#handlers.again) });
    const title = status === "expired" ? "The code has expired" : "The sign-in did not work";
    this.element.replaceChildren(card({},
      notice("bad", [h("strong", null, title), h("p", null, message ?? "Try it again.")]),
      h("div", { class: "actions" }, retry, button({ text: "Back", onClick: this.#handlers.giveUp }))));
    return retry.focus();
  }

  #cancel() {
    this.#scope.end();
    this.#handlers.giveUp();
  }
}

/** Only web addresses become links, whatever the service sent. */
function safeLink(address) {
  return /^https?:\/\//.test(address) ? address : null;
}

/** The SVG as a picture: inside an <img> nothing of it can run. */
function qrImage(markup) {
  const parsed = new DOMParser().parseFromString(withNamespace(markup), "image/svg+xml");
  const drawing = parsed.documentElement;
  if (drawing.nodeName !== "svg") return null;
  const text = new XMLSerializer().serializeToString(drawing);
  return h("img", { src: `data:image/svg+xml,${encodeURIComponent(text)}`, alt: "QR code of the sign-in page's address" });
}

function withNamespace(markup) {
  return markup.includes("xmlns=") ? markup : markup.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"');
}
