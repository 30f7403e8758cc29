/** Calls to the administration's API. The key is never kept: a cookie stands for it, and a token goes with writes. */

import { plain } from "./format.js";

const BASE = "/api/admin";
const SLOWEST = 90_000;

let csrfToken = null;
/** Counts sessions, so that a late answer to an older one does not end the present one. */
let session = 0;
let onSignedOut = () => {};

/** What went wrong with a call. `status` 0: the server was not reached. `field` names the member that is wrong. */
export class ApiError extends Error {
  constructor(status, { code, message, field, requestId, retryAfter } = {}) {
    super(message ? plain(message) : `The server answered ${status}.`);
    this.name = "ApiError";
    this.status = status;
    this.code = code ?? "unknown";
    this.field = field ?? null;
    this.requestId = requestId ?? null;
    this.retryAfter = retryAfter ?? null;
  }

  get offline() {
    return this.status === 0;
  }
}

/** `run` is called when the server no longer knows the session. */
export function whenSignedOut(run) {
  onSignedOut = run;
}

/**
 * One call; the answer's JSON, or null if it has none.
 * @param {string} method
 * @param {string} path below /api/admin
 * @param {{body?: object, signal?: AbortSignal}} [options]
 * @throws {ApiError}
 */
export async function call(method, path, { body, signal } = {}) {
  const asked = session;
  try {
    return await attempt(method, path, body, signal);
  } catch (error) {
    if (error.code === "csrf" && (await resume())) return attempt(method, path, body, signal);
    if (error.status === 401 && asked === session) onSignedOut();
    throw error;
  }
}

async function attempt(method, path, body, signal) {
  const headers = { accept: "application/json" };
  if (method !== "GET" && csrfToken) headers["x-csrf-token"] = csrfToken;
  if (body !== undefined) headers["content-type"] = "application/json";
  const limit = AbortSignal.timeout(SLOWEST);
  let response;
  let text;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      credentials: "same-origin",
      cache: "no-store",
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, { code: "offline", message: "The server cannot be reached. Is kiro-rs-py still running?" });
  }
  const document = parse(text);
  if (!response.ok) throw errorOf(response, document);
  return document;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // nothing, or a page of something in between
  }
}

/** The envelope as an error. */
export function errorOf(response, document) {
  const error = document?.error ?? {};
  const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  return new ApiError(response.status, {
    code: error.code ?? error.type,
    message: error.message,
    field: error.field,
    requestId: document?.request_id,
    retryAfter: Number.isFinite(seconds) ? seconds : null,
  });
}

/** Take up the browser's session; false if there is none. */
export async function resume() {
  try {
    csrfToken = (await attempt("GET", "/session")).csrfToken;
    return true;
  } catch (error) {
    if (error.status === 401) return false;
    throw error;
  }
}

/** Exchange the key for a session; `remember` keeps it when the browser is closed. */
export async function signIn(key, remember) {
  csrfToken = (await attempt("POST", "/session", { key, remember })).csrfToken;
  session += 1;
}

/** End the session, also when the server cannot be reached. */
export async function signOut() {
  try {
    await attempt("DELETE", "/session");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
  csrfToken = null;
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body = {}) => call("POST", path, { body });
export const put = (path, body) => call("PUT", path, { body });
export const patch = (path, body) => call("PATCH", path, { body });
export const remove = (path) => call("DELETE", path);
