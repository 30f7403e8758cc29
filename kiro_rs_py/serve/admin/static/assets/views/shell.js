/** The frame around all screens: navigation, the sign of life, theme, privacy, sign out. */
import { h, icon, say, set } from "../lib/dom.js";
import { timeOfDay } from "../lib/format.js";
import { keepBalances } from "../lib/balances.js";
import { reconnect } from "../lib/live.js";
import { toggleMask } from "../lib/prefs.js";
import { followAddress } from "../lib/router.js";
import { watch } from "../lib/store.js";
import { keepNotifying } from "../parts/notify.js";
import { themeButton } from "../parts/theme.js";
import { button } from "../parts/ui.js";
import { account } from "./account.js";
import { accounts } from "./accounts.js";
import { activity } from "./activity.js";
import { add, addApiKey, addBuilderId, addIdc, addToken } from "./add.js";
import { connect } from "./connect.js";
import { imports } from "./import.js";
import { keys } from "./keys.js";
import { overview } from "./overview.js";
import { settings } from "./settings.js";

const ROUTES = [
  [/^\/$/, overview],
  [/^\/accounts(?:\/in\/([a-z_]+))?$/, accounts],
  [/^\/keys$/, keys],
  [/^\/accounts\/(-?\d+)$/, account],
  [/^\/add$/, add],
  [/^\/add\/builder-id$/, addBuilderId],
  [/^\/add\/idc$/, addIdc],
  [/^\/add\/token$/, addToken],
  [/^\/add\/api-key$/, addApiKey],
  [/^\/import(?:\/([\w-]+))?$/, imports],
  [/^\/activity$/, activity],
  [/^\/connect$/, connect],
  [/^\/settings$/, settings],
];

const SECTIONS = [
  ["overview", "#/", "Overview"],
  ["accounts", "#/accounts", "Accounts"],
  ["keys", "#/keys", "Keys"],
  ["activity", "#/activity", "Activity"],
  ["connect", "#/connect", "Connect"],
  ["settings", "#/settings", "Settings"],
];

/** @param {{leave: () => void}} options */
export function mountShell(root, scope, { leave }) {
  const outlet = h("div");
  const main = h("main", { class: "main", id: "main" }, staleBar(scope), outlet);
  const links = new Map(SECTIONS.map(([name, href, text]) => [name, navLink(name, href, text)]));
  const wanting = h("span", { class: "count", hidden: true });
  links.get("accounts").append(wanting);
  root.append(h("div", { class: "shell" },
    h("a", { class: "skip", href: "#main", on: { click: (event) => skip(event, main) } }, "Skip to content"),
    h("header", { class: "topbar" }, brand(), liveMark(scope), tools(scope, leave)),
    h("div", { class: "sidebar" },
      brand(),
      h("nav", { class: "nav", "aria-label": "Main" }, h("ul", null, [...links.values()].map((link) => h("li", null, link)))),
      h("div", { class: "sidebar-foot stack tight" }, liveMark(scope), h("div", { class: "tools" }, tools(scope, leave)))),
    main));
  keepBalances(scope);
  keepNotifying(scope);
  watch(["overview"], ({ overview: facts }) => countWanting(wanting, facts), scope);
  followAddress(ROUTES, outlet, (screen, first) => {
    for (const [name, link] of links) set(link, "aria-current", name === screen.section ? "page" : null);
    window.scrollTo(0, 0);
    if (!first) outlet.querySelector("h1")?.focus({ preventScroll: true });
  }, scope);
}

function brand() {
  return h("a", { class: "brand", href: "#/" }, h("img", { src: "/admin/assets/mark.svg", alt: "" }), "kiro-rs-py");
}

function navLink(name, href, text) {
  return h("a", { href }, icon(name), h("span", null, text));
}

function skip(event, main) {
  event.preventDefault();
  main.querySelector("h1")?.focus();
}

/** How many accounts want a person, beside "Accounts". */
function countWanting(element, facts) {
  const numbers = facts?.accounts ?? {};
  const total = (numbers.reauthRequired ?? 0) + (numbers.suspended ?? 0) + (numbers.invalid ?? 0);
  element.hidden = !total;
  element.replaceChildren(String(total), h("span", { class: "visually-hidden" }, " need attention"));
}

function tools(scope, leave) {
  return [
    maskButton(scope),
    themeButton(),
    button({ label: "Sign out", icon: "sign-out", kind: "quiet", onClick: leave }),
  ];
}

function maskButton(scope) {
  const mask = button({ label: "Hide e-mail addresses", icon: "eye-off", kind: "quiet", onClick: toggleMask });
  watch(["masked"], ({ masked }) => mask.setAttribute("aria-pressed", String(masked)), scope);
  return mask;
}

const LIVE_TEXTS = { connecting: "Connecting…", live: "Live", stale: "Stale" };

function liveMark(scope) {
  const text = h("span");
  const mark = h("div", { class: "live" }, text);
  watch(["live"], ({ live }) => {
    mark.dataset.status = live.status;
    say(text, live.status === "stale" ? `Stale since ${timeOfDay(live.since)}` : LIVE_TEXTS[live.status]);
  }, scope);
  return mark;
}

/** Across the top while what is shown may be out of date. */
function staleBar(scope) {
  const text = h("p");
  const bar = h("div", { class: "stale-bar row", role: "status" },
    icon("offline"), text, button({ text: "Reconnect", small: true, onClick: reconnect }));
  watch(["live"], ({ live }) => {
    bar.hidden = live.status !== "stale";
    if (live.status === "stale") say(text, `The connection is lost. What you see is as of ${timeOfDay(live.since)}.`);
  }, scope);
  return bar;
}
