/** Which screen the address asks for: `#/accounts/3`. */
import { Scope } from "./scope.js";

/**
 * @typedef {object} Screen
 * @property {string} title for the window and for screen readers
 * @property {string} section which entry of the navigation it belongs to
 * @property {(root: HTMLElement, scope: Scope, params: Array<string|undefined>) => void} mount
 */

/**
 * Put up the screen of the address, and follow the address until the scope ends.
 * @param {Array<[RegExp, Screen]>} routes the first that matches wins; its groups are the params
 * @param {HTMLElement} outlet
 * @param {(screen: Screen, first: boolean) => void} after called when a screen has been put up
 * @param {Scope} scope
 */
export function followAddress(routes, outlet, after, scope) {
  let inner = null;
  const show = () => {
    const path = location.hash.replace(/^#/, "") || "/";
    const [pattern, screen] = routes.find(([candidate]) => candidate.test(path)) ?? [];
    if (!screen) return location.replace("#/");
    const first = inner === null;
    inner?.end();
    inner = new Scope();
    outlet.replaceChildren();
    document.title = `${screen.title} · kiro-rs-py`;
    screen.mount(outlet, inner, pattern.exec(path).slice(1));
    return after(screen, first);
  };
  scope.on(window, "hashchange", show);
  scope.add(() => inner?.end());
  show();
}
