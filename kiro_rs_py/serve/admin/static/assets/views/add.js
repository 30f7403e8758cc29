/** Adding an account: first the way, then the way's own page. */
import * as api from "../lib/api.js";
import { h, icon } from "../lib/dom.js";
import { reloadAccounts } from "../lib/live.js";
import { DeviceLogin } from "../parts/device-login.js";
import { finished } from "../parts/finished.js";
import { field, form } from "../parts/form.js";
import { card, pageHead, tag } from "../parts/ui.js";

const WAYS = [
  ["#/add/builder-id", "browser", "Sign in with Builder ID", "In the browser, with a code. For personal AWS Builder ID accounts.", true],
  ["#/add/idc", "building", "Sign in with your organisation", "IAM Identity Center, with your company's start URL."],
  ["#/import", "import", "Import tokens you have", "From Kiro IDE, kiro-cli, kiro-rs, Kiro Account Manager; one or many. The way for Google and GitHub accounts."],
  ["#/add/api-key", "key", "API key", "A key that begins with ksk_, made in Kiro's account settings."],
  ["#/add/token", "token", "Refresh token by hand", "Paste a single token and its client registration."],
];

export const add = {
  title: "Add account",
  section: "accounts",
  mount(root) {
    root.append(
      h("div", { class: "page narrow" },
        pageHead({ title: "Add account", lead: "How do you want to bring it in?", back: { href: "#/accounts", text: "Accounts" } }),
        h("div", { class: "choices" }, WAYS.map(([href, name, title, text, best]) =>
          h("a", { class: "choice", href },
            h("span", { class: "badge" }, icon(name)),
            h("span", null,
              h("span", { class: "row" }, h("strong", null, title), best && tag("Recommended", "accent")),
              h("span", { class: "muted" }, text)),
            icon("chevron-right", "muted"))))),
    );
  },
};

const LABEL = { name: "label", label: "Label", hint: "A name of your own for the list.", attributes: { maxlength: 100 } };

/** The screen of one way. */
function way(title, lead, build) {
  const head = () => pageHead({ title, lead, back: { href: "#/add", text: "Add account" } });
  return {
    title,
    section: "accounts",
    mount(root, scope) {
      root.append(h("div", { class: "page narrow" }, head(), build(scope)));
    },
  };
}

export const addBuilderId = way("Sign in with Builder ID", "You confirm a code on AWS's own page; your password stays there.",
  (scope) => signIn(scope, () => [field(LABEL)], (values) => ({ method: "builder-id", ...values })));

const startUrl = (value) => (/^https:\/\/[^\s/]+\.[^\s/]+/.test(value) ? null : "The start URL begins with https://, like https://example.awsapps.com/start.");

export const addIdc = way("Sign in with your organisation", "With IAM Identity Center. You confirm a code on your organisation's own page.",
  (scope) => signIn(scope, () => [
    field({ name: "startUrl", label: "Start URL", required: true, type: "url", check: startUrl,
      hint: "The address of your access portal; ask your administrator if you do not know it." }),
    field({ name: "region", label: "Region", value: "us-east-1", required: true, hint: "Where your Identity Center is, like us-east-1 or eu-central-1." }),
    field(LABEL),
  ], (values) => ({ method: "idc", ...values })));

/** The form, then in its place the code to confirm, then the result. */
function signIn(scope, makeFields, toRequest) {
  const box = h("div", { class: "stack" });
  const ask = () => {
    const start = async (values) => {
      const request = toRequest(values);
      show(await api.post("/logins", request), request);
    };
    box.replaceChildren(card({}, form({ fields: makeFields(), submit: "Get a code", icon: "external", send: start })));
  };
  const show = (login, request) => {
    const device = new DeviceLogin(login, scope.child(), {
      done: (result) => box.replaceChildren(finished(scope, result.credentialId, result.warnings ?? [], ask)),
      again: async () => show(await api.post("/logins", request), request),
      giveUp: ask,
    });
    box.replaceChildren(device.element);
    device.element.querySelector("h2")?.focus();
  };
  ask();
  return box;
}

const apiKey = (value) => (/^ksk_\S{8,}$/.test(value) ? null : "API keys begin with ksk_. Copy the whole key.");

export const addApiKey = way("Add an API key", "Keys do not expire by themselves and need no refreshing.",
  (scope) => manual(scope, () => [
    field({ name: "kiroApiKey", label: "API key", required: true, secret: true, check: apiKey, wide: true }),
    field(LABEL),
    priority(),
    field({ name: "apiRegion", label: "Request region", hint: "Leave it empty if you do not know." }),
  ], (values) => ({ authMethod: "api_key", ...values })));

export const addToken = way("Add a refresh token",
  "It is tried out at once, which may replace it with a new one: the copy you paste may stop working.",
  (scope) => manual(scope, () => [
    field({ name: "refreshToken", label: "Refresh token", required: true, secret: true, wide: true }),
    field({ name: "clientId", label: "Client id", hint: "Builder ID and Identity Center tokens need it; Google and GitHub ones do not." }),
    field({ name: "clientSecret", label: "Client secret", secret: true }),
    field({ name: "authRegion", label: "Sign-in region" }),
    field({ name: "apiRegion", label: "Request region" }),
    field(LABEL),
    priority(),
  ], (values) => ({ authMethod: values.clientId || values.clientSecret ? "idc" : "social", ...values })));

const priority = () => field({
  name: "priority", label: "Priority", hint: "Lower is preferred; 0 if empty.", attributes: { inputmode: "numeric" },
  check: (value) => (/^\d{1,9}$/.test(value) ? null : "Priority is a whole number from 0."),
});

/** The form, then in its place the result. */
function manual(scope, makeFields, toEntry) {
  const box = h("div", { class: "stack" });
  const ask = () => {
    const send = async (values) => {
      const entry = toEntry(values);
      if (entry.priority) entry.priority = Number(entry.priority);
      const answer = await api.post("/credentials", entry);
      await reloadAccounts();
      const doubts = answer.replaced ? ["This account was here already; it has the new tokens now.", ...answer.warnings] : answer.warnings;
      box.replaceChildren(finished(scope, answer.credentialId, doubts, ask));
    };
    box.replaceChildren(card({}, form({ fields: makeFields(), submit: "Add this account", icon: "plus", grid: true, send })));
  };
  ask();
  return box;
}

