/** What to paste into clients. */
import { h, refill } from "../lib/dom.js";
import { reload } from "../lib/live.js";
import { watch } from "../lib/store.js";
import { copyButton } from "../parts/copy.js";
import { field } from "../parts/form.js";
import { tabs } from "../parts/tabs.js";
import { card, failure, notice, pageHead, skeleton } from "../parts/ui.js";

const MODEL = "claude-sonnet-4-5";
const PLACEHOLDER = "YOUR_API_KEY";

export const connect = {
  title: "Connect",
  section: "connect",
  mount(root, scope) {
    const box = h("div", { class: "stack" });
    root.append(h("div", { class: "page" },
      pageHead({ title: "Connect", lead: "Point a client at this proxy. It speaks the Anthropic Messages API." }), box));
    watch(["overview", "failure"], ({ overview, failure: error }) => {
      if (!overview) refill(box, error?.message ?? "loading", () => (error ? card({}, failure(error, reload)) : skeleton("block", "tall")));
      else refill(box, overview.baseUrl, () => content(overview.baseUrl, scope));
    }, scope);
  },
};

function content(url, scope) {
  const key = field({ name: "client-key", label: "Your API key", secret: true,
    hint: ["A ", h("a", { href: "#/keys" }, "client key"), ", or the api_key of your configuration. Only put into the text below; it is not sent anywhere and not kept."] });
  const fields = { url, get key() { return key.value || PLACEHOLDER; } };
  const panels = tabs("Client", CLIENTS.map(([name, build]) => [name, (inner) => guide(build, fields, key, inner)]), scope);
  return [
    card({}, h("div", { class: "form-grid" },
      h("div", { class: "field" }, h("span", { class: "label" }, "Base URL"), snippet(() => url)), key.element)),
    card({}, panels),
  ];
}

/** A client's steps, written again whenever the key is typed. */
function guide(build, fields, key, scope) {
  const box = h("div", { class: "stack" });
  const show = () => box.replaceChildren(...build(fields).map((part) => (typeof part === "string" ? h("p", null, part) : part)));
  scope.on(key.input, "input", show);
  show();
  return box;
}

function snippet(text) {
  return h("div", { class: "snippet" }, h("pre", { tabindex: "0" }, h("code", null, text())), copyButton(text));
}

const code = (...lines) => snippet(() => lines.join("\n"));
const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const CLIENTS = [
  ["Claude Code", ({ url, key }) => [
    "Set two variables, then start it:",
    code(`export ANTHROPIC_BASE_URL=${url}`, `export ANTHROPIC_AUTH_TOKEN=${quote(key)}`, "claude"),
    notice("", h("p", null, "With ", h("code", null, `${url}/cc`), " as the base URL the first event already carries the true number of input tokens; the answer then comes in one piece.")),
  ]],
  ["Python SDK", ({ url, key }) => [
    "pip install anthropic, then:",
    code("from anthropic import Anthropic", "", `client = Anthropic(base_url="${url}", api_key="${key}")`,
      "message = client.messages.create(", `    model="${MODEL}", max_tokens=1024,`,
      '    messages=[{"role": "user", "content": "Hello"}],', ")", "print(message.content[0].text)"),
  ]],
  ["TypeScript SDK", ({ url, key }) => [
    "npm install @anthropic-ai/sdk, then:",
    code('import Anthropic from "@anthropic-ai/sdk";', "", `const client = new Anthropic({ baseURL: "${url}", apiKey: "${key}" });`,
      "const message = await client.messages.create({", `  model: "${MODEL}", max_tokens: 1024,`,
      '  messages: [{ role: "user", content: "Hello" }],', "});", "console.log(message.content);"),
  ]],
  ["Cline", ({ url, key }) => [
    "In Cline's settings choose the API provider Anthropic, tick “Use custom base URL” and enter:",
    code(url), "Its command line wants the path too:", code(`${url}/v1`), "As the API key:", code(key),
  ]],
  ["opencode", ({ url, key }) => [
    "In opencode.json; this client wants the path in the address:",
    code(JSON.stringify({ provider: { anthropic: { options: { baseURL: `${url}/v1`, apiKey: key } } } }, null, 2)),
  ]],
  ["curl", ({ url, key }) => [
    "To see that it works:",
    code(`curl -N ${url}/v1/messages \\`, `  -H ${quote(`x-api-key: ${key}`)} \\`, "  -H 'content-type: application/json' \\",
      `  -d '{"model": "${MODEL}", "max_tokens": 1024, "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'`),
  ]],
];
