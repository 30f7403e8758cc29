/**
 * Server-Sent Events over fetch. Unlike EventSource it tells a lost session from a lost network, and notices a
 * connection that has died without a word, since the server's keep-alive comments are seen too.
 */
import { ApiError, errorOf } from "./api.js";

const SILENCE = 40_000;
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

export class EventStream {
  #url;
  #handlers;
  #controller = null;
  #retry = null;
  #watchdog = null;
  #pause = FIRST_PAUSE;
  #closed = false;

  /**
   * @param {string} url
   * @param {{event: (name: string, data: object) => void, open: () => void, lost: () => void, denied: () => void}} handlers
   */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  /** Connect, now; an earlier connection is given up. */
  async connect() {
    clearTimeout(this.#retry);
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    let wait = null;
    try {
      await this.#read(controller);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        this.close();
        this.#handlers.denied();
        return;
      }
      wait = error instanceof ApiError && error.retryAfter ? error.retryAfter * 1000 : null;
    }
    if (this.#closed || this.#controller !== controller) return;
    clearTimeout(this.#watchdog);
    this.#handlers.lost();
    this.#retry = setTimeout(() => this.connect(), wait ?? this.#pause * (0.8 + 0.4 * Math.random()));
    this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#watchdog);
    this.#controller?.abort();
  }

  async #read(controller) {
    const response = await fetch(this.#url, {
      headers: { accept: "text/event-stream" },
      signal: controller.signal,
      cache: "no-store",
    });
    if (!response.ok) throw errorOf(response, await response.json().catch(() => null));
    this.#handlers.open();
    this.#pause = FIRST_PAUSE;
    const parser = new EventParser(this.#handlers.event);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      clearTimeout(this.#watchdog);
      this.#watchdog = setTimeout(() => controller.abort(), SILENCE);
      const { value, done } = await reader.read();
      if (done) return;
      parser.receive(value);
    }
  }
}

/** Pieces of text in, events out. */
class EventParser {
  #buffer = "";
  #name = "message";
  #data = [];

  constructor(deliver) {
    this.deliver = deliver;
  }

  receive(text) {
    const lines = (this.#buffer + text).split(/\r?\n/);
    this.#buffer = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    if (line !== "") return;
    if (this.#data.length) this.deliver(this.#name, JSON.parse(this.#data.join("\n")));
    this.#name = "message";
    this.#data = [];
  }
}
