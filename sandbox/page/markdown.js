// How does a markdown block (standard Markdown, not mrkdwn) become nodes? (docs.slack.dev, "Markdown block".)

import { h, link } from "./dom.js";
import { emojiNode } from "./mrkdwn.js";

const INLINE = new RegExp(
  [
    "`(?<code>[^`\\n]+)`",
    "\\[(?<label>[^\\]\\n]+)\\]\\((?<address>[^)\\s]+)\\)",
    "\\*\\*(?=\\S)(?<bold>[^\\n]*?\\S)\\*\\*",
    "\\*(?=[^\\s*])(?<italic>[^*\\n]*?[^\\s*])\\*",
    "(?<!\\w)_(?=\\S)(?<under>[^_\\n]*?[^\\s_])_(?!\\w)",
    "~~(?=\\S)(?<strike>[^\\n]*?\\S)~~",
    ":(?<emoji>[a-z0-9_+-]+):",
    "<?(?<url>https?://[^\\s<>]*[^\\s<>.,;:!?)'\"])>?",
  ].join("|"),
  "g",
);

/** Nodes for a Markdown text: headings, lists, quotes, fences, tables, rules and paragraphs. */
export function markdown(text) {
  const lines = String(text ?? "").split("\n");
  const nodes = [];
  while (lines.length) {
    const kind = KINDS.find(
      (candidate) => candidate.begins.test(lines[0]) && (!candidate.also || candidate.also(lines)),
    );
    if (kind) nodes.push(kind.make(lines));
    else if (!lines[0].trim()) lines.shift();
    else nodes.push(h("p", {}, ...joined(takeWhile(lines, isParagraph))));
  }
  return nodes;
}

const KINDS = [
  { begins: /^```/, make: fence },
  { begins: /^#{1,6} /, make: heading },
  { begins: /^(?:-{3,}|\*{3,}|_{3,})\s*$/, make: (lines) => (lines.shift(), h("hr")) },
  {
    begins: /^>/,
    make: (lines) =>
      h("blockquote", {}, ...joined(takeWhile(lines, starts(/^>/)).map((line) => line.replace(/^> ?/, "")))),
  },
  { begins: /^\s*[-*+] /, make: (lines) => list(lines, "ul", /^\s*[-*+] /) },
  { begins: /^\s*\d+[.)] /, make: (lines) => list(lines, "ol", /^\s*\d+[.)] /) },
  { begins: /^\s*\|/, also: (lines) => /^\s*\|?[\s:|-]+\|?\s*$/.test(lines[1] ?? ""), make: table },
];

function starts(pattern) {
  return (line) => pattern.test(line);
}

function isParagraph(line, index) {
  return index === 0 || (line.trim() && !KINDS.some((kind) => kind.begins.test(line)));
}

function takeWhile(lines, wanted) {
  let count = 0;
  while (count < lines.length && wanted(lines[count], count)) count += 1;
  return lines.splice(0, count);
}

function fence(lines) {
  lines.shift();
  const body = takeWhile(lines, (line) => !line.startsWith("```"));
  lines.shift();
  return h("pre", {}, body.join("\n"));
}

function heading(lines) {
  const [, marks, words] = lines.shift().match(/^(#+) (.*)$/);
  return h(
    "div",
    { class: `md-heading md-${marks.length}`, role: "heading", "aria-level": marks.length },
    ...inline(words),
  );
}

function list(lines, tag, mark) {
  const items = takeWhile(lines, starts(mark)).map((line) => {
    const indent = Math.min(Math.floor((line.length - line.trimStart().length) / 2), 8);
    return h("li", { class: `indent-${indent}` }, ...inline(line.replace(mark, "")));
  });
  return h(tag, {}, ...items);
}

function table(lines) {
  const rows = takeWhile(lines, starts(/^\s*\|/)).filter((_, index) => index !== 1);
  const cells = rows.map((row) =>
    row
      .trim()
      .replace(/^\||\|$/g, "")
      .split("|")
      .map((cell) => inline(cell.trim())),
  );
  const [head, ...body] = cells;
  return h(
    "div",
    { class: "table-scroll" },
    h("table", {}, h("thead", {}, row(head, "th")), h("tbody", {}, ...body.map((each) => row(each, "td")))),
  );
}

function row(cells, tag) {
  return h("tr", {}, ...cells.map((cell) => h(tag, {}, ...cell)));
}

function joined(lines) {
  return lines.flatMap((line, index) => (index ? ["\n", ...inline(line)] : inline(line)));
}

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(text.slice(from, match.index), inlineNode(match.groups));
    from = match.index + match[0].length;
  }
  nodes.push(text.slice(from));
  return nodes.filter((node) => node !== "");
}

function inlineNode({ code, label, address, bold, italic, under, strike, emoji, url }) {
  if (code) return h("code", {}, code);
  if (label) return link(address, ...inline(label));
  if (bold) return h("b", {}, ...inline(bold));
  if (italic ?? under) return h("i", {}, ...inline(italic ?? under));
  if (strike) return h("s", {}, ...inline(strike));
  if (emoji) return emojiNode(emoji);
  return link(url, url);
}
