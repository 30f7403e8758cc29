/** The cards of one account that ask the server for more: what became of it, a test call, its models. */
import * as api from "../lib/api.js";
import { h, refill } from "../lib/dom.js";
import { latency, shortCount } from "../lib/format.js";
import { reloadAccounts } from "../lib/live.js";
import { account as find, watch } from "../lib/store.js";
import { ago } from "../lib/ticker.js";
import { stateOf } from "./account.js";
import { cell, row, table } from "./table.js";
import { blank, button, card, chip, facts, load, notice, skeleton } from "./ui.js";

const MOST_MODELS = 6;

/** The latest changes of its state; asked for again whenever the state is another. */
export function historyCard(scope, id) {
  const box = h("div", null, skeleton("", ""));
  const show = ({ history }) => refill(box, history, () =>
    h("ol", { class: "lines history", tabindex: "0", "aria-label": "History, the newest first" }, history.map(historyLine)));
  const changed = h("div");
  watch(["accounts"], () => {
    const entry = find(id);
    if (entry) refill(changed, [entry.state, entry.stateSince, entry.stateUntil], () => {
      load(box, scope, `/credentials/${id}/history`, show);
      return [];
    });
  }, scope);
  return card({ title: "History" }, box);
}

function historyLine({ state, since, cause }) {
  const { kind, icon, text } = stateOf({ state });
  return h("li", null, chip(kind, icon, text), h("span", { class: "muted small nowrap" }, ago(since)),
    cause && h("p", { class: "muted small" }, cause));
}

const CAUSES = { too_many_tests: "warn", not_active: "warn" };

/** One tiny conversation on this very account. */
export function testCard(scope, id) {
  const result = h("div", { class: "stack tight", role: "status" });
  const models = h("select", { class: "input", "aria-label": "Model of the test" }, h("option", { value: "" }, "Cheapest model"));
  const go = button({ text: "Send a test", icon: "play", work: async () => {
    try {
      result.replaceChildren(...outcome(await api.post(`/credentials/${id}/test`, models.value ? { model: models.value } : {})));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      result.replaceChildren(notice(CAUSES[error.code] ?? "bad", h("p", null, error.message)));
    }
    await reloadAccounts();
  } });
  const why = h("p", { class: "muted small" });
  watch(["accounts"], () => {
    const active = find(id)?.state === "active";
    go.disabled = !active;
    why.textContent = active ? "Asks for one word, on exactly this account. It costs a little credit."
      : "Only an active account can be tested.";
  }, scope);
  const offer = (list) => models.append(...list.map(({ id: name }) => h("option", { value: name }, name)));
  return { element: card({ title: "Test call" }, why, h("div", { class: "row test-row" }, models, go), result), offer };
}

function outcome({ ok, model, firstEventMs, totalMs, text, error }) {
  return [
    ok ? notice("good", h("p", null, h("strong", null, "It works. "), text ? `“${text}”` : "The answer had no text."))
      : notice("bad", [h("p", null, h("strong", null, "It does not work. "), error.message), h("p", { class: "small muted" }, error.code)]),
    facts([["Model", h("code", null, model)], ["First event", firstEventMs === null ? null : latency(firstEventMs)], ["Whole answer", latency(totalMs)]]),
  ];
}

/** The models that the account was told it may use; `told` gets the list. */
export function modelsCard(scope, id, told) {
  const box = h("div", null, skeleton("", ""));
  const show = ({ models, listedAt }) => {
    told(models);
    refill(box, [models, listedAt], () => (models.length ? modelList(models, listedAt)
      : blank({ icon: "token", title: "Not known yet", text: "The account has not told its models. It is asked when it is used.", level: "h3" })));
  };
  load(box, scope, `/credentials/${id}/models`, show);
  return card({ title: "Models", flush: true }, box);
}

/** The first few, and the rest when somebody wants it. */
function modelList(models, listedAt) {
  const rest = models.length - MOST_MODELS;
  const list = h("div", null, modelTable(models.slice(0, MOST_MODELS)));
  const more = rest > 0 && button({ text: `Show all ${models.length}`, small: true, onClick: () => {
    list.replaceChildren(modelTable(models));
    more.remove();
  } });
  return [list, h("div", { class: "table-more" }, more, h("p", { class: "muted small" }, "As told ", ago(listedAt)))];
}

function modelTable(models) {
  return table("Models of this account", "dense", ["Model", "At Kiro", ["Window", "right"], ["Credits", "right"]], models.map((model) => row(null,
    cell(null, h("span", { title: model.displayName }, model.id), "wide"),
    cell("At Kiro", h("code", null, model.upstreamId)),
    cell("Window", model.window === null ? "–" : `${shortCount(model.window)} tokens`, "right number nowrap"),
    cell("Credits", model.rateMultiplier === null ? "–" : `× ${model.rateMultiplier}`, "right number nowrap"))));
}
