/** Importing tokens: text or a file in, a job on the server, a result for each account. */
import * as api from "../lib/api.js";
import { h, icon, refill, say, set } from "../lib/dom.js";
import { bytes, count, plain } from "../lib/format.js";
import { listen, reloadAccounts } from "../lib/live.js";
import { shownEmail } from "../parts/account.js";
import { field, form } from "../parts/form.js";
import { attempt, toast } from "../parts/toast.js";
import { blank, button, card, chip, facts, pageHead } from "../parts/ui.js";

const LARGEST = 8 * 1024 * 1024;
const MOST_SHOWN = 500;
const ASK_EVERY = 2_000;

export const imports = {
  title: "Import",
  section: "accounts",
  mount(root, scope, [id]) {
    const box = h("div", { class: "stack" });
    root.append(h("div", { class: "page narrow" },
      pageHead({ title: "Import tokens", lead: "Paste them or give a file; the format is recognised by its content.", back: { href: "#/accounts", text: "Accounts" } }), box));
    const ask = () => {
      history.replaceState(null, "", "#/import");
      box.replaceChildren(tokenForm(start), sources());
    };
    const start = async (text, verify) => {
      const job = await api.post("/imports", { text, verify });
      // In the address, so that a page that is loaded again finds its import.
      history.replaceState(null, "", `#/import/${job.id}`);
      follow(job.id);
    };
    const follow = (jobId) => box.replaceChildren(new Job(jobId, scope.child(), ask).element);
    if (id) follow(id);
    else ask();
  },
};

function sources() {
  return card({ title: "What can be imported" }, facts([
    ["Kiro IDE", "kiro-auth-token.json in ~/.aws/sso/cache (Google and GitHub)"],
    ["kiro-cli", "the token's JSON; for the whole database use kiro-rs-py import-token"],
    ["kiro-rs", "credentials.json, one account or many"],
    ["Kiro Account Manager", "its JSON export"],
    ["By hand", "a refresh token that begins with aor, or an API key that begins with ksk_"],
  ]));
}

function tokenForm(start) {
  const text = field({ name: "text", label: "Tokens", required: true, rows: true, attributes: { placeholder: '[{"refreshToken": "aor…", "authMethod": "social"}]' } });
  const verify = h("input", { type: "checkbox", class: "checkbox", prop: { checked: true } });
  const file = h("input", { type: "file", class: "visually-hidden", accept: ".json,.txt,application/json,text/plain", tabindex: "-1", "aria-label": "File to import" });
  const name = h("p", { class: "small muted", role: "status" });
  const zone = h("div", { class: "dropzone row" }, icon("upload", "muted"),
    h("p", null, "Drop a file here, or"), button({ text: "Choose a file", icon: "file", small: true, onClick: () => file.click() }), file, name);
  const read = async (chosen) => {
    if (!chosen) return;
    if (chosen.size > LARGEST) return text.setProblem("This file is larger than 8 MB: it can hardly be a list of tokens.");
    text.input.value = await chosen.text();
    text.setProblem(null);
    say(name, `${chosen.name}, ${bytes(chosen.size)}`);
    return undefined;
  };
  file.addEventListener("change", () => read(file.files[0]).then(() => (file.value = "")));
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    read(event.dataTransfer.files[0]);
  });
  const extra = [zone, h("label", { class: "check-line" }, verify, h("span", null,
    h("span", null, "Try each one out"),
    h("span", { class: "muted small" }, " – one refresh; what does not work is not kept. Tokens may be replaced by new ones on the way.")))];
  return card({}, form({ fields: [text], submit: "Import", icon: "import", extra, send: ({ text: value }) => start(value, verify.checked) }));
}

const OUTCOMES = {
  added: ["Added", "good", "check-circle"], replaced: ["Renewed", "good", "refresh"], duplicate: ["Already there", "", "copy"],
  invalid: ["Not valid", "bad", "error"], failed: ["Failed", "bad", "warning"],
};

/** An import under way, or over. */
class Job {
  #scope;
  #id;
  #state = null;

