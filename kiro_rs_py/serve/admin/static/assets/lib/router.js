/** Which screen the address asks for: `#/accounts/3`. */
import { Scope } from "./scope.js";

/**
 * @typedef {object} Screen
 * @property {string} title for the window and for screen readers
 * @property {string} section which entry of the navigation it belongs to
 * @property {(root: HTMLElement, scope: Scope, params: string[]) => void} mount
 */

export class Router {
  #routes;
  #outlet;
  #after;
  #scope = null;
  #shown = null;

  /**
   * @param {Array<[RegExp, Screen]>} routes the first that matches wins; its groups are the params
   * @param {HTMLElement} outlet
   * @param {(screen: Screen, first: boolean) => void} after called when a screen has been put up
   */
  constructor(routes, outlet, after) {
    this.#routes = routes;
    this.#outlet = outlet;
    this.#after = after;
  }

  /** Follow the address until the scope ends. */
  start(scope) {
    scope.on(window, "hashchange", () => this.show());
    scope.add(() => this.#scope?.end());
    this.show();
  }

  /** Put up the screen of the present address. */
  show() {
    const path = location.hash.replace(/^#/, "") || "/";
    for (const [pattern, screen] of this.#routes) {
      const match = pattern.exec(path);
      if (match) return this.#mount(screen, match.slice(1).map(decode), path);
    }
    location.replace("#/");
    return undefined;
  }

  #mount(screen, params, path) {
    const first = this.#shown === null;
    this.#shown = path;
    this.#scope?.end();
    this.#scope = new Scope();
    this.#outlet.replaceChildren();
    document.title = `${screen.title} · kiro-rs-py`;
    screen.mount(this.#outlet, this.#scope, params);
    this.#after(screen, first);
  }
}

function decode(part) {
  try {
    return decodeURIComponent(part ?? "");
  } catch {
    return "";
  }
}
