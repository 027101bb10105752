// How does a rich_text block become nodes? (docs.slack.dev, "Rich text block".)

import { formatDate, fullTime } from "./dates.js";
import { h, link } from "./dom.js";
import { emojiNode, groupMention, userMention } from "./mrkdwn.js";

/** The nodes of a rich_text block; neighbouring lists stay separate, as indents differ. */
export function richText(block, names) {
  return (block.elements ?? []).map((element) => part(element, names));
}

function part(element, names) {
  const content = (element.elements ?? []).map((child) => inline(child, names));
  switch (element.type) {
    case "rich_text_section":
      return h("div", { class: "rich-section" }, ...content);
    case "rich_text_preformatted":
      return h("pre", {}, ...content);
    case "rich_text_quote":
      return h("blockquote", {}, ...content);
    case "rich_text_list":
      return list(element, names);
    default:
      return h("span", { class: "unsupported" }, `[rich text: ${element.type}]`);
  }
}

function list(element, names) {
  const items = (element.elements ?? []).map((item) => h("li", {}, part(item, names)));
  const indent = Math.min(element.indent ?? 0, 8);
  const ordered = element.style === "ordered";
  const start = ordered && element.offset ? element.offset + 1 : null;
  return h(ordered ? "ol" : "ul", { class: `indent-${indent}`, start }, ...items);
}

function inline(element, names) {
  const node = bare(element, names);
  return styled(node, element.style ?? {});
}

function bare(element, names) {
  switch (element.type) {
    case "text":
      return element.text;
    case "link":
      return link(element.url, element.text || element.url);
    case "emoji":
      return emojiNode(element.name);
    case "user":
      return userMention(element.user_id, names);
    case "usergroup":
      return groupMention(element.usergroup_id, names);
    case "channel":
      return h("span", { class: "mention" }, `#${names.channel(element.channel_id)}`);
    case "broadcast":
      return h("span", { class: "mention me" }, `@${element.range}`);
    case "date":
      return h(
        "time",
        { title: fullTime(element.timestamp) },
        formatDate(element.timestamp, element.format) ?? element.fallback,
      );
    case "color":
      return h("code", {}, element.value);
    default:
      return h("span", { class: "unsupported" }, `[${element.type}]`);
  }
}

function styled(node, style) {
  const tags = { code: "code", bold: "b", italic: "i", strike: "s" };
  return Object.entries(tags).reduce((inner, [name, tag]) => (style[name] ? h(tag, {}, inner) : inner), node);
}
