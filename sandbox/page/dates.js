// How does a moment read in the viewer's own time zone, as Slack's clients write it?

const LOCALE = "en-US";
const DAY = 24 * 60 * 60 * 1000;
let aheadMs = 0;

/** From now on "today" is that of the workspace's clock, which runs ahead of this machine's by these seconds. */
export function runAhead(seconds) {
  aheadMs = seconds * 1000;
}

/** The workspace's time, in seconds since 1970. */
export function nowSeconds() {
  return (Date.now() + aheadMs) / 1000;
}

const FORMATS = {
  date_num: (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
  date_slash: (at) => at.toLocaleDateString(LOCALE, { year: "numeric", month: "2-digit", day: "2-digit" }),
  date: (at) => at.toLocaleDateString(LOCALE, { year: "numeric", month: "long", day: "numeric" }),
  date_short: (at) => at.toLocaleDateString(LOCALE, { year: "numeric", month: "short", day: "numeric" }),
  date_long: (at) =>
    at.toLocaleDateString(LOCALE, { weekday: "long", year: "numeric", month: "long", day: "numeric" }),
  date_pretty: (at) => nearDay(at) ?? FORMATS.date(at),
  date_short_pretty: (at) => nearDay(at) ?? FORMATS.date_short(at),
  date_long_pretty: (at) => nearDay(at) ?? FORMATS.date_long(at),
  time: (at) => at.toLocaleTimeString(LOCALE, { hour: "numeric", minute: "2-digit" }),
  time_secs: (at) => at.toLocaleTimeString(LOCALE, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago: (at) => ago(at),
};

function two(number) {
  return String(number).padStart(2, "0");
}

function startOfDay(at) {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

function nearDay(at) {
  const days = Math.round((startOfDay(at) - startOfDay(new Date(nowSeconds() * 1000))) / DAY);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days] ?? null;
}

function ago(at) {
  const seconds = Math.round(at.getTime() / 1000 - nowSeconds());
  const words = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });
  for (const [unit, size] of [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
  ]) {
    if (Math.abs(seconds) >= size) return words.format(Math.round(seconds / size), unit);
  }
  return words.format(seconds, "second");
}

/**
 * Fills the tokens of Slack's date format ("{date_short_pretty} at {time}"; formatting message text, "Date
 * formatting"). Gives null where the moment (seconds since 1970, UTC) or a token is none that Slack knows.
 */
export function formatDate(seconds, format) {
  const at = new Date(Number(seconds) * 1000);
  const tokens = format.match(/\{[^}]*\}/g) ?? [];
  const known = tokens.length > 0 && tokens.every((token) => Object.hasOwn(FORMATS, token.slice(1, -1)));
  if (Number.isNaN(at.getTime()) || !known) return null;
  const text = format.replace(/\{([^}]*)\}/g, (_, token) => FORMATS[token](at));
  return /^\{date[a-z_]*_pretty\}/.test(format) ? text[0].toUpperCase() + text.slice(1) : text;
}

/** "3:42 PM" */
export function clockTime(seconds) {
  return FORMATS.time(new Date(seconds * 1000));
}

/** The whole moment in words, for a tooltip: local time and UTC. */
export function fullTime(seconds) {
  const at = new Date(Number(seconds) * 1000);
  const utc = at.toISOString().slice(0, 19).replace("T", " ");
  return `${FORMATS.date_long(at)} at ${FORMATS.time_secs(at)} (${utc} UTC)`;
}

/** The words on a day divider: "Today", "Yesterday", else "Monday, November 24". */
export function dayName(seconds) {
  const at = new Date(seconds * 1000);
  const near = nearDay(at);
  if (near) return near[0].toUpperCase() + near.slice(1);
  return at.toLocaleDateString(LOCALE, { weekday: "long", month: "long", day: "numeric" });
}

/** "Wed, Nov 26, 3:42 PM" */
export function shortTime(seconds) {
  const at = new Date(seconds * 1000);
  const day = at.toLocaleDateString(LOCALE, { weekday: "short", month: "short", day: "numeric" });
  return `${day}, ${FORMATS.time(at)}`;
}

/** The same for two moments of one local day. */
export function dayKey(seconds) {
  return FORMATS.date_num(new Date(seconds * 1000));
}
