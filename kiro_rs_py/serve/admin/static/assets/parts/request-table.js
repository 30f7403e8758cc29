/** Requests as a table: never what was asked or answered, only how it went. */
import { h } from "../lib/dom.js";
import { count, credits, latency, modelName } from "../lib/format.js";
import { account as find } from "../lib/store.js";
import { ago } from "../lib/ticker.js";
import { nameOf } from "./account.js";
import { cell, row, table } from "./table.js";
import { chip, facts } from "./ui.js";

const HEADS = [
  "Result", "Model", "Account", ["Tokens", "right"], ["First byte", "right hide-medium"], ["Total", "right"], ["When", "right"],
];

export function requestTable(requests, withAccount = true) {
  const heads = HEADS.filter((head) => withAccount || head !== "Account");
  return table("Requests", "dense activity", heads, requests.map((request) => requestRow(request, withAccount)));
}

/** One request. */
export function requestRow(request, withAccount = true) {
  return row(null,
    cell(null, h("div", { class: "row" }, result(request), explanation(request)), "wide"),
    cell(null, h("div", { class: "row" }, modelCell(request)), "wide"),
    withAccount && cell("Account", who(request)),
    cell("Tokens", tokens(request), "right number nowrap"),
    cell("First byte", latency(request.firstByteMs), "right number nowrap hide-medium"),
    cell("Total", latency(request.totalMs), "right number nowrap"),
    cell("When", h("div", { class: "when row one-line" }, ago(request.time)), "right nowrap wide"));
}

function modelCell({ model, route }) {
  const name = h("span", { title: model }, model ? modelName(model) : "–");
  return [name, route.startsWith("/cc") && h("span", { class: "tag" }, "cc")];
}

function result(request) {
  if (request.error === "client left") return chip("", "sign-out", "Client left");
  if (request.error) return chip("bad", "error", request.status ? `Failed ${request.status}` : "Failed");
  if (request.stopReason === "max_tokens") return chip("warn", "warning", "Cut short");
  return chip("good", "check-circle", request.stopReason === "tool_use" ? "Tool call" : "Answered");
}

function explanation(request) {
  const parts = [
    request.error && request.error !== "client left" && words(request.error),
    request.attempts > 1 && `${request.attempts} attempts`,
  ].filter(Boolean);
  return parts.length > 0 && h("span", { class: "muted small" }, parts.join(", "));
}

function who(request) {
  if (request.credentialId === null || request.credentialId === undefined) return "–";
  const account = find(request.credentialId);
  const name = account ? nameOf(account) : `#${request.credentialId}`;
  return account ? h("a", { href: `#/accounts/${account.id}` }, name) : h("span", { class: "muted" }, name);
}

function tokens({ inputTokens, outputTokens }) {
  if (!inputTokens && !outputTokens) return "–";
  return h("span", { title: `${count(inputTokens)} in, ${count(outputTokens)} out` }, `${count(inputTokens)} → ${count(outputTokens)}`);
}

/** Everything that is known of a request. */
export function requestFacts(request) {
  return facts([
    ["Request id", h("code", null, request.requestId)],
    ["Route", h("code", null, request.route)],
    ["Model", request.model && h("code", null, request.model)],
    ["Mode", request.mode],
    ["Status", String(request.status)],
    ["Error", request.error && words(request.error)],
    ["Stop reason", request.stopReason],
    ["Attempts", String(request.attempts)],
    ["First byte", latency(request.firstByteMs)],
    ["Total", latency(request.totalMs)],
    ["Tokens", `${count(request.inputTokens)} in, ${count(request.outputTokens)} out`],
    ["Credits", request.credits ? credits(request.credits) : null],
  ]);
}

/** "NoUsableCredential" → "No usable credential". */
export function words(name) {
  const spaced = name.replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
