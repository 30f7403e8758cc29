/** Requests by the minute, drawn with plain SVG. */
import { h, svg } from "../lib/dom.js";

const MINUTE = 60_000;
const LONGEST = 30;
const HEIGHT = 96;
const STEP = 10;

/**
 * The requests of the last half hour, or of as long as they reach back if there are too many to be kept.
 * @param {Array} requests newest first
 * @param {boolean} cut whether older ones have been dropped
 */
export function trafficChart(requests, cut) {
  const now = Date.now();
  const oldest = requests.length ? new Date(requests.at(-1).time).getTime() : now;
  const minutes = cut ? Math.min(LONGEST, Math.max(1, Math.floor((now - oldest) / MINUTE))) : LONGEST;
  const columns = Array.from({ length: minutes }, () => ({ ok: 0, failed: 0 }));
  for (const request of requests) {
    const age = Math.floor((now - new Date(request.time).getTime()) / MINUTE);
    if (age >= 0 && age < minutes) columns[minutes - 1 - age][request.error ? "failed" : "ok"] += 1;
  }
  const total = columns.reduce((sum, { ok, failed }) => sum + ok + failed, 0);
  const failures = columns.reduce((sum, { failed }) => sum + failed, 0);
  const top = Math.max(4, ...columns.map(({ ok, failed }) => ok + failed));
  const label = `${total} requests in the last ${minutes} minutes, ${failures} failed, at most ${total ? top : 0} in a minute`;
  const picture = svg(
    "svg",
    { class: "chart", role: "img", "aria-label": label, viewBox: `0 0 ${minutes * STEP} ${HEIGHT}`, preserveAspectRatio: "none" },
    columns.flatMap((column, index) => bars(column, index, top)),
  );
  return [
    picture,
    h("div", { class: "row between muted small" }, h("span", null, `${minutes} min ago`), h("span", null, "now")),
    h("div", { class: "legend row muted small" }, h("span", null, `${total - failures} answered`), h("span", { class: "failed" }, `${failures} failed`)),
  ];
}

function bars({ ok, failed }, index, top) {
  const scale = (HEIGHT - 2) / top;
  const x = index * STEP + 1;
  const width = STEP - 2;
  const rect = (kind, y, height) => svg("rect", { class: kind, x, y, width, height });
  if (!ok && !failed) return [rect("base", HEIGHT - 2, 2)];
  const okHeight = ok * scale;
  const failedHeight = failed * scale;
  return [
    ok > 0 && rect("ok", HEIGHT - okHeight, okHeight),
    failed > 0 && rect("failed", HEIGHT - okHeight - failedHeight, failedHeight),
  ];
}
