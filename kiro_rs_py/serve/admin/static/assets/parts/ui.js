/** The pieces every screen is made of. */
import * as api from "../lib/api.js";
import { h, icon, refill, uid } from "../lib/dom.js";
import { credits } from "../lib/format.js";

/**
 * A button, or with `href` a link that looks like one.
 * @param {{text?: string, label?: string, icon?: string, kind?: string, small?: boolean, href?: string,
 *   type?: string, onClick?: () => void, work?: () => Promise, attributes?: object}} options `label` names a button that
 *   shows only an icon; `work` is done as {@link busy} says
 */
export function button({ text, label, icon: name, kind = "", small, href, type, onClick, work, attributes }) {
  const classes = ["button", kind, small && "small", !text && "icon-only"].filter(Boolean).join(" ");
  const common = { class: classes, "aria-label": label ?? null, title: text ? null : label, ...attributes };
  const content = [name && icon(name), text && h("span", null, text)];
  if (href) return h("a", { ...common, href }, content);
  const click = work ? () => busy(element, work) : onClick;
  const element = h("button", { ...common, type: type ?? "button", on: click && { click } }, content);
  return element;
}

/** A switch; pressing it does the work, which has to set `aria-checked`. */
export function switchButton(work, attributes) {
  const click = () => busy(element, work);
  const element = h("button", { type: "button", class: "switch", role: "switch", on: { click }, ...attributes });
  return element;
}

/** Show that a button's work is under way, until `work` has ended; presses meanwhile do nothing. */
export async function busy(element, work) {
  if (element.getAttribute("aria-disabled") === "true") return undefined;
  const symbol = element.querySelector(".icon");
  const spinner = icon("refresh", "spin");
  element.setAttribute("aria-disabled", "true");
  if (symbol) symbol.replaceWith(spinner);
  try {
    return await work();
  } finally {
    element.removeAttribute("aria-disabled");
    if (symbol) spinner.replaceWith(symbol);
  }
}

/** A state: its colour is never the only sign. */
export function chip(kind, name, ...content) {
  return h("span", { class: `chip ${kind}` }, icon(name), h("span", null, content));
}

export function tag(text, extra = "") {
  return h("span", { class: `tag ${extra}`.trim() }, text);
}

/** Credits used of a limit, as a bar with its numbers. */
export function meter({ used, limit, label, large }) {
  const share = limit > 0 ? Math.min(1, used / limit) : 0;
  const level = share >= 0.95 ? "bad" : share >= 0.8 ? "warn" : "";
  const fill = h("div", { class: "fill" });
  fill.style.width = `${share * 100}%`;
  const text = `${credits(used)} of ${credits(limit)} credits used`;
  const track = {
    class: "track", role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100,
    "aria-valuenow": Math.round(share * 100), "aria-valuetext": text, title: text,
  };
  return h("div", { class: ["meter", level, large && "large"].filter(Boolean).join(" ") },
    h("div", { class: "row between one-line small number nowrap" },
      h("span", null, `${credits(Math.max(0, limit - used))} left`),
      h("span", { class: "muted" }, `of ${credits(limit)}`)),
    h("div", track, fill));
}

/** A heading with what can be done on the page; the heading takes the focus when the screen changes. */
export function pageHead({ title, lead, back, actions = [] }) {
  return h("header", { class: "page-head" },
    h("div", null,
      back && h("a", { class: "back", href: back.href }, icon("chevron-left"), back.text),
      h("h1", { tabindex: "-1" }, title),
      lead instanceof Node ? lead : lead && h("p", { class: "muted" }, lead)),
    actions.length > 0 && h("div", { class: "actions" }, actions));
}

/** A card; `head` holds what can be done beside its title. */
export function card({ title, head = [], flush, attributes }, ...children) {
  const id = uid("card");
  return h("section", { class: flush ? "card flush" : "card", "aria-labelledby": title ? id : null, ...attributes },
    title && h("div", { class: "card-head row between" }, h("h2", { id }, title), head),
    children);
}

/** Terms and what they are; pairs without a value are left out. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, shown.map(([term, value]) => [h("dt", { class: "muted" }, term), h("dd", null, value)]));
}

const NOTICE_ICONS = { good: "check-circle", warn: "warning", bad: "error", "": "info" };

/** Something to know, inside the page. */
export function notice(kind, content, action = null) {
  return h("div", { class: `notice ${kind}`.trim() }, icon(NOTICE_ICONS[kind], kind), h("div", null, content), action);
}

/** What stands where nothing is yet: why, and what to do next. */
export function blank({ icon: name, title, text, actions = [], bad, level = "h2" }) {
  return h("div", { class: bad ? "blank bad" : "blank" },
    h("div", { class: "badge" }, icon(name)),
    h(level, null, title),
    h("p", null, text),
    actions.length > 0 && h("div", { class: "actions" }, actions));
}

/** What stands where something could not be loaded. */
export function failure(error, retry) {
  const offline = error.offline;
  return blank({
    bad: true,
    icon: offline ? "offline" : "error",
    title: offline ? "The server cannot be reached" : "This could not be loaded",
    text: [
      offline ? "Check that kiro-rs-py is running; this page tries again by itself." : error.message,
      error.requestId && ` The log has the details under ${error.requestId}.`,
    ],
    actions: [button({ text: "Try again", icon: "refresh", onClick: retry })],
  });
}

const shown = new WeakSet();

/** Ask for something, and show it, or why it is not there. What is shown stays when only a renewal has failed. */
export async function load(box, scope, path, show) {
  try {
    show(await api.get(path, { signal: scope.signal }));
    shown.add(box);
  } catch (error) {
    // Without a session the page is back at its door.
    if (!(error instanceof api.ApiError) || scope.ended || error.status === 401 || shown.has(box)) return;
    refill(box, error.message, () => failure(error, () => load(box, scope, path, show)));
  }
}

/** Grey shapes where content is about to be. */
export function skeleton(...shapes) {
  return h("div", { class: "stack", role: "status" },
    h("span", { class: "visually-hidden" }, "Loading"),
    shapes.map((shape) => h("div", { class: `skeleton ${shape}` })));
}
