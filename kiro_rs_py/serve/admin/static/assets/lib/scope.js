/** What a screen has to give back when it goes: listeners, timers, requests. */
export class Scope {
  #disposers = [];
  #controller = new AbortController();

  /** Aborted when the scope ends; give it to fetch and addEventListener. */
  get signal() {
    return this.#controller.signal;
  }

  get ended() {
    return this.#controller.signal.aborted;
  }

  /** Call `dispose` at the end. */
  add(dispose) {
    if (this.ended) dispose();
    else this.#disposers.push(dispose);
  }

  on(target, event, listener) {
    target.addEventListener(event, listener, { signal: this.signal });
  }

  every(milliseconds, run) {
    const timer = setInterval(run, milliseconds);
    this.add(() => clearInterval(timer));
  }

  /** A scope that ends with this one, or earlier. */
  child() {
    const child = new Scope();
    this.add(() => child.end());
    return child;
  }

  end() {
    this.#controller.abort();
    for (const dispose of this.#disposers.splice(0)) dispose();
  }
}
