/** Begins: is there a session? Then the pages, else the door. */
import * as api from "./lib/api.js";
import * as live from "./lib/live.js";
import { loadMask } from "./lib/prefs.js";
import { Scope } from "./lib/scope.js";
import { forget } from "./lib/store.js";
import { startTicking } from "./lib/ticker.js";
import { mountToasts } from "./parts/toast.js";
import { failure } from "./parts/ui.js";
import { mountDoor } from "./views/door.js";
import { mountShell } from "./views/shell.js";

const app = document.getElementById("app");
let scope = new Scope();
let inside = false;

function clear() {
  scope.end();
  scope = new Scope();
  app.replaceChildren();
}

function enter() {
  clear();
  inside = true;
  mountShell(app, scope, { leave });
  live.start(scope, signedOut);
}

/** The server does not know the session any more. Several calls may find out: only the first leads to the door. */
function signedOut() {
  if (inside) door("Your session has ended. Sign in again to go on.");
}

function door(reason = null) {
  clear();
  inside = false;
  forget();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close("no");
  mountDoor(app, scope, { enter, reason });
}

/** First nothing asks any more: a request under way would find its session gone. */
async function leave() {
  clear();
  inside = false;
  await api.signOut();
  location.hash = "#/";
  door();
}

async function begin() {
  try {
    if (await api.resume()) enter();
    else door();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    app.replaceChildren(failure(error, begin));
  }
}

loadMask();
mountToasts();
startTicking();
api.whenSignedOut(signedOut);
begin();
