/**
 * Times that stay true: <time> elements made here are rewritten by one timer for the whole page, which finds them in
 * the document, so that nothing has to be given back when they go.
 */
import { h, say } from "./dom.js";
import { absolute, countdown, relative } from "./format.js";

const TEXTS = { ago: relative, left: countdown };

/** "4 min ago", with the absolute time as its title; "never" for null. */
export function ago(time) {
  return time ? element(time, "ago") : h("span", { class: "muted" }, "never");
}

/** What is left until then. */
export function left(time, extra) {
  return element(time, "left", extra);
}

function element(time, kind, extra) {
  const attributes = { class: extra, datetime: time, title: absolute(time), dataset: { tick: kind } };
  return h("time", attributes, TEXTS[kind](time));
}

/** Rewrite all of them now. */
export function tick() {
  const now = Date.now();
  for (const node of document.querySelectorAll("time[data-tick]")) {
    say(node, TEXTS[node.dataset.tick](node.dateTime, now));
  }
}

/** Keep them true for as long as the page is open. */
export function startTicking() {
  setInterval(() => document.hidden || tick(), 1000);
  document.addEventListener("visibilitychange", tick);
}
