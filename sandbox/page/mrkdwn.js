// How does mrkdwn become nodes? (docs.slack.dev, "Formatting message text".) No text is parsed as HTML.

import { formatDate, fullTime } from "./dates.js";
import { h, link } from "./dom.js";
import { emojiCharacter } from "./emoji.js";

const INLINE = new RegExp(
  [
    "(?<angle><[^<>\\n]+>)",
    "`(?<code>[^`\\n]+)`",
    "(?<![\\w*])\\*(?=\\S)(?<bold>[^*\\n]*?[^\\s*])\\*(?![\\w*])",
    "(?<![\\w_])_(?=\\S)(?<italic>[^_\\n]*?[^\\s_])_(?![\\w_])",
    "(?<![\\w~])~(?=\\S)(?<strike>[^~\\n]*?[^\\s~])~(?![\\w~])",
    ":(?<emoji>[a-z0-9_+'-]+(?:::skin-tone-\\d)?):",
    "(?<url>https?://[^\\s<>|]*[^\\s<>|.,;:!?)'\"])",
  ].join("|"),
  "g",
);
const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

/** Slack's three entities, each decoded once. */
function decode(text) {
  return text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]);
}

/** Text without markup: only emoji names and, as Slack does, nothing else. */
export function plainText(text) {
  return String(text ?? "")
    .split(/(:[a-z0-9_+'-]+:)/)
    .map((part) => {
      const character = part.length > 2 && part.startsWith(":") ? emojiCharacter(part.slice(1, -1)) : null;
      return character === null ? part : emojiNode(part.slice(1, -1), character);
    });
}

export function emojiNode(name, character = emojiCharacter(name)) {
  return character === null ? `:${name}:` : h("span", { class: "emoji", title: `:${name}:` }, character);
}

/** Nodes for a mrkdwn text. `names` knows people, groups and channels by ID (see names.js). */
export function mrkdwn(text, names) {
  const nodes = [];
  for (const [index, part] of String(text ?? "")
    .split("```")
    .entries()) {
    const last = index % 2 === 1;
    if (last && part.trim()) nodes.push(h("pre", {}, decode(unwrap(part)).replace(/^\n|\n$/g, "")));
    else nodes.push(...lines(part.replace(index ? /^\n/ : /^$/, ""), names));
  }
  return nodes;
}

function lines(text, names) {
  const nodes = [];
  let quote = null;
  let open = false;
  for (const [index, line] of text.split("\n").entries()) {
    const marked = line.match(/^(?:&gt;|>){1,3} ?/);
    if (open || marked) {
      open = open || /^(?:&gt;|>){3}/.test(line);
      const rest = inline(marked ? line.slice(marked[0].length) : line, names);
      if (quote) quote.append("\n", ...rest);
      else nodes.push((quote = h("blockquote", {}, ...rest)));
      continue;
    }
    if (index && !quote) nodes.push("\n");
    quote = null;
    nodes.push(...inline(line, names));
  }
  return nodes;
}

function inline(text, names) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(decode(text.slice(from, match.index)), inlineNode(match, names));
    from = match.index + match[0].length;
  }
  nodes.push(decode(text.slice(from)));
  return nodes.filter((node) => node !== "");
}

function inlineNode(match, names) {
  const { angle, code, bold, italic, strike, emoji, url } = match.groups;
  if (angle) return angleNode(angle.slice(1, -1), names);
  if (code) return h("code", {}, decode(unwrap(code)));
  if (bold) return h("b", {}, ...inline(bold, names));
  if (italic) return h("i", {}, ...inline(italic, names));
  if (strike) return h("s", {}, ...inline(strike, names));
  if (emoji) return emojiNode(emoji);
  return link(decode(url), decode(url));
}

/** In code, `<address|label>` shows as its label and nothing is a link. */
function unwrap(text) {
  return text.replace(/<(?:[^<>|\n]+\|)?([^<>|\n]+)>/g, "$1");
}

function angleNode(inside, names) {
  const bar = inside.indexOf("|");
  const target = bar < 0 ? inside : inside.slice(0, bar);
  const label = bar < 0 ? null : decode(inside.slice(bar + 1));
  if (/^@[UW]\w+$/.test(target)) return userMention(target.slice(1), names, label);
  if (/^#[CG]\w+$/.test(target))
    return h("span", { class: "mention" }, `#${label || names.channel(target.slice(1))}`);
  if (target.startsWith("!date^")) return dateNode(target.split("^"), label);
  if (target.startsWith("!subteam^")) return groupMention(target.slice(9), names, label);
  if (/^!(here|channel|everyone)$/.test(target))
    return h("span", { class: "mention me" }, `@${target.slice(1)}`);
  if (target.startsWith("!")) return label ?? target.slice(1);
  if (/^(https?:|mailto:)/.test(target))
    return link(decode(target), label ?? decode(target).replace(/^mailto:/, ""));
  return decode(`<${inside}>`);
}

export function userMention(id, names, label = null) {
  const name = names.person(id) ?? label?.replace(/^@/, "") ?? id;
  return h("span", { class: names.isMe(id) ? "mention me" : "mention", dataset: { user: id } }, `@${name}`);
}

export function groupMention(id, names, label = null) {
  return h("span", { class: "mention me" }, `@${(label ?? names.group(id) ?? id).replace(/^@/, "")}`);
}

function dateNode([, seconds, format, address], fallback) {
  const text = formatDate(seconds, decode(format ?? ""));
  if (text === null) return fallback ?? "";
  const node = h("time", { title: fullTime(seconds) }, text);
  return address ? link(decode(address), node) : node;
}
