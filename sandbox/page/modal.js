// How does a modal view open, keep what is typed, submit, show its errors at their fields, and close?

import { drawBlocks } from "./blocks.js";
import { focusOn, h, icon, isBusy, setBusy } from "./dom.js";
import { initialValue, problemWith, stateValue } from "./inputs.js";
import { plainText } from "./mrkdwn.js";

const TROUBLE = "We had some trouble connecting. Try again?";

/** Shows one person's topmost modal. `act` posts as that person; `ask` opens confirmation dialogs. */
export function makeModal(dialogs, { act, ask }) {
  const drafts = new Map();
  let shown = null;

  const close = () => {
    shown?.close();
    shown = null;
  };

  /** Draws `view` for `person`, or closes what is open when there is none. */
  const draw = (person, view, names) => {
    const key = view ? `${person}/${view.id}` : null;
    if (shown && shown.key !== key) close();
    if (!view) return;
    if (!drafts.has(key)) drafts.set(key, { values: new Map(), errors: {} });
    if (!shown) shown = open(key, person, view, names);
    else if (shown.signature !== JSON.stringify(view)) shown.redraw(view, names);
  };

  const open = (key, person, view, names) => {
    const node = h("div", {
      class: "dialog modal",
      role: "dialog",
      "aria-modal": "true",
      "aria-labelledby": "modal-title",
      tabindex: "-1",
    });
    const self = { key, person, node, act, ask, draft: drafts.get(key) };
    self.redraw = (next, nextNames) => redraw(self, next, nextNames);
    self.close = dialogs.open(node, () => dismiss(self));
    redraw(self, view, names);
    const first = node.querySelector(".modal-body input, .modal-body textarea, .modal-body select");
    (first ?? node).focus();
    return self;
  };

  return { draw };
}

function redraw(self, view, names) {
  const focused = self.node.contains(document.activeElement)
    ? document.activeElement.dataset.focus
    : undefined;
  const scrolled = self.node.querySelector(".modal-body")?.scrollTop ?? 0;
  Object.assign(self, { view, names, signature: JSON.stringify(view) });
  const trouble = h("div", { class: "modal-trouble", role: "alert", hidden: true });
  const report = (answer) => {
    trouble.hidden = answer.ok;
    trouble.textContent = answer.ok ? "" : `${TROUBLE} (${answer.error})`;
  };
  self.report = report;
  const place = {
    names,
    place: "modal",
    press: (action) => pressIn(self, action),
    report,
    ask: self.ask,
    form: formOf(self),
  };
  self.node.replaceChildren(
    head(self, view),
    h("div", { class: "modal-body blocks" }, ...drawBlocks(view.blocks, place)),
    trouble,
    foot(self, view),
  );
  self.node.querySelector(".modal-body").scrollTop = scrolled;
  if (focused !== undefined && !focusOn(self.node, focused)) self.node.focus();
}

function head(self, view) {
  return h(
    "div",
    { class: "modal-head" },
    h("span", { class: "avatar small app", "aria-hidden": "true" }, icon("key")),
    h("h2", { id: "modal-title" }, ...plainText(view.title?.text)),
    h(
      "button",
      { type: "button", class: "icon-button", "aria-label": "Dismiss", onclick: () => dismiss(self) },
      icon("close"),
    ),
  );
}

function foot(self, view) {
  const closeText = view.close?.text ?? (view.submit ? "Cancel" : "Close");
  self.submitButton = view.submit
    ? h(
        "button",
        {
          type: "button",
          class: "button primary solid",
          dataset: { focus: "submit" },
          onclick: () => submit(self),
        },
        h("span", { class: "button-text" }, ...plainText(view.submit.text)),
      )
    : null;
  const closeButton = h(
    "button",
    { type: "button", class: "button default", dataset: { focus: "close" }, onclick: () => dismiss(self) },
    ...plainText(closeText),
  );
  return h("div", { class: "modal-foot" }, closeButton, self.submitButton);
}

function formOf(self) {
  const { draft } = self;
  const keyOf = (block, element) => `${block.block_id}/${element.action_id}`;
  return {
    id: self.view.id,
    get: (block, element) => draft.values.get(keyOf(block, element)),
    set: (block, element, value) => draft.values.set(keyOf(block, element), value),
    error: (block) => draft.errors[block.block_id] ?? null,
    submit: () => submit(self),
  };
}

/** Every element of the view that holds a value, with its block. */
function fields(view) {
  const stateful = (element) =>
    element && !["button", "overflow", "image"].includes(element.type) && element.action_id !== undefined;
  return (view.blocks ?? []).flatMap((block) => {
    const elements = [
      block.element,
      block.accessory,
      ...(block.type === "actions" ? (block.elements ?? []) : []),
    ];
    return elements.filter(stateful).map((element) => ({ block, element }));
  });
}

function valueOf(self, block, element) {
  const held = self.draft.values.get(`${block.block_id}/${element.action_id}`);
  return held === undefined ? initialValue(element) : held;
}

function stateOf(self) {
  const values = {};
  for (const { block, element } of fields(self.view)) {
    values[block.block_id] = {
      ...values[block.block_id],
      [element.action_id]: stateValue(element, valueOf(self, block, element)),
    };
  }
  return values;
}

function pressIn(self, { block_id, action_id, selected }) {
  const click = { do: "click", view_id: self.view.id, block_id, action_id, values: stateOf(self) };
  return self.act(self.person, selected === undefined ? click : { ...click, selected });
}

function showErrors(self, errors) {
  self.draft.errors = errors;
  redraw(self, self.view, self.names);
  self.node.querySelector("[aria-invalid='true']")?.focus();
}

function problems(self) {
  const found = {};
  for (const { block, element } of fields(self.view)) {
    const problem = block.type === "input" ? problemWith(block, valueOf(self, block, element)) : null;
    if (problem) found[block.block_id] = problem;
  }
  return found;
}

async function submit(self) {
  const { submitButton, view } = self;
  if (!submitButton || isBusy(submitButton)) return;
  const own = problems(self);
  if (Object.keys(own).length || Object.keys(self.draft.errors).length) showErrors(self, own);
  if (Object.keys(own).length) return;
  const pressed = self.submitButton; // what showErrors drew again. The next view may have none
  setBusy(pressed, true);
  const answer = await self.act(self.person, { do: "submit", view_id: view.id, values: stateOf(self) });
  setBusy(pressed, false);
  if (answer.errors && Object.keys(answer.errors).length) showErrors(self, answer.errors);
  else self.report(answer);
}

/** Slack's clients take a view away at once and tell the app afterwards; here the next state removes it. */
function dismiss(self) {
  return self.act(self.person, { do: "close", view_id: self.view.id }).then((answer) => self.report(answer));
}
