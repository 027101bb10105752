// How does a Block Kit block become nodes? (docs.slack.dev, "Blocks".) Every text ends in a text node.
//
// A `context` says where the blocks stand: {names, place: "message" | "modal" | "home", press, report, ask,
// form}. `press({block_id, action_id, selected})` tells the bot, `report(answer)` shows a failure,
// `ask(confirm)` opens a confirmation dialog, and `form` (in a modal) keeps what has been typed.

import { h } from "./dom.js";
import { drawElement } from "./elements.js";
import { drawInput } from "./inputs.js";
import { markdown } from "./markdown.js";
import { mrkdwn, plainText } from "./mrkdwn.js";
import { richText } from "./richtext.js";

const BLOCKS = {
  header,
  section,
  context,
  divider,
  actions,
  rich_text,
  input: drawInput,
  image,
  table,
  markdown: markdownBlock,
  alert,
};

/** The nodes of all blocks, each marked with its block_id. */
export function drawBlocks(blocks, context) {
  return (blocks ?? []).map((block) => {
    const draw = Object.hasOwn(BLOCKS, block.type) ? BLOCKS[block.type] : unsupported;
    const node = draw(block, context);
    node.classList.add("block", `block-${block.type}`);
    if (block.block_id) node.dataset.block = block.block_id;
    return node;
  });
}

/** The nodes of a text object: mrkdwn or plain text. */
export function textNodes(text, names) {
  if (!text) return [];
  return text.type === "mrkdwn" ? mrkdwn(text.text, names) : plainText(text.text);
}

function header(block) {
  return h("div", { role: "heading", "aria-level": block.level ?? 3 }, ...plainText(block.text?.text));
}

function section(block, context) {
  const fields = (block.fields ?? []).map((field) =>
    h("div", { class: "field text" }, ...textNodes(field, context.names)),
  );
  const words = h(
    "div",
    { class: "section-words" },
    block.text ? h("div", { class: "text" }, ...textNodes(block.text, context.names)) : null,
    fields.length ? h("div", { class: "fields" }, ...fields) : null,
  );
  if (!block.accessory) return h("div", {}, words);
  return h(
    "div",
    { class: "with-accessory" },
    words,
    h("div", { class: "accessory" }, drawElement(block.accessory, block, context)),
  );
}

function context(block, where) {
  const parts = (block.elements ?? []).map((element) =>
    element.type === "image"
      ? drawElement(element, block, where)
      : h("span", { class: "text" }, ...textNodes(element, where.names)),
  );
  return h("div", {}, ...parts);
}

function divider() {
  return h("hr");
}

function actions(block, context) {
  return h(
    "div",
    { class: "action-row" },
    ...(block.elements ?? []).map((element) => drawElement(element, block, context)),
  );
}

function rich_text(block, context) {
  return h("div", { class: "text" }, ...richText(block, context.names));
}

function image(block, context) {
  const title = block.title
    ? h("div", { class: "image-title" }, ...textNodes(block.title, context.names))
    : null;
  return h("div", {}, title, drawElement({ ...block, type: "image" }, block, context));
}

function markdownBlock(block) {
  return h("div", { class: "text" }, ...markdown(block.text));
}

function alert(block, context) {
  return h(
    "div",
    { class: `alert alert-${block.level ?? "default"}`, role: "note" },
    ...textNodes(block.text, context.names),
  );
}

function table(block, context) {
  const settings = block.column_settings ?? [];
  const rows = (block.rows ?? []).map((cells, index) =>
    h(
      "tr",
      {},
      ...cells.map((cell, column) =>
        h(
          index ? "td" : "th",
          { class: `align-${settings[column]?.align ?? "left"}` },
          ...cellNodes(cell, context),
        ),
      ),
    ),
  );
  return h(
    "div",
    { class: "table-scroll" },
    h("table", {}, h("thead", {}, ...rows.slice(0, 1)), h("tbody", {}, ...rows.slice(1))),
  );
}

function cellNodes(cell, context) {
  if (cell.type === "rich_text") return richText(cell, context.names);
  return [String(cell.text ?? cell.value ?? "")];
}

function unsupported(block) {
  return h("div", { class: "unsupported" }, `[This sandbox does not draw blocks of type “${block.type}”]`);
}
