/** Forms: labels, hints, and problems beside the field they are about, the server's too. */
import { ApiError } from "../lib/api.js";
import { h, icon, refill, set, uid } from "../lib/dom.js";
import { busy, button, notice } from "./ui.js";

/**
 * A field with its label.
 * @param {{name: string, label: string, hint?: *, type?: string, value?: string, required?: boolean, options?: Array,
 *   rows?: boolean, wide?: boolean, secret?: boolean, check?: (value: string) => string|null,
 *   bare?: boolean, attributes?: object}} options
 *   `check` gives a sentence about a value that cannot be right; `secret` hides what is typed, with a button to look;
 *   `bare` leaves "(optional)" out, for forms that change what is there
 */
export function field(options) {
  const id = uid(options.name);
  const problem = h("p", { class: "problem", id: `${id}-problem`, hidden: true });
  const hint = options.hint && h("p", { class: "muted small", id: `${id}-hint` }, options.hint);
  const input = makeInput(options, id);
  set(input, "aria-describedby", [hint && `${id}-hint`, `${id}-problem`].filter(Boolean).join(" "));
  const label = h("label", { for: id }, options.label, !options.required && !options.bare && h("span", { class: "optional" }, " (optional)"));
  const element = h("div", { class: options.wide ? "field wide" : "field" },
    label, options.secret ? withEye(input, options.label) : input, problem, hint);
  const setProblem = (text) => {
    set(input, "aria-invalid", text ? "true" : null);
    problem.hidden = !text;
    problem.replaceChildren(...(text ? [icon("error"), text] : []));
  };
  input.addEventListener("input", () => setProblem(null));
  return {
    name: options.name,
    label: options.label,
    element,
    input,
    setProblem,
    get value() {
      return input.value.trim();
    },
    /** Whether the value may be sent; marks the field if not. */
    validate() {
      const value = input.value.trim();
      const text = !value && options.required ? `${options.label} is needed.` : value ? options.check?.(value) : null;
      setProblem(text ?? null);
      return !text;
    },
  };
}

function makeInput(options, id) {
  const common = { id, name: options.name, class: "input", ...options.attributes };
  if (options.required) common["aria-required"] = "true";
  if (options.options) {
    const choices = options.options.map(([value, text]) =>
      h("option", { value, selected: value === options.value }, text));
    return h("select", common, choices);
  }
  const plain = { ...common, autocomplete: "off", spellcheck: "false", autocapitalize: "off" };
  if (options.rows) return h("textarea", { ...plain, rows: 8 }, options.value ?? "");
  return h("input", { ...plain, type: options.secret ? "password" : (options.type ?? "text"), value: options.value });
}

/** A choice that narrows a list; {@link offer} fills it. "" stands for all. */
export function filterSelect(title, change) {
  const element = h("select", { class: "input", "aria-label": `Filter by ${title.toLowerCase()}`, dataset: { title } });
  element.addEventListener("change", () => change(element.value));
  return element;
}

/** What there is to choose from, as pairs of value and text, beside all. */
export function offer(element, options, chosen) {
  refill(element, options, () => [["", `${element.dataset.title}: all`], ...options].map(([value, text]) =>
    h("option", { value, selected: value === chosen }, text)));
}

function withEye(input, label) {
  const eye = button({ label: `Show ${label.toLowerCase()}`, icon: "eye", kind: "quiet" });
  eye.setAttribute("aria-pressed", "false");
  eye.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    eye.setAttribute("aria-pressed", String(shown));
  });
  return h("div", { class: "input-group" }, input, eye);
}

/**
 * A form of such fields. What the server refuses is shown at its field, or above the button if it has none.
 * @param {{fields: Array, submit: string, icon?: string, grid?: boolean, extra?: *,
 *   send: (values: Object<string, string>) => Promise<void>, cancel?: HTMLElement}} options
 */
export function form({ fields, submit, icon: name, grid, extra, send, cancel }) {
  const error = h("div", { role: "alert", hidden: true });
  const go = button({ text: submit, icon: name, kind: "primary", type: "submit" });
  const show = (problem) => {
    const about = fields.find((entry) => entry.name === problem.field);
    if (about) {
      about.setProblem(problem.message.replace(new RegExp(`^${problem.field}\\b`), about.label));
      about.input.focus();
    } else {
      error.hidden = false;
      error.replaceChildren(notice("bad", problem.message));
    }
  };
  const onSubmit = async (event) => {
    event.preventDefault();
    error.hidden = true;
    const shown = fields.filter((entry) => !entry.element.hidden);
    const wrong = shown.filter((entry) => !entry.validate());
    if (wrong.length) return wrong[0].input.focus();
    const values = Object.fromEntries(shown.filter((entry) => entry.value).map((entry) => [entry.name, entry.value]));
    try {
      await busy(go, () => send(values));
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      show(problem);
    }
    return undefined;
  };
  return h("form", { class: "stack", novalidate: true, on: { submit: onSubmit } },
    h("div", { class: grid ? "form-grid" : "stack" }, fields.map((entry) => entry.element)),
    extra,
    error,
    h("div", { class: "actions" }, go, cancel));
}
