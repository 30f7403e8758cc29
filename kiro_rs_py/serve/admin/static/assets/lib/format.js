/** Numbers and times as people read them. */

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const precise = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export const count = (value) => whole.format(value);
export const shortCount = (value) => (value < 10_000 ? whole.format(value) : compact.format(value));
export const credits = (value) => precise.format(value);
export const share = (value) => percent.format(value);

/** "4 Mar 2026, 14:03:12", for titles. */
export const absolute = (time) => moment.format(new Date(time));
export const date = (time) => day.format(new Date(time));
export const timeOfDay = (time) => clock.format(new Date(time));

/** "just now", "4 min ago", "in 3 h". */
export function relative(time, now = Date.now()) {
  const seconds = Math.round((new Date(time).getTime() - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 45) return seconds > 15 ? "in less than a minute" : "just now";
  const text = span(size);
  if (size >= 60 * 86_400) return date(time);
  return seconds > 0 ? `in ${text}` : `${text} ago`;
}

function span(seconds) {
  if (seconds < 90) return "1 min";
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h`;
  const days = Math.round(seconds / 86_400);
  return days === 1 ? "1 day" : `${days} days`;
}

/** What is left until a time: "0:42", "12:05", "3 h 20 min", "5 days". */
export function countdown(time, now = Date.now()) {
  const seconds = Math.max(0, Math.ceil((new Date(time).getTime() - now) / 1000));
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.round((seconds % 3_600) / 60)} min`;
  return span(seconds);
}

/** "3 d 4 h", for the uptime. */
export function duration(seconds) {
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor((seconds % 86_400) / 3_600), "h"],
    [Math.floor((seconds % 3_600) / 60), "min"],
  ].filter(([amount]) => amount > 0);
  return parts.length ? parts.slice(0, 2).map(([amount, unit]) => `${amount} ${unit}`).join(" ") : "less than a minute";
}

/** "420 ms", "3.2 s". */
export function latency(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** "jane@example.com" → "j•••@e•••.com". */
export function maskEmail(email) {
  const [, first, host, end] = /^(.).*@(.).*(\.[^.]+)$/.exec(email) ?? [];
  return first ? `${first}•••@${host}•••${end}` : "•••";
}

/** Kiro's id of a model as everybody writes it: "CLAUDE_SONNET_4_5_20250929_V1_0" → "claude-sonnet-4.5". */
export function modelName(id) {
  if (!/^[A-Z0-9_]+$/.test(id)) return id;
  return id.replace(/(_\d{8})?_V\d+_\d+$/, "").toLowerCase().replace(/(\d)_(\d)/, "$1.$2").replaceAll("_", "-");
}

/** A sentence of the API without the kind of error in front, which is there for programs. */
export function plain(message) {
  return message.replace(/^((Invalid credential|Upstream service error|Token refresh failed|Internal error): )+/, "");
}

/** "3.2 kB". */
export function bytes(amount) {
  return amount < 1000 ? `${amount} bytes` : `${precise.format(Math.round(amount / 100) / 10)} kB`;
}