  constructor(id, scope, again) {
    this.#id = id;
    this.#scope = scope;
    this.title = h("h2", { tabindex: "-1" }, "Importing…");
    this.fill = h("div", { class: "fill" });
    this.track = h("div", { class: "track", role: "progressbar", "aria-label": "Progress of the import", "aria-valuemin": 0 }, this.fill);
    this.numbers = h("span", { role: "status" });
    this.counts = h("div", { class: "row" });
    this.list = h("div");
    this.cancel = button({ text: "Cancel", work: () => attempt(() => api.remove(`/imports/${id}`)) });
    this.save = button({ text: "Save the failures", icon: "download", onClick: () => saveFailures(this.#state.results) });
    this.again = button({ text: "Import more", icon: "import", onClick: again });
    this.done = button({ text: "To the accounts", kind: "primary", href: "#/accounts" });
    this.element = h("div", { class: "stack" }, card({},
      h("div", { class: "row between" }, this.title, this.numbers),
      h("div", { class: "meter large" }, this.track), this.counts, this.list,
      h("div", { class: "actions" }, this.done, this.again, this.save, this.cancel)));
    this.onAgain = again;
    listen("import", (news) => news.id === id && this.#show(news), scope);
    scope.every(ASK_EVERY, () => this.#ask());
    this.#ask();
  }

  async #ask() {
    if (this.#state && this.#state.state !== "running") return;
    try {
      this.#show(await api.get(`/imports/${this.#id}`, { signal: this.#scope.signal }));
    } catch (error) {
      if (error.status === 404) this.#missing();
    }
  }

  #missing() {
    this.#scope.end();
    this.element.replaceChildren(card({}, blank({ icon: "search", title: "This import is over",
      text: "The server keeps results for ten minutes. The accounts it added are in the list.",
      actions: [button({ text: "To the accounts", kind: "primary", href: "#/accounts" }), button({ text: "Import more", onClick: this.onAgain })] })));
  }

  #show(job) {
    if (this.#state && this.#state.state !== "running") return;
    const first = this.#state === null;
    this.#state = job;
    const running = job.state === "running";
    const bad = job.results.filter(isFailure);
    say(this.title, { running: "Importing…", done: "Import finished", cancelled: "Import cancelled" }[job.state]);
    say(this.numbers, `${count(job.done)} of ${count(job.total)}`);
    this.fill.style.width = `${job.total ? (job.done / job.total) * 100 : 100}%`;
    set(this.track, "aria-valuemax", job.total);
    set(this.track, "aria-valuenow", job.done);
    refill(this.counts, job.results.length, () => tally(job.results));
    refill(this.list, job.results.length, () => results(job.results));
    this.cancel.hidden = !running;
    this.again.hidden = this.done.hidden = running;
    this.save.hidden = running || !bad.length;
    if (first) this.title.focus();
    if (running) return;
    this.#scope.end();
    reloadAccounts();
    const taken = job.results.filter(({ outcome }) => outcome === "added" || outcome === "replaced").length;
    toast(`${count(taken)} of ${count(job.total)} were taken in.`, bad.length ? "" : "good");
  }
}

const isFailure = (result) => result.outcome === "invalid" || result.outcome === "failed";

function tally(list) {
  return Object.entries(OUTCOMES)
    .map(([name, [text, kind, symbol]]) => [list.filter((result) => result.outcome === name).length, text, kind, symbol])
    .filter(([number]) => number > 0)
    .map(([number, text, kind, symbol]) => chip(kind, symbol, `${text}: ${count(number)}`));
}

function results(list) {
  if (!list.length) return [];
  const lines = list.slice(0, MOST_SHOWN).map(({ name, outcome, credentialId, message }) => {
    const [text, kind, symbol] = OUTCOMES[outcome];
    const shown = name.includes("@") ? shownEmail(name) : name;
    return h("li", null,
      credentialId === undefined ? h("span", { class: "truncate" }, shown) : h("a", { class: "truncate", href: `#/accounts/${credentialId}` }, shown),
      chip(kind, symbol, text), message && h("p", { class: "muted small" }, plain(message)));
  });
  const rest = list.length - lines.length;
  return [h("ul", { class: "lines result-list", tabindex: "0", "aria-label": "Results" }, lines),
    rest > 0 && h("p", { class: "muted small" }, `and ${count(rest)} more`)];
}

/** Names and reasons as a file; no tokens, the page does not have them. */
function saveFailures(list) {
  const failures = list.filter(isFailure).map(({ index, name, outcome, message }) => ({ entry: index + 1, name, outcome, message }));
  const address = URL.createObjectURL(new Blob([JSON.stringify(failures, null, 2)], { type: "application/json" }));
  h("a", { href: address, download: "import-failures.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
