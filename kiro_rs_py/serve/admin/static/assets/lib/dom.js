/** Making elements. Text always goes in as text nodes: nothing here, or anywhere else, turns a string into markup. */

const SVG = "http://www.w3.org/2000/svg";
const ICONS = "/admin/assets/icons.svg";

/**
 * An element.
 * @param {string} tag
 * @param {object|null} [props] attributes; `on` maps events to listeners, `prop` sets DOM properties, `dataset` data-*.
 *   null, undefined and false leave an attribute out, true sets it empty.
 * @param {...*} children nodes, strings, numbers, nested lists; null and false are skipped
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name === "on") for (const [event, listener] of Object.entries(value ?? {})) element.addEventListener(event, listener);
    else if (name === "prop") Object.assign(element, value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else set(element, name, value);
  }
  element.append(...nodes(children));
  return element;
}

/** Set, or with null, undefined and false remove, an attribute. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value === true ? "" : value)) {
    element.setAttribute(name, value === true ? "" : value);
  }
}

/** Children as a flat list of nodes. */
function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Replace all children. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Set the text, without touching the document when it is there already. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...nodes(children));
  return element;
}

/** An icon of icons.svg; decoration only, so the text beside it, or an aria-label, says what it means. */
export function icon(name, extra = "") {
  const classes = extra ? `icon ${extra}` : "icon";
  return svg("svg", { class: classes, "aria-hidden": "true" }, svg("use", { href: `${ICONS}#${name}` }));
}

const keyed = new WeakMap();

/**
 * Make a parent's children match a list, keeping the elements of items that stay.
 * @param {Element} parent whose children are all made here
 * @param {Array} items
 * @param {(item) => *} keyOf
 * @param {(item) => {element: Element, update?: (item) => void}} create
 */
export function reconcile(parent, items, keyOf, create) {
  const old = keyed.get(parent) ?? new Map();
  const rows = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const row = old.get(key);
    row?.update?.(item);
    rows.set(key, row ?? create(item));
  }
  keyed.set(parent, rows);
  const focused = document.activeElement;
  for (const [key, row] of old) if (!rows.has(key)) row.element.remove();
  let next = parent.firstElementChild;
  for (const row of rows.values()) {
    if (row.element === next) next = next.nextElementSibling;
    else parent.insertBefore(row.element, next);
  }
  // An element that moves loses the focus.
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

const signatures = new WeakMap();
const FOCUSABLE = "a[href], button, input, select, textarea";

/**
 * Build an element's content anew, but only when what it is made from has changed; the focus stays where it was.
 * @param {Element} element
 * @param {*} facts what the content depends on; compared as JSON
 * @param {() => Array|Node} build
 */
export function refill(element, facts, build) {
  const signature = JSON.stringify(facts);
  if (signatures.get(element) === signature) return;
  signatures.set(element, signature);
  const at = [...element.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  fill(element, build());
  if (at >= 0) element.querySelectorAll(FOCUSABLE)[at]?.focus({ preventScroll: true });
}

let last = 0;

/** An id for labels and descriptions. */
export function uid(prefix = "x") {
  last += 1;
  return `${prefix}-${last}`;
}
